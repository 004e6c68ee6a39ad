"""Services > DHCP Server: one server for each interface, and the clients that always get the same address.

Applied at Save. Serving follows CARP: where the interface has a CARP VIP, the node that holds it answers, and clients
know one server, the VIP. Reference pfsense-semantics §7.1; what Kea gets is in `dhcp_kea`.
"""

from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, ip_interface
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from gemel.areas.dhcp_fields import (
    ClientId,
    DomainSearch,
    Ipv4s,
    Mac,
    MacPrefixes,
    OptionalIpv4,
    Options,
    Span,
    Spans,
    at_most,
    span,
)
from gemel.areas.fields import DomainName, InterfaceRef, Line, host_name
from gemel.areas.interfaces import INTERFACES, Interface
from gemel.areas.virtual_ips import VIRTUAL_IPS, VirtualIp
from gemel.core.area import Area
from gemel.core.config import Config
from gemel.core.model import Item, Model, field
from gemel.core.problem import Problem

SHORTEST_LEASE = 60


def _gateway(value: str) -> str:
    text = value.strip().lower()
    if text in ("", "none"):
        return text
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise ValueError(f"{value!r} is no IPv4 address: enter one, none, or nothing") from None


class DhcpServer(Item):
    """The DHCP server of one interface."""

    interface: InterfaceRef = field(label="Interface", help="A static IPv4 address is needed on it.")
    enabled: bool = field(False, label="Enable DHCP server", help="Give addresses to the hosts on this interface.")
    range_from: OptionalIpv4 = field("", label="Range from", help="The first address of the pool.")
    range_to: OptionalIpv4 = field("", label="Range to", help="The last address of the pool.")
    pools: Spans = field(
        (), label="Additional pools", help="Further ranges, such as 192.168.1.150-192.168.1.200."
    )
    deny_unknown: Literal["allow", "enabled", "class"] = field(
        "allow",
        label="Deny unknown clients",
        help="Whether everybody gets an address, or only clients with a static mapping: on any interface (enabled), or "
        "on this one (class).",
    )
    ignore_client_ids: bool = field(
        False, label="Ignore client identifiers", help="Know clients by their MAC only; two systems of one PC are one."
    )
    dns_servers: Annotated[Ipv4s, AfterValidator(at_most(4, "DNS servers"))] = field(
        (),
        label="DNS Server",
        help="At most four. In a cluster the CARP VIP of this interface. Empty: the CARP VIP, or else the interface's "
        "address, where the DNS Resolver answers there; otherwise the system's DNS servers.",
    )
    wins_servers: Annotated[Ipv4s, AfterValidator(at_most(2, "WINS servers"))] = field(
        (), label="WINS servers", help="At most two."
    )
    gateway: Annotated[str, AfterValidator(_gateway)] = field(
        "",
        label="Gateway",
        help="In a cluster the CARP VIP of this interface. Empty: the CARP VIP, or else the interface's address; none: "
        "clients are told of no gateway.",
    )
    domain: DomainName = field("", label="Domain name", help="Empty: the system's domain.")
    domain_search: DomainSearch = field(
        (), label="Domain search list", help="Domains that clients try behind a name without dots."
    )
    default_lease: int = field(
        7200, label="Default lease time", help="Seconds, for clients that do not ask for a time of their own.",
        ge=SHORTEST_LEASE, le=31536000,
    )  # fmt: skip
    max_lease: int = field(
        86400, label="Maximum lease time", help="Seconds, for clients that ask.", ge=SHORTEST_LEASE, le=31536000
    )
    failover_peer_ip: OptionalIpv4 = field(
        "",
        label="Failover Peer IP",
        help="The other node's own address on this interface. The peer gets this node's by itself. Leases are "
        "replicated; the node that holds the CARP VIP answers.",
    )
    ntp_servers: Annotated[Ipv4s, AfterValidator(at_most(4, "NTP servers"))] = field(
        (), label="NTP servers", help="At most four."
    )
    tftp_server: Line = field("", label="TFTP server", help="Name or address (option 66).", max_length=255)
    next_server: OptionalIpv4 = field("", label="Next server", help="Address of the server for network boot.")
    boot_file: Line = field("", label="Default BIOS file name", help="For network boot.", max_length=127)
    boot_file_uefi: Line = field("", label="UEFI 64 bit file name", help="For network boot.", max_length=127)
    root_path: Line = field("", label="Root path", help="For diskless clients (option 17).", max_length=255)
    options: Options = field(
        (),
        label="Additional options",
        help="Number, type and value, such as 252 text http://proxy/wpad.dat. Types: text, hex, "
        "boolean, uint8, uint16, uint32, int8, int16, int32, ip.",
    )
    allow_macs: MacPrefixes = field(
        (), label="MAC allow", help="Only these MAC addresses, or beginnings of them, get an address. Empty: all."
    )
    deny_macs: MacPrefixes = field((), label="MAC deny", help="These, or what begins with them, get none.")
    description: Line = field("", label="Description", help="For people.")

    @classmethod
    def id_for(cls, values: Mapping[str, Any], taken: Collection[str]) -> str:
        word = str(values.get("interface", "")).lower()
        return "".join(c for c in word if c.isascii() and (c.isalnum() or c in "_-"))[:40] or "server"

    def called(self) -> tuple[str, ...]:
        return (self.interface,)

    @property
    def spans(self) -> tuple[Span, ...]:
        """All pools, the range first; empty while there is no range."""
        whole = self.range_from and self.range_to
        main = ((int(IPv4Address(self.range_from)), int(IPv4Address(self.range_to))),) if whole else ()
        return main + tuple(span(p) for p in self.pools)


