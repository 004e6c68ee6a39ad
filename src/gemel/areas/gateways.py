"""System > Routing: gateways, default gateways and static routes. Synchronised together (*static routes*)."""

import re
from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv6Address, ip_address, ip_interface, ip_network
from typing import Annotated, Any

from pydantic import AfterValidator

from gemel.areas.fields import GatewayRef, InterfaceRef, IpAddress, Line, Network, OptionalIpAddress
from gemel.areas.interfaces import INTERFACES, Interface, IpNetwork
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.core.area import Area, NodeState
from gemel.core.config import Config
from gemel.core.model import Item, Model, field, new_id
from gemel.core.problem import Problem
from gemel.core.want import Route, Want

DEFAULT = {4: "0.0.0.0/0", 6: "::/0"}


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]{1,31}", value):
        raise ValueError(f"{value!r} is no name of a gateway: letters, digits and underscores, at most 31")
    return value


class Gateway(Item):
    """A next hop, known by name."""

    name: Annotated[str, AfterValidator(_name)] = field(
        label="Name", help="Letters, digits and underscores, e.g. WANGW."
    )
    interface: InterfaceRef = field(label="Interface", help="Through which the gateway is reached.")
    address: IpAddress = field(
        label="Gateway", help="Its IP address. For IPv6 a link-local one (fe80::…) will do: the interface is given."
    )
    monitor: bool = field(True, label="Monitor", help="Ask it once a second whether it is there.")
    monitor_ip: OptionalIpAddress = field(
        "",
        label="Monitor IP",
        help="Ask this address instead, through the gateway's interface: one behind it tells more, such as a name "
        "server of the provider. Empty: the gateway itself.",
    )
    description: Line = field("", label="Description", help="For people.")

    @classmethod
    def id_for(cls, values: Mapping[str, Any], taken: Collection[str]) -> str:
        # Interfaces refer to gateways and stay on their node while gateways synchronise: both nodes must find the same
        # id.
        name = str(values.get("name", "")).lower()
        return name if re.fullmatch(r"[a-z0-9_]{1,31}", name) else new_id()

    @property
    def monitored(self) -> str:
        """Who is asked."""
        return self.monitor_ip or self.address

    def called(self) -> tuple[str, ...]:
        return (self.name,)


class Gateways(Model):
    """All gateways, and which of them are the default ones."""

    default4: GatewayRef = field(
        "", label="Default gateway IPv4", help="Empty: that of the first interface which has one."
    )
    default6: GatewayRef = field(
        "", label="Default gateway IPv6", help="Empty: that of the first interface which has one."
    )
    items: tuple[Gateway, ...] = ()

    def get(self, key: str) -> Gateway | None:
        """The gateway of that id."""
        return next((g for g in self.items if g.id == key), None)


class StaticRoute(Item):
    """A network behind a gateway."""

    network: Network = field(label="Destination network", help="For example 10.20.0.0/16.")
    gateway: GatewayRef = field(label="Gateway", help="Which gateway leads there.")
    disabled: bool = field(False, label="Disabled", help="Keep the route, but do not use it.")
    description: Line = field("", label="Description", help="For people.")

    def called(self) -> tuple[str, ...]:
        return (self.network,)


class StaticRoutes(Model):
    """All static routes."""

    items: tuple[StaticRoute, ...] = ()


def default_gateway(config: Config, version: int) -> Gateway | None:
    """The default gateway of a family: the one chosen, else that of the first enabled interface which names one."""
    gateways = config[GATEWAYS]
    chosen = gateways.default4 if version == 4 else gateways.default6
    if chosen:
        return gateways.get(chosen)
    for interface in config[INTERFACES].items:
        named = interface.gateway if version == 4 else interface.gateway6
        if interface.enabled and named:
            return gateways.get(named)
    return None


def _reached(config: Config, interface: Interface) -> list[IpNetwork]:
    """The networks on an interface: its own, and those that IP aliases bring."""
    aliases = [v for v in config[VIRTUAL_IPS].items if v.type == "ipalias" and v.interface == interface.id]
    return [*interface.networks, *(ip_interface(v.address).network for v in aliases)]


def _is_on(address: str, networks: Iterable[IpNetwork]) -> bool:
    """Whether a next hop is on the link: in one of its networks, or link-local (what routers advertise themselves by;
    a zone is not for here, as the interface is known)."""
    hop = ip_address(address)
    if isinstance(hop, IPv6Address) and hop.is_link_local and not hop.scope_id:
        return True
    return any(hop in network for network in networks)


