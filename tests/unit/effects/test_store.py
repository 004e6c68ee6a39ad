"""What a node remembers: after a kill at any write it is what it was, or what it was to be."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gemel.core.area import NodeState
from gemel.core.config import Config
from gemel.core.pending import Pending
from gemel.core.problem import Invalid
from gemel.core.revision import Origin, Revision
from gemel.effects.store import Store
from tests.unit.core.garden import GARDEN, PLANTS, planted
from tests.unit.machine import Fate, FatedDisk, Killed

ANN = Origin("ann", "the web", 7.5)
OLD, NEW = planted("a"), planted("a", "b")
PENDING = Pending().saving("plants", NEW[PLANTS], OLD, ANN)


def revision(number: int, config: Config) -> Revision:
    return Revision(number, ANN, "because", config)


def store(folder: Path, fate: Fate | None = None) -> Store:
    return Store(folder, GARDEN, FatedDisk(fate or Fate()))


def begun(folder: Path) -> None:
    """Revision 1 runs, something is pending."""
    first = store(folder)
    first.add(revision(1, OLD))
    first.make_current(1)
    first.keep_pending(PENDING)


def apply(there: Store) -> None:
    there.add(revision(2, NEW))
    there.make_current(2)
    there.keep_pending(Pending())


def test_everything_is_read_back_as_it_was_kept(tmp_path: Path) -> None:
    begun(tmp_path)
    store(tmp_path).keep_node_state(NodeState(maintenance=True, carp_disabled=True))

    again = store(tmp_path)

    assert again.running() == revision(1, OLD)
    assert again.pending() == PENDING
    assert again.heads() == [(1, ANN, "because")]
    assert again.node_state() == NodeState(maintenance=True)  # disabled CARP is enabled again by a reboot


def test_how_many_writes_there_are_to_die_at(tmp_path: Path) -> None:
    begun(tmp_path)
    fate = Fate()

    apply(store(tmp_path, fate))

    assert fate.passed == 8  # three for a revision, three for the pointer to it, two for what was pending


@pytest.mark.parametrize("half", [False, True], ids=["before", "half-way"])
@pytest.mark.parametrize("at", range(8))
def test_a_kill_at_any_write_leaves_the_old_or_the_new(tmp_path: Path, at: int, half: bool) -> None:
    begun(tmp_path)

    with pytest.raises(Killed):
        apply(store(tmp_path, Fate(at, half)))

    again = store(tmp_path)
    running = again.running()
    assert running in (revision(1, OLD), revision(2, NEW))
    assert again.pending() in (PENDING, Pending())
    assert running == revision(2, NEW) or again.pending() == PENDING  # nothing is lost that does not run
    assert again.numbers() == list(range(1, running.number + 1))  # what was never finished is gone
    apply(again)
    assert store(tmp_path).running() == revision(2, NEW)


@pytest.mark.parametrize("half", [False, True], ids=["before", "half-way"])
@pytest.mark.parametrize("at", range(3))
def test_a_kill_while_saving_leaves_what_was_pending_or_what_is_to_be(tmp_path: Path, at: int, half: bool) -> None:
    begun(tmp_path)
    more = Pending().saving("plants", planted("c")[PLANTS], OLD, ANN)

    with pytest.raises(Killed):
        store(tmp_path, Fate(at, half)).keep_pending(more)

    assert store(tmp_path).pending() in (PENDING, more)


def test_the_oldest_revisions_go_and_the_one_that_runs_stays(tmp_path: Path) -> None:
    there = store(tmp_path)
    for number in range(1, 6):
        there.add(revision(number, OLD))
    there.make_current(1)

    there.prune(2)

    assert there.numbers() == [1, 4, 5]
    assert [number for number, _, _ in there.heads()] == [5, 4, 1]
    assert there.running() == revision(1, OLD)


@pytest.mark.parametrize("message", ["", 'said "message": and {more}', "ü" * 5000])
def test_a_head_is_read_without_its_configuration(tmp_path: Path, message: str) -> None:
    kept = replace(revision(1, OLD), message=message)
    store(tmp_path).add(kept)

    assert store(tmp_path).heads() == [(1, ANN, message)]


def test_a_blank_machine_has_nothing(tmp_path: Path) -> None:
    there = store(tmp_path)

    assert (there.running(), there.pending(), there.node_state(), there.numbers()) == (None, Pending(), NodeState(), [])


def test_a_damaged_or_newer_revision_is_not_run_and_not_overwritten(tmp_path: Path) -> None:
    begun(tmp_path)
    path = tmp_path / "revisions" / "00000001.json"
    whole = path.read_bytes()

    for content, complaint in (
        (whole[:50], "revision 1 cannot be read"),
        (b"[]", "revision 1 cannot be read: no object"),
        (whole.replace(b'"version":1', b'"version":9'), "newer than this software"),
    ):
        path.write_bytes(content)
        with pytest.raises(Invalid, match=complaint):
            store(tmp_path).running()
        assert path.read_bytes() == content
    (tmp_path / "current").write_text("one\n")
    with pytest.raises(Invalid, match="holds no revision number"):
        store(tmp_path).running()


@pytest.mark.parametrize("content", ["{", "[]", '{"areas": 7}', '{"areas": {"plants": 7, "weeds": {"model": {}}}}'])
def test_pending_changes_that_do_not_read_keep_no_node_from_starting(tmp_path: Path, content: str) -> None:
    begun(tmp_path)
    (tmp_path / "pending.json").write_text(content)
    (tmp_path / "node.json").write_text(content)

    assert store(tmp_path).pending() == Pending()
    assert store(tmp_path).node_state() == NodeState()


def test_a_pending_area_that_still_reads_is_kept_beside_one_that_does_not(tmp_path: Path) -> None:
    begun(tmp_path)
    kept = json.loads((tmp_path / "pending.json").read_text())
    kept["areas"]["gate"] = {"who": "bob", "model": {"colour": "red"}}
    (tmp_path / "pending.json").write_text(json.dumps(kept))

    assert store(tmp_path).pending() == PENDING


def test_only_the_owner_reads_what_is_kept(tmp_path: Path) -> None:
    begun(tmp_path)

    assert {p.stat().st_mode & 0o077 for p in tmp_path.rglob("*") if p.is_file()} == {0}
