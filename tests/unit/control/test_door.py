"""One kind of door: typed questions in, typed answers out, and no caller can break it."""

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gemel.control import door as doors
from gemel.control.door import Caller, Door, Question, Refused, Unreachable, ask


@dataclass(frozen=True)
class Answer:
    text: str
    callers_uid: int


@dataclass(frozen=True)
class Echo(Question[Answer]):
    text: str
    times: int = 1
    answer_shape = Answer


@dataclass(frozen=True)
class Fall(Question[None]):
    answer_shape = None


@dataclass(frozen=True)
class Unasked(Question[None]):
    answer_shape = None


def answer(question: Any, caller: Caller) -> Any:
    if isinstance(question, Fall):
        raise ZeroDivisionError("over the threshold")
    if question.text == "no":
        raise Refused("not today", [{"path": "text", "text": "say something else", "level": "error"}])
    return Answer(question.text * question.times, caller.uid)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "run" / "door.sock")
    door = Door(path, (Echo, Fall), answer)
    yield path
    door.close()
    assert not Path(path).exists()


def raw(path: str, *lines: bytes) -> list[Any]:
    """What the door says to these bytes, one reply for each line."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(path)
        s.sendall(b"".join(lines))
        s.shutdown(socket.SHUT_WR)
        return [json.loads(line) for line in s.makefile("rb")]


def test_an_answer_has_its_shape_and_the_kernel_says_who_asks(path: str) -> None:
    assert ask(path, Echo("ü", 2)) == Answer("üü", os.getuid())


def test_a_refusal_brings_its_problems(path: str) -> None:
    with pytest.raises(Refused, match="not today") as no:
        ask(path, Echo("no"))

    assert no.value.problems == [{"path": "text", "text": "say something else", "level": "error"}]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"ask": "Unasked", "with": {}}', "no such question at this door"),
        (b'{"ask": "__class__"}', "no such question at this door"),
        (b'{"ask": ["Echo"]}', "no such question at this door"),
        (b"{", "no such question at this door"),
        (b"[]", "no such question at this door"),
        (b"7", "no such question at this door"),
        (b"\xff\xfe", "no such question at this door"),
        (b"[" * 100_000, "no such question at this door"),
        (b'{"ask": "Echo"}', "text: missing"),
        (b'{"ask": "Echo", "with": {"text": 7}}', "text: str expected, not int"),
        (b'{"ask": "Echo", "with": {"text": "a", "loud": true}}', "loud: unknown key"),
        (b'{"ask": "Echo", "with": []}', "Echo: object expected"),
    ],
)
def test_what_is_no_question_is_refused_and_the_next_one_answered(path: str, line: bytes, reason: str) -> None:
    refusal, reply = raw(path, line + b"\n", b'{"ask": "Echo", "with": {"text": "still here"}}\n')

    assert refusal == {"refused": reason, "problems": []}
    assert reply["answer"]["text"] == "still here"


def test_a_line_that_never_ends_is_cut(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "LONGEST_LINE", 1000)

    replies = raw(path, b'{"ask": "Echo", "with": {"text": "' + b"x" * 1500 + b'"}}\n')

    assert {reply["refused"] for reply in replies} == {"no such question at this door"}
    assert ask(path, Echo("still here")).text == "still here"


def test_a_mistake_of_ours_is_told_and_takes_nobody_with_it(path: str) -> None:
    with pytest.raises(Refused, match="Fall failed: ZeroDivisionError: over the threshold"):
        ask(path, Fall())

    assert ask(path, Echo("still here")).text == "still here"


def test_many_callers_come_and_go_without_asking(path: str) -> None:
    for _ in range(doors.CALLERS_AT_ONCE * 2):
        assert raw(path) == []

    assert ask(path, Echo("still here")).text == "still here"


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="No such file"):
        ask(str(tmp_path / "none.sock"), Echo("a"))


def test_only_whom_the_mode_lets_in(path: str) -> None:
    assert Path(path).stat().st_mode & 0o777 == 0o600


def test_a_door_left_behind_by_a_killed_daemon_is_opened_again(path: str, tmp_path: Path) -> None:
    left = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))

    door = Door(str(left), (Echo,), answer)

    assert ask(str(left), Echo("a")).text == "a"
    door.close()
