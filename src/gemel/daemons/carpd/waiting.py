"""What the protocol thread sleeps on, and how adverts that come in a burst cost one wake-up and not one each.

255 VHIDs of one master speak within a few milliseconds: to wake for each costs more than to read it. So after the
first ones of a burst adverts may gather for a moment. Nothing else waits for them: what arrives on any other socket
ends the gathering, and so does the deadline.
"""

import math
import select
import time
from collections.abc import Callable
from typing import Protocol

HASTY = 0.0005  # seconds; woken sooner than this, the loop has hardly slept
ADVERTS_IN_A_ROW, GATHER = 2, 0.005
"""After so many hasty turns with nothing but adverts they may gather so long, in seconds."""
IN_A_ROW, REST = 8, 0.002
"""After so many hasty turns whatever comes in comes in a burst, or a flood: it rests so long, in seconds."""


class Port(Protocol):
    """A socket, or the like."""

    def fileno(self) -> int: ...


class Waiting:
    """Ports that wake the loop. `clock` says what `until` means."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._all, self._prompt = select.epoll(), select.epoll()
        self._adverts: set[int] = set()
        self._in_a_row = 0

    def add(self, port: Port | int, adverts: bool = False) -> None:
        """From now on this wakes. `adverts`: that is what comes in here, and it may gather."""
        descriptor = port if isinstance(port, int) else port.fileno()
        self._all.register(descriptor, select.EPOLLIN)
        if adverts:
            self._adverts.add(descriptor)
        else:
            self._prompt.register(descriptor, select.EPOLLIN)

    def remove(self, port: Port) -> None:
        """No longer; called before it is closed."""
        descriptor = port.fileno()
        self._all.unregister(descriptor)
        if descriptor in self._adverts:
            self._adverts.remove(descriptor)
        else:
            self._prompt.unregister(descriptor)

    def until(self, due: float) -> tuple[set[int], float]:
        """Sleep until something has come in or `due` has come; on which descriptors, and the time that it is now."""
        asleep = self._clock()
        ready = {fd for fd, _ in self._all.poll(None if due == math.inf else max(0.0, due - asleep))}
        now = self._clock()
        self._in_a_row = self._in_a_row + 1 if now - asleep < HASTY else 0
        if self._in_a_row < ADVERTS_IN_A_ROW or now >= due:
            return ready, now
        if ready and ready <= self._adverts:
            ready |= {fd for fd, _ in self._prompt.poll(min(GATHER, due - now))}
        elif self._in_a_row > IN_A_ROW:
            time.sleep(min(REST, due - now))
        else:
            return ready, now
        return ready, self._clock()
