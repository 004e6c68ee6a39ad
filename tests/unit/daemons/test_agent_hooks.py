"""What follows a role change: services first, then the user's scripts, one after the other and never for ever."""

import os
import time
from pathlib import Path

import pytest

from gemel.core.event import HOOK, PROBLEM, ROLE, Event
from gemel.daemons.agent.hooks import Change, Hooks
from gemel.effects.hooks import run, scripts

CHANGE = Change("lan", "LAN", 1, "BACKUP", "MASTER", "so")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only what belongs to root is run")


def script(folder: Path, name: str, text: str, mode: int = 0o755) -> Path:
    folder.mkdir(mode=0o755, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return path


def role(after: str = "MASTER", vhid: int = 1) -> Event:
    data = {"interface": "lan", "vhid": vhid, "before": "BACKUP", "after": after, "reason": "so"}
    return Event(1.0, ROLE, f"LAN@{vhid}", "text", None, data)


@as_root
def test_services_then_scripts_in_the_order_of_names(tmp_path: Path) -> None:
    said = tmp_path / "said"
    script(tmp_path / "hooks", "20-b", f'echo "b $1 $2 $3" >> {said}')
    script(tmp_path / "hooks", "10-a", f'echo "a $GEMEL_STATE $GEMEL_DESCRIPTION $GEMEL_REASON" >> {said}')
    script(tmp_path / "hooks", "note", "exit 1", 0o644)
    events: list[Event] = []

    def service(change: Change) -> None:
        said.write_text(f"service {change.name}\n")

    Hooks(events.append, [service], tmp_path / "hooks").follow(CHANGE)
    assert said.read_text() == "service LAN@1\na MASTER LAN so\nb MASTER lan 1\n"
    (event,) = events
    assert (event.kind, event.subject, event.good) == (HOOK, "LAN@1", True)
    assert event.text.startswith("MASTER: 10-a, 20-b ran in ")


@as_root
def test_a_script_that_fails_or_hangs_is_told_and_holds_up_nothing(tmp_path: Path) -> None:
    script(tmp_path / "hooks", "1", "echo no such thing; exit 3")
    script(tmp_path / "hooks", "2", "sleep 100 & sleep 100")
    said = script(tmp_path / "hooks", "3", f"echo ran > {tmp_path}/said").parent.parent / "said"
    events: list[Event] = []
    began = time.monotonic()
    Hooks(events.append, folder=tmp_path / "hooks", limit=0.2).follow(CHANGE)
    assert time.monotonic() - began < 5
    assert said.read_text() == "ran\n"
    (event,) = events
    assert event.good is False
    assert event.text == "MASTER: 1 ended with status 3: no such thing; 2 did not end within 0.2 s, and was killed"


def test_where_there_are_no_hooks_nothing_is_told(tmp_path: Path) -> None:
    events: list[Event] = []
    Hooks(events.append, folder=tmp_path / "hooks").follow(CHANGE)
    assert events == []


@as_root
@pytest.mark.parametrize("spoilt", ["file", "folder", "owner"])
def test_what_others_than_root_can_change_is_not_run(tmp_path: Path, spoilt: str) -> None:
    path = script(tmp_path / "hooks", "1", f"touch {tmp_path}/ran")
    match spoilt:
        case "file":
            path.chmod(0o777)
        case "folder":
            path.parent.chmod(0o777)
        case "owner":
            os.chown(path, 1, 1)
    events: list[Event] = []
    hooks = Hooks(events.append, folder=tmp_path / "hooks")
    hooks.follow(CHANGE)
    hooks.follow(CHANGE)
    assert not (tmp_path / "ran").exists()
    assert len(events) == 1 and "can be changed by others than root" in events[0].text


@as_root
def test_a_later_change_of_the_same_vhid_replaces_one_that_waits(tmp_path: Path) -> None:
    told: list[tuple[int, str]] = []
    hooks = Hooks(lambda _: None, [lambda change: told.append((change.vhid, change.after))], tmp_path / "hooks")
    hooks([role("MASTER", 1), role("MASTER", 2), Event(1.0, PROBLEM, "x", "y")])
    hooks([role("BACKUP", 1)])
    hooks.start()
    until = time.monotonic() + 5
    while len(told) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert told == [(1, "BACKUP"), (2, "MASTER")]


def test_what_cannot_be_run_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\x7fELF nonsense")
    path.chmod(0o755)
    assert run(path, (), {}, 1.0).wrong.startswith("cannot be run: ")
    assert scripts(tmp_path / "nowhere") == ([], [])
