"""State synchronisation in figures: what flowd says, and what that means for a failover."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gemel.facts.fact import Fact, Options, Sources

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StateSync:
    """`status`, `sending` and `receiving` as flowd says them; `role` is MASTER, BACKUP or none.

    `agreement` of both tables: equal, repairing, differs, or unknown; `comparison` says in words how it was found (only
    the MASTER compares), `repair` what was last told again and why, `bulk_out` and `bulk_in` how far a whole table has
    come.
    Rates are states per second. `counters` are since flowd was started.
    """

    status: str
    role: str
    peer: str
    sending: str
    receiving: str
    states: int
    waiting: int
    lag_ms: float | None
    sent_per_second: float
    received_per_second: float
    agreement: str
    comparison: str
    repair: str
    bulk_out: str
    bulk_in: str
    host_id: str
    peer_host_id: str
    creators: dict[str, int]
    problems: tuple[str, ...]
    verdict: str
    reasons: tuple[str, ...]
    counters: dict[str, int]


def _state_sync(sources: Sources, _options: Options) -> StateSync:
    flows: Json = sources["flows"] or {}
    safe = sources["status"]["safe_to_fail_over"]
    return StateSync(
        status=flows.get("status", "unknown"),
        role=flows.get("role", ""),
        peer=flows.get("peer") or "",
        sending=flows.get("sending", "flowd does not answer"),
        receiving=flows.get("receiving", "flowd does not answer"),
        states=flows.get("states", 0),
        waiting=flows.get("waiting", 0),
        lag_ms=flows.get("lag_ms"),
        sent_per_second=flows.get("sent_per_second", 0.0),
        received_per_second=flows.get("received_per_second", 0.0),
        agreement=flows.get("agreement", "unknown"),
        comparison=_comparison(flows),
        repair=_repair(flows.get("repair")),
        bulk_out=_progress(flows.get("bulk_out")),
        bulk_in=_progress(flows.get("bulk_in")),
        host_id=flows.get("host_id") or "",
        peer_host_id=flows.get("peer_host_id") or "",
        creators=dict(flows.get("creators", {})),
        problems=tuple(flows.get("problems", ())),
        verdict=safe["verdict"],
        reasons=tuple(safe["reasons"]),
        counters=dict(flows.get("counters", {})),
    )


def _comparison(flows: Json) -> str:
    made = flows.get("comparison")
    if not made:
        return "" if flows.get("role") == "MASTER" else "the MASTER compares the tables"
    parts, compared, differing = made["parts"], made["compared"], made["differing"]
    if not compared:
        return f"{made['ago']:.0f} s ago: too much moved to compare anything"
    scope = "all" if compared == parts else f"{compared / parts:.0%} of the table, the rest moved"
    found = f"{differing} parts of {parts} differed" if differing else "no difference"
    return (
        f"{made['ago']:.0f} s ago, {scope}: {found}; {made['states']} states here, {made['peer_states']} on the peer"
    )


def _repair(made: Json | None) -> str:
    return f"{made['ago']:.0f} s ago: {made['states']} states, because {made['why']}" if made else ""


def _progress(made: Json | None) -> str:
    if not made or not made["running"]:
        return ""
    return f"{made['done']} of about {made['states']} states"


STATE_SYNC = Fact(
    name="state-sync",
    label="State Synchronization",
    menu="Status > State Synchronization",
    help="How the states reach the other node: direction by direction, whether both tables are the same, what was "
    "repaired, and whether it is safe to fail over.",
    shape=StateSync,
    read=_state_sync,
    sources=("flows", "status"),
)