class Dhcp(Model):
    """The servers, at most one for each interface."""

    items: tuple[DhcpServer, ...] = ()

    def on(self, interface: str) -> DhcpServer | None:
        """The server of an interface."""
        return next((s for s in self.items if s.interface == interface), None)


class StaticMapping(Item):
    """A client that always gets the same address, or is known at least."""

    interface: InterfaceRef = field(label="Interface", help="Where the client is.")
    mac: Mac = field("", label="MAC address", help="Of the client's network card.")
    client_id: ClientId = field("", label="Client identifier", help="Instead of the MAC, or beside it.")
    address: OptionalIpv4 = field("", label="IP address", help="In the interface's network, outside of all pools.")
    hostname: Annotated[str, AfterValidator(lambda v: host_name(v) if v else "")] = field(
        "", label="Hostname", help="Without domain. The DNS Resolver knows it."
    )
    description: Line = field("", label="Description", help="For people.")

    def called(self) -> tuple[str, ...]:
        return tuple(v for v in (self.mac, self.address, self.hostname) if v)


class StaticMappings(Model):
    """All static mappings."""

    items: tuple[StaticMapping, ...] = ()


def carp_vip(config: Config, interface: str) -> VirtualIp | None:
    """The CARP VIP that the DHCP server of an interface follows: in its network, and of several the lowest VHID."""
    own = config[INTERFACES].get(interface)
    if own is None or not own.ipv4:
        return None
    network = ip_interface(own.ipv4).network
    there = [
        v
        for v in config[VIRTUAL_IPS].items
        if v.type == "carp" and v.interface == interface and v.vhid and ":" not in v.ip and IPv4Address(v.ip) in network
    ]
    return min(there, key=lambda v: v.vhid or 0, default=None)


def active(config: Config) -> list[tuple[DhcpServer, Interface]]:
    """The servers that run, with their interfaces."""
    found = []
    for server in config[DHCP].items:
        interface = config[INTERFACES].get(server.interface)
        if server.enabled and interface is not None and interface.enabled and interface.ipv4 and server.spans:
            found.append((server, interface))
    return found


# Checks ---------------------------------------------------------------------------------------------------------------


def _check(config: Config) -> Iterable[Problem]:
    seen: set[str] = set()
    for server in config[DHCP].items:
        path = f"dhcp[{server.id}]"
        interface = config[INTERFACES].get(server.interface)
        if interface is None:
            yield Problem(f"{path}.interface", f"there is no interface {server.interface!r} on this node")
            continue
        if server.interface in seen:
            yield Problem(f"{path}.interface", f"{interface.title} has a DHCP server already: change that one")
        seen.add(server.interface)
        if server.max_lease < server.default_lease:
            yield Problem(f"{path}.max_lease", f"must be at least the default lease time, {server.default_lease} s")
        if server.enabled:
            yield from _check_enabled(config, server, interface, path)


def _check_enabled(config: Config, server: DhcpServer, interface: Interface, path: str) -> Iterable[Problem]:
    if not interface.enabled:
        yield Problem(f"{path}.enabled", f"{interface.title} is not enabled: enable the interface first")
        return
    if not interface.ipv4:
        yield Problem(f"{path}.enabled", f"{interface.title} has no static IPv4 address: a DHCP server needs one")
        return
    network = IPv4Network(ip_interface(interface.ipv4).network)
    if network.prefixlen > 30:
        yield Problem(f"{path}.enabled", f"the network of {interface.title}, {network}, has no room for clients")
        return
    yield from _check_pools(config, server, interface, network, path)
    yield from _check_gateway(config, server, interface, network, path)
    yield from _check_failover(config, server, interface, network, path)


