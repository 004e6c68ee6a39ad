"""The text console's notice board."""

from pathlib import Path
from typing import Any

import pytest

from gemel.daemons.agent.board import Board, web_fingerprint
from tests.unit.facts.node import node_status

LAN = {"id": "lan", "title": "LAN", "device": "eth1", "enabled": True, "ipv4": "192.168.1.2/24", "ipv6": ""}


def status(state: str = "MASTER", **changes: Any) -> dict[str, Any]:
    return {**node_status(state=state), "web_address": "https://192.168.1.2", **changes}


class Hall:
    """A board, and how often the prompts were drawn anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fingerprint = "AB:CD"
        self.redrawn: list[str] = []
        self.board = Board(lambda: [LAN], path, lambda: self.fingerprint, self._redraw)

    def _redraw(self) -> None:
        self.redrawn.append(self.path.read_text() if self.path.exists() else "")


def test_it_follows_the_role_and_the_certificate_and_is_drawn_anew_only_then(tmp_path: Path) -> None:
    hall = Hall(tmp_path / "run" / "issue")
    for _ in range(3):
        hall.board.show(status())
    assert len(hall.redrawn) == 1 and "WAN@200  MASTER" in hall.redrawn[0] and "AB:CD" in hall.redrawn[0]
    hall.board.show(status("BACKUP"))
    assert len(hall.redrawn) == 2 and "WAN@200  BACKUP" in hall.path.read_text()
    hall.fingerprint = "EF:01"
    hall.board.show(status("BACKUP"))
    assert "EF:01" in hall.redrawn[2]
    assert hall.path.stat().st_mode & 0o777 == 0o644
    assert hall.path.with_name("prompt").read_text() == "fw1 BACKUP\n"


def test_nothing_of_it_stays_when_nobody_looks_any_more(tmp_path: Path) -> None:
    hall = Hall(tmp_path / "issue")
    hall.board.show(status())
    hall.board.take_down()
    assert not list(tmp_path.iterdir()) and hall.redrawn[-1] == ""
    hall.board.take_down()


def test_a_place_that_cannot_be_written_is_said_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    hall = Hall(tmp_path / "file" / "issue")
    hall.board.show(status())
    hall.board.show(status())
    assert caplog.text.count("could not be written") == 1 and hall.redrawn == []
    (tmp_path / "file").unlink()
    hall.board.show(status())
    assert len(hall.redrawn) == 1


def test_no_certificate_yet_is_no_fault(tmp_path: Path) -> None:
    assert web_fingerprint(tmp_path / "none.pem") == ""
    (tmp_path / "bad.pem").write_text("no certificate")
    assert web_fingerprint(tmp_path / "bad.pem") == ""
