"""What can be wrong with one DHCP server in the network of its interface: pools, gateway, failover."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, ip_interface

from gemel.areas.dhcp_fields import Span
from gemel.areas.dhcp_server import DhcpServer
from gemel.areas.interfaces import INTERFACES, Interface
from gemel.areas.virtual_ips import VIRTUAL_IPS, VirtualIp
from gemel.core.config import Config
from gemel.core.problem import Problem


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


def enabled_problems(config: Config, server: DhcpServer, interface: Interface, path: str) -> Iterable[Problem]:
    """Of a server that is enabled; `path` is its place in the configuration."""
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
        *reserved(config, server, interface),
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


def reserved(config: Config, server: DhcpServer, interface: Interface) -> Iterable[tuple[str, str]]:
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
