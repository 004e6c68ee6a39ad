"""Services > DHCP Server: one server for each interface, and the clients that always get the same address.

Applied at Save. Serving follows CARP: where the interface has a CARP VIP, the node that holds it answers, and clients
know one server, the VIP. Reference pfsense-semantics §7.1; what Kea gets is in `dhcp_kea`.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, ip_interface

from gemel.areas.dhcp_checks import enabled_problems, reserved
from gemel.areas.dhcp_server import Dhcp, DhcpServer, StaticMapping, StaticMappings
from gemel.areas.interfaces import INTERFACES, Interface
from gemel.core.area import Area
from gemel.core.config import Config
from gemel.core.problem import Problem


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
            yield from enabled_problems(config, server, interface, path)


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
    for taken, whose in reserved(config, server or DhcpServer(interface=one.interface), interface):
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
