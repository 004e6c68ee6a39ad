"""ifupdown's DHCP clients: nobody else starts one again before the next boot, so it is known how each was started."""

import contextlib
import logging
import os
import shutil
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gemel.effects.commands import run

NAME = "dhclient"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Client:
    """A client that runs: its process, and how it was called."""

    pid: int
    argv: tuple[str, ...]


def running(devices: Iterable[str], runs: Path = Path("/run"), proc: Path = Path("/proc")) -> tuple[Client, ...]:
    """Those of these devices, by the files in which they say their process (dhclient.eth0.pid, dhclient6.eth0.pid)."""
    found: dict[int, Client] = {}
    for device in devices:
        for path in sorted(runs.glob(f"{NAME}*[.-]{device}.pid")):
            with contextlib.suppress(ValueError, OSError):
                pid = int(path.read_text())
                argv = called((proc / str(pid) / "cmdline").read_bytes())
                if argv and Path(argv[0]).name == NAME:  # a number may be somebody else's by now
                    found[pid] = Client(pid, argv)
    return tuple(found.values())


def called(cmdline: bytes) -> tuple[str, ...]:
    """The words of /proc/PID/cmdline."""
    return tuple(os.fsdecode(word) for word in cmdline.rstrip(b"\0").split(b"\0") if word)


def end(clients: Iterable[Client]) -> None:
    """End them; their addresses stay on their ports."""
    for client in clients:
        # Not asked to end but ended: asked, it would give the address back and take it off the port.
        with contextlib.suppress(ProcessLookupError):
            os.kill(client.pid, signal.SIGKILL)


def start(argv: tuple[str, ...]) -> None:
    """Start one as it was started. It is not waited for: it forks when it has a lease, and asks for one until then.

    The address that it had is still there, for good; with its first renewal the lease's time is on it again.

    Raises:
        CommandFailed: systemd does not take it.
    """
    if shutil.which(argv[0]) is None:
        log.warning("%s has been removed since: nobody asks for an address", argv[0])
        return
    # A unit of its own: as a child of ours it would end with the unit that the undo may be run by.
    how = ("--property=Type=forking", "--property=TimeoutStartSec=infinity")
    run("systemd-run", "-q", "--collect", "--no-block", *how, "--", *argv)
