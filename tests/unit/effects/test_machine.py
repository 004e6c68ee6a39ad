"""A machine's services and their files."""

import errno
import os
import pwd
from pathlib import Path

import pytest

from gemel.core.step import Step
from gemel.core.want import File, Service
from gemel.effects.machine import Failed, Machine

ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def started() -> list[tuple[str, bool]]:
    """The services that were run, and whether they were told of other files."""
    return []


@pytest.fixture
def machine(tmp_path: Path, started: list[tuple[str, bool]]) -> Machine:
    return Machine(
        tmp_path / "run", lambda _: None, lambda want, told: started.append((want.name, told)), lambda _: None
    )


def dns(folder: Path, text: str) -> Service:
    check = ("/bin/sh", "-c", "! grep -q wrong $0", "{path}")
    return Service("dns", (File(str(folder / "dns.conf"), text, 0o640, ME),), ("unbound",), check)


def test_after_a_boot_a_full_disk_keeps_no_service_from_starting(
    tmp_path: Path, machine: Machine, started: list[tuple[str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    want = dns(tmp_path, "as it was")
    machine.perform(Step(want, None))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("gemel.effects.machine.Disk.write", full)
    machine.perform(Step(want, None))
    assert started == [("dns", False)] * 2
    with pytest.raises(Failed, match="No space left on device"):
        machine.perform(Step(dns(tmp_path, "another"), want))


def test_a_file_that_is_not_as_it_is_wanted_is_checked_and_written(
    tmp_path: Path, machine: Machine, started: list[tuple[str, bool]]
) -> None:
    path, want = tmp_path / "dns.conf", dns(tmp_path, "good")
    for spoil in (lambda: None, lambda: path.write_text("somebody's"), lambda: path.chmod(0o644), path.unlink):
        spoil()
        machine.perform(Step(want, None))
        assert (path.read_text(), path.stat().st_mode & 0o777) == ("good", 0o640)
    with pytest.raises(Failed):
        machine.perform(Step(dns(tmp_path, "wrong"), want))
    assert path.read_text() == "good"
    machine.perform(Step(dns(tmp_path, "better"), want))
    assert path.read_text() == "better" and started[-1] == ("dns", True)
