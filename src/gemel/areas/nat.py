"""Firewall > NAT: outbound mappings and port forwards. Reference pfsense-semantics §5."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from gemel.areas.endpoint import Endpoint, literal_network, reference
from gemel.areas.fields import InterfaceRef, Line, PortSpec, names_in
from gemel.areas.interfaces import INTERFACES
from gemel.areas.rules import FAMILIES, PORT_PROTOCOLS, MatchCheck, ProtocolField
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.core.area import Area
from gemel.core.config import Config
from gemel.core.model import Item, Model, field
from gemel.core.problem import Problem
from gemel.core.separator import Separators, separators

_MODE_WORDS = {"advanced": "manual", "hybrid outbound nat": "hybrid", "automatic outbound nat": "automatic"}


def _mode(value: Any) -> Any:
    return _MODE_WORDS.get(value.lower(), value.lower()) if isinstance(value, str) else value


def _translation(value: Any, info: ValidationInfo) -> Any:
    """``interface`` (the interface's own address), a virtual IP, or an address."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.lower() in ("", "interface", "interface address"):
        return "interface"
    names = names_in(info)
    if text.startswith("vip:"):
        if names is None:
            return text
        if text[4:] not in names.known_vips:
            raise ValueError(f"there is no virtual IP {text!r}")
        text = names.stored_vip(text[4:])
        if "/" in text:
            raise ValueError(f"{text} is a network: give one of its addresses")
        return text
    try:
        address = str(ip_address(text))
    except ValueError:
        raise ValueError(f"{value!r} is no address: choose interface, a virtual IP or an address") from None
    return f"vip:{names.vips[address]}" if names is not None and address in names.vips else address


class Mapping(Item):
    """One outbound mapping."""

    interface: InterfaceRef = field("wan", label="Interface", help="Through which the traffic leaves.")
    disabled: bool = field(False, label="Disabled", help="Keep the mapping, but do not use it.")
    no_nat: bool = field(
        False, label="Do not NAT", help="Traffic that matches leaves as it is, and no later mapping is looked at."
    )
    family: Annotated[
        Literal["inet", "inet6"], BeforeValidator(lambda v: {"ipv4": "inet", "ipv6": "inet6"}.get(str(v).lower(), v))
    ] = field("inet", label="Address Family", help="IPv4 or IPv6.")
    protocol: ProtocolField = field("any", label="Protocol", help="Any, unless only one is meant.")
    source: Endpoint = field(
        label="Source",
        help="The internal network, for example 192.168.1.0/24. Never any: the firewall's own traffic must not leave "
        "by a CARP VIP.",
    )
    source_port: PortSpec = field("", label="Source port", help="Empty for any.")
    destination: Endpoint = field("any", label="Destination", help="Any: wherever it goes.")
    destination_port: PortSpec = field("", label="Destination port", help="Empty for any.")
    translation: Annotated[str, BeforeValidator(_translation)] = field(
        "interface",
        label="Translation Address",
        help="The CARP VIP in a cluster, so that connections survive a failover.",
    )
    static_port: bool = field(False, label="Static Port", help="Keep the source port (IPsec without NAT-T needs it).")
    description: Line = field("", label="Description", help="For people.")
    no_sync: bool = field(False, label="No XMLRPC Sync", help="Keep this mapping on this node.")

    def called(self) -> tuple[str, ...]:
        return (self.description,) if self.description else ()


class OutboundNat(Model):
    """The mode and the mappings, evaluated from the top before the automatic ones."""

    mode: Annotated[Literal["automatic", "hybrid", "manual", "disabled"], BeforeValidator(_mode)] = field(
        "automatic",
        label="Mode",
        help="automatic: generated rules; hybrid: mappings, then generated rules; manual: mappings; disabled: no NAT.",
    )
    items: tuple[Mapping, ...] = ()
    separators: Separators = separators()


def _target(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    names = names_in(info)
    text = value.strip()
    if names is not None and text.lower() in names.aliases:
        return f"alias:{names.aliases[text.lower()]}"
    if text.startswith("alias:"):
        return text
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError(f"{value!r} is neither an address nor an alias") from None


def _local_port(value: str) -> str:
    if "-" in value:
        raise ValueError("only the first port: a range keeps its length")
    return value


class PortForward(Item):
    """One port forward."""

    interface: InterfaceRef = field("wan", label="Interface", help="Through which the traffic comes in.")
    disabled: bool = field(False, label="Disabled", help="Keep the forward, but do not use it.")
    no_rdr: bool = field(
        False, label="No RDR (NOT)", help="Traffic that matches is not redirected by later forwards either."
    )
    family: Annotated[
        Literal["inet", "inet6"], BeforeValidator(lambda v: {"ipv4": "inet", "ipv6": "inet6"}.get(str(v).lower(), v))
    ] = field("inet", label="Address Family", help="IPv4 or IPv6.")
    protocol: ProtocolField = field("tcp", label="Protocol", help="tcp, udp, tcp/udp…")
    source: Endpoint = field("any", label="Source", help="Who may use it; any, usually.")
    source_port: PortSpec = field("", label="Source port", help="Empty for any.")
    destination: Endpoint = field(
        "address:wan", label="Destination", help="WAN address, or in a cluster the WAN CARP VIP."
    )
    destination_port: PortSpec = field(
        "", label="Destination port range", help="The port that is connected to from outside."
    )
    target: Annotated[str, BeforeValidator(_target)] = field(label="Redirect target IP", help="The internal host.")
    local_port: Annotated[PortSpec, AfterValidator(_local_port)] = field(
        "", label="Redirect target port", help="Empty: the same as outside. For a range, where it begins."
    )
    description: Line = field("", label="Description", help="For people.")
    no_sync: bool = field(False, label="No XMLRPC Sync", help="Keep this forward on this node.")
    filter_rule: Literal["associated", "pass", "none"] = field(
        "associated",
        label="Filter rule association",
        help="associated: a rule that follows it; pass: let it in; none: rules decide.",
    )

    def called(self) -> tuple[str, ...]:
        return (self.description,) if self.description else ()


class PortForwards(Model):
    """All port forwards, from the top."""

    items: tuple[PortForward, ...] = ()
    separators: Separators = separators()

    def get(self, key: str) -> PortForward | None:
        """The forward of that id."""
        return next((f for f in self.items if f.id == key), None)


def _check_outbound(config: Config) -> Iterable[Problem]:
    check = MatchCheck(config)
    for item in config[OUTBOUND_NAT].items:
        path = f"outbound_nat[{item.id}]"
        yield from check.interface(item.interface, path)
        families = FAMILIES[item.family]
        # A port without protocol is the recipe's own way (ISAKMP): it means every protocol that has ports.
        ports = item.protocol if item.protocol != "any" else "tcp/udp"
        yield from check(item.model_copy(update={"protocol": ports}), path, families)
        yield from _check_translation(item, path, config, families)
        yield from _check_source(item, path, config)


def _check_translation(item: Mapping, path: str, config: Config, families: tuple[int, ...]) -> Iterable[Problem]:
    key = reference(item.translation, "vip")
    vip = config[VIRTUAL_IPS].get(key) if key else None
    if key and vip is None:
        yield Problem(f"{path}.translation", f"there is no virtual IP {key!r}")
        return
    literal = vip.ip if vip else item.translation
    if literal != "interface" and ip_address(literal).version not in families:
        yield Problem(f"{path}.translation", f"{literal} is of another family than the mapping")


def _check_source(item: Mapping, path: str, config: Config) -> Iterable[Problem]:
    """The recipe's Danger box: a mapping that catches the firewall's own traffic and gives it a shared address."""
    if item.translation.startswith("vip:") and not item.no_nat and _is_own_traffic(item, config):
        text = (
            "this source matches the firewall's own traffic: on the backup node the answers would go to the master, "
            "and it would lose internet, DNS and updates. Use only internal networks with a virtual IP as translation"
        )
        yield Problem(f"{path}.source", text, "warning")


def _is_own_traffic(item: Mapping, config: Config) -> bool:
    """Whether the source holds an address that the firewall itself sends from through this interface."""
    kind, _, key = item.source.partition(":")
    if item.source in ("any", "self") or item.source.startswith("!"):
        return True
    if kind in ("net", "address"):
        return key == item.interface
    network = literal_network(item.source)
    interface = config[INTERFACES].get(item.interface)
    own = [ip_network(a.partition("/")[0]) for a in interface.own] if interface else []
    return network is not None and any(
        network.version == n.version and network.overlaps(n)
        for n in (ip_network("127.0.0.0/8"), ip_network("::1"), *own)
    )


def _check_forwards(config: Config) -> Iterable[Problem]:
    check = MatchCheck(config)
    earlier: list[PortForward] = []
    for item in config[PORT_FORWARDS].items:
        path = f"port_forwards[{item.id}]"
        yield from check.interface(item.interface, path)
        yield from check(item, path, FAMILIES[item.family])
        if item.target.startswith("alias:"):
            yield from check.alias(item.target[6:], f"{path}.target", ports=False)
        elif ip_address(item.target).version not in FAMILIES[item.family]:
            yield Problem(f"{path}.target", f"{item.target} is of another family than the forward")
        if item.local_port:
            yield from check.port(item.local_port, f"{path}.local_port")
            yield from _check_local_port(item, f"{path}.local_port")
        if item.disabled or item.no_rdr:  # one that keeps traffic from the forwards after it overlaps on purpose
            continue
        for other in earlier:
            if _same_traffic(item, other):
                yield Problem(f"{path}.destination_port", f"overlaps with the forward {other.description or other.id}")
        earlier.append(item)


def _check_local_port(item: PortForward, path: str) -> Iterable[Problem]:
    outside, inside = item.destination_port, item.local_port
    if item.protocol not in PORT_PROTOCOLS:
        yield Problem(path, f"protocol {item.protocol} has no ports: choose tcp, udp, tcp/udp or sctp")
    elif (outside.startswith("alias:") or inside.startswith("alias:")) and outside != inside:
        yield Problem(path, "a port alias cannot be redirected to other ports: leave this empty")
    elif "-" in outside and not inside.startswith("alias:"):
        low, _, high = outside.partition("-")
        if int(inside) + int(high) - int(low) > 65535:
            yield Problem(path, "the range would end beyond port 65535")


def _same_traffic(one: PortForward, other: PortForward) -> bool:
    same = ("interface", "family", "source", "destination")
    if any(getattr(one, name) != getattr(other, name) for name in same):
        return False
    protocols = {one.protocol, other.protocol}
    if "any" not in protocols and not set(one.protocol.split("/")) & set(other.protocol.split("/")):
        return False
    ports = {one.destination_port, other.destination_port}
    if "" in ports or len(ports) == 1:
        return True
    if any(spec.startswith("alias:") for spec in ports):
        return False  # the first one wins where they really overlap; their contents may change any time
    (low, high), (other_low, other_high) = _span(one.destination_port), _span(other.destination_port)
    return low <= other_high and other_low <= high


def _span(spec: str) -> tuple[int, int]:
    low, _, high = spec.partition("-")
    return int(low), int(high or low)


OUTBOUND_NAT = Area(
    name="outbound_nat",
    label="Outbound NAT",
    noun="nat outbound",
    model=OutboundNat,
    item=Mapping,
    help="Which addresses internal hosts have outside. In a cluster: the WAN CARP VIP.",
    availability="runs on both",
    ordered=True,
    at_save=True,
    sync="nat",
    check=_check_outbound,
    columns=(
        "interface",
        "protocol",
        "source",
        "destination",
        "destination_port",
        "translation",
        "static_port",
        "description",
    ),
)

PORT_FORWARDS = Area(
    name="port_forwards",
    label="Port Forward",
    noun="nat forward",
    model=PortForwards,
    item=PortForward,
    help="Connections from outside that go to an internal host.",
    availability="runs on both",
    ordered=True,
    sync="nat",
    check=_check_forwards,
    columns=(
        "interface",
        "protocol",
        "source",
        "destination",
        "destination_port",
        "target",
        "local_port",
        "description",
    ),
)
