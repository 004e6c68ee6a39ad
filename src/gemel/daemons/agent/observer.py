"""The agent's eye: looks at the node once a second, and at once when carpd says that a role changed; remembers what
happened, wakes whoever waits for news, and tells the peer.

It stands beside the desk and only reads. An Apply or a role change never waits for it.
"""

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from gemel.control.agent import NewsReport
from gemel.control.door import Refused
from gemel.core.event import ROLE, Event
from gemel.effects.events import EventStore
from gemel.effects.look import octets, state_count
from gemel.facts.changes import ProblemWatch, RoleWatch, changes, significant
from gemel.facts.samples import KEPT, Sample

EVERY = 1.0  # seconds between looks
LONGEST_WAIT = 25.0
WAITERS = 16
RECENT = 500  # events that news can tell; more are in the store

Status = dict[str, Any]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Eyes:
    """How to look: at carpd alone (quick), at flowd, and at the whole node with what those two said."""

    carp: Callable[[], Any]
    flows: Callable[[], Any]
    status: Callable[[Any, Any], Status]


class Observer:
    """Looks, compares, remembers. `told` gets every new event, `seen` every look's status, last of all; `moved` is
    called when a role changed."""

    def __init__(
        self,
        eyes: Eyes,
        store: EventStore,
        told: Callable[[list[Event]], None] = lambda _: None,
        moved: Callable[[], None] = lambda: None,
        seen: Callable[[Status], None] = lambda _: None,
    ) -> None:
        self._eyes = eyes
        self._store = store
        self._told = told
        self._moved = moved
        self._seen = seen
        self._epoch = secrets.token_hex(4)
        self._roles: RoleWatch | None = None
        self._problems = ProblemWatch()
        self._changed = threading.Condition()
        self._urgent = False
        self._waiting = 0
        self._flows: Any = None
        self._last: Status | None = None
        self._version = 0
        self._count = 0
        self._recent: deque[tuple[int, Event]] = deque(maxlen=RECENT)
        self._samples: deque[Sample] = deque(maxlen=KEPT + 1)

    # ----------------------------------------------------------------------------------------------- for other threads

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="observer", daemon=True).start()

    def look_now(self) -> None:
        """A role changed. Returns at once."""
        with self._changed:
            self._urgent = True
            self._changed.notify_all()

    def record(self, event: Event) -> None:
        """Somebody else in the agent has something to remember (a login, a revision)."""
        self._publish([event])

    @property
    def last(self) -> Status | None:
        """The last look; None before the first."""
        return self._last

    @property
    def version(self) -> str:
        """The cursor of news without what counts events: it changes when the status does."""
        return f"{self._epoch}.{self._version}"

    @property
    def waiting(self) -> int:
        """How many wait for news."""
        return self._waiting

    @property
    def samples(self) -> list[Sample]:
        """What was measured in the last minutes, oldest first."""
        with self._changed:
            return list(self._samples)

    def news(self, cursor: str, seconds: float) -> NewsReport:
        """Wait for what comes after `cursor`; see `control.agent.News`.

        Raises:
            Refused: too many wait already.
        """
        version, count = self._read(cursor)
        with self._changed:
            if self._waiting >= WAITERS:
                raise Refused("too many wait for news already: ask once for all")
            self._waiting += 1
            try:
                self._changed.wait_for(
                    lambda: self._last is not None and (self._version, self._count) != (version, count),
                    min(max(seconds, 0.0), LONGEST_WAIT),
                )
            finally:
                self._waiting -= 1
            if self._last is None:
                raise Refused("the agent has just started")
            events = tuple(e for n, e in self._recent if n > count) if version >= 0 else ()
            missed = version >= 0 and len(events) < self._count - count
            return NewsReport(f"{self.version}.{self._count}", self._last, events, missed)

    def _read(self, cursor: str) -> tuple[int, int]:
        """Version of the status and number of events; -1 twice for a cursor of another life, or none."""
        parts = cursor.split(".")
        if len(parts) != 3 or parts[0] != self._epoch or not (parts[1] + parts[2]).isdigit():
            return -1, -1
        return int(parts[1]), int(parts[2])

    # ------------------------------------------------------------------------------------------------------- own thread

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._urgent, max(0.0, due - time.monotonic()))
                urgent, self._urgent = self._urgent, False
            now = time.monotonic()
            try:
                self.look(whole=now >= due)
            except Exception:  # a mistake of ours must not blind the pages for good, and must be seen
                log.exception("looking at the node")
            if now >= due:
                due = max(due + EVERY, now + EVERY / 2)
            elif urgent:
                continue

    def look(self, whole: bool = True) -> None:
        """One look. When it is urgent only carpd is asked: another daemon may hang."""
        carp = self._eyes.carp()
        if whole:
            self._flows = self._eyes.flows()
        status = self._eyes.status(carp, self._flows)
        now = time.time()
        events = self._role_events(status)
        events += changes(self._last, status, now)
        events += self._problems.look(status["problems"], now)
        if whole:
            self._measure(status)
        self._show(status)
        self._publish(events)
        if any(e.kind == ROLE for e in events):
            self._moved()
        self._seen(status)

    def _role_events(self, status: Status) -> list[Event]:
        if self._roles is None:
            self._roles = RoleWatch(self._store.newest(ROLE, 1000))
        words = {t["interface"]: t["description"] for t in status["transitions"] if t["description"]}
        return self._roles.new(status["transitions"], words)

    def _measure(self, status: Status) -> None:
        flows = self._flows or {}
        counted = state_count()
        states = flows.get("states", 0) if counted is None else counted
        moved = flows.get("sent", 0), flows.get("received", 0)
        lag = status["state_sync"]["lag_ms"]
        sample = Sample(time.monotonic(), octets(), states, moved, lag, _peer_states(status))
        with self._changed:
            self._samples.append(sample)

    def _show(self, status: Status) -> None:
        with self._changed:
            if self._last is None or significant(status) != significant(self._last):
                self._version += 1
            self._last = status

    def _publish(self, events: Iterable[Event]) -> None:
        events = list(events)
        with self._changed:
            for event in events:
                self._count += 1
                self._recent.append((self._count, event))
            self._changed.notify_all()
        if events:
            self._store.add(events)
            self._told(events)


def _peer_states(status: Status) -> int | None:
    """How many states the peer has, None where it does not say so now."""
    peer = status.get("peer")
    said = peer["status"] if peer and peer["reachable"] else None
    return said["state_sync"]["states"] if said else None
