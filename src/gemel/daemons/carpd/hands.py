"""The threads of carpd that may wait, so that its protocol thread need not.

Each takes its jobs from a queue. What is asked of a hand returns at once.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import ClassVar, TextIO

from gemel.carp.events import AWAITING_STATES, Event, HandOverReady, Promoted
from gemel.control.door import Refused, Unreachable, ask
from gemel.control.flowd import FlowStatus, FlushFlows, RoleChanged
from gemel.daemons.carpd.journal import Done
from gemel.daemons.logs import formatter
from gemel.effects.packet import Membership
from gemel.effects.vip_address import VipAddresses

log = logging.getLogger("carpd")

STALE = 1.0  # seconds: after a stall this long the addresses may be the peer's, and are not put back
LOOK_EVERY = 0.1  # seconds between two looks at the state synchronisation, while states are awaited
REMIND_EVERY = 3.0  # seconds after which flowd is told the role again; it may have been restarted


class AddressHand:
    """VIP addresses and memberships: whatever needs the kernel's big network lock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._held: dict[tuple[str, str], int] = {}
        self._joined: dict[str, tuple[int, tuple[bytes, ...], tuple[str, ...], Membership]] = {}
        self._kernel = VipAddresses()
        self._failed: set[str] = set()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="addresses", daemon=True)
        self._thread.start()

    def take(self, device: str, addresses: tuple[str, ...], lifetime: int, done: Done) -> None:
        """Put addresses on and keep them renewed."""
        asked = self._clock()

        def job() -> None:
            self._held.update({(device, address): lifetime for address in addresses})
            self._hold([(device, address, lifetime) for address in addresses], asked)
            done(self._clock() - asked)

        self._jobs.put(job)

    def release(self, device: str, addresses: tuple[str, ...], done: Done) -> None:
        """Take addresses off."""
        asked = self._clock()

        def job() -> None:
            for address in addresses:
                self._held.pop((device, address), None)
            self._complain(self._kernel.drop((device, address) for address in addresses))
            done(self._clock() - asked)

        self._jobs.put(job)

    def renew(self) -> None:
        """Give everything that is held its lifetime again. In one go, so that it also lapses in one go."""
        asked = self._clock()
        self._jobs.put(lambda: self._hold([(*key, lifetime) for key, lifetime in self._held.items()], asked))

    def join(self, device: str, index: int, macs: tuple[bytes, ...], groups6: tuple[str, ...]) -> None:
        """Be a member of the CARP group and these IPv6 ones on this device, and let the virtual MACs in; nothing if
        that is so already.
        """

        def job() -> None:
            before = self._joined.get(device)
            if before is not None and before[:3] == (index, macs, groups6):
                return
            try:
                membership = Membership(device, macs, groups6)
                self._joined[device] = (index, macs, groups6, membership)
                if membership.failed:
                    log.warning("%s: cannot join the IPv6 groups of CARP: %s", device, membership.failed)
            except OSError as error:
                log.warning("%s: cannot join the CARP group: %s", device, error.strerror)
            if before is not None:
                before[3].close()

        self._jobs.put(job)

    def leave(self, device: str) -> None:
        """End the membership."""

        def job() -> None:
            before = self._joined.pop(device, None)
            if before is not None:
                before[3].close()

        self._jobs.put(job)

    def finish(self) -> None:
        """Do what is still to be done, then return."""
        self._jobs.put(None)
        self._thread.join(timeout=2.0)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except OSError as error:
                log.warning("addresses: %s", error)

    def _hold(self, wanted: list[tuple[str, str, int]], asked: float) -> None:
        # A renewal that comes late, say after SIGSTOP, would put back what has lapsed and is the peer's now.
        if self._clock() - asked < STALE:
            self._complain(self._kernel.hold(wanted))

    def _complain(self, failed: list[str]) -> None:
        for text in set(failed) - self._failed:
            log.warning("address %s", text)
        self._failed = set(failed)


class FlowdHand:
    """The talk with flowd. Where there is none, nothing waits for it."""

    def __init__(self, door: str, post: Callable[[Event], None]) -> None:
        self._door = door
        self._post = post
        self._role: bool | None = None
        self._awaiting = False
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="flowd", daemon=True).start()

    def flush(self, seconds: float) -> None:
        """Have the peer get every state; posts `HandOverReady` when it has, or cannot."""

        def job() -> None:
            with contextlib.suppress(Refused, Unreachable):
                if not ask(self._door, FlushFlows(seconds), timeout=seconds + 0.05):
                    log.warning("hand-over: the peer did not confirm the last states within %.1f s", seconds)
            self._post(HandOverReady())

        self._jobs.put(job)

    def tell_role(self, master: bool | None, done: Done) -> None:
        """Say whether this node is master of anything."""
        asked = time.monotonic()

        def job() -> None:
            self._role = master
            self._remind()
            done(time.monotonic() - asked)

        self._jobs.put(job)

    def await_states(self) -> None:
        """Post `Promoted(AWAITING_STATES)` once the states of the peer are here."""

        def job() -> None:
            self._awaiting = True

        self._jobs.put(job)

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=LOOK_EVERY if self._awaiting else REMIND_EVERY)
            except queue.Empty:
                job = self._look if self._awaiting else self._remind
            job()

    def _remind(self) -> None:
        with contextlib.suppress(Refused, Unreachable):
            ask(self._door, RoleChanged(self._role), timeout=0.3)

    def _look(self) -> None:
        with contextlib.suppress(Refused, Unreachable):
            if ask(self._door, FlowStatus(), timeout=0.5).in_sync:
                self._awaiting = False
                self._post(Promoted(AWAITING_STATES))


class LogHand(logging.Handler):
    """Log lines written by a thread of their own: a full pipe to the journal must not hold up adverts."""

    _open: ClassVar[list["LogHand"]] = []

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.setFormatter(formatter("carpd"))
        self._stream = stream
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()
        self._open.append(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue one line."""
        self._lines.put(self.format(record))

    @classmethod
    def finish_all(cls) -> None:
        """Write what is queued, at most a second long."""
        for one in cls._open:
            one._lines.put(None)
            one._thread.join(timeout=1.0)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            with contextlib.suppress(OSError):
                self._stream.write(line + "\n")
                self._stream.flush()
