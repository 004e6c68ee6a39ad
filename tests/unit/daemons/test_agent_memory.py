"""The agent's garbage collection: what runs is set aside, and what nothing leads to is thrown away in the end."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from gemel.daemons.agent.memory import Memory


class Ring:
    """Garbage that only a collection finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def memory() -> Iterator[Memory]:
    made = Memory(quiet=3600)
    yield made
    made.stop()
    gc.unfreeze()


def test_a_full_collection_does_not_look_at_what_runs(memory: Memory) -> None:
    kept = [[i] for i in range(50_000)]
    memory.revised()
    assert gc.get_freeze_count() >= len(kept)
    assert len(gc.get_objects()) < len(kept)


def test_garbage_that_was_set_aside_goes_when_all_is_looked_through(memory: Memory) -> None:
    ring = weakref.ref(Ring())
    memory.revised()
    gc.collect()
    assert ring() is not None, "frozen as it was"
    memory.tidy()
    assert ring() is None
    assert gc.get_freeze_count() > 0, "what is left is set aside again"


def test_revisions_in_a_row_are_looked_through_once(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled = []
    monkeypatch.setattr("threading.Timer.cancel", lambda timer: cancelled.append(timer))
    for _ in range(3):
        memory.revised()
    assert len(cancelled) == 2
    monkeypatch.undo()
    for timer in cancelled:
        timer.cancel()
