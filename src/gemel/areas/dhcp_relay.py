"""Services > DHCP Relay and DHCPv6 Relay: requests of an interface's clients go to servers elsewhere. Applied at Save.

ISC's relay runs only where this node holds the interface's virtual IP (`daemons.follower`), so the MASTER relays and a
BACKUP is silent. For IPv4 the servers answer to the giaddr, the own address of the node that asked: they need a route
to that network through a virtual IP, as for everything else there. For IPv6 they answer the node that asked, and the
link address that they see is the virtual IP. Reference pfsense-semantics §7; RFC 1542, RFC 8415 §19.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from gemel.areas.dhcp import active
from gemel.areas.dhcp6 import active6
from gemel.areas.dhcp_fields import Ipv4s, Ipv6s, at_most, listed
from gemel.areas.fields import names_in
from gemel.areas.followed_vip import followed_vip
from gemel.areas.gateways import GATEWAYS, ROUTES, default_gateway
from gemel.areas.interfaces import INTERFACES, Interface
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.core.area import Area, NodeState
from gemel.core.codec import encode
from gemel.core.config import Config, canonical
from gemel.core.following import Following, Part
from gemel.core.model import Model, field
from gemel.core.problem import Problem
from gemel.core.want import File, Service, Want
from gemel.rules import ir
from gemel.rules.addresses import parse_range

PORT = {4: 67, 6: 547}
SETTINGS = "/run/gemel/{}.json"


def _interfaces(value: Any, info: ValidationInfo) -> Any:
    """By id or by name."""
    value, names = listed(value), names_in(info)
    if not isinstance(value, list | tuple) or names is None:
        return value
    found = []
    for word in value:
        interface = names.interface(str(word).strip())
        if interface is None:
            known = ", ".join(names.known_interfaces.values()) or "none is assigned yet"
            raise ValueError(f"there is no interface {word!r} (there are: {known})")
        found.append(interface)
    return tuple(dict.fromkeys(found))


Interfaces = Annotated[tuple[str, ...], BeforeValidator(_interfaces)]
_FEW = AfterValidator(at_most(8, "servers"))


class Relay(Model):
    """What both relays have."""

    enabled: bool = field(
        False, label="Enable", help="Relay the requests of clients; refused where a server runs here."
    )
    interfaces: Interfaces = field(
        (),
        label="Interface(s)",
        help="Where clients ask. In a cluster the node that holds the interface's CARP VIP relays.",
    )

    @property
    def asked(self) -> tuple[str, ...]:
        """The servers."""
        return ()


class DhcpRelay(Relay):
    """The fields of the page for IPv4."""

    servers: Annotated[Ipv4s, _FEW] = field(
        (),
        label="Upstream Servers",
        help="Addresses of DHCP servers, on other networks than the clients; each gets every request. They answer to "
        "this node's address on the clients' network, so they need a route there: through a CARP VIP.",
    )
    append_agent_information: bool = field(
        False,
        label="Append circuit ID and agent ID to requests",
        help="Option 82: servers see on which interface a client is.",
    )

    @property
    def asked(self) -> tuple[str, ...]:
        return self.servers


class Dhcp6Relay(Relay):
    """The fields of the page for IPv6."""

    servers: Annotated[Ipv6s, _FEW] = field(
        (),
        label="Upstream Servers",
        help="IPv6 addresses of DHCPv6 servers, on other networks than the clients; each gets every request.",
    )

    @property
    def asked(self) -> tuple[str, ...]:
        return self.servers


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the two: its area, its family and the service that does it."""

    area: Any
    version: Literal[4, 6]
    service: str


def towards(config: Config, address: str) -> Interface | None:
    """The interface through which this node reaches an address: its network, a static route, the default gateway."""
    wanted = ip_address(address)
    for interface in config[INTERFACES].items:
        if interface.enabled and any(wanted in n for n in interface.networks):
            return interface
    found = [
        (ip_network(r.network).prefixlen, config[GATEWAYS].get(r.gateway))
        for r in config[ROUTES].items
        if not r.disabled and wanted in ip_network(r.network)
    ]
    gateway = max(found, key=lambda f: f[0])[1] if found else default_gateway(config, wanted.version)
    return config[INTERFACES].get(gateway.interface) if gateway else None


