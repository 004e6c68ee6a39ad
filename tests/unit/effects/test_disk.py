"""A file is whole or not there."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gemel.effects.disk import Disk
from tests.unit.machine import Fate, FatedDisk, Killed

OLD, NEW = b"old" * 1000, b"new content" * 1000


@pytest.mark.parametrize("half", [False, True], ids=["before", "half-way"])
@pytest.mark.parametrize("at", range(3))
def test_a_kill_at_any_operation_leaves_the_old_or_the_new(tmp_path: Path, at: int, half: bool) -> None:
    path = tmp_path / "file"
    Disk().write(path, OLD)

    with pytest.raises(Killed):
        FatedDisk(Fate(at, half)).write(path, NEW)

    assert path.read_bytes() in (OLD, NEW)
    Disk().write(path, NEW)  # what the dead one left behind is in nobody's way
    assert [p.name for p in tmp_path.iterdir()] == ["file"] and path.read_bytes() == NEW


class Recording(Disk):
    def __init__(self) -> None:
        self.done: list[str] = []

    def fill(self, path: Path, data: bytes, mode: int) -> None:
        self.done.append(f"fill {path.name}")
        super().fill(path, data, mode)

    def rename(self, old: Path, new: Path) -> None:
        self.done.append(f"rename {new.name}")
        super().rename(old, new)

    def sync_folder(self, path: Path) -> None:
        self.done.append(f"sync {path.name}")
        super().sync_folder(path)


def test_a_name_is_given_when_the_content_is_there_and_the_name_is_made_to_stay(tmp_path: Path) -> None:
    disk = Recording()

    disk.write(tmp_path / "folder" / "file", NEW, 0o640)

    assert disk.done == ["fill .file.new", "rename file", "sync folder"]
    assert (tmp_path / "folder" / "file").stat().st_mode & 0o777 == 0o640


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(OLD)
    (tmp_path / ".file.new").mkdir()

    with pytest.raises(OSError):
        Disk().write(tmp_path / "file", NEW)

    assert (tmp_path / "file").read_bytes() == OLD


def test_removing_what_is_not_there_is_no_mistake(tmp_path: Path) -> None:
    Disk().remove(tmp_path / "file")
    Disk().write(tmp_path / "file", NEW)
    Disk().remove(tmp_path / "file")

    assert list(tmp_path.iterdir()) == []


WRITER = """
import sys
from pathlib import Path
from gemel.effects.disk import Disk
path, number = Path(sys.argv[1]), 0
while True:
    number += 1
    Disk().write(path, (str(number) * 20000).encode())
    sys.stdout.write("."); sys.stdout.flush()
"""


def test_a_real_kill_leaves_one_whole_content(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "file")], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.read(5) == b"....."  # it is in the middle of its work

    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()

    text = (tmp_path / "file").read_text()
    number = text[: len(text) // 20000]
    assert int(number) >= 5 and text == number * 20000
