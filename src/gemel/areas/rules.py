"""Firewall > Rules: per interface, from the top, first match wins. Reference pfsense-semantics §2."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from gemel.areas.aliases import ALIASES
from gemel.areas.endpoint import Endpoint
from gemel.areas.fields import InterfaceRef, Line, PortSpec
from gemel.areas.high_availability import HIGH_AVAILABILITY
from gemel.areas.interfaces import INTERFACES
from gemel.areas.names import Names
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.core.area import Area
from gemel.core.config import Config
from gemel.core.model import Item, Model, field
from gemel.core.problem import Problem
from gemel.core.separator import Separators, separators

FAMILIES = {"inet": (4,), "inet6": (6,), "inet46": (4, 6)}
_FAMILY_WORDS = {"ipv4": "inet", "ipv6": "inet6", "ipv4+ipv6": "inet46", "4": "inet", "6": "inet6", "both": "inet46"}
PORT_PROTOCOLS = ("tcp", "udp", "tcp/udp", "sctp")

Protocol = Literal[
    "any",
    "tcp",
    "udp",
    "tcp/udp",
    "icmp",
    "esp",
    "ah",
    "gre",
    "etherip",
    "ipv6",
    "igmp",
    "pim",
    "ospf",
    "sctp",
    "carp",
    "pfsync",
]

ICMP_TYPES: dict[str, tuple[int | None, int | None]] = {
    "echorep": (0, 129), "echoreq": (8, 128), "unreach": (3, 1), "timex": (11, 3), "paramprob": (12, 4), "redir": (5,
    137), "routersol": (10, 133), "routeradv": (9, 134), "squench": (4, None), "timereq": (13, None), "timerep": (14,
    None), "maskreq": (17, None), "maskrep": (18, None), "trace": (30, None), "toobig": (None, 2), "neighbrsol": (None,
    135), "neighbradv": (None, 136), "groupqry": (None, 130), "grouprep": (None, 131), "groupterm": (None, 132),
}  # fmt: skip
"""ICMP subtype names -> (IPv4 type, IPv6 type). None: not in that family. Reference pfsense-semantics §2.2."""


def _family(value: Any) -> Any:
    return _FAMILY_WORDS.get(value.lower(), value) if isinstance(value, str) else value


def _protocol(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    word = value.strip().lower()
    return {"": "any", "*": "any", "tcp+udp": "tcp/udp", "icmpv6": "icmp"}.get(word, word)


def _types(value: Any) -> Any:
    if isinstance(value, str):
        value = [v.strip() for v in value.split(",") if v.strip()]
    for name in value if isinstance(value, list | tuple) else ():
        if name not in ICMP_TYPES:
            raise ValueError(f"{name!r} is no ICMP type; there are {', '.join(ICMP_TYPES)}")
    return value


Family = Annotated[Literal["inet", "inet6", "inet46"], BeforeValidator(_family)]
ProtocolField = Annotated[Protocol, BeforeValidator(_protocol)]


class Rule(Item):
    """One line of an interface's list."""

    interface: InterfaceRef = field(label="Interface", help="Packets that come in here.")
    action: Literal["pass", "block", "reject"] = field(
        "pass", label="Action", help="Pass lets in; Block drops in silence; Reject drops and says so."
    )
    disabled: bool = field(False, label="Disabled", help="Keep the rule, but do not use it.")
    family: Family = field("inet", label="Address Family", help="IPv4, IPv6 or IPv4+IPv6.")
    protocol: ProtocolField = field(
        "tcp", label="Protocol", help="pfsync also means Gemel's own state synchronisation (TCP and UDP port 3240)."
    )
    icmp_types: Annotated[tuple[str, ...], BeforeValidator(_types)] = field(
        (), label="ICMP Subtypes", help="Only these, for protocol icmp; none given means all."
    )
    source: Endpoint = field(
        "any", label="Source", help="any, SYNC net, SYNC address, an address, a network, an alias; ! inverts."
    )
    source_port: PortSpec = field("", label="Source port", help="Seldom useful: the client's port. Empty for any.")
    destination: Endpoint = field(
        "any", label="Destination", help="As source, and: This firewall, or a virtual IP's address."
    )
    destination_port: PortSpec = field("", label="Destination port range", help="443, 80-90, HTTPS, or a port alias.")
    log: bool = field(False, label="Log", help="Log packets that this rule handles.")
    no_state_sync: bool = field(False, label="No pfSync", help="Keep the states that this rule makes on this node.")
    no_sync: bool = field(False, label="No XMLRPC Sync", help="Keep this rule on this node.")
    description: Line = field("", label="Description", help="For people.")
    forward: str = field("", label="NAT association", help="Id of the port forward that this rule belongs to.")

    def called(self) -> tuple[str, ...]:
        return (self.description,) if self.description else ()


