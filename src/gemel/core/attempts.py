"""Who failed too often, and how long nobody from there is listened to. Pure; `now` is monotonic seconds."""

from collections import deque
from ipaddress import IPv6Address, ip_address

FAILURES = 8
WITHIN = 60.0  # seconds
MOST_SOURCES = 4096


class Attempts:
    """Counts failures by source: an IPv4 address, an IPv6 /64, which one customer has for himself, or any other name.

    A source with `failures` in the last `within` seconds is shut out until the oldest of them is that old. The table is
    bounded; the source that failed longest ago makes room.
    """

    def __init__(self, failures: int = FAILURES, within: float = WITHIN) -> None:
        self._most = failures
        self._within = within
        self._failures: dict[str, deque[float]] = {}

    def wait(self, source: str, now: float) -> float:
        """Seconds until this source is listened to again; 0 if it is now."""
        failures = self._failures.get(_source(source))
        if not failures or len(failures) < self._most:
            return 0.0
        return max(0.0, failures[0] + self._within - now)

    def failed(self, source: str, now: float) -> None:
        """It failed."""
        source = _source(source)
        failures = self._failures.pop(source, None) or deque(maxlen=self._most)
        while failures and failures[0] <= now - self._within:
            failures.popleft()
        failures.append(now)
        if len(self._failures) >= MOST_SOURCES:
            del self._failures[next(iter(self._failures))]
        self._failures[source] = failures

    def succeeded(self, source: str) -> None:
        """It succeeded: what failed before is forgiven."""
        self._failures.pop(_source(source), None)


def _source(source: str) -> str:
    try:
        parsed = ip_address(source.partition("%")[0])
    except ValueError:
        return source
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return parsed.exploded[:19]
    return source