def _check_pools(
    config: Config, server: DhcpServer, interface: Interface, network: IPv4Network, path: str
) -> Iterable[Problem]:
    for name, value in (("range_from", server.range_from), ("range_to", server.range_to)):
        if not value:
            yield Problem(f"{path}.{name}", "an enabled server needs its range of addresses")
    if server.range_from and server.range_to and IPv4Address(server.range_from) > IPv4Address(server.range_to):
        yield Problem(f"{path}.range_to", f"{server.range_to} comes before {server.range_from}")
        return
    main = bool(server.range_from and server.range_to)
    taken = [
        (str(network.network_address), "the address of the network itself"),
        (str(network.broadcast_address), "the broadcast address"),
        *_taken(config, server, interface),
    ]
    for index, pool in enumerate(server.spans):
        names = ("range_from", "range_to") if main and index == 0 else ("pools", "pools")
        outside = [(IPv4Address(e), n) for e, n in zip(pool, names, strict=True) if IPv4Address(e) not in network]
        for end, name in outside:
            yield Problem(f"{path}.{name}", f"{end} is not in the network of {interface.title}, {network}")
        found = [] if outside else list(_collisions(pool, server.spans[:index], taken))
        if found:
            yield Problem(f"{path}.{names[0]}", found[0])


def _collisions(pool: Span, before: Iterable[Span], taken: Iterable[tuple[str, str]]) -> Iterable[str]:
    """What a pool holds that it must not."""
    first, last = pool
    words = f"{IPv4Address(first)}-{IPv4Address(last)}"
    for address, whose in taken:
        if first <= int(IPv4Address(address)) <= last:
            yield f"{words} contains {address}: {whose}"
    for other in before:
        if first <= other[1] and other[0] <= last:
            yield f"{words} overlaps with {IPv4Address(other[0])}-{IPv4Address(other[1])}"


def _taken(config: Config, server: DhcpServer, interface: Interface) -> Iterable[tuple[str, str]]:
    """Addresses that no pool may contain, with whose they are."""
    yield interface.ipv4.partition("/")[0], f"this node's own address on {interface.title}"
    vips = config[VIRTUAL_IPS]
    for vip in vips.items:
        if vips.interface_of(vip) == interface.id and ":" not in vip.ip:
            yield vip.ip, f"the virtual IP {vip.description or vip.ip}"
    if server.failover_peer_ip:
        yield server.failover_peer_ip, "the other node's address"


def _check_gateway(
    config: Config, server: DhcpServer, interface: Interface, network: IPv4Network, path: str
) -> Iterable[Problem]:
    own = interface.ipv4.partition("/")[0]
    vip = carp_vip(config, interface.id)
    if server.gateway not in ("", "none"):
        vips = config[VIRTUAL_IPS]
        around = [network] + [
            IPv4Network(ip_interface(v.address).network)
            for v in vips.items
            if vips.interface_of(v) == interface.id and ":" not in v.ip
        ]
        if not any(IPv4Address(server.gateway) in n for n in around):
            yield Problem(f"{path}.gateway", f"{server.gateway} is not in the network of {interface.title}, {network}")
    if vip is not None:
        for name, values in (("gateway", (server.gateway,)), ("dns_servers", server.dns_servers)):
            if own in values or (server.failover_peer_ip and server.failover_peer_ip in values):
                text = f"one node's own address: clients lose it with that node. Use the CARP VIP {vip.ip}"
                yield Problem(f"{path}.{name}", text, "warning")


def _check_failover(
    config: Config, server: DhcpServer, interface: Interface, network: IPv4Network, path: str
) -> Iterable[Problem]:
    peer, vip = server.failover_peer_ip, carp_vip(config, interface.id)
    if not peer:
        if vip is not None:
            text = "without it leases are not replicated: after a failover clients may get addresses that are in use"
            yield Problem(f"{path}.failover_peer_ip", text, "warning")
        return
    own = {a.partition("/")[0]: i.title for i in config[INTERFACES].items for a in i.own}
    vips = {v.ip for v in config[VIRTUAL_IPS].items}
    if peer in own:
        yield Problem(
            f"{path}.failover_peer_ip", f"{peer} is this node's own address ({own[peer]}): enter the other node's"
        )
    elif peer in vips:
        yield Problem(f"{path}.failover_peer_ip", f"{peer} is a virtual IP: enter the other node's own address")
    elif IPv4Address(peer) not in network:
        text = f"{peer} is not in the network of {interface.title}, {network}: enter the other node's address there"
        yield Problem(f"{path}.failover_peer_ip", text)
    elif vip is None:
        text = f"{interface.title} has no CARP VIP in its network, so nothing says which node answers: add one first"
        yield Problem(f"{path}.failover_peer_ip", text)


