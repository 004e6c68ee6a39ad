"""Firewall > Virtual IPs: addresses that follow the CARP master, further ones, and such as are only translated.

Reference pfsense-semantics §4. A CARP VIP is known by (interface, VHID); the peer gets the same with skew + 100, at
most 254. An alias stacked on a CARP VIP belongs to its VHID; one of the other address family makes that VHID speak for
both. What is on one node's own interface (IP alias, Proxy ARP) stays with that node.
"""

from collections.abc import Iterable
from ipaddress import ip_address, ip_interface
from typing import Any

from gemel.areas.interfaces import INTERFACES, Interface, IpNetwork
from gemel.areas.virtual_ip import LOOPBACK, VirtualIp, VirtualIps, follows_carp, is_common
from gemel.core.area import Area, NodeState
from gemel.core.config import Config
from gemel.core.problem import Problem
from gemel.core.want import Address, Want

__all__ = ["HIGHEST_SKEW", "PEER_SKEW", "VIRTUAL_IPS", "VirtualIp", "VirtualIps"]

PEER_SKEW = 100
"""With base 0, where the skew is the whole interval, the peer's is one more instead."""
HIGHEST_SKEW = 254
WORDS = {"carp": "CARP VIP", "ipalias": "IP alias", "proxyarp": "Proxy ARP", "other": "Other"}


def _check(config: Config) -> Iterable[Problem]:
    vips = config[VIRTUAL_IPS]
    taken = {str(ip_interface(a).ip): i.title for i in config[INTERFACES].items for a in i.own}
    vhids: dict[tuple[str, int], VirtualIp] = {}
    for vip in vips.items:
        path = f"virtual_ips[{vip.id}]"
        if vip.ip in taken:
            yield Problem(f"{path}.address", f"{vip.ip} is in use already: {taken[vip.ip]}")
        taken[vip.ip] = f"virtual IP {vip.description or vip.ip}"
        yield from _check_parent(vip, vips, path)
        interface = config[INTERFACES].get(vips.interface_of(vip))
        if interface is not None:
            yield from _check_interface(vip, interface, path)
            yield from _check_place(vip, [*interface.networks, *_alias_networks(vips, vip)], interface, path)
        elif vip.interface != LOOPBACK:
            yield Problem(f"{path}.interface", f"there is no interface {vip.interface!r} on this node")
        if vip.type == "carp":
            yield from _check_carp(vip, vhids, path)
        elif vip.vhid is not None:
            text = f"{WORDS[vip.type]} has no VHID: to let it follow CARP, choose the CARP VIP as its interface"
            yield Problem(f"{path}.vhid", text)


def _check_parent(vip: VirtualIp, vips: VirtualIps, path: str) -> Iterable[Problem]:
    """What may be stacked on a CARP VIP, and what may be on the loopback."""
    if vip.interface == LOOPBACK and vip.type != "ipalias":
        yield Problem(f"{path}.interface", "only an IP alias can be on Localhost")
    if vip.parent_vip is None:
        return
    parent = vips.get(vip.parent_vip)
    if vip.type not in ("ipalias", "proxyarp"):
        yield Problem(f"{path}.interface", "only an IP alias or Proxy ARP can be stacked on a CARP VIP")
    elif parent is None or parent.type != "carp":
        yield Problem(f"{path}.interface", "must be an interface or a CARP VIP")


def _check_interface(vip: VirtualIp, interface: Interface, path: str) -> Iterable[Problem]:
    """CARP is spoken, and a virtual MAC asked after, from an address of the interface's own in the same family."""
    own = {4: interface.ipv4, 6: interface.ipv6}
    if not interface.own:
        text = f"{interface.title} has no address of its own: a virtual IP needs one beside it"
        yield Problem(f"{path}.interface", text)
    elif vip.type in ("carp", "ipalias") and follows_carp(vip) and not own[vip.family]:
        text = f"{interface.title} has no IPv{vip.family} address of its own, from which CARP would be spoken"
        yield Problem(f"{path}.interface", text)
    for name, family in (("peer", 4), ("peer6", 6)):
        peer = getattr(vip, name)
        if not peer:
            continue
        if ip_address(peer).version != family:
            yield Problem(f"{path}.{name}", f"{peer} is no IPv{family} address")
        elif vip.type != "carp":
            yield Problem(f"{path}.{name}", "only a CARP VIP has a peer that adverts go to")
        elif not own[family]:
            yield Problem(f"{path}.{name}", f"{interface.title} has no IPv{family} address of its own to send from")
        elif peer == own[family].partition("/")[0]:
            yield Problem(f"{path}.{name}", f"{peer} is this node's own: give the other node's address")


