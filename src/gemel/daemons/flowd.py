"""flowd: keeps the peer's conntrack table like this node's. `python -m gemel.daemons.flowd [--run-dir DIR]`

One thread runs everything but the door: events and answers of the kernel, a stream to the peer, a stream from it. The
thinking is in `flows`; here are the clock, the sockets and the order of things.
"""

import argparse
import contextlib
import gc
import json
import logging
import os
import queue
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gemel.control import paths
from gemel.control.carpd import CarpStatus
from gemel.control.door import Caller, Door, Refused, Unreachable, ask
from gemel.control.flowd import (
    QUESTIONS,
    CompareTables,
    CreatorsOf,
    FlowReport,
    FlowStatus,
    FlushFlows,
    ReloadFlows,
    Resync,
    RoleChanged,
)
from gemel.core.codec import Malformed, decode
from gemel.daemons.flowd_engine import Engine
from gemel.daemons.flowd_report import Rates, report
from gemel.daemons.logs import log_to_stderr
from gemel.daemons.readiness import Watchdog, notify
from gemel.effects.conntrack import Events, Table
from gemel.flows.settings import Settings

TICK = 0.5  # s between looks at files and timers that nobody waits for
log = logging.getLogger("flowd")


class Flowd:
    """The daemon: settings, the door, and an engine while there is something to do."""

    def __init__(self, run_dir: str) -> None:
        self._run = Path(run_dir)
        self._settings = Settings()
        self._stamp: tuple[Any, ...] = ()
        self._fault = ""
        self._events, self._table = Events(), Table()
        self._engine: Engine | None = None
        self._role: bool | None = None
        self._calls: queue.SimpleQueue[Callable[[float], None]] = queue.SimpleQueue()
        self._bell_out, self._bell_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._flushes: list[tuple[int, float, _Answer]] = []
        self._epoch = time.time_ns()
        self._rates = Rates()
        self.stopping = False

    # --- what the door's threads do ---------------------------------------------------------------------------------

    def answer(self, question: Any, caller: Caller) -> Any:
        """Answer one question; in the door's thread. The work is done by the loop."""
        answer = _Answer()
        patience = 10.0 + (question.seconds if isinstance(question, FlushFlows) else 0.0)
        self._calls.put(lambda now: self._reply(question, answer, now))
        self.ring()
        return answer.wait(patience)

    def ring(self) -> None:
        """Wake the loop."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._bell_in, b"!")

    def _reply(self, question: Any, answer: "_Answer", now: float) -> None:
        match question:
            case FlowStatus():
                answer.give(self._report(now))
            case ReloadFlows():
                self._reload(now, force=True)
                answer.give(None)
            case Resync():
                if self._engine:
                    self._engine.sender.resync(now)
                answer.give(None)
            case CompareTables():
                if self._engine:
                    self._engine.sender.compare_soon(now)
                answer.give(None)
            case CreatorsOf(keys):
                answer.give(self._creators(keys))
            case RoleChanged(master):
                self._role = master
                if self._engine:
                    self._engine.role_changed(master, now)
                answer.give(None)
            case FlushFlows(seconds):
                if self._engine:
                    self._engine.read_events(now)
                    self._flushes.append((self._engine.sender.flush(now), now + seconds, answer))
                else:
                    answer.give(False)

    def _creators(self, keys: tuple[bytes, ...]) -> tuple[str, ...]:
        if not self._engine:
            return (self._settings.host_id,) * len(keys)
        return tuple(f"{self._engine.ledger.creator(key):x}" for key in keys)

    def _report(self, now: float) -> FlowReport:
        if self._engine:
            rates = self._rates.look(now, self._engine.sender.sent, self._engine.receiver.received)
            said = report(self._engine, rates, now)
            return replace(said, problems=(self._fault, *said.problems)) if self._fault else said
        settings = self._settings
        on = bool(settings.enabled and settings.peer)
        words = self._fault or "state synchronisation is off"
        return FlowReport(
            status="waiting" if on else "off", sending=words, receiving=words, peer=settings.peer or None,
            host_id=settings.host_id, peer_host_id=None, creators={}, states=0, sent=0, received=0, lag_ms=None,
            in_sync=not on, counters={}, problems=(self._fault,) if self._fault and self._stamp else ())

    # --- the loop ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Until `stopping`."""
        poll = select.poll()
        watched: dict[int, int] = {}
        tick_at = 0.0
        self._ask_role()
        notify("READY=1")
        watchdog = Watchdog(time.monotonic())
        while not self.stopping:
            now = time.monotonic()
            watchdog.turn(now)
            if now >= tick_at:
                tick_at = now + TICK
                self._reload(now)
            wanted = {self._bell_out: select.POLLIN}
            deadline = min(tick_at, watchdog.deadline)
            if self._engine:
                self._engine.work(now)
                wanted |= self._engine.interest(now)
                deadline = min(deadline, self._engine.deadline(now))
            for fd in [fd for fd in watched if fd not in wanted]:
                poll.unregister(fd)
                del watched[fd]
            for fd, mask in wanted.items():
                if watched.get(fd) != mask:
                    poll.register(fd, mask)
                    watched[fd] = mask
            now = time.monotonic()
            ready = dict(poll.poll(max(0.0, deadline - now) * 1000 + 0.5))
            if ready.pop(self._bell_out, 0):
                self._drain_calls()
            if self._engine:
                self._engine.ready(ready, time.monotonic())
            self._settle_flushes(time.monotonic())

    def _drain_calls(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._bell_out, 4096)
        while not self._calls.empty():
            self._calls.get()(time.monotonic())

    def _settle_flushes(self, now: float) -> None:
        for waiting in list(self._flushes):
            ticket, until, answer = waiting
            arrived = self._engine is not None and self._engine.sender.arrived(ticket)
            if arrived or now >= until or self._engine is None or self._engine.sender.peer is None:
                self._flushes.remove(waiting)
                if self._engine:
                    self._engine.sender.forget(ticket)
                answer.give(arrived)

    # --- settings ---------------------------------------------------------------------------------------------------

    def _reload(self, now: float, force: bool = False) -> None:
        """Look at the settings file and at the three PEM files; start, change or stop the engine accordingly."""
        path = self._run / Path(paths.FLOWD_SETTINGS).name
        settings = self._settings
        stamp = (_stamp(path), *map(_stamp, (settings.key, settings.certificate, settings.peer_certificate)))
        if stamp == self._stamp and not force:
            return
        try:
            told = decode(Settings, json.loads(path.read_text()))
            self._fault = "; ".join(told.faults())
            settings = settings if self._fault else told
        except FileNotFoundError:
            settings, self._fault = Settings(), ""
        except (OSError, ValueError, Malformed) as error:
            # The last good settings stay in force; the report says what is wrong with the new ones.
            self._fault = f"{path}: {error}"
        changed = settings != self._settings or stamp[1:] != self._stamp[1:]
        self._settings = settings
        self._stamp = (stamp[0], *map(_stamp, (settings.key, settings.certificate, settings.peer_certificate)))
        if changed or (self._engine is None and not self._fault):
            self._restart_engine(now)

    def _restart_engine(self, now: float) -> None:
        if self._engine:
            if self._engine.change(self._settings, now):
                return
            self._engine.close()
            self._engine = None
        settings = self._settings
        if not (settings.enabled and settings.peer) or self._fault:
            return
        missing = [path for path in (settings.key, settings.certificate, settings.peer_certificate)
                   if not Path(path).exists()]
        if missing:
            what = "the peer is not known yet: no" if missing == [settings.peer_certificate] else "no"
            self._fault = f"{what} {', '.join(missing)}"
            return
        try:
            self._engine = Engine(settings, self._epoch, self._events, self._table, now)
        except (OSError, ValueError) as error:
            self._fault = f"cannot start: {error}"
            self._stamp = ()
            return
        self._engine.role_changed(self._role, now)

    def _ask_role(self) -> None:
        """carpd tells of changes; at our start we ask once how things stand, before the peer hears anything."""
        door = self._run / Path(paths.CARPD_DOOR).name
        with contextlib.suppress(Refused, Unreachable, ValueError):
            vhids = ask(str(door), CarpStatus(), timeout=1.0).vhids
            self._role = any(vhid.state == "MASTER" for vhid in vhids) if vhids else None

    def close(self) -> None:
        """Hang up."""
        if self._engine:
            self._engine.close()


class _Answer:
    """What the loop hands to a waiting thread of the door."""

    def __init__(self) -> None:
        self._given = threading.Event()
        self._value: Any = None

    def give(self, value: Any) -> None:
        self._value = value
        self._given.set()

    def wait(self, seconds: float) -> Any:
        if not self._given.wait(seconds):
            raise Refused("flowd is busy: no answer in time")
        return self._value


def _stamp(path: str | Path) -> tuple[int, ...]:
    try:
        found = Path(path).stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _take_precedence() -> None:
    """A little above ordinary work, below carpd; few pauses for what garbage there is."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(prog="flowd", description="Keeps the peer's states like this node's.")
    parser.add_argument("--run-dir", default=paths.RUN, help="where settings and doors are")
    run_dir = parser.parse_args(arguments).run_dir
    log_to_stderr("flowd")
    flowd = Flowd(run_dir)

    def stop(*_: object) -> None:
        flowd.stopping = True
        flowd.ring()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    door = Door(str(Path(run_dir) / Path(paths.FLOWD_DOOR).name), QUESTIONS, flowd.answer)
    _take_precedence()
    try:
        flowd.run()
    finally:
        door.close()
        flowd.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
