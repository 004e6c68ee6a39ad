"""When people are told: many events of one failover make one notification, and nothing is told over and over.

`Digest` decides; it has no clock and no mail server. `now` is monotonic seconds, `deadline` when `take` has something.
"""

import re
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from gemel.core.event import PROBLEM, ROLE, Event

SETTLE = 3.0
"""Seconds of quiet that end a notification: the VIPs of a failover move one after the other, and its consequences
follow."""
LONGEST = 10.0  # seconds that the first event of a notification waits at most
AGAIN = 3600.0  # seconds in which the same problem is told once
MOST, WITHIN = 12, 3600.0  # notifications in so many seconds; what is more waits and comes in one


@dataclass(frozen=True, slots=True)
class Notice:
    """What one notification says: `subject` in a line, `text` event by event, oldest first."""

    subject: str
    text: str
    events: tuple[Event, ...]


class Digest:
    """Collects what happens on the node called `node`."""

    def __init__(self, node: str) -> None:
        self.node = node
        self._waiting: list[Event] = []
        self._first = self._last = 0.0
        self._told: dict[str, float] = {}
        self._sent: deque[float] = deque(maxlen=MOST)

    def add(self, event: Event, wanted: Collection[str], now: float) -> None:
        """Something happened; it counts if its kind is wanted and it was not told lately."""
        if event.kind not in wanted:
            return
        if event.kind != ROLE:
            key = f"{event.kind} {event.subject} {re.sub('[0-9]+', '#', event.text)}"
            self._told = {k: at for k, at in self._told.items() if now - at < AGAIN}
            if key in self._told:
                return
            self._told[key] = now
        if not self._waiting:
            self._first = now
        self._last = now
        self._waiting.append(event)

    @property
    def deadline(self) -> float | None:
        """When there is something to tell; None: nothing waits."""
        if not self._waiting:
            return None
        quiet = min(self._last + SETTLE, self._first + LONGEST)
        full = self._sent[0] + WITHIN if len(self._sent) == MOST else quiet
        return max(quiet, full)

    def take(self, now: float) -> Notice | None:
        """What is due, if anything."""
        due = self.deadline
        if due is None or now < due:
            return None
        events, self._waiting = tuple(self._waiting), []
        self._sent.append(now)
        return Notice(f"[{self.node}] {_subject(events)}", "\n".join(f"{e.subject}: {e.text}" for e in events), events)


def _subject(events: tuple[Event, ...]) -> str:
    roles = {e.subject: str(e.data.get("after", "?")) for e in events if e.kind == ROLE}
    if roles:
        states = dict.fromkeys(roles.values())
        said = "; ".join(f"{s} of {', '.join(n for n, state in roles.items() if state == s)}" for s in states)
        cause = next((str(e.data.get("reason", "")) for e in reversed(events) if e.kind == ROLE), "")
        return f"{said} ({cause})" if cause else said
    gravest = next((e for e in events if e.good is False and e.kind == PROBLEM), None)
    first = gravest or next((e for e in events if e.good is False), events[-1])
    more = f" (and {len(events) - 1} more)" if len(events) > 1 else ""
    return f"{first.text.splitlines()[0][:120]}{more}"
