"""Network ports that come after the agent: nobody waits for them at boot, and a port that comes late is served then."""

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from gemel.core.want import Link, Want

LOOK_EVERY = 1.0  # seconds, and only as long as a port is missing

log = logging.getLogger(__name__)


def present() -> frozenset[str]:
    """The network devices of this machine."""
    return frozenset(path.name for path in Path("/sys/class/net").iterdir())


def ports(wants: Iterable[Want]) -> frozenset[str]:
    """The ports of the machine that these are about; devices that a node makes itself are none."""
    return frozenset(w.device for w in wants if isinstance(w, Link) and not w.kind)


class LatePorts:
    """`wanted()` names the ports that the configuration is about; `again()` applies it once more. `before`: the devices
    that were there before it was applied first."""

    def __init__(
        self,
        wanted: Callable[[], frozenset[str]],
        again: Callable[[], None],
        before: frozenset[str],
        there: Callable[[], frozenset[str]] = present,
    ) -> None:
        self._wanted = wanted
        self._again = again
        self._there = there
        self._known = before
        self._about: frozenset[str] | None = None
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin to look, in a thread of its own."""
        threading.Thread(target=self._work, name="late ports", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()

    def look(self) -> bool:
        """Apply the configuration again if one of its ports has come; returns whether one is still missing."""
        there = self._there()
        if self._about is None or there != self._known:
            self._about = self._wanted()
            if came := (self._about & there) - self._known:
                log.info("%s is there now: what could not be done without it is tried again", ", ".join(sorted(came)))
                self._again()
            self._known = there
        return bool(self._about - there)

    def _work(self) -> None:
        while self.look():
            if self._stop.wait(LOOK_EVERY):
                return