def _check_place(vip: VirtualIp, around: list[IpNetwork], interface: Interface, path: str) -> Iterable[Problem]:
    parsed = ip_interface(vip.address)
    network = parsed.network
    if not vip.is_present:
        yield from _check_range(vip, interface, path)
        return
    if (
        parsed.version == 4
        and network.prefixlen < 31
        and parsed.ip in (network.network_address, network.broadcast_address)
    ):
        yield Problem(f"{path}.address", f"{vip.ip} is the network or broadcast address of {network}")
    if parsed.ip.is_link_local or not follows_carp(vip):  # a plain alias brings its network along
        return
    here = [n for n in around if n.version == parsed.version and ip_address(vip.ip) in n]
    if not here:
        text = f"{vip.ip} is in no network of {interface.title}: hosts there will not find it by themselves"
        yield Problem(f"{path}.address", text, "warning")
    elif vip.type == "carp" and here[0].prefixlen != network.prefixlen:
        text = f"the mask is /{network.prefixlen}, that of {interface.title} is /{here[0].prefixlen}: use the same"
        yield Problem(f"{path}.address", text, "warning")


def _check_range(vip: VirtualIp, interface: Interface, path: str) -> Iterable[Problem]:
    """Proxy ARP and Other stand for all addresses of their mask."""
    network = ip_interface(vip.address).network
    if network.prefixlen < network.max_prefixlen and vip.address != str(network):
        text = f"for a single address give /{network.max_prefixlen}; the network is {network}"
        yield Problem(f"{path}.address", text)
        return
    if vip.type != "proxyarp":
        return
    if network.version != 4:
        yield Problem(f"{path}.address", "Proxy ARP is for IPv4: ARP knows no other addresses")
    for own in (ip_interface(a).ip for a in interface.own):
        if own.version == 4 and own in network:
            text = f"{network} holds {interface.title}'s own {own}: leave out what hosts here have themselves"
            yield Problem(f"{path}.address", text)


def _alias_networks(vips: VirtualIps, vip: VirtualIp) -> list[IpNetwork]:
    """The networks that IP aliases bring to the same interface."""
    return [
        ip_interface(other.address).network
        for other in vips.items
        if other.type == "ipalias" and other is not vip and other.interface == vip.interface
    ]


def _check_carp(vip: VirtualIp, vhids: dict[tuple[str, int], VirtualIp], path: str) -> Iterable[Problem]:
    if vip.vhid is None:
        yield Problem(f"{path}.vhid", "a CARP VIP needs a VHID, 1 to 255")
    else:
        other = vhids.setdefault((vip.interface, vip.vhid), vip)
        if other is not vip:
            text = f"VHID {vip.vhid} is used on this interface already, by {other.ip}"
            stack = f": to share it, make this an IP alias with {other.ip} as its interface"
            yield Problem(f"{path}.vhid", text + (stack if other.family != vip.family else ""))
    if vip.base == 0 and vip.skew == 0:
        yield Problem(f"{path}.skew", "base 0 needs a skew of at least 1: it alone is the interval, in 1/256 s")
    if not vip.password:
        yield Problem(f"{path}.password", "a CARP VIP needs a password, the same on both nodes")


def _compile(config: Config, _node: NodeState) -> Iterable[Want]:
    """Plain aliases are ordinary addresses; everything that follows CARP is in carpd's settings (`cluster`)."""
    for vip in config[VIRTUAL_IPS].items:
        interface = config[INTERFACES].get(vip.interface)
        if vip.type != "ipalias" or vip.parent_vip:
            continue
        if vip.interface == LOOPBACK:
            yield Address("lo", f"{vip.ip}/{128 if vip.family == 6 else 32}")
        elif interface and interface.enabled:
            yield Address(interface.device, vip.address)


def _shared(model: VirtualIps, _config: Config) -> VirtualIps:
    return model.model_copy(update={"items": tuple(v for v in model.items if is_common(v))})


def _for_peer(model: VirtualIps, config: Config) -> VirtualIps:
    """The peer's skew is higher, and its unicast peer is this node."""

    def other_end(vip: VirtualIp) -> dict[str, Any]:
        interface = config[INTERFACES].get(vip.interface)
        own = (interface.ipv4.partition("/")[0], interface.ipv6.partition("/")[0]) if interface else ("", "")
        return {
            "skew": min(vip.skew + (PEER_SKEW if vip.base else 1), HIGHEST_SKEW),
            "peer": own[0] if vip.peer else "",
            "peer6": own[1] if vip.peer6 else "",
        }

    items = (v.model_copy(update=other_end(v)) if v.type == "carp" else v for v in model.items)
    return model.model_copy(update={"items": tuple(items)})


VIRTUAL_IPS = Area(
    name="virtual_ips",
    label="Virtual IPs",
    noun="vip",
    model=VirtualIps,
    item=VirtualIp,
    help="Addresses that move between the nodes (CARP), further addresses (IP alias), and addresses that are only used "
    "in NAT (Proxy ARP, Other).",
    availability="follows a VIP",
    sync="virtual_ips",
    check=_check,
    compile=_compile,
    shared=_shared,
    for_peer=_for_peer,
    columns=("address", "interface", "type", "vhid", "base", "skew", "description"),
)
