"""Role changes as transactions: what changed, when, why, and how long each of its steps took.

The protocol thread begins an entry and does the steps in the order in which the core asks for them; what a hand does
(addresses, the word to flowd) is added by that hand's thread when it is done. The time of an entry is the wall clock's
at the change, and stays what it was.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from gemel.carp.events import Report

MOST = 600  # entries: all of 255 VHIDs there and back
AHEAD = 2.0  # seconds: what was done so long before a change was done for it
ADVERT, ANNOUNCED = "advert", "announced"
FLUSHED, TAKEN, RELEASED, TOLD = "states flushed", "addresses taken", "addresses released", "state sync told"

Done = Callable[[float], None]
"""To be called by a hand with the seconds that its work took."""


@dataclass(slots=True)
class Entry:
    """One role change. `at` is seconds since the epoch; `steps` are names and seconds, in the order of their ends."""

    at: float
    report: Report
    steps: list[tuple[str, float]] = field(default_factory=list)


class Journal:
    """The last role changes, oldest first. `wall` is the clock: seconds since the epoch."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._lock = threading.Lock()
        self._started = wall()
        self._entries: deque[Entry] = deque(maxlen=MOST)
        self._last: dict[tuple[str, int], Entry] = {}
        self._open: list[Entry] = []
        self._ahead: list[tuple[float, str, float]] = []

    # ------------------------------------------------------------------------------------------------ protocol thread

    def begin(self, report: Report) -> None:
        """A VHID changed its state; the steps that come next are its own."""
        now = self._wall()
        entry = Entry(now, report, [(name, took) for at, name, took in self._ahead if now - at < AHEAD])
        with self._lock:
            self._entries.append(entry)
            self._last[report.interface, report.vhid] = entry
        self._open.append(entry)

    @property
    def is_open(self) -> bool:
        """Whether a transaction is under way."""
        return bool(self._open)

    def step(self, name: str, seconds: float) -> None:
        """The VHID that changed last has done this, perhaps once more."""
        steps = self._open[-1].steps
        if steps and steps[-1][0] == name:
            seconds += steps.pop()[1]
        steps.append((name, seconds))

    def hand(self, name: str) -> Done:
        """A hand works for the VHID that changed last."""
        return self._adding(self._open[-1:], name)

    def all_hands(self, name: str) -> Done:
        """A hand works for all VHIDs that change now."""
        return self._adding(self._open, name)

    def late(self, interface: str, vhid: int, name: str) -> Done:
        """A hand works for what a VHID changed last: an old master lets go of its addresses in the end."""
        last = self._last.get((interface, vhid))
        return self._adding([last] if last else [], name)

    def ahead(self, name: str, seconds: float) -> None:
        """This was done for a change that is to come."""
        self._ahead = [(self._wall(), name, seconds)]

    def close(self) -> None:
        """The protocol thread has done its part."""
        self._open = []

    # ----------------------------------------------------------------------------------------------------- any thread

    def since(self, interface: str, vhid: int) -> float:
        """When a VHID changed last, in seconds since the epoch; the start of the process if it never did."""
        last = self._last.get((interface, vhid))
        return last.at if last else self._started

    def entries(self) -> list[Entry]:
        """All that are remembered; copies."""
        with self._lock:
            return [Entry(e.at, e.report, list(e.steps)) for e in self._entries]

    def _adding(self, entries: Iterable[Entry], name: str) -> Done:
        whose = tuple(entries)

        def add(seconds: float) -> None:
            with self._lock:
                for entry in whose:
                    if all(done != name for done, _ in entry.steps):
                        entry.steps.append((name, seconds))

        return add
