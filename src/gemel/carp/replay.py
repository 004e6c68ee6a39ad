"""Adverts of the other node of a pair that were heard before.

In general nobody can be held to growing counters: other makes draw them anew or keep them for ever (reference 1.5).
But a node of ours counts up by one from a random start, for each life of its process. So of a node that the heartbeat
has made known, every counter that was passed once is a recording.
"""

from collections import deque

STEPS = 64  # adverts in a row that may have been lost; a counter further ahead begins another life
LIVES = 16  # of the other node's, the last ones


class Counters:
    """What was heard of one sender: from where to where its counter ran, for each of its lives."""

    __slots__ = ("_first", "_former", "_last")

    def __init__(self) -> None:
        self._first, self._last = 0, -1
        self._former: deque[tuple[int, int]] = deque(maxlen=LIVES)

    def has_passed(self, counter: int) -> bool:
        """Whether an advert with this counter was heard already; if not, it now is."""
        if 0 < counter - self._last <= STEPS and self._last >= 0:  # the next one, nearly always
            self._last = counter
            return False
        if self._first <= counter <= self._last or any(first <= counter <= last for first, last in self._former):
            return True
        if self._last >= 0:
            self._former.append((self._first, self._last))
        self._first = self._last = counter
        return False
