"""The agent's eye: what it remembers, whom it wakes, and that it bothers nobody."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gemel.control.door import Refused
from gemel.core.event import LOGIN, PROBLEM, ROLE, Event
from gemel.daemons.agent.observer import WAITERS, Eyes, Observer
from gemel.effects.events import EventStore
from tests.unit.facts.node import node_status


class Node:
    """A node as the observer sees it; `flows` may be made to hang."""

    def __init__(self) -> None:
        self.said: dict[str, Any] = node_status()
        self.flows_asked = 0

    def flows(self) -> Any:
        self.flows_asked += 1
        return {"states": 5, "sent": 1, "received": 2}

    def becomes(self, state: str, at: float) -> None:
        one = {"at": at, "interface": "lan", "vhid": 1, "before": "BACKUP", "after": state, "reason": "so"}
        one["description"] = "LAN"
        changed = node_status(state=state)
        self.said = {**changed, "transitions": [*self.said["transitions"], one]}

    @property
    def eyes(self) -> Eyes:
        return Eyes(lambda: {}, self.flows, lambda carp, flows: dict(self.said))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    store = EventStore(tmp_path / "events.db")
    yield store
    store.close()


def test_a_role_change_is_remembered_told_and_passed_on(store: EventStore) -> None:
    node, told, moved = Node(), [], []
    observer = Observer(node.eyes, store, told=told.extend, moved=lambda: moved.append(1))
    observer.look()
    cursor = observer.news("", 0).cursor
    node.becomes("BACKUP", 50.0)
    observer.look(whole=False)
    assert node.flows_asked == 1, "in a hurry only carpd is asked"
    report = observer.news(cursor, 0)
    assert [e.subject for e in report.events] == ["LAN@1"] and report.status["carp"][0]["state"] == "BACKUP"
    assert [e.kind for e in told] == [ROLE] and moved == [1]
    assert store.settle() and [e.data["after"] for e in store.newest(ROLE)] == ["BACKUP"]


def test_the_next_agent_does_not_remember_it_again(store: EventStore) -> None:
    node = Node()
    node.becomes("BACKUP", 50.0)
    Observer(node.eyes, store).look()
    assert store.settle()
    Observer(node.eyes, store).look()
    assert store.settle() and len(store.newest(ROLE)) == 1


def test_whoever_waits_is_woken_at_once(store: EventStore) -> None:
    node = Node()
    observer = Observer(node.eyes, store)
    observer.look()
    cursor = observer.news("", 0).cursor
    woken: list[float] = []

    def wait() -> None:
        observer.news(cursor, 20)
        woken.append(time.monotonic())

    thread = threading.Thread(target=wait)
    thread.start()
    node.becomes("BACKUP", 50.0)
    began = time.monotonic()
    observer.look(whole=False)
    thread.join(5)
    assert woken and woken[0] - began < 1.0


def test_nothing_new_is_said_after_the_time_asked_for_and_figures_do_not_wake(store: EventStore) -> None:
    node = Node()
    observer = Observer(node.eyes, store)
    observer.look()
    first = observer.news("", 0)
    node.said = node_status(state_sync__states=77)
    observer.look()
    again = observer.news(first.cursor, 0.0)
    assert again.cursor == first.cursor and again.events == () and not again.missed
    assert again.status["state_sync"]["states"] == 77


def test_a_cursor_of_another_agent_is_answered_at_once_without_old_events(store: EventStore) -> None:
    observer = Observer(Node().eyes, store)
    observer.look()
    observer.record(Event(1.0, LOGIN, "admin", "logged in"))
    for cursor in ("", "deadbeef.1.1", "nonsense", "1.2.3.4"):
        assert observer.news(cursor, 20).events == ()


def test_who_slept_too_long_hears_that_more_happened(store: EventStore) -> None:
    observer = Observer(Node().eyes, store)
    observer.look()
    cursor = observer.news("", 0).cursor
    for i in range(600):
        observer.record(Event(float(i), LOGIN, "admin", "logged in"))
    report = observer.news(cursor, 0)
    assert report.missed and len(report.events) == 500 and report.events[-1].at == 599.0


def test_too_many_who_wait_are_refused(store: EventStore) -> None:
    observer = Observer(Node().eyes, store)
    observer.look()
    cursor = observer.news("", 0).cursor
    threads = [threading.Thread(target=observer.news, args=(cursor, 20.0)) for _ in range(WAITERS)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 5
    while observer.waiting < WAITERS and time.monotonic() < deadline:
        pass
    with pytest.raises(Refused):
        observer.news(cursor, 20)
    observer.record(Event(1.0, PROBLEM, "x", "y"))
    for thread in threads:
        thread.join(5)
    assert observer.waiting == 0
