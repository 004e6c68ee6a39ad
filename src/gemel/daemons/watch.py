"""When a process is started, stopped, cleaned up after and started again. Decides only: no clock, no hands.

    waiting --due--> running --ended--> cleaning (its stop step runs) --ended--> waiting, or stopped if nobody wants it
                        |                  ^
                     stopping --ended------+        (SIGTERM, then SIGKILL when patience runs out)
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from gemel.daemons.processes import Process

PAUSES = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds before the first, second, ... start after quick ends
PROVEN = 10.0  # seconds of life after which an end counts as the first again
PATIENCE = 10.0  # seconds from SIGTERM to SIGKILL: a planned hand-over takes less than one
STOP_STEP_PATIENCE = 5.0
GONE = ("stopped", "held")


class Hands(Protocol):
    """What `Watch` needs done. `start` raises OSError when there is no such program or user."""

    def start(self, process: Process) -> int: ...
    def start_stop_step(self, process: Process) -> int: ...
    def kill(self, pid: int, number: int) -> None: ...


@dataclass
class Ward:
    """One process that is looked after, and where it is."""

    process: Process
    state: str = "waiting"
    pid: int | None = None
    since: float = 0.0
    due: float | None = 0.0  # when to start it, or to lose patience with its stopping
    wanted: bool = True
    held: bool = False
    starts: int = 0
    quick_ends: int = 0
    last_exit: str | None = None


@dataclass
class Watch:
    """The decisions. Every method takes `now`, monotonic seconds; `tick` must follow, at the latest at `deadline`."""

    hands: Hands
    wards: dict[str, Ward] = field(default_factory=dict)
    shutting_down: bool = False

    def want(self, process: Process, now: float) -> None:
        ward = self.wards.setdefault(process.name, Ward(process, since=now))
        changed, ward.process, ward.wanted = ward.process != process, process, True
        if ward.state == "stopped":
            self._enter(ward, "waiting", now, due=now)
        elif changed:
            self.restart(process.name, now)

    def unwant(self, name: str, now: float) -> None:
        if ward := self.wards.get(name):
            ward.wanted = False
            self.restart(name, now)

    def restart(self, name: str, now: float) -> None:
        """Stop it; what follows depends on whether it is still wanted."""
        ward = self.wards[name]
        ward.quick_ends = 0
        if ward.state == "running" and ward.pid is not None:
            self.hands.kill(ward.pid, signal.SIGTERM)
            self._enter(ward, "stopping", now, due=now + PATIENCE)
        elif ward.state == "waiting":
            self._settle(ward, now)

    def hold(self, name: str) -> None:
        self.wards[name].held = True

    def release(self, name: str, now: float) -> None:
        ward = self.wards[name]
        ward.held = False
        if ward.state == "held":
            self._settle(ward, now)

    def shut_down(self) -> None:
        self.shutting_down = True

    @property
    def done(self) -> bool:
        return self.shutting_down and all(w.state in GONE for w in self.wards.values())

    @property
    def deadline(self) -> float | None:
        return min((w.due for w in self.wards.values() if w.due is not None), default=None)

    def ended(self, pid: int, how: str, now: float) -> None:
        """A child of ours has ended; of strangers, whom process 1 inherits, nothing is to be done."""
        ward = next((w for w in self.wards.values() if w.pid == pid), None)
        if ward is None:
            return
        ward.pid = None
        if ward.state == "cleaning":
            self._settle(ward, now)
            return
        ward.last_exit = how
        if ward.state == "running":
            ward.quick_ends = 0 if now - ward.since >= PROVEN else ward.quick_ends + 1
        if ward.held:
            self._enter(ward, "held", now)
        elif ward.process.stop_step and (step := self._try(ward, self.hands.start_stop_step)):
            ward.pid = step
            self._enter(ward, "cleaning", now, due=now + STOP_STEP_PATIENCE)
        else:
            self._settle(ward, now)

    def tick(self, now: float) -> None:
        if self.shutting_down:
            self._stop_next(now)
        for ward in self.wards.values():
            if ward.due is None or now < ward.due:
                continue
            if ward.state == "waiting":
                ward.starts += 1
                ward.pid = self._try(ward, self.hands.start)
                self._enter(ward, "running", now)
                if ward.pid is None:
                    ward.quick_ends += 1
                    self._settle(ward, now)
            elif ward.pid is not None:
                self.hands.kill(ward.pid, signal.SIGKILL)
                ward.due = None
        self.wards = {n: w for n, w in self.wards.items() if w.wanted or w.state != "stopped" or self.shutting_down}

    def _stop_next(self, now: float) -> None:
        """While one that stops first is still there, only those; then the rest together."""
        first = [w for w in self.wards.values() if w.process.stops_first]
        for group in (first, list(self.wards.values())):
            for ward in group:
                if ward.wanted:
                    self.unwant(ward.process.name, now)
            if not all(w.state in GONE for w in group):
                return

    def _settle(self, ward: Ward, now: float) -> None:
        """Nothing of it is left: stopped if nobody wants it, else waiting, the longer the oftener it ended at once."""
        if not ward.wanted:
            self._enter(ward, "stopped", now)
        else:
            self._enter(ward, "waiting", now, due=now + PAUSES[min(max(ward.quick_ends - 1, 0), len(PAUSES) - 1)])

    def _enter(self, ward: Ward, state: str, now: float, due: float | None = None) -> None:
        ward.state, ward.since, ward.due = state, now, due

    def _try(self, ward: Ward, start: Callable[[Process], int]) -> int | None:
        try:
            return start(ward.process)
        except (OSError, ValueError) as error:
            ward.last_exit = f"could not be started: {error}"
            return None
