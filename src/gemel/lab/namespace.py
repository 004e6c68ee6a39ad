"""Network namespaces by name, and the processes in them."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

NAMESPACES = Path("/run/netns")
PROC = Path("/proc")
LAST = 40  # lines of a failed command's words


class LabError(Exception):
    """The lab cannot do this; the text is for the person who asked."""


def run(
    *argv: str, text: str | None = None, check: bool = True, timeout: float = 120, shown: str | None = None
) -> str:
    """Run a command to its end and return what it printed. `text` is its input, `shown` its name in an error.

    Raises:
        LabError: it failed (unless `check` is false) or took longer than `timeout` seconds.
    """
    name = shown or shlex.join(argv)
    try:
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise LabError(f"{name}: no end after {timeout:.0f} s") from None
    if check and done.returncode:
        raise LabError(f"{name}: {_last(done.stderr or done.stdout)}")
    return done.stdout


def _last(said: str) -> str:
    """What a command said at its end: debootstrap and dpkg say hundreds of lines before what is wrong."""
    lines = said.strip().splitlines()
    return "\n".join(["…", *lines[-LAST:]] if len(lines) > LAST else lines)


def ip(namespace: str | None, *commands: str) -> None:
    """Carry out `ip` commands in one go, inside `namespace` (None: this machine's own)."""
    where = () if namespace is None else ("-n", namespace)
    run("ip", *where, "-batch", "-", text="\n".join(commands) + "\n")


def exists(namespace: str) -> bool:
    return (NAMESPACES / namespace).exists()


def add(namespace: str) -> None:
    run("ip", "netns", "add", namespace)
    ip(namespace, "link set lo up")


def delete(namespace: str) -> None:
    """Kill what still runs in it and remove it; one that is not there is no error."""
    if not exists(namespace):
        return
    kill(pids(namespace))
    run("ip", "netns", "delete", namespace, check=False)


def pids(namespace: str) -> list[int]:
    """Every process whose network is `namespace`."""
    try:
        inode = (NAMESPACES / namespace).stat().st_ino
    except OSError:
        return []
    return [int(p.name) for p in PROC.iterdir() if p.name.isdigit() and _network(p) == inode]


def init(namespace: str) -> int | None:
    """The process that is number 1 inside: the one whose end is the end of all the others."""
    for pid in pids(namespace):
        inside = pid_inside(pid)
        if inside[-1:] == [1] and len(inside) > 1:
            return pid
    return None


def pid_inside(pid: int) -> list[int]:
    """Its numbers, from this machine's to the innermost process namespace's; empty if it has gone."""
    try:
        status = (PROC / str(pid) / "status").read_text()
    except OSError:
        return []
    line = next((line for line in status.splitlines() if line.startswith("NSpid:")), "")
    return [int(n) for n in line.split()[1:]]


def kill(victims: Iterable[int], patience: float = 5.0) -> None:
    """SIGKILL, and wait until they have gone."""
    left = list(victims)
    for pid in left:
        send(pid, signal.SIGKILL)
    deadline = time.monotonic() + patience
    while (left := [pid for pid in left if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.005)


def send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def alive(pid: int) -> bool:
    """Whether it still runs; one that is dead and only waits to be collected does not."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _network(process: Path) -> int | None:
    try:
        return (process / "ns/net").stat().st_ino
    except OSError:
        return None
