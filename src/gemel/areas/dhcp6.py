"""Services > DHCPv6 Server: addresses, DNS servers and search lists for the IPv6 hosts of each interface. Applied at
Save.

Serving follows CARP as for IPv4 (`dhcp`): where the interface has an IPv6 virtual IP that follows CARP, the node that
holds it answers. Clients know one server, by a DUID that both nodes have. Their router they learn by router
advertisements. Reference pfsense-semantics §7; RFC 8415; what Kea gets is in `dhcp6_kea`.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network, ip_interface
from typing import Annotated

from pydantic import AfterValidator

from gemel.areas.dhcp_fields import DomainSearch, Ipv6s, OptionalIpv6, Span, at_most
from gemel.areas.fields import InterfaceRef, Line, host_name
from gemel.areas.followed_vip import followed_vip
from gemel.areas.interfaces import INTERFACES, Interface
from gemel.areas.one_per_interface import OnePerInterface
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.core.area import Area
from gemel.core.config import Config
from gemel.core.model import Item, Model, field
from gemel.core.problem import Problem

SHORTEST_LEASE = 60
LONGEST_DUID = 130  # bytes: RFC 8415 §11.1


def _duid(value: str) -> str:
    digits = re.sub(r"[:\s-]", "", value.lower())
    if not re.fullmatch(r"([0-9a-f]{2})+", digits):
        raise ValueError(f"{value!r} is no DUID such as 00:03:00:01:00:1b:44:11:3a:b7")
    if not 3 <= len(digits) // 2 <= LONGEST_DUID:
        raise ValueError(f"a DUID has 3 to {LONGEST_DUID} bytes")
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2))


class Dhcp6Server(OnePerInterface):
    """The DHCPv6 server of one interface."""

    interface: InterfaceRef = field(label="Interface", help="A static IPv6 address is needed on it.")
    enabled: bool = field(False, label="Enable DHCPv6 server", help="Answer the hosts on this interface.")
    range_from: OptionalIpv6 = field(
        "",
        label="Range from",
        help="The first address of the pool. Both ends empty: only hosts with a static mapping get an address, all get "
        "the DNS servers (router mode stateless).",
    )
    range_to: OptionalIpv6 = field("", label="Range to", help="The last address of the pool.")
    dns_servers: Annotated[Ipv6s, AfterValidator(at_most(4, "DNS servers"))] = field(
        (),
        label="DNS servers",
        help="IPv6 addresses, at most four. In a cluster the virtual IP. Empty: that, or else the interface's address, "
        "where the DNS Resolver answers there; otherwise the system's DNS servers.",
    )
    domain_search: DomainSearch = field(
        (), label="Domain search list", help="Domains, with semicolons between. Empty: the system's domain."
    )
    default_lease: int = field(
        7200, label="Default lease time", help="Seconds that an address is valid; a host renews it at half of that.",
        ge=SHORTEST_LEASE, le=31536000,
    )  # fmt: skip
    failover_peer_ip: OptionalIpv6 = field(
        "",
        label="Failover Peer IP",
        help="The other node's own IPv6 address on this interface. The peer gets this node's by itself. Leases are "
        "replicated; the node that holds the virtual IP answers.",
    )
    description: Line = field("", label="Description", help="For people.")

    @property
    def span(self) -> Span | None:
        """The pool, first and last address as numbers; None where only static mappings count."""
        if not (self.range_from and self.range_to):
            return None
        return int(IPv6Address(self.range_from)), int(IPv6Address(self.range_to))


class Dhcp6(Model):
    """The servers, at most one for each interface."""

    items: tuple[Dhcp6Server, ...] = ()

    def on(self, interface: str) -> Dhcp6Server | None:
        """The server of an interface."""
        return next((s for s in self.items if s.interface == interface), None)


class Dhcp6Mapping(Item):
    """A host that always gets the same address, or whose name is known at least."""

    interface: InterfaceRef = field(label="Interface", help="Where the host is.")
    duid: Annotated[str, AfterValidator(_duid)] = field(
        label="DUID", help="How the host calls itself, such as 00:03:00:01:00:1b:44:11:3a:b7; see the leases."
    )
    address: OptionalIpv6 = field("", label="IPv6 address", help="In the interface's network, outside of the range.")
    hostname: Annotated[str, AfterValidator(lambda v: host_name(v) if v else "")] = field(
        "", label="Hostname", help="Without domain. The DNS Resolver knows it."
    )
    description: Line = field("", label="Description", help="For people.")

    def called(self) -> tuple[str, ...]:
        return tuple(v for v in (self.duid, self.address, self.hostname) if v)


class Dhcp6Mappings(Model):
    """All static mappings."""

    items: tuple[Dhcp6Mapping, ...] = ()


def active6(config: Config) -> list[tuple[Dhcp6Server, Interface]]:
    """The servers that run, with their interfaces."""
    found = []
    for server in config[DHCP6].items:
        interface = config[INTERFACES].get(server.interface)
        if server.enabled and interface is not None and interface.enabled and interface.ipv6:
            found.append((server, interface))
    return found


# Checks ---------------------------------------------------------------------------------------------------------------


def _check(config: Config) -> Iterable[Problem]:
    seen: set[str] = set()
    for server in config[DHCP6].items:
        path = f"dhcp6[{server.id}]"
        interface = config[INTERFACES].get(server.interface)
        if interface is None:
            yield Problem(f"{path}.interface", f"there is no interface {server.interface!r} on this node")
            continue
        if server.interface in seen:
            yield Problem(f"{path}.interface", f"{interface.title} has a DHCPv6 server already: change that one")
        seen.add(server.interface)
        if not server.enabled:
            continue
        if not interface.enabled:
            yield Problem(f"{path}.enabled", f"{interface.title} is not enabled: enable the interface first")
        elif not interface.ipv6:
            yield Problem(f"{path}.enabled", f"{interface.title} has no static IPv6 address: a DHCPv6 server needs one")
        else:
            network = IPv6Network(ip_interface(interface.ipv6).network)
            yield from _check_range(config, server, interface, network, path)
            yield from _check_failover(config, server, interface, network, path)


def _check_range(
    config: Config, server: Dhcp6Server, interface: Interface, network: IPv6Network, path: str
) -> Iterable[Problem]:
    for name, value, other in (
        ("range_from", server.range_from, server.range_to), ("range_to", server.range_to, server.range_from)
    ):  # fmt: skip
        if other and not value:
            yield Problem(f"{path}.{name}", "a range has two ends")
        elif value and IPv6Address(value) not in network:
            yield Problem(f"{path}.{name}", f"{value} is not in the network of {interface.title}, {network}")
    if server.span is None:
        return
    first, last = server.span
    if first > last:
        yield Problem(f"{path}.range_to", f"{server.range_to} comes before {server.range_from}")
    for address, whose in _taken(config, server, interface):
        if first <= int(IPv6Address(address)) <= last:
            text = f"{server.range_from}-{server.range_to} contains {address}: {whose}"
            yield Problem(f"{path}.range_from", text)


def _taken(config: Config, server: Dhcp6Server | None, interface: Interface) -> Iterable[tuple[str, str]]:
    """Addresses that no host may get, with whose they are."""
    yield interface.ipv6.partition("/")[0], f"this node's own address on {interface.title}"
    vips = config[VIRTUAL_IPS]
    for vip in vips.items:
        if vips.interface_of(vip) == interface.id and vip.family == 6:
            yield vip.ip, f"the virtual IP {vip.description or vip.ip}"
    if server is not None and server.failover_peer_ip:
        yield server.failover_peer_ip, "the other node's address"


def _check_failover(
    config: Config, server: Dhcp6Server, interface: Interface, network: IPv6Network, path: str
) -> Iterable[Problem]:
    peer, vip, at = server.failover_peer_ip, followed_vip(config, interface.id, 6), f"{path}.failover_peer_ip"
    if not peer:
        if vip is not None:
            text = "without it leases are not replicated: after a failover hosts may get addresses that are in use"
            yield Problem(at, text, "warning")
        return
    own = {a.partition("/")[0]: i.title for i in config[INTERFACES].items for a in i.own}
    if peer in own:
        yield Problem(at, f"{peer} is this node's own address ({own[peer]}): enter the other node's")
    elif peer in {v.ip for v in config[VIRTUAL_IPS].items}:
        yield Problem(at, f"{peer} is a virtual IP: enter the other node's own address")
    elif IPv6Address(peer) not in network:
        text = f"{peer} is not in the network of {interface.title}, {network}: enter the other node's address there"
        yield Problem(at, text)
    elif vip is None:
        text = f"{interface.title} has no IPv6 virtual IP that follows CARP in its network, so nothing says which node "
        yield Problem(at, text + "answers: add one first")


def _check_mappings(config: Config) -> Iterable[Problem]:
    seen: dict[tuple[str, str], Dhcp6Mapping] = {}
    addresses: dict[str, Dhcp6Mapping] = {}
    for one in config[DHCP6_MAPPINGS].items:
        path = f"dhcp6_mappings[{one.id}]"
        if seen.setdefault((one.interface, one.duid), one) is not one:
            yield Problem(f"{path}.duid", "this host has a static mapping on this interface already")
        if one.address and addresses.setdefault(one.address, one) is not one:
            yield Problem(f"{path}.address", f"{one.address} is another host's already")
        yield from _check_mapping(config, one, path)


def _check_mapping(config: Config, one: Dhcp6Mapping, path: str) -> Iterable[Problem]:
    interface, server = config[INTERFACES].get(one.interface), config[DHCP6].on(one.interface)
    if interface is None or not interface.ipv6:
        text = "has no static IPv6 address" if interface else "is not there on this node"
        yield Problem(f"{path}.interface", f"{interface.title if interface else one.interface} {text}")
        return
    if server is None or not server.enabled:
        text = f"{interface.title} has no DHCPv6 server that is enabled: nobody gets this address"
        yield Problem(f"{path}.interface", text, "warning")
    if not one.address:
        return
    network, address = ip_interface(interface.ipv6).network, IPv6Address(one.address)
    if address not in network:
        yield Problem(f"{path}.address", f"{address} is not in the network of {interface.title}, {network}")
    for taken, whose in _taken(config, server, interface):
        if one.address == taken:
            yield Problem(f"{path}.address", f"{address} is {whose}")
    if server and server.span and server.span[0] <= int(address) <= server.span[1]:
        text = f"{address} is in the range {server.range_from}-{server.range_to}: choose one outside of it"
        yield Problem(f"{path}.address", text)


def _for_peer(model: Dhcp6, config: Config) -> Dhcp6:
    """The peer's Failover Peer IP is this node's own address on that interface."""

    def turned(server: Dhcp6Server) -> Dhcp6Server:
        interface = config[INTERFACES].get(server.interface)
        if not server.failover_peer_ip or interface is None or not interface.ipv6:
            return server
        return server.model_copy(update={"failover_peer_ip": interface.ipv6.partition("/")[0]})

    return model.model_copy(update={"items": tuple(turned(s) for s in model.items)})


DHCP6 = Area(
    name="dhcp6",
    label="DHCPv6 Server",
    noun="dhcp6",
    model=Dhcp6,
    item=Dhcp6Server,
    help="Addresses, DNS servers and search lists for the IPv6 hosts of each interface. In a cluster the node that "
    "holds the virtual IP answers, and both have the same leases.",
    availability="follows a VIP",
    at_save=True,
    items_at_save=True,
    grouped_by="interface",
    sync="dhcp",
    check=_check,
    for_peer=_for_peer,
    columns=("interface", "enabled", "range_from", "range_to", "dns_servers", "failover_peer_ip"),
)

DHCP6_MAPPINGS = Area(
    name="dhcp6_mappings",
    label="DHCPv6 Static Mappings",
    noun="dhcp6-mapping",
    model=Dhcp6Mappings,
    item=Dhcp6Mapping,
    help="IPv6 hosts that always get the same address.",
    availability="follows a VIP",
    at_save=True,
    items_at_save=True,
    grouped_by="interface",
    sync="dhcp",
    check=_check_mappings,
    columns=("duid", "address", "hostname", "description"),
)
