"""What Gemel's own daemons are told: carpd about the VHIDs, flowd about the peer. Compiled from several areas
together."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_interface

from gemel.areas.firewall import policy
from gemel.areas.gateways import GATEWAYS
from gemel.areas.high_availability import HIGH_AVAILABILITY
from gemel.areas.interfaces import INTERFACES, Interface
from gemel.areas.rules import RULES
from gemel.areas.virtual_ip import VirtualIp
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.carp.settings import Partner, ProxyArp, Vhid
from gemel.carp.settings import Settings as CarpSettings
from gemel.core.area import NodeState
from gemel.core.codec import encode
from gemel.core.config import Config, canonical
from gemel.core.want import DaemonSettings, Want
from gemel.flows.settings import Settings as FlowSettings
from gemel.rules.interpret import Interpreter, Packet
from gemel.rules.ir import STATE_SYNC_PORT, TCP, Action

MAINTENANCE = 240
"""Persistent CARP maintenance mode, as a named reason to stand back (reference carp §2.3: loses nothing, skew changes
do)."""

AWAIT_STATES = 30.0
"""Seconds that a starting node stands back at most until it has the peer's states."""


AWAIT_READY = 30.0
"""Seconds that a starting node stands back at most until its agent says that configuration and services are up."""


def compile_cluster(config: Config, node: NodeState) -> Iterable[Want]:
    """The settings of both daemons. flowd's come first: carpd asks it whether there are states to wait for."""
    yield DaemonSettings("flowd", canonical(encode(flow_settings(config))))
    yield DaemonSettings("carpd", canonical(encode(carp_settings(config, node))))


def carp_settings(config: Config, node: NodeState) -> CarpSettings:
    """All VHIDs of this node with the addresses that move with each."""
    vips = config[VIRTUAL_IPS]
    vhids = []
    for vip in vips.items:
        interface = config[INTERFACES].get(vip.interface)
        if vip.type == "carp" and vip.vhid is not None and interface is not None and interface.enabled:
            vhids.append(_vhid(vip, vip.vhid, vips.addresses_of(vip), interface))
    ha = config[HIGH_AVAILABILITY]
    return CarpSettings(
        vhids=tuple(vhids),
        demotion={"maintenance": MAINTENANCE} if node.maintenance else {},
        enabled=not node.carp_disabled,
        await_states=AWAIT_STATES if ha.synchronize_states else 0.0,
        await_ready=AWAIT_READY,
        preempt=ha.preempt,
        hold_down=float(ha.hold_down),
        partner=_partner(config) if vhids else None,
        proxies=tuple(_proxies(config)),
    )


def _vhid(vip: VirtualIp, vhid: int, addresses: tuple[str, ...], interface: Interface) -> Vhid:
    return Vhid(
        interface=interface.id,
        device=interface.device,
        vhid=vhid,
        advbase=vip.base,
        advskew=vip.skew,
        password=vip.password,
        addresses=addresses,
        source=interface.ipv4.partition("/")[0],
        source6=interface.ipv6.partition("/")[0],
        peer=vip.peer,
        peer6=vip.peer6,
        virtual_mac=vip.virtual_mac,
    )


def _proxies(config: Config) -> Iterable[ProxyArp]:
    """Proxy ARP on an interface is this node's own; stacked on a CARP VIP it is the master's."""
    vips = config[VIRTUAL_IPS]
    for vip in vips.items:
        interface = config[INTERFACES].get(vips.interface_of(vip))
        parent = vips.get(vip.parent_vip) if vip.parent_vip else None
        if vip.type == "proxyarp" and interface is not None and interface.enabled:
            network = str(ip_interface(vip.address).network)
            yield ProxyArp(interface.device, network, parent.vhid if parent else None)


def _partner(config: Config) -> Partner | None:
    """The other node, where there is a SYNC interface to reach it on. The key of the pair is not configuration."""
    ha = config[HIGH_AVAILABILITY]
    interface = config[INTERFACES].get(ha.synchronize_interface)
    if interface is None or not interface.enabled or not ha.peer_ip:
        return None
    own = [a for text in interface.own if (":" in (a := text.partition("/")[0])) == (":" in ha.peer_ip)]
    if not own:
        return None
    gateways: dict[str, tuple[str, ...]] = {}
    for gateway in config[GATEWAYS].items:
        gateways[gateway.interface] = (*gateways.get(gateway.interface, ()), gateway.address)
    return Partner(
        listen=own[0],
        address=ha.peer_ip,
        interval_ms=ha.heartbeat_interval,
        misses=ha.heartbeat_misses,
        fast=ha.fast_detection,
        gateways=gateways,
    )


def flow_settings(config: Config) -> FlowSettings:
    """Where states go, and which of them are this node's own business."""
    ha = config[HIGH_AVAILABILITY]
    interface = config[INTERFACES].get(ha.synchronize_interface)
    own = [a.partition("/")[0] for i in config[INTERFACES].items for a in i.own]
    own += [v.ip for v in config[VIRTUAL_IPS].items if v.is_present]
    sync = [str(n) for n in interface.networks] if interface else []
    ignored = [f"{a}/{128 if ':' in a else 32}" for a in own] + sync + ["127.0.0.0/8", "::1/128"]
    listen = next((a.partition("/")[0] for a in interface.own), "") if interface and interface.enabled else ""
    return FlowSettings(
        enabled=bool(ha.synchronize_states and listen and ha.peer_ip),
        listen=listen,
        peer=ha.peer_ip,
        host_id=host_id(config),
        ignore=tuple(dict.fromkeys(ignored)),
        admits=lets_peer_in(config, STATE_SYNC_PORT),
    )


def host_id(config: Config) -> str:
    """The Filter Host ID; where none was entered, one from the synchronise address, which differs on the two nodes."""
    ha = config[HIGH_AVAILABILITY]
    if ha.filter_host_id:
        return ha.filter_host_id
    interface = config[INTERFACES].get(ha.synchronize_interface)
    if interface is None or not interface.ipv4:
        return "1"
    octets = interface.ipv4.partition("/")[0].split(".")
    return "".join(f"{int(o):02x}" for o in octets).lstrip("0") or "1"


def lets_peer_in(config: Config, port: int) -> bool:
    """Whether this node's rules on the synchronize interface pass TCP from the peer to `port` (1..65535); also True
    where that cannot be asked yet, for want of an interface, an address or a peer."""
    ha = config[HIGH_AVAILABILITY]
    interface = config[INTERFACES].get(ha.synchronize_interface)
    if interface is None or not interface.enabled or not ha.peer_ip:
        return True
    peer = ip_address(ha.peer_ip)
    own = [a for text in interface.own if (a := ip_address(text.partition("/")[0])).version == peer.version]
    if not own:
        return True
    knock = Packet(interface.device, peer.version, TCP, int(peer), int(own[0]), 49152, port)
    rules = tuple(r for r in config[RULES].items if r.interface == interface.id)  # of the others there may be thousands
    there = config[RULES].model_copy(update={"items": rules})
    return Interpreter(policy(config.having(rules=there))).outcome(knock).action is Action.PASS
