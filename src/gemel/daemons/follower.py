"""`python -m gemel.daemons.follower SETTINGS`: runs a command while this node has a virtual IP, and ends it with that.

The address is the role: the kernel tells of it at once, and it lapses with a dead carpd. No other process is asked, so
a service that answers on the MASTER only goes on doing so while the agent is away. A command that ends by itself ends
us, too: who looks after us sees it, and starts us again.
"""

import ctypes
import json
import logging
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from gemel.core.codec import Malformed, decode
from gemel.core.following import Following
from gemel.effects.address_watch import AddressWatch

PATIENCE = 1.0  # seconds from SIGTERM to SIGKILL
LOOK_EVERY = 0.5  # seconds: whether the command still runs
PR_SET_PDEATHSIG = 1

log = logging.getLogger("follower")


class Follower:
    """The command, and whether it runs."""

    def __init__(self, settings: Following) -> None:
        self._settings = settings
        self._running: subprocess.Popen[bytes] | None = None
        self._argv: tuple[str, ...] = ()

    @property
    def argv(self) -> tuple[str, ...]:
        """What runs now; empty: nothing."""
        return self._argv

    @property
    def pid(self) -> int | None:
        """The command's process; None while nothing runs."""
        return self._running.pid if self._running else None

    def settle(self, here: frozenset[tuple[str, str]]) -> None:
        """Run what is to run now, and nothing else."""
        wanted = self._settings.command(here)
        if wanted == self._argv:
            return
        self.end()
        if wanted:
            log.info("%s", " ".join(wanted))
            self._running = subprocess.Popen(wanted, stdin=subprocess.DEVNULL, preexec_fn=_die_with_us)
        else:
            log.info("no virtual IP here: silent")
        self._argv = wanted

    def ended(self) -> bool:
        """Whether the command has ended although it was to run."""
        return self._running is not None and self._running.poll() is not None

    def end(self) -> None:
        """Nothing runs any more."""
        if self._running is not None:
            self._running.terminate()
            try:
                self._running.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._running.kill()
                self._running.wait()
        self._running, self._argv = None, ()


def _die_with_us() -> None:
    """In the child: a follower that is killed leaves nobody behind who would answer on a BACKUP."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _follow(settings: Following) -> str:
    """Until SIGTERM, or until the command ends by itself; returns why."""
    addresses, follower = AddressWatch(), Follower(settings)
    wanted = [(p.device, p.address) for p in settings.parts]
    try:
        while not follower.ended():
            follower.settle(frozenset(pair for pair in wanted if addresses.has(*pair)))
            select.select([addresses], [], [], LOOK_EVERY)
            addresses.read()
        return f"{follower.argv[0]} has ended by itself"
    except KeyboardInterrupt:
        return ""
    finally:
        follower.end()


def main() -> None:
    """Run until SIGTERM."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="follower: %(message)s")
    signal.signal(signal.SIGTERM, _stop)
    try:
        sys.exit(_follow(decode(Following, json.loads(Path(sys.argv[1]).read_text()))))
    except (OSError, ValueError, Malformed) as error:
        sys.exit(f"follower: {error}")


if __name__ == "__main__":
    main()