def _check_mappings(config: Config) -> Iterable[Problem]:
    macs: dict[tuple[str, str], StaticMapping] = {}
    ids: dict[tuple[str, str], StaticMapping] = {}
    addresses: dict[str, StaticMapping] = {}
    for one in config[DHCP_MAPPINGS].items:
        path = f"dhcp_mappings[{one.id}]"
        if not one.mac and not one.client_id:
            yield Problem(f"{path}.mac", "a MAC address or a client identifier is needed")
        for seen, key, name in ((macs, one.mac, "mac"), (ids, one.client_id, "client_id")):
            if key and seen.setdefault((one.interface, key), one) is not one:
                yield Problem(f"{path}.{name}", f"{key} has a static mapping on this interface already")
        if one.address and addresses.setdefault(one.address, one) is not one:
            yield Problem(f"{path}.address", f"{one.address} is given to another client as well", "warning")
        yield from _check_mapping(config, one, path)


def _check_mapping(config: Config, one: StaticMapping, path: str) -> Iterable[Problem]:
    interface, server = config[INTERFACES].get(one.interface), config[DHCP].on(one.interface)
    if interface is None or not interface.ipv4:
        text = "has no static IPv4 address" if interface else "is not there on this node"
        yield Problem(f"{path}.interface", f"{interface.title if interface else one.interface} {text}")
        return
    if server is None or not server.enabled:
        text = f"{interface.title} has no DHCP server that is enabled: nobody gets this address"
        yield Problem(f"{path}.interface", text, "warning")
    if not one.address:
        return
    network, address = IPv4Network(ip_interface(interface.ipv4).network), IPv4Address(one.address)
    if address not in network:
        yield Problem(f"{path}.address", f"{address} is not in the network of {interface.title}, {network}")
    elif address in (network.network_address, network.broadcast_address):
        yield Problem(f"{path}.address", f"{address} is the network or broadcast address of {network}")
    for taken, whose in _taken(config, server or DhcpServer(interface=one.interface), interface):
        if one.address == taken:
            yield Problem(f"{path}.address", f"{address} is {whose}")
    for first, last in server.spans if server else ():
        if first <= int(address) <= last:
            text = f"{address} is in the pool {IPv4Address(first)}-{IPv4Address(last)}: choose one outside of all pools"
            yield Problem(f"{path}.address", text)


def _for_peer(model: Dhcp, config: Config) -> Dhcp:
    """The peer's Failover Peer IP is this node's own address on that interface."""

    def turned(server: DhcpServer) -> DhcpServer:
        interface = config[INTERFACES].get(server.interface)
        if not server.failover_peer_ip or interface is None or not interface.ipv4:
            return server
        return server.model_copy(update={"failover_peer_ip": interface.ipv4.partition("/")[0]})

    return model.model_copy(update={"items": tuple(turned(s) for s in model.items)})


DHCP = Area(
    name="dhcp",
    label="DHCP Server",
    noun="dhcp",
    model=Dhcp,
    item=DhcpServer,
    help="Addresses for the hosts of each interface. In a cluster the node that holds the CARP VIP answers, and both "
    "have the same leases.",
    availability="follows a VIP",
    at_save=True,
    items_at_save=True,
    grouped_by="interface",
    sync="dhcp",
    check=_check,
    for_peer=_for_peer,
    columns=("interface", "enabled", "range_from", "range_to", "gateway", "dns_servers", "failover_peer_ip"),
)

DHCP_MAPPINGS = Area(
    name="dhcp_mappings",
    label="DHCP Static Mappings",
    noun="dhcp-mapping",
    model=StaticMappings,
    item=StaticMapping,
    help="Clients that always get the same address.",
    availability="follows a VIP",
    at_save=True,
    items_at_save=True,
    grouped_by="interface",
    sync="dhcp",
    check=_check_mappings,
    columns=("mac", "client_id", "address", "hostname", "description"),
)
