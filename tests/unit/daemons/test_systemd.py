"""What systemd 252 said of units like the agent's, and what that means."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from gemel.control.door import Refused
from gemel.daemons import systemd

WALL, MONOTONIC = 1795875060.0, 44505.5

SHOWN = """\
MainPID=0
NRestarts=0
ExecMainCode=0
ExecMainStatus=0
Id=gemel-odd.service
ActiveState=inactive
SubState=dead
StateChangeTimestampMonotonic=0

MainPID=71
NRestarts=1
ExecMainCode=0
ExecMainStatus=0
Id=gemel-radvd.service
ActiveState=active
SubState=running
StateChangeTimestampMonotonic=44190500000

MainPID=0
NRestarts=10
ExecMainCode=1
ExecMainStatus=217
Id=gemel-dhcp-relay.service
ActiveState=activating
SubState=auto-restart
StateChangeTimestampMonotonic=44505250000

MainPID=0
NRestarts=0
ExecMainCode=2
ExecMainStatus=9
Id=gemel-kea-dhcp6.service
ActiveState=activating
SubState=auto-restart
StateChangeTimestampMonotonic=44505000000

MainPID=0
NRestarts=2
ExecMainCode=1
ExecMainStatus=1
Id=gemel-limit.service
ActiveState=failed
SubState=failed
StateChangeTimestampMonotonic=44190000000
"""


def test_what_systemctl_shows_is_read_as_the_supervisor_would_say_it() -> None:
    stopped, radvd, relay, kea, limit = systemd.read_reports(SHOWN, WALL, MONOTONIC)
    assert (stopped.name, stopped.state, stopped.pid, stopped.last_exit) == ("odd", "stopped", None, None)
    assert (radvd.name, radvd.state, radvd.pid, radvd.restarts) == ("radvd", "running", 71, 1)
    assert (radvd.since, radvd.last_exit) == (WALL - 315.0, None)
    assert (relay.name, relay.state, relay.pid, relay.restarts) == ("dhcp-relay", "waiting", None, 10)
    assert (relay.since, relay.last_exit) == (WALL - 0.25, "ended with status 217")
    assert (kea.state, kea.last_exit) == ("waiting", "ended by SIGKILL")
    assert (limit.state, limit.restarts, limit.last_exit) == ("stopped", 2, "ended with status 1")


def test_nobody_is_asked_about_nothing() -> None:
    assert systemd.service_reports(()) == ()


def test_the_services_that_are_wanted_are_those_with_a_unit_here(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(systemd, "RUNTIME", tmp_path)
    for name in ("gemel-unbound.service", "gemel-kea-dhcp4.service", "gemel-webd.socket", "ssh.service"):
        (tmp_path / name).touch()
    assert systemd.wanted() == ("kea-dhcp4", "unbound")


def test_a_service_without_a_process_is_told_from_one_that_runs(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(systemd, "CGROUPS", tmp_path)
    for name, text in (("unbound", "71\n"), ("radvd", "80\n81\n"), ("kea", "")):
        (tmp_path / f"gemel-{name}.service").mkdir()
        (tmp_path / f"gemel-{name}.service" / "cgroup.procs").write_text(text)
    assert systemd.processes(("unbound", "radvd")) == ("71\n", "80\n81\n")
    assert systemd.processes(("unbound", "kea")) is None
    assert systemd.processes(("unbound", "gone")) is None
    assert systemd.processes(()) == ()


def test_a_no_and_no_answer_say_why(monkeypatch: Any) -> None:
    said = subprocess.CompletedProcess((), 5, "", "Unit gemel-x.service not found.\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: said)
    with pytest.raises(Refused, match=r"systemctl start gemel-x.service: Unit gemel-x.service not found."):
        systemd.systemctl("start", "gemel-x.service")

    def hangs(argv: Any, **_: Any) -> Any:
        raise subprocess.TimeoutExpired(argv, 30)

    monkeypatch.setattr(subprocess, "run", hangs)
    with pytest.raises(Refused, match="systemctl show: no end within 30 s"):
        systemd.systemctl("show")
