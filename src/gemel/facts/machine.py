"""Smaller views of the machine: neighbours, rule counters, services, logged packets."""

from collections.abc import Mapping
from dataclasses import dataclass

from gemel.core.packet_log import Logged
from gemel.facts.fact import FILTER, Column, Fact, Option, Options, Sources, matches, number
from gemel.facts.logs import LINES


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An entry of the ARP or NDP table; `state` is the kernel's (REACHABLE, STALE, FAILED…)."""

    address: str
    mac: str
    interface: str
    state: str


@dataclass(frozen=True, slots=True)
class Neighbours:
    """By interface, then address."""

    rows: tuple[Neighbour, ...]


def _neighbours(sources: Sources, options: Options) -> Neighbours:
    names = {i["device"]: i["title"] for i in sources["interfaces"]}
    rows = [
        Neighbour(n["dst"], n.get("lladdr", ""), names.get(n.get("dev", ""), n.get("dev", "")), " ".join(n["state"]))
        for n in sources["neighbours"]
        if n.get("dst") and n.get("state") and "NOARP" not in n["state"]
    ]
    wanted = options.get("filter", "")
    found = [r for r in rows if matches(f"{r.address} {r.mac} {r.interface} {r.state}", wanted)]
    return Neighbours(tuple(sorted(found, key=lambda r: (r.interface, ":" in r.address, r.address))))


NEIGHBOURS = Fact(
    name="neighbours",
    label="ARP/NDP Table",
    menu="Diagnostics > ARP/NDP Table",
    help="Which hardware address this node knows for which address in its networks.",
    shape=Neighbours,
    read=_neighbours,
    sources=("neighbours", "interfaces"),
    columns=(
        Column("interface", "Interface"),
        Column("address", "IP address"),
        Column("mac", "MAC address"),
        Column("state", "State"),
    ),
    options=(FILTER,),
)


@dataclass(frozen=True, slots=True)
class RuleCount:
    """A rule, or a built-in decision (``default``, ``anti-lockout``, …), and what it has decided since the firewall was
    loaded: packets that began a flow, and their bytes."""

    id: str
    interface: str
    action: str
    description: str
    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class RuleCounts:
    """The rules in their order, then the built-in decisions."""

    rows: tuple[RuleCount, ...]


def _rule_counts(sources: Sources, options: Options) -> RuleCounts:
    counters: Mapping[str, tuple[int, int]] = sources["counters"]
    names = {i["id"]: i["title"] for i in sources["interfaces"]}
    wanted, interface = options.get("filter", ""), options.get("interface", "")
    rows = [
        RuleCount(r["id"], _name(r, names), r["action"], r["description"], *counters.get(r["id"], (0, 0)))
        for r in sources["rules"]
        if not interface or interface in (r["interface"], _name(r, names))
    ]
    if not interface:
        known = {r["id"] for r in sources["rules"]}
        rows += [RuleCount(name, "", "", "", *count) for name, count in sorted(counters.items()) if name not in known]
    return RuleCounts(tuple(r for r in rows if matches(f"{r.id} {r.interface} {r.description}", wanted)))


def _name(rule: Mapping[str, str], names: Mapping[str, str]) -> str:
    return names.get(rule["interface"], rule["interface"])


RULE_COUNTERS = Fact(
    name="rules",
    label="Rule Counters",
    menu="Diagnostics > Rule Counters",
    help="How often each rule has decided, and about how much.",
    shape=RuleCounts,
    read=_rule_counts,
    sources=("rules", "counters", "interfaces"),
    columns=(
        Column("interface", "Interface"),
        Column("action", "Action"),
        Column("description", "Description"),
        Column("id", "Rule"),
        Column("packets", "Packets", "count"),
        Column("bytes", "Bytes", "bytes"),
    ),
    options=(Option("interface", "Interface", "Only rules of this interface."), FILTER),
)


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A daemon of Gemel's, or a service that runs for it. `restarts` counts starts after the first."""

    name: str
    state: str
    since: float
    restarts: int
    last_exit: str


@dataclass(frozen=True, slots=True)
class ServiceRows:
    """In the order of starting."""

    rows: tuple[ServiceRow, ...]


def _services(sources: Sources, _options: Options) -> ServiceRows:
    return ServiceRows(
        tuple(
            ServiceRow(s["name"], s["state"], s["since"], s["restarts"], s["last_exit"] or "")
            for s in sources["services"]
        )
    )


SERVICES = Fact(
    name="services",
    label="Services",
    menu="Status > Services",
    help="The processes of this node: whether they run, since when, and how the last one ended.",
    shape=ServiceRows,
    read=_services,
    sources=("services",),
    columns=(
        Column("name", "Service"),
        Column("state", "State", "state"),
        Column("since", "Since", "time"),
        Column("restarts", "Restarts", "count"),
        Column("last_exit", "Last end"),
    ),
)


@dataclass(frozen=True, slots=True)
class FilterLog:
    """Packets that a rule with *Log*, or a built-in decision, has logged; newest first."""

    rows: tuple[Logged, ...]


def _filter_log(sources: Sources, options: Options) -> FilterLog:
    wanted = options.get("filter", "")
    names = {r["id"]: r["description"] for r in sources["rules"]}
    found = []
    for one in reversed(sources["packets"]):
        text = f"{one.action} {one.rule} {names.get(one.rule, '')} {one.interface} {one.protocol} {one.source} "
        if matches(text + one.destination, wanted):
            found.append(one)
    return FilterLog(tuple(found[: number(options, "lines", 200, 5000)]))


FILTER_LOG = Fact(
    name="firewall-log",
    label="Firewall log",
    menu="Status > System Logs",
    help="Packets that a rule with Log, or the default deny rule, has logged.",
    shape=FilterLog,
    read=_filter_log,
    sources=("packets", "rules"),
    columns=(
        Column("at", "When", "time"),
        Column("action", "Action"),
        Column("interface", "Interface"),
        Column("rule", "Rule"),
        Column("protocol", "Protocol"),
        Column("source", "Source"),
        Column("destination", "Destination"),
    ),
    options=(FILTER, LINES),
)