def relaying(config: Config, kind: Kind) -> list[Interface]:
    """The interfaces whose clients' requests are relayed."""
    model: Relay = config[kind.area]
    if not model.enabled or not model.asked:
        return []
    found = (config[INTERFACES].get(key) for key in model.interfaces)
    return [i for i in found if i is not None and i.enabled and _own(i, kind.version)]


def _own(interface: Interface, version: int) -> str:
    return (interface.ipv4 if version == 4 else interface.ipv6).partition("/")[0]


# Checks ---------------------------------------------------------------------------------------------------------------


def check(config: Config, kind: Kind) -> Iterable[Problem]:
    """Of one of the two relays."""
    model: Relay = config[kind.area]
    path = kind.area.name
    if not model.enabled:
        return
    if kind.version == 4:
        for _, interface in active(config):
            # Both bind port 67 of the whole machine: whoever comes second does not start.
            text = f"there is a DHCP server on {interface.title}: a node is either server or relay, disable that first"
            yield Problem(f"{path}.enabled", text)
    if not model.interfaces:
        yield Problem(f"{path}.interfaces", "an enabled relay needs the interfaces of its clients")
    if not model.asked:
        yield Problem(f"{path}.servers", "an enabled relay needs a server to ask")
    for key in model.interfaces:
        yield from _check_interface(config, kind, key, f"{path}.interfaces")
    for address in model.asked:
        yield from _check_server(config, model, address, f"{path}.servers")


def _check_interface(config: Config, kind: Kind, key: str, path: str) -> Iterable[Problem]:
    interface = config[INTERFACES].get(key)
    if interface is None:
        yield Problem(path, f"there is no interface {key!r} on this node")
        return
    if not interface.enabled:
        yield Problem(path, f"{interface.title} is not enabled: enable the interface first")
    elif not _own(interface, kind.version):
        yield Problem(path, f"{interface.title} has no static IPv{kind.version} address: a relay needs one")
    elif kind.version == 6 and any(there.id == key for _, there in active6(config)):
        text = f"{interface.title} has a DHCPv6 server: on one interface a node is either server or relay"
        yield Problem(path, text)
    elif followed_vip(config, key, kind.version) is None and any(v.type == "carp" for v in config[VIRTUAL_IPS].items):
        text = f"{interface.title} has no IPv{kind.version} CARP VIP in its network: both nodes relay, always"
        yield Problem(path, text, "warning")


def _check_server(config: Config, model: Relay, address: str, path: str) -> Iterable[Problem]:
    own = {a.partition("/")[0] for i in config[INTERFACES].items for a in i.own}
    if address in own or any(address == v.ip for v in config[VIRTUAL_IPS].items):
        yield Problem(path, f"{address} is this firewall's own address: enter that of a server elsewhere")
        return
    upstream = towards(config, address)
    if upstream is None:
        yield Problem(path, f"nothing leads to {address}: neither a network here nor a route, nor a default gateway")
    elif upstream.id in model.interfaces:
        text = f"{address} is reached through {upstream.title}, where requests are relayed: they would go in circles"
        yield Problem(path, text)


# What runs ------------------------------------------------------------------------------------------------------------


def compile_relay(config: Config, kind: Kind) -> Iterable[Want]:
    """ISC's relay, held by a follower of the virtual IPs; nothing runs where nothing is relayed."""
    clients = relaying(config, kind)
    if clients:
        path = SETTINGS.format(kind.service)
        asked = config[kind.area].asked
        there = [(address, up.device) for address in asked if (up := towards(config, address)) is not None]
        told = File(path, canonical(encode(_following(config, kind, clients, there))), 0o600)
        argv = ("{python}", "-m", "gemel.daemons.follower", path)
        devices = dict.fromkeys((*(i.device for i in clients), *(device for _, device in there)))
        yield Service(kind.service, (told,), argv, devices=tuple(devices))


