"""Role changes with their causes, and how long nobody was master, as far as this node can know."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gemel.core.event import KINDS, ROLE, Event
from gemel.facts.fact import FILTER, LIMIT, Column, Fact, Option, Options, Sources, matches, number

SAME = 0.3  # seconds by which two reports of one role change may differ, as each is computed from two clocks
MARGIN = 0.5  # seconds beyond the silence that a backup must have been one, so that there was a master to miss
_SILENCE = re.compile(r"no advert for (?P<seconds>\d+\.\d+) s|no heartbeat for (?P<ms>\d+) ms")


@dataclass(frozen=True, slots=True)
class Transition:
    """One role change. `outage` is how long, in seconds, no master was heard before this node took over: 0 where the
    role was handed over, None where nobody can know (it gave the role away, or there was no master before).
    `steps` are what it came to, in their order, and the milliseconds that each took.
    """

    at: float
    name: str
    before: str
    after: str
    cause: str
    outage: float | None
    steps: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Transitions:
    """Newest first."""

    rows: tuple[Transition, ...]


def measured(cause: str, after: str, held: float | None) -> float | None:
    """How long no master was heard before a role change; `held` is how long the state before it lasted (None: unknown).

    A backup takes over after some seconds of silence. Only if it had been backup for longer was there a master in the
    first place, and then the silence is the outage.
    """
    if after != "MASTER":
        return None
    silence = _SILENCE.search(cause)
    if silence is None:
        return 0.0 if "bowed out" in cause or "advertises" in cause else None
    ms = silence["ms"]
    seconds = float(ms) / 1000 if ms else float(silence["seconds"])
    return seconds if held is not None and held > seconds + MARGIN else None


def transition_of(event: Event) -> Transition:
    """The role change that an event of kind `ROLE` remembers."""
    data = event.data
    outage = data.get("outage")
    return Transition(
        event.at, event.subject, str(data.get("before", "")), str(data.get("after", "")), str(data.get("reason", "")),
        float(outage) if isinstance(outage, int | float) else None, _steps(data.get("steps")),
    )  # fmt: skip


def _steps(said: Any) -> dict[str, float]:
    return {str(s["name"]): float(s["ms"]) for s in said or ()}


def _completed(event: Event, now: Iterable[Mapping[str, Any]]) -> Event:
    """The event with the steps that carpd tells now: it was remembered when the first of them were done."""
    data = event.data
    key = tuple(data.get(name) for name in ("interface", "vhid", "before", "after"))
    for one in now:
        same = tuple(one.get(name) for name in ("interface", "vhid", "before", "after")) == key
        if same and abs(one["at"] - event.at) < SAME and len(one.get("steps", ())) > len(data.get("steps") or ()):
            return replace(event, data={**data, "steps": one["steps"]})
    return event


def _transitions(sources: Sources, options: Options) -> Transitions:
    events: Iterable[Event] = sources["events"]
    fresh = sources["status"]["transitions"]
    rows = (transition_of(_completed(e, fresh)) for e in events if e.kind == ROLE)
    wanted = options.get("filter", "")
    found = [r for r in rows if matches(f"{r.name} {r.before} {r.after} {r.cause}", wanted)]
    return Transitions(tuple(found[: number(options, "limit", 100, 1000)]))


TRANSITIONS = Fact(
    name="transitions",
    label="Role changes",
    menu="Status > CARP",
    help="When this node became MASTER or BACKUP, why, and how long no master was heard before.",
    shape=Transitions,
    read=_transitions,
    sources=("events", "status"),
    columns=(
        Column("at", "When", "time"),
        Column("name", "Virtual IP"),
        Column("before", "From", "state"),
        Column("after", "To", "state"),
        Column("cause", "Why"),
        Column("outage", "Without a master", "seconds"),
        Column("steps", "Steps (ms)"),
    ),
    options=(FILTER, LIMIT),
)


@dataclass(frozen=True, slots=True)
class Events:
    """Newest first."""

    rows: tuple[Event, ...]


def _events(sources: Sources, options: Options) -> Events:
    wanted, kind = options.get("filter", ""), options.get("kind", "")
    found = [e for e in sources["events"] if (not kind or e.kind == kind) and matches(f"{e.subject} {e.text}", wanted)]
    return Events(tuple(found[: number(options, "limit", 100, 1000)]))


_EVENT_COLUMNS = (
    Column("at", "When", "time"),
    Column("kind", "What"),
    Column("subject", "About"),
    Column("text", "What happened"),
)

EVENTS = Fact(
    name="events",
    label="Events",
    menu="Status > System Logs",
    help="What happened to this node: role changes, synchronisation, problems, applied configurations, logins.",
    shape=Events,
    read=_events,
    sources=("events",),
    columns=_EVENT_COLUMNS,
    options=(Option("kind", "Kind", "Only events of this kind.", "", tuple(KINDS)), FILTER, LIMIT),
)


def _sync_history(sources: Sources, options: Options) -> Events:
    return _events(sources, {**options, "kind": "sync"})


SYNC_HISTORY = Fact(
    name="sync",
    label="Synchronization History",
    menu="Status > CARP",
    help="When the configuration reached the peer, and when and why it did not.",
    shape=Events,
    read=_sync_history,
    sources=("events",),
    columns=_EVENT_COLUMNS,
    options=(FILTER, LIMIT),
)
