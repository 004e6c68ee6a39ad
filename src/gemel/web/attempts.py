"""Who failed to log in too often, and how long nobody from there is listened to. Pure; `now` is monotonic seconds."""

from collections import deque
from ipaddress import IPv6Address, ip_address

FAILURES = 8
WITHIN = 60.0
MOST_SOURCES = 4096


class Attempts:
    """Counts failed log-ins by source: an IPv4 address, or an IPv6 /64, which one customer has for himself.

    A source with `FAILURES` in the last `WITHIN` seconds is shut out until the oldest of them is that old. The table is
    bounded; the source that failed longest ago makes room.
    """

    def __init__(self) -> None:
        self._failures: dict[str, deque[float]] = {}

    def wait(self, address: str, now: float) -> float:
        """Seconds until this address is listened to again; 0 if it is now."""
        failures = self._failures.get(_source(address))
        if not failures or len(failures) < FAILURES:
            return 0.0
        return max(0.0, failures[0] + WITHIN - now)

    def failed(self, address: str, now: float) -> None:
        """A log-in from there failed."""
        source = _source(address)
        failures = self._failures.pop(source, None) or deque(maxlen=FAILURES)
        while failures and failures[0] <= now - WITHIN:
            failures.popleft()
        failures.append(now)
        if len(self._failures) >= MOST_SOURCES:
            del self._failures[next(iter(self._failures))]
        self._failures[source] = failures

    def succeeded(self, address: str) -> None:
        """A log-in from there succeeded: what failed before is forgiven."""
        self._failures.pop(_source(address), None)


def _source(address: str) -> str:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return parsed.exploded[:19]
    return address
