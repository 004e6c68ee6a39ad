"""Services that the configuration wants (Kea, unbound…): run by the supervisor in the lab and in containers, by systemd
on a machine."""

import contextlib
import logging
import shlex
import sys
from collections.abc import Iterable
from typing import Any

from gemel import __version__
from gemel.control import paths, supervisor
from gemel.control.door import Question, Refused, Unreachable, ask
from gemel.control.supervisor import ServiceReport
from gemel.core.want import Service, Want
from gemel.daemons import systemd
from gemel.daemons.processes import PROCESSES, PYTHON
from gemel.effects.machine import Failed

SOON = 2.0  # seconds for a question of how things stand

log = logging.getLogger(__name__)


def run_service(want: Service, changed: bool) -> None:
    """Have it run. With `changed` it runs already, and its files are others now: it is told, or started again.

    Raises:
        Failed: it cannot be run.
    """
    try:
        if systemd.is_here():
            _run_unit(want, changed)
            return
        user = None if want.user == "root" else want.user
        _ask(supervisor.StartService(want.name, want.argv, user))
        if changed and want.signal:
            signal_service(want.name, want.signal)
        elif changed:
            _ask(supervisor.RestartService(want.name))
    except (Refused, Unreachable) as error:
        raise Failed(f"service {want.name}: {error}") from error


def have_run(wants: Iterable[Want]) -> tuple[str, ...]:
    """At the agent's start, when all of it should run: what has ended while nobody looked is started again, and so is
    what still runs an earlier version's code. Returns what went wrong."""
    faults = []
    for want in wants:
        if isinstance(want, Service) and want.argv:
            try:
                run_service(want, False)
            except (Failed, OSError) as error:
                log.error("%s", error)
                faults.append(str(error))
    return tuple(faults)


def signal_service(name: str, signal: int) -> None:
    """Tell it; one that does not run at the moment reads its files anyway when it starts."""
    with contextlib.suppress(Refused, Unreachable):
        if systemd.is_here():
            systemd.systemctl("kill", "--kill-whom=main", f"--signal={signal}", systemd.unit(name))
        else:
            _ask(supervisor.SignalService(name, signal))


def end_service(name: str) -> None:
    """Have it stopped; one that does not run is no error."""
    if systemd.is_here():
        with contextlib.suppress(Refused, Unreachable):
            systemd.systemctl("stop", systemd.unit(name))
        (systemd.RUNTIME / systemd.unit(name)).unlink(missing_ok=True)
        return
    with contextlib.suppress(Unreachable):
        _ask(supervisor.StopService(name))


def service_reports() -> tuple[ServiceReport, ...]:
    """How Gemel's own daemons and the services stand, whoever runs them.

    Raises:
        Refused, Unreachable: that one does not say.
    """
    if systemd.is_here():
        return systemd.service_reports((*(p.name for p in PROCESSES), *systemd.wanted()), SOON)
    return ask(paths.SUPERVISOR_DOOR, supervisor.SupervisorStatus(), SOON).processes


class Glances:
    """The same for whoever looks every second. systemd is asked only when something can be different: a question costs
    it and us 15 ms of a processor's time."""

    def __init__(self) -> None:
        self._reports: tuple[ServiceReport, ...] = ()
        self._processes: tuple[str, ...] | None = None

    def look(self) -> tuple[ServiceReport, ...]:
        """How the services stand (under systemd these alone).

        Raises:
            Refused, Unreachable: as `service_reports`.
        """
        if not systemd.is_here():
            return service_reports()
        names = systemd.wanted()
        processes = systemd.processes(names)
        if processes is None or processes != self._processes:
            self._reports = systemd.service_reports(names, SOON)
            running = all(report.state == "running" for report in self._reports)
            self._processes = processes if running else None
        return self._reports


def _ask(question: Question[Any]) -> None:
    ask(paths.SUPERVISOR_DOOR, question)


def unit_text(want: Service, version: str) -> str:
    """The unit that runs it. One that runs code of ours names its version: after an upgrade it is another unit, and is
    started again with the new code; Debian's own programs run on."""
    ours = f" {version}" if PYTHON in want.argv else ""
    argv = shlex.join(sys.executable if a == PYTHON else a for a in want.argv).replace("%", "%%")
    lines = [
        "[Unit]", f"Description=Gemel{ours}: {want.name}", "StartLimitIntervalSec=0", "[Service]", f"ExecStart={argv}",
        f"User={want.user}", "Restart=always", "RestartSec=200ms",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _run_unit(want: Service, changed: bool) -> None:
    unit, text = systemd.unit(want.name), unit_text(want, __version__)
    path = systemd.RUNTIME / unit
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
        systemd.systemctl("daemon-reload")
        systemd.systemctl("restart", unit)
    elif changed and want.signal:
        systemd.systemctl("kill", "--kill-whom=main", f"--signal={want.signal}", unit)
    else:
        systemd.systemctl("restart" if changed else "start", unit)
