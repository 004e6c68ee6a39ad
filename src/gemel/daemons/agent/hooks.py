"""What follows a role change beside CARP: services that follow a virtual IP, then the user's scripts.

    /etc/gemel/hooks/NAME  STATE  INTERFACE  VHID

Every program there is run for every role change, in the order of names, with STATE MASTER, BACKUP or INIT, and in its
environment GEMEL_STATE, GEMEL_BEFORE, GEMEL_INTERFACE, GEMEL_DESCRIPTION, GEMEL_VHID and GEMEL_REASON. It has `LIMIT`
seconds, then it is killed. The virtual IPs have moved already and wait for nothing here.

One after the other, never two at once: a start cannot overtake a stop. When changes come faster than scripts end, a
VHID's older change is left out and its last one is always told.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gemel.core.event import HOOK, ROLE, Event
from gemel.effects.hooks import Outcome, run, scripts

FOLDER = Path("/etc/gemel/hooks")
LIMIT = 10.0  # seconds for each script

log = logging.getLogger("gemel.hooks")


@dataclass(frozen=True, slots=True)
class Change:
    """One role change, as it is told to those who follow."""

    interface: str
    description: str
    vhid: int
    before: str
    after: str
    reason: str

    @property
    def name(self) -> str:
        return f"{self.description}@{self.vhid}"


Follower = Callable[[Change], None]


class Hooks:
    """Gets every event; works in a thread of its own. `record` gets what came of it, as an event."""

    def __init__(
        self, record: Callable[[Event], None], followers: Sequence[Follower] = (), folder: Path = FOLDER,
        limit: float = LIMIT,
    ) -> None:  # fmt: skip
        self._record = record
        self._followers = tuple(followers)
        self._folder = folder
        self._limit = limit
        self._waiting: dict[tuple[str, int], Change] = {}
        self._news = threading.Condition()
        self._refused: list[str] = []

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="hooks", daemon=True).start()

    def __call__(self, events: list[Event]) -> None:
        """Something happened. Returns at once."""
        changes = [_change(event) for event in events if event.kind == ROLE]
        if changes:
            with self._news:
                self._waiting.update({(one.interface, one.vhid): one for one in changes})
                self._news.notify()

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._waiting)
                key = next(iter(self._waiting))
                change = self._waiting.pop(key)
            try:
                self.follow(change)
            except Exception:  # a mistake of ours must not end the hooks for good, and must be seen
                log.exception("hooks for %s", change.name)

    def follow(self, change: Change) -> None:
        """Tell one change to everybody, and remember what came of it."""
        for follower in self._followers:
            follower(change)
        there, refused = scripts(self._folder)
        if refused != self._refused:
            self._refused = refused
            for text in refused:
                log.warning("%s", text)
                self._record(Event(time.time(), HOOK, change.name, text, False))
        if there:
            outcomes = {path.name: self._one(path, change) for path in there}
            self._record(_told(change, outcomes))

    def _one(self, path: Path, change: Change) -> Outcome:
        argv = (change.after, change.interface, str(change.vhid))
        variables = {
            "GEMEL_STATE": change.after,
            "GEMEL_BEFORE": change.before,
            "GEMEL_INTERFACE": change.interface,
            "GEMEL_DESCRIPTION": change.description,
            "GEMEL_VHID": str(change.vhid),
            "GEMEL_REASON": change.reason,
        }
        outcome = run(path, argv, variables, self._limit)
        log.info("%s %s: %s in %.2f s", path.name, " ".join(argv), outcome.wrong or "ran", outcome.seconds)
        for line in outcome.said.splitlines():
            log.info("%s: %s", path.name, line)
        return outcome


def _change(event: Event) -> Change:
    data = event.data
    description = event.subject.rpartition("@")[0]
    return Change(
        str(data["interface"]), description, int(data["vhid"]), str(data["before"]), str(data["after"]),
        str(data["reason"]),
    )  # fmt: skip


def _told(change: Change, outcomes: dict[str, Outcome]) -> Event:
    failed = {name: one for name, one in outcomes.items() if one.wrong}
    took = sum(one.seconds for one in outcomes.values())
    text = f"{', '.join(outcomes)} ran in {took:.2f} s"
    if failed:
        said = {name: f": {one.said[-200:]}" if one.said else "" for name, one in failed.items()}
        text = "; ".join(f"{name} {one.wrong}{said[name]}" for name, one in failed.items())
    ran = [{"name": name, "ms": round(one.seconds * 1e3, 1), "wrong": one.wrong} for name, one in outcomes.items()]
    data = {"interface": change.interface, "vhid": change.vhid, "state": change.after, "hooks": ran}
    return Event(time.time(), HOOK, change.name, f"{change.after}: {text}", not failed, data)
