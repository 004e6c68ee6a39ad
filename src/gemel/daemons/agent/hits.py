"""How often rules have matched, as lists of rules show it. The kernel is asked once for all who look at the time."""

import threading
from collections.abc import Callable, Iterable, Mapping

FRESH = 5.0  # seconds: listing 10,000 rules takes the kernel and nft most of one


class Hits:
    """The counters by rule id, a few seconds old at most; `read` fetches all of them."""

    def __init__(self, read: Callable[[], Mapping[str, tuple[int, int]]], clock: Callable[[], float]) -> None:
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._known: Mapping[str, tuple[int, int]] = {}
        self._until = float("-inf")

    def of(self, ids: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Packets that began a flow, and their bytes; without the rules that are not loaded."""
        with self._lock:
            if self._clock() >= self._until:
                self._known = self._read()
                self._until = self._clock() + FRESH
            known = self._known
        return {key: (known[key][0], known[key][1]) for key in ids if key in known}
