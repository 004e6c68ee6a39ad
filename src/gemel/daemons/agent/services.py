"""Services that the configuration wants (Kea, unbound…): run by the supervisor in the lab and in containers, by systemd
on a machine."""

import contextlib
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from gemel.control import paths, supervisor
from gemel.control.door import Question, Refused, Unreachable, ask
from gemel.core.want import Service
from gemel.daemons.processes import PYTHON
from gemel.effects.machine import Failed

SYSTEMD = Path("/run/systemd/system")
"""There while systemd runs the machine; units put here are forgotten at a reboot, as everything else in /run."""

PATIENCE = 30.0  # seconds


def run_service(want: Service, changed: bool) -> None:
    """Have it run. With `changed` it runs already, and its files are others now: it is told, or started again.

    Raises:
        Failed: it cannot be run.
    """
    if SYSTEMD.exists():
        _run_unit(want, changed)
        return
    user = None if want.user == "root" else want.user
    _ask(want.name, supervisor.StartService(want.name, want.argv, user))
    if changed and want.signal:
        signal_service(want.name, want.signal)
    elif changed:
        _ask(want.name, supervisor.RestartService(want.name))


def signal_service(name: str, signal: int) -> None:
    """Tell it; one that does not run at the moment reads its files anyway when it starts."""
    if SYSTEMD.exists():
        with contextlib.suppress(Failed):
            _systemctl("kill", "--kill-whom=main", f"--signal={signal}", _unit(name))
        return
    with contextlib.suppress(Refused, Unreachable):
        ask(paths.SUPERVISOR_DOOR, supervisor.SignalService(name, signal))


def end_service(name: str) -> None:
    """Have it stopped; one that does not run is no error."""
    if SYSTEMD.exists():
        with contextlib.suppress(Failed):
            _systemctl("stop", _unit(name))
        (SYSTEMD / _unit(name)).unlink(missing_ok=True)
        return
    with contextlib.suppress(Unreachable):
        ask(paths.SUPERVISOR_DOOR, supervisor.StopService(name))


def _ask(name: str, question: Question[Any]) -> None:
    try:
        ask(paths.SUPERVISOR_DOOR, question)
    except (Refused, Unreachable) as error:
        raise Failed(f"service {name}: {error}") from error


def _unit(name: str) -> str:
    return f"gemel-{name}.service"


def _run_unit(want: Service, changed: bool) -> None:
    argv = shlex.join(sys.executable if a == PYTHON else a for a in want.argv).replace("%", "%%")
    lines = [
        "[Unit]", f"Description=Gemel: {want.name}", "StartLimitIntervalSec=0", "[Service]", f"ExecStart={argv}",
        f"User={want.user}", "Restart=always", "RestartSec=200ms",
    ]  # fmt: skip
    path, text = SYSTEMD / _unit(want.name), "\n".join(lines) + "\n"
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
        _systemctl("daemon-reload")
        _systemctl("restart", path.name)
    elif changed and want.signal:
        _systemctl("kill", "--kill-whom=main", f"--signal={want.signal}", path.name)
    else:
        _systemctl("restart" if changed else "start", path.name)


def _systemctl(*arguments: str) -> None:
    try:
        done = subprocess.run(
            ("systemctl", *arguments), capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"systemctl {arguments[0]}: {error}") from error
    if done.returncode:
        raise Failed(f"systemctl {' '.join(arguments)}: {done.stderr.strip()}")