def _check(config: Config) -> Iterable[Problem]:
    interfaces = config[INTERFACES]
    names: dict[str, str] = {}
    for item in config[GATEWAYS].items:
        path = f"gateways[{item.id}]"
        if names.setdefault(item.name.lower(), item.id) != item.id:
            yield Problem(f"{path}.name", f"there is another gateway called {item.name}")
        if item.monitor_ip and (":" in item.monitor_ip) != (":" in item.address):
            yield Problem(f"{path}.monitor_ip", f"{item.monitor_ip} and {item.address} are of different families")
        interface = interfaces.get(item.interface)
        if interface is None:
            yield Problem(f"{path}.interface", f"there is no interface {item.interface!r} on this node")
        elif item.address in (own.partition("/")[0] for own in interface.own):
            yield Problem(f"{path}.address", f"{item.address} is {interface.title}'s own address")
        elif interface.enabled and not _is_on(item.address, _reached(config, interface)):
            yield Problem(
                f"{path}.address", f"{item.address} is in no network of {interface.title}: it cannot be reached"
            )
    for interface in interfaces.items:
        for attribute, version in (("gateway", 4), ("gateway6", 6)):
            key, path = getattr(interface, attribute), f"interfaces[{interface.id}].{attribute}"
            yield from _check_named(config, key, version, path)
            gateway = config[GATEWAYS].get(key)
            if gateway and gateway.interface != interface.id:
                yield Problem(path, f"{gateway.name} is a gateway of another interface, {gateway.interface}")
    for version, chosen in ((4, config[GATEWAYS].default4), (6, config[GATEWAYS].default6)):
        yield from _check_named(config, chosen, version, f"gateways.default{version}")


def _check_named(config: Config, key: str, version: int, path: str) -> Iterable[Problem]:
    if not key:
        return
    gateway = config[GATEWAYS].get(key)
    if gateway is None:
        yield Problem(path, f"there is no gateway {key!r}")
    elif ip_address(gateway.address).version != version:
        yield Problem(path, f"{gateway.name} is no IPv{version} gateway")


def _check_routes(config: Config) -> Iterable[Problem]:
    seen: dict[str, str] = {}
    for item in config[ROUTES].items:
        path = f"static_routes[{item.id}]"
        gateway = config[GATEWAYS].get(item.gateway)
        if gateway is None:
            yield Problem(f"{path}.gateway", f"there is no gateway {item.gateway!r}")
        elif ip_address(gateway.address).version != ip_network(item.network).version:
            yield Problem(f"{path}.gateway", f"{gateway.name} and {item.network} are of different families")
        if not item.disabled and seen.setdefault(item.network, item.id) != item.id:
            yield Problem(f"{path}.network", f"there is another route to {item.network}")
        for interface in config[INTERFACES].items:
            if ip_network(item.network) in interface.networks:
                yield Problem(f"{path}.network", f"{item.network} is the network of {interface.title} itself")


def _compile(config: Config, _node: NodeState) -> Iterable[Want]:
    for version in (4, 6):
        gateway = default_gateway(config, version)
        if gateway:
            yield from _route(config, DEFAULT[version], gateway)


def _compile_routes(config: Config, _node: NodeState) -> Iterable[Want]:
    for item in config[ROUTES].items:
        gateway = config[GATEWAYS].get(item.gateway)
        if gateway and not item.disabled:
            yield from _route(config, item.network, gateway)


def _route(config: Config, destination: str, gateway: Gateway) -> Iterable[Want]:
    interface = config[INTERFACES].get(gateway.interface)
    if interface and interface.enabled:
        yield Route(destination, gateway.address, interface.device)


GATEWAYS = Area(
    name="gateways",
    label="Gateways",
    noun="gateway",
    model=Gateways,
    item=Gateway,
    help="Next hops by name, and which of them are the default ones.",
    availability="runs on both",
    sync="static_routes",
    check=_check,
    compile=_compile,
    columns=("name", "interface", "address", "description"),
)

ROUTES = Area(
    name="static_routes",
    label="Static Routes",
    noun="route",
    model=StaticRoutes,
    item=StaticRoute,
    help="Networks that are reached through a gateway.",
    availability="runs on both",
    sync="static_routes",
    check=_check_routes,
    compile=_compile_routes,
    columns=("network", "gateway", "disabled", "description"),
)
