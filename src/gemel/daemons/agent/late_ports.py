"""Network ports that come after the agent, which nobody waits for at boot, and those that go and come back (a driver
that is loaded again, a card on USB, a virtual machine's card): they are served as soon as they are there."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from gemel.core.want import Link, Want

LOOK_EVERY = 1.0  # seconds
TRIES = 6  # after a port has come, the pauses between them growing from a look to half a minute

log = logging.getLogger(__name__)


def present() -> dict[str, int]:
    """The network devices of this machine, with the number that each has until it goes."""
    found = {}
    for path in Path("/sys/class/net").iterdir():
        with suppress(OSError, ValueError):  # gone meanwhile, or no device (bonding_masters)
            found[path.name] = int((path / "ifindex").read_text())
    return found


def ports(wants: Iterable[Want]) -> frozenset[str]:
    """The ports of the machine that these are about; devices that a node makes itself are none."""
    return frozenset(w.device for w in wants if isinstance(w, Link) and not w.kind)


class LatePorts:
    """`wanted()` names the ports that the configuration is about; `again(ports)` does once more what these have come
    for, and says whether all was done. `before`: the devices that were there before it was done first."""

    def __init__(
        self,
        wanted: Callable[[], frozenset[str]],
        again: Callable[[frozenset[str]], bool],
        before: Mapping[str, int],
        there: Callable[[], Mapping[str, int]] = present,
    ) -> None:
        self._wanted = wanted
        self._again = again
        self._there = there
        self._known = before
        self._looks: list[int] = []  # how many looks to wait before each further try
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin to look, in a thread of its own."""
        threading.Thread(target=self._work, name="late ports", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()

    def look(self) -> None:
        """If ports of the configuration have come since the last look, or have gone and come, have them served."""
        there = self._there()
        new = {name for name, number in there.items() if self._known.get(name) != number}
        self._known = there
        if came := self._wanted() & new if new else frozenset():
            log.info("%s is there now: what could not be done without it is done", ", ".join(sorted(came)))
            self._looks = [] if self._again(came) else [1 << n for n in range(TRIES)]
        elif self._looks and self._looks[0] > 1:
            self._looks[0] -= 1
        elif self._looks:
            self._looks = [] if self._again(frozenset()) else self._looks[1:]

    def _work(self) -> None:
        while True:
            try:
                self.look()
            except Exception:  # it must look again all the same
                log.exception("ports that came could not be served")
            if self._stop.wait(LOOK_EVERY):
                return
