"""The page that Prometheus reads: text of its exposition format, version 0.0.4, made of a status and a few views.

Names begin with ``gemel_``; units are in the names; a counter's name ends in ``_total``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gemel.core.event import ROLE, Event
from gemel.facts.fact import Fact, Options, Sources
from gemel.facts.machine import RULE_COUNTERS, RuleCount
from gemel.facts.samples import INTERFACE_STATUS, InterfaceRow

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("MASTER", "BACKUP", "INIT", "DISABLED")

Json = Mapping[str, Any]
Labels = Mapping[str, object]
Line = tuple[Labels, float | int | bool | None]


def metrics(
    status: Json,
    rules: Sequence[RuleCount] = (),
    interfaces: Sequence[InterfaceRow] = (),
    transitions: Iterable[Event] = (),
) -> str:
    """The whole page. `transitions` are the remembered role changes (events of kind *role*)."""
    parts = [
        *_roles(status, transitions),
        *_states(status),
        *_config(status),
        *_peer(status),
        *_gateways(status),
        *_interfaces(interfaces),
        *_rules(rules),
    ]
    return "\n".join(parts) + "\n"


def _roles(status: Json, transitions: Iterable[Event]) -> Iterable[str]:
    carp = status["carp"]

    def named(vhid: Json) -> dict[str, object]:
        return {"interface": vhid["description"], "vhid": vhid["vhid"]}

    yield from _metric(
        "carp_state", "gauge", "1 for the state that the virtual IP is in",
        [({**named(v), "state": s}, v["state"] == s) for v in carp for s in STATES],
    )  # fmt: skip
    yield from _metric(
        "carp_effective_skew", "gauge", "The skew as advertised", [(named(v), v["effective_skew"]) for v in carp]
    )
    yield from _metric(
        "carp_since_seconds", "gauge", "Since when it is in this state, epoch", [(named(v), v["since"]) for v in carp]
    )
    counted: dict[tuple[str, str], int] = {}
    longest: dict[str, float] = {}
    for event in transitions:
        key = event.subject, str(event.data.get("after", ""))
        counted[key] = counted.get(key, 0) + 1
        outage = event.data.get("outage")
        if isinstance(outage, int | float):
            longest.setdefault(event.subject, float(outage))
    yield from _metric(
        "carp_transitions", "gauge", "Remembered role changes by the state they led to",
        [({"vip": subject, "to": after}, n) for (subject, after), n in sorted(counted.items())],
    )  # fmt: skip
    yield from _metric(
        "carp_last_outage_seconds", "gauge", "How long no master was heard before this node took over last",
        [({"vip": subject}, seconds) for subject, seconds in sorted(longest.items())],
    )  # fmt: skip
    demotion = status["demotion"]
    yield from _metric(
        "carp_demotion", "gauge", "Reasons to stand back", [({"reason": r}, n) for r, n in sorted(demotion.items())]
    )
    yield from _metric("carp_maintenance", "gauge", "Persistent maintenance mode", [({}, status["maintenance"])])
    counters = status["counters"]["carp"]
    yield from _metric(
        "carp_events_total", "counter", "What carpd has counted", [({"event": k}, n) for k, n in counters.items()]
    )
    yield from _metric("problems", "gauge", "Problems of this node", [({}, len(status["problems"]))])


def _states(status: Json) -> Iterable[str]:
    sync = status["state_sync"]
    lag = None if sync["lag_ms"] is None else sync["lag_ms"] / 1000
    yield from _metric("states", "gauge", "States in the table", [({}, sync["states"])])
    yield from _metric(
        "states_by_creator", "gauge", "States by the node where they began",
        [({"host_id": c}, n) for c, n in sorted(sync["creators"].items())],
    )  # fmt: skip
    yield from _metric("state_sync_in_sync", "gauge", "1: both directions are in sync", [({}, sync["in_sync"])])
    yield from _metric("state_sync_lag_seconds", "gauge", "From a batch's sending to its acknowledgement", [({}, lag)])
    counters = status["counters"]["state_sync"]
    yield from _metric(
        "state_sync_events_total", "counter", "What flowd has counted", [({"event": k}, n) for k, n in counters.items()]
    )


def _config(status: Json) -> Iterable[str]:
    sync = status["config_sync"]
    yield from _metric("config_revision", "gauge", "The revision that runs", [({}, sync["revision"])])
    yield from _metric(
        "config_proven_revision", "gauge", "The last one proven to run on the peer", [({}, sync["proven_revision"])]
    )
    in_sync = sync["status"] in ("in sync", "receiving")
    yield from _metric("config_sync_ok", "gauge", "0: the peer does not get the configuration", [({}, in_sync)])
    yield from _metric("config_pending_areas", "gauge", "Areas with pending changes", [({}, status["pending"])])


def _peer(status: Json) -> Iterable[str]:
    peer = status.get("peer")
    reachable: list[Line] = [] if peer is None else [({}, peer["reachable"])]
    yield from _metric("peer_reachable", "gauge", "1: the peer has spoken lately", reachable)
    safe = status["safe_to_fail_over"]["verdict"] == "safe"
    yield from _metric("safe_to_fail_over", "gauge", "1: the other node would take over", [({}, safe)])


def _gateways(status: Json) -> Iterable[str]:
    gateways = status.get("gateways", ())
    up = [({"gateway": g["name"]}, g["status"] != "offline") for g in gateways if g["status"] != "unknown"]
    yield from _metric("gateway_up", "gauge", "1: the gateway answers", up)
    rtt = [({"gateway": g["name"]}, None if g["rtt_ms"] is None else g["rtt_ms"] / 1000) for g in gateways]
    yield from _metric("gateway_round_trip_seconds", "gauge", "Mean of the last probes", rtt)


def _interfaces(interfaces: Sequence[InterfaceRow]) -> Iterable[str]:
    for name, text in (("received", "Bytes received"), ("sent", "Bytes sent")):
        lines = [({"interface": i.name}, getattr(i, name)) for i in interfaces]
        yield from _metric(f"interface_{name}_bytes_total", "counter", text, lines)
    carrier = [({"interface": i.name}, i.carrier) for i in interfaces]
    yield from _metric("interface_link_up", "gauge", "1: there is a link", carrier)


def _rules(rules: Sequence[RuleCount]) -> Iterable[str]:
    for name in ("packets", "bytes"):
        lines = [({"rule": r.id, "interface": r.interface, "action": r.action}, getattr(r, name)) for r in rules]
        text = f"{name.capitalize()} that began a flow and were decided by the rule"
        yield from _metric(f"rule_{name}_total", "counter", text, lines)


def _metric(name: str, kind: str, help: str, lines: Iterable[Line]) -> Iterable[str]:
    """A metric with its values; one without any is left out."""
    shown = [f"gemel_{name}{_labels(labels)} {_number(value)}" for labels, value in lines if value is not None]
    if shown:
        yield f"# HELP gemel_{name} {help}"
        yield f"# TYPE gemel_{name} {kind}"
        yield from shown


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{key}="{_escaped(str(value))}"' for key, value in labels.items()) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float | int | bool) -> str:
    return str(int(value)) if isinstance(value, bool | int) else repr(value)


@dataclass(frozen=True, slots=True)
class Metrics:
    """The page, to be served as `CONTENT_TYPE`."""

    text: str


def _page(sources: Sources, _options: Options) -> Metrics:
    rules = RULE_COUNTERS.read(sources, {}).rows
    interfaces = INTERFACE_STATUS.read(sources, {}).rows
    roles = [e for e in sources["events"] if e.kind == ROLE]
    return Metrics(metrics(sources["status"], rules, interfaces, roles))


METRICS = Fact(
    name="metrics",
    label="Metrics",
    menu="",
    help="Figures for Prometheus.",
    shape=Metrics,
    read=_page,
    sources=("status", "rules", "counters", "interfaces", "links", "addresses", "samples", "events"),
)