class Rules(Model):
    """All rules; their order counts within an interface."""

    items: tuple[Rule, ...] = ()
    separators: Separators = separators()


class MatchCheck:
    """What rules and NAT have in common: families, ports only where there are ports, references that lead somewhere."""

    def __init__(self, config: Config) -> None:
        self._interfaces = {i.id for i in config[INTERFACES].items}
        self._vips = {v.id: v for v in config[VIRTUAL_IPS].items}
        self._aliases = {a.id: a for a in config[ALIASES].items}

    def __call__(self, item: Any, path: str, families: tuple[int, ...]) -> Iterator[Problem]:
        yield from self.endpoint(item.source, f"{path}.source", families)
        yield from self.endpoint(item.destination, f"{path}.destination", families)
        for name in ("source_port", "destination_port"):
            spec = getattr(item, name)
            if spec and item.protocol not in PORT_PROTOCOLS:
                text = f"protocol {item.protocol} has no ports: choose tcp, udp, tcp/udp or sctp"
                yield Problem(f"{path}.{name}", text)
            elif spec:
                yield from self.port(spec, f"{path}.{name}")

    def interface(self, key: str, path: str) -> Iterator[Problem]:
        """An interface of this node."""
        if key not in self._interfaces:
            yield Problem(f"{path}.interface", f"there is no interface {key!r} on this node")

    def endpoint(self, endpoint: str, path: str, families: tuple[int, ...]) -> Iterator[Problem]:
        """A source or destination."""
        if endpoint == "any":
            return
        text = endpoint.removeprefix("!")
        kind, _, key = text.partition(":")
        if kind in ("net", "address"):
            if key not in self._interfaces:
                yield Problem(path, f"there is no interface {key!r} on this node")
        elif kind == "vip":
            vip = self._vips.get(key)
            if vip is None:
                yield Problem(path, f"there is no virtual IP {key!r}")
            else:
                yield from _of_family(vip.ip, path, families)
        elif kind == "alias":
            yield from self.alias(key, path, ports=False)
        elif text != "self":
            yield from _of_family(text, path, families)
            if len(families) > 1:
                yield Problem(path, "an address cannot stand in a rule for both families: use an alias, or two rules")

    def port(self, spec: str, path: str) -> Iterator[Problem]:
        """A port specification."""
        if spec.startswith("alias:"):
            yield from self.alias(spec[6:], path, ports=True)

    def alias(self, key: str, path: str, ports: bool) -> Iterator[Problem]:
        """An alias of ports, or of addresses."""
        alias = self._aliases.get(key)
        if alias is None:
            yield Problem(path, f"there is no alias {key!r}")
        elif (alias.type == "port") != ports:
            holds, needed = ("addresses", "ports") if ports else ("ports", "addresses")
            yield Problem(path, f"alias {alias.name} holds {holds}, not {needed}")


def _of_family(text: str, path: str, families: tuple[int, ...]) -> Iterator[Problem]:
    version = 6 if ":" in text else 4
    if version not in families:
        yield Problem(path, f"{text} is IPv{version}, the rule is not")


def _check(config: Config) -> Iterable[Problem]:
    check = MatchCheck(config)
    for rule in config[RULES].items:
        path = f"rules[{rule.id}]"
        yield from check.interface(rule.interface, path)
        if rule.icmp_types and rule.protocol != "icmp":
            yield Problem(f"{path}.icmp_types", "only protocol icmp has these")
        families = FAMILIES[rule.family]
        for name in rule.icmp_types:
            if any(ICMP_TYPES[name][f == 6] is None for f in families):
                yield Problem(f"{path}.icmp_types", f"{name} does not exist in this address family")
        yield from check(rule, path, families)


def _for_peer(model: Rules, config: Config) -> Rules:
    """A rule that belongs to a port forward goes alone, as an ordinary one, where forwards are not synchronised."""
    if "nat" in config[HIGH_AVAILABILITY].areas or not any(r.forward for r in model.items):
        return model
    items = (r.model_copy(update={"forward": ""}) if r.forward else r for r in model.items)
    return model.model_copy(update={"items": tuple(items)})


RULES = Area(
    name="rules",
    label="Rules",
    noun="rule",
    model=Rules,
    item=Rule,
    help="What may come in on each interface: from the top, the first match decides; no match: dropped.",
    availability="runs on both",
    ordered=True,
    grouped_by="interface",
    sync="rules",
    check=_check,
    for_peer=_for_peer,
    columns=("action", "interface", "family", "protocol", "source", "destination", "destination_port", "description"),
)


def described(names: Names, rule: Rule) -> str:
    """A rule in one line of people's words."""
    ports = f" port {names.show(rule.destination_port)}" if rule.destination_port else ""
    return f"{rule.action} {rule.protocol} from {names.show(rule.source)} to {names.show(rule.destination)}{ports}"
