"""Firewall > Rules: per interface, from the top, first match wins. Reference pfsense-semantics §2."""

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from gemel.areas.endpoint import Endpoint, literal_network, reference
from gemel.areas.fields import InterfaceRef, Line, PortSpec
from gemel.areas.interfaces import INTERFACES
from gemel.areas.names import Names
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.core.area import Area
from gemel.core.config import Config
from gemel.core.model import Item, Model, field
from gemel.core.problem import Problem

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
        "pass", label="Action", help="pass lets in; block drops in silence; reject drops and says so."
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


def check_match(item: Any, path: str, config: Config, families: tuple[int, ...]) -> Iterable[Problem]:
    """What rules and NAT mappings have in common: families, ports only where there are ports, references."""
    for name in ("source", "destination"):
        yield from _check_endpoint(getattr(item, name), f"{path}.{name}", config, families)
    if item.protocol not in PORT_PROTOCOLS:
        for name in ("source_port", "destination_port"):
            if getattr(item, name):
                yield Problem(
                    f"{path}.{name}", f"protocol {item.protocol} has no ports: choose tcp, udp, tcp/udp or sctp"
                )


def _check_endpoint(endpoint: str, path: str, config: Config, families: tuple[int, ...]) -> Iterable[Problem]:
    network = literal_network(endpoint)
    if network is not None and network.version not in families:
        text = f"{network if '/' in endpoint else network.network_address} is IPv{network.version}, the rule is not"
        yield Problem(path, text)
    elif network is not None and len(families) > 1:
        yield Problem(path, "an address cannot stand in a rule for both families: use an alias, or two rules")
    for kind in ("net", "address"):
        key = reference(endpoint, kind)
        if key is not None and config[INTERFACES].get(key) is None:
            yield Problem(path, f"there is no interface {key!r} on this node")
    vip = reference(endpoint, "vip")
    if vip is not None:
        found = config[VIRTUAL_IPS].get(vip)
        if found is None:
            yield Problem(path, f"there is no virtual IP {vip!r}")
        elif ip_network(found.ip).version not in families:
            yield Problem(path, f"{found.ip} is IPv{ip_network(found.ip).version}, the rule is not")


def _check(config: Config) -> Iterable[Problem]:
    interfaces = config[INTERFACES]
    for rule in config[RULES].items:
        path = f"rules[{rule.id}]"
        if interfaces.get(rule.interface) is None:
            yield Problem(f"{path}.interface", f"there is no interface {rule.interface!r} on this node")
        if rule.icmp_types and rule.protocol != "icmp":
            yield Problem(f"{path}.icmp_types", "only protocol icmp has these")
        families = FAMILIES[rule.family]
        for name in rule.icmp_types:
            if any(ICMP_TYPES[name][f == 6] is None for f in families):
                yield Problem(f"{path}.icmp_types", f"{name} does not exist in this address family")
        yield from check_match(rule, path, config, families)


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
    columns=("action", "interface", "family", "protocol", "source", "destination", "destination_port", "description"),
)


def described(names: Names, rule: Rule) -> str:
    """A rule in one line of people's words."""
    ports = f" port {names.show(rule.destination_port)}" if rule.destination_port else ""
    return f"{rule.action} {rule.protocol} from {names.show(rule.source)} to {names.show(rule.destination)}{ports}"
