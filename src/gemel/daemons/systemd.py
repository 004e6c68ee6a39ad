"""The services of the configuration under systemd: units in its run-time folder, told and asked by `systemctl`.

Standard library only: leased speaks it, too.
"""

import signal
import time
from collections.abc import Iterable
from pathlib import Path

from gemel.control.door import Refused
from gemel.control.supervisor import ServiceReport
from gemel.effects.commands import CommandFailed, run

RUNTIME = Path("/run/systemd/system")
"""There while systemd runs the machine; units put here are forgotten at a reboot, as everything else in /run."""
CGROUPS = Path("/sys/fs/cgroup/system.slice")
PATIENCE = 30.0  # seconds
ASKED_FOR = "Id,ActiveState,SubState,MainPID,NRestarts,StateChangeTimestampMonotonic,ExecMainCode,ExecMainStatus"
STATES = {"active": "running", "reloading": "running", "activating": "waiting", "deactivating": "stopping"}
EXITED = 1  # CLD_EXITED of waitid(2); beside it there are only two kinds of death by a signal


def is_here() -> bool:
    """Whether systemd runs this machine; else it is the supervisor's."""
    return RUNTIME.exists()


def unit(service: str) -> str:
    """The name of a service's unit."""
    return f"gemel-{service}.service"


def wanted() -> tuple[str, ...]:
    """The services that the agent has put here, by name."""
    return tuple(sorted(path.stem.removeprefix("gemel-") for path in RUNTIME.glob(unit("*"))))


def systemctl(*arguments: str, patience: float = PATIENCE) -> str:
    """What it says.

    Raises:
        Refused: it did not do it within `patience` seconds, with its reason.
    """
    try:
        return run("systemctl", *arguments, patience=patience)
    except CommandFailed as error:
        raise Refused(str(error)) from error


def service_reports(services: Iterable[str], patience: float = PATIENCE) -> tuple[ServiceReport, ...]:
    """How these stand, as the supervisor would say it.

    Raises:
        Refused: as `systemctl`.
    """
    units = [unit(service) for service in services]
    if not units:  # without a name it would show systemd itself
        return ()
    return read_reports(systemctl("show", "-p", ASKED_FOR, *units, patience=patience), time.time(), time.monotonic())


def read_reports(shown: str, wall: float, monotonic: float) -> tuple[ServiceReport, ...]:
    """What `systemctl show` said at a moment: seconds since the epoch, and since the machine was started."""
    return tuple(_report(block, wall, monotonic) for block in shown.strip().split("\n\n"))


def _report(block: str, wall: float, monotonic: float) -> ServiceReport:
    said = dict(line.partition("=")[::2] for line in block.splitlines())
    state = STATES.get(said["ActiveState"], "stopped")
    began = int(said["StateChangeTimestampMonotonic"]) / 1e6
    return ServiceReport(
        name=said["Id"].removeprefix("gemel-").removesuffix(".service"),
        state=state,
        pid=int(said["MainPID"]) or None,
        since=wall - (monotonic - began),
        restarts=int(said["NRestarts"]),
        last_exit=_in_words(int(said["ExecMainCode"]), int(said["ExecMainStatus"])),
    )


def _in_words(code: int, status: int) -> str | None:
    if not code:  # it runs, or never did
        return None
    return f"ended with status {status}" if code == EXITED else f"ended by {signal.Signals(status).name}"


def processes(services: Iterable[str]) -> tuple[str, ...] | None:
    """The numbers of each one's processes, for nearly nothing: while they are the same, nothing has ended or begun.
    None where one has none."""
    try:
        found = tuple((CGROUPS / unit(service) / "cgroup.procs").read_text() for service in services)
    except OSError:
        return None
    return found if all(found) else None