def _following(config: Config, kind: Kind, clients: list[Interface], there: list[tuple[str, str]]) -> Following:
    """`there` are the servers, each with the device that it is reached by."""
    model: Relay = config[kind.area]
    parts, before, after = [], ["dhcrelay", f"-{kind.version}", "-d", "--no-pid"], list[str]()
    for interface in clients:
        vip = followed_vip(config, interface.id, kind.version)
        link = vip.ip if vip else _own(interface, 6)
        words = ("-id", interface.device) if kind.version == 4 else ("-l", f"{link}%{interface.device}")
        parts.append(Part(interface.device, vip.ip if vip else "", words))
    if isinstance(model, DhcpRelay):
        before += ["-a"] if model.append_agent_information else []
        after += [word for device in dict.fromkeys(d for _, d in there) for word in ("-iu", device)]
        after += [address for address, _ in there]
    else:
        after += [word for address, device in there for word in ("-u", f"{address}%{device}")]
    return Following(tuple(before), tuple(parts), tuple(after))


def relay_rules(config: Config, interface: Interface) -> Iterable[ir.Rule]:
    """What the relays bring to the firewall: clients may ask here, and servers answer to the giaddr."""
    for kind in KINDS:
        clients, port = relaying(config, kind), PORT[kind.version]
        asking = ir.Match(
            family=kind.version, protocols=frozenset({ir.UDP}), destination_ports=ir.ports(port)
        )  # fmt: skip
        name = f"auto_{kind.service}_{interface.id}"
        if interface in clients:
            yield ir.Rule(name, asking, ir.Action.PASS, no_state_sync=True, description="DHCP relay")
        model: Relay = config[kind.area]
        servers = [a for a in model.asked if clients and towards(config, a) == interface]
        if kind.version == 4 and servers:
            answers = ir.Match(
                family=4,
                protocols=frozenset({ir.UDP}),
                source=ir.Addresses(tuple(map(parse_range, servers))),
                destination=ir.Addresses(tuple(parse_range(_own(i, 4)) for i in clients)),
                destination_ports=ir.ports(port),
            )
            yield ir.Rule(f"{name}_answers", answers, ir.Action.PASS, no_state_sync=True, description="DHCP relay")


def _check4(config: Config) -> Iterable[Problem]:
    return check(config, RELAY4)


def _compile4(config: Config, _node: NodeState) -> Iterable[Want]:
    return compile_relay(config, RELAY4)


def _check6(config: Config) -> Iterable[Problem]:
    return check(config, RELAY6)


def _compile6(config: Config, _node: NodeState) -> Iterable[Want]:
    return compile_relay(config, RELAY6)


DHCP_RELAY = Area(
    name="dhcp_relay",
    label="DHCP Relay",
    noun="dhcp-relay",
    model=DhcpRelay,
    help="Requests of clients go to DHCP servers elsewhere. In a cluster the node that holds the CARP VIP relays.",
    availability="follows a VIP",
    at_save=True,
    sync="dhcp",
    check=_check4,
    compile=_compile4,
)

DHCP6_RELAY = Area(
    name="dhcp6_relay",
    label="DHCPv6 Relay",
    noun="dhcp6-relay",
    model=Dhcp6Relay,
    help="Requests of IPv6 clients go to DHCPv6 servers elsewhere. In a cluster the node that holds the CARP VIP "
    "relays.",
    availability="follows a VIP",
    at_save=True,
    sync="dhcp",
    check=_check6,
    compile=_compile6,
)

RELAY4: Kind = Kind(DHCP_RELAY, 4, "dhcrelay")
RELAY6: Kind = Kind(DHCP6_RELAY, 6, "dhcrelay6")
KINDS: tuple[Kind, ...] = (RELAY4, RELAY6)
