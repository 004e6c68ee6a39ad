"""The event store: bounded, in nobody's way, and never the end of the node."""

from dataclasses import replace
from pathlib import Path

import pytest

from gemel.core.event import LOGIN, ROLE, Event
from gemel.effects.events import EventStore


def event(i: int, kind: str = ROLE) -> Event:
    return Event(1000.0 + i, kind, f"LAN@{i}", "BACKUP → MASTER", None if i % 3 else True, {"n": i})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "events.db"


def test_what_is_added_is_read_newest_first_also_by_the_next_agent(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = EventStore(path)
    assert store.newest() == [] and not caplog.records, "nothing, and no file, is no error"
    store.add([event(1), event(2, LOGIN), event(3)])
    assert store.settle()
    found = store.newest()
    assert [replace(e, number=0) for e in found] == [event(3), event(2, LOGIN), event(1)]
    assert [e.number for e in found] == [3, 2, 1]
    assert [e.data["n"] for e in store.newest(ROLE, limit=1)] == [3]
    assert [e.number for e in store.newest(after=2)] == [3]
    store.close()
    again = EventStore(path)
    again.add([event(4)])
    assert again.settle() and [e.number for e in again.newest()] == [4, 3, 2, 1]
    again.close()
    assert path.stat().st_mode & 0o77 == 0


def test_it_is_bounded_in_number_and_age(path: Path) -> None:
    store = EventStore(path, most=10, longest=5.0)
    for i in range(40):
        store.add([event(i)])
        assert store.settle()
    found = store.newest()
    assert len(found) <= 20 and found[0].at == 1039.0
    assert all(e.at > found[0].at - 20 for e in found)
    store.close()


def test_a_damaged_file_is_put_aside(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 1000)
    store = EventStore(path)
    assert store.newest() == []
    store.add([event(1)])
    assert store.settle() and store.lost == 1
    store.add([event(2)])
    assert store.settle() and [e.data["n"] for e in store.newest()] == [2]
    store.close()
    assert path.with_name("events.db.damaged").exists()


def test_a_disk_that_takes_nothing_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = EventStore(tmp_path / "file" / "events.db")
    store.add([event(1)])
    assert store.settle() and store.lost == 1 and store.newest() == []
    store.close()
