"""What systemd is told, and what it is told by the daemons."""

import configparser
import socket

import pytest

from gemel.daemons import units
from gemel.daemons.processes import PROCESSES
from gemel.daemons.readiness import Watchdog, notify


def parsed(text: str) -> configparser.RawConfigParser:
    unit = configparser.RawConfigParser(strict=False, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(text)
    return unit


def test_every_process_has_a_unit_that_runs_what_the_supervisor_runs():
    for process in PROCESSES:
        service = parsed(units.units()[f"gemel-{process.name}.service"])["Service"]
        assert service["ExecStart"].split()[1:] == list(process.argv[1:])
        assert service.get("User") == process.user
        assert ("ExecStopPost" in service) == bool(process.stop_step)


def test_what_the_others_keep_in_run_is_not_given_to_webd():
    for process in PROCESSES:
        service = parsed(units.units()[f"gemel-{process.name}.service"])["Service"]
        assert service.get("RuntimeDirectory") == (None if process.user else "gemel")


def test_ports_are_opened_in_the_order_in_which_the_supervisor_hands_them_over():
    text = units.units()["gemel-webd.socket"]
    listens = [line.partition("=")[2] for line in text.splitlines() if line.startswith("ListenStream=")]
    assert listens == ["0.0.0.0:443", "[::]:443", "0.0.0.0:80", "[::]:80"]


def test_carpd_begins_after_everything_that_stands_behind_a_virtual_ip():
    after = parsed(units.units()["gemel-carpd.service"])["Unit"]["After"].split()
    assert {"gemel-agent.service", "gemel-flowd.service"} <= set(after)
    for other in ("agent", "flowd", "webd"):
        assert "gemel-carpd" not in parsed(units.units()[f"gemel-{other}.service"])["Unit"]["After"]


@pytest.fixture
def told(tmp_path, monkeypatch):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    listener.setblocking(False)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    yield listener
    listener.close()


def test_a_watchdog_is_fed_three_times_as_often_as_asked(told, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    watchdog = Watchdog(now=10.0)
    assert watchdog.deadline == 11.0
    watchdog.turn(10.9)
    with pytest.raises(BlockingIOError):
        told.recv(100)
    watchdog.turn(11.0)
    assert told.recv(100) == b"WATCHDOG=1"
    assert watchdog.deadline == 12.0


def test_another_process_watchdog_is_not_ours(monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert Watchdog(now=0.0).deadline == float("inf")


def test_where_nobody_listens_nothing_is_said(monkeypatch, tmp_path):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")
