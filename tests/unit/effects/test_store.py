"""What a node remembers: after a kill at any write it is what it was, or what it was to be."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from gemel.core.area import NodeState
from gemel.core.config import Config, canonical
from gemel.core.pending import Pending
from gemel.core.revision import Origin, Revision
from gemel.effects.store import Store
from tests.unit.core.garden import GARDEN, PLANTS, planted
from tests.unit.core.later import LATER, SHED, areas_of
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
    assert again.pending(OLD) == PENDING
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
    assert again.pending(OLD) in (PENDING, Pending())
    assert running == revision(2, NEW) or again.pending(OLD) == PENDING  # nothing is lost that does not run
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

    assert store(tmp_path).pending(OLD) in (PENDING, more)


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

    assert (there.running(), there.pending(OLD), there.node_state(), there.numbers()) == (
        None,
        Pending(),
        NodeState(),
        [],
    )


def test_a_damaged_or_newer_revision_is_not_run_and_not_overwritten(tmp_path: Path) -> None:
    begun(tmp_path)
    apply(store(tmp_path))
    path = tmp_path / "revisions" / "00000002.json"
    whole = path.read_bytes()

    for content, complaint in (
        (whole[:50], "revision 2 cannot be read: Expecting"),
        (b"[]", "revision 2 cannot be read: no object"),
        (whole.replace(b'"version":1', b'"version":9'), "revision 2 cannot be read: version: made by a newer Gemel"),
        (whole.replace(b'"soil":"loam"', b'"soil":7'), "revision 2 cannot be read: plants.soil: must be text"),
        (None, "there is no revision 2"),
    ):
        path.write_bytes(content) if content is not None else path.unlink()
        there = store(tmp_path)
        assert there.running() == revision(1, OLD)
        assert there.unread.startswith(complaint)
        assert "revision 1 runs instead" in there.unread and "`gemel restore 1`" in there.unread
        assert content is None or path.read_bytes() == content
        assert (tmp_path / "current").read_text() == "2\n"
        assert {number for number, _, _ in there.heads()} == set(there.numbers())


def test_a_revision_that_is_readable_again_runs_again(tmp_path: Path) -> None:
    begun(tmp_path)
    apply(store(tmp_path))
    path = tmp_path / "revisions" / "00000002.json"
    whole = path.read_bytes()
    path.write_bytes(b"{")
    store(tmp_path).running()

    path.write_bytes(whole)

    there = store(tmp_path)
    assert there.running() == revision(2, NEW) and there.unread == ""


def test_with_a_pointer_that_says_nothing_the_newest_revision_runs(tmp_path: Path) -> None:
    begun(tmp_path)
    (tmp_path / "current").write_text("one\n")
    there = store(tmp_path)

    assert there.running() == revision(1, OLD) and "holds no revision number" in there.unread
    there.make_current(1)
    assert there.unread == "" and store(tmp_path).running() == revision(1, OLD)


def test_where_no_revision_reads_none_runs_and_none_is_lost(tmp_path: Path) -> None:
    begun(tmp_path)
    path = tmp_path / "revisions" / "00000001.json"
    path.write_bytes(b"{")
    there = store(tmp_path)

    assert there.running() is None and there.numbers() == [1]
    assert "left as it is until a configuration is applied" in there.unread


def test_what_older_versions_wrote_is_read_and_left_as_it_is(tmp_path: Path) -> None:
    config = LATER.load({"version": 3, "areas": {"plants": {"soil": "sand"}, "shed": {"tools": 2}}})
    before = {"number": 1, **asdict(ANN), "message": "", "config": {"version": 1, "areas": areas_of(config, 1)}}
    saved = {"shed": {**asdict(ANN), "model": {"locked": True}}, "flowers": {**asdict(ANN), "model": {"tools": 5}}}
    (tmp_path / "revisions").mkdir()
    (tmp_path / "revisions" / "00000001.json").write_text(canonical(before))
    (tmp_path / "current").write_text("1\n")
    (tmp_path / "pending.json").write_text(canonical({"version": 1, "areas": saved}))
    there = Store(tmp_path, LATER)

    running = there.running()
    assert running is not None and running.config == config
    assert there.pending(config).over(config)[SHED].tools == 5
    assert (there.unread, there.left_out) == ("", "")
    assert (tmp_path / "revisions" / "00000001.json").read_text() == canonical(before)


@pytest.mark.parametrize("content", ["{", "[]", '{"areas": 7}', '{"areas": {"plants": 7, "weeds": {"model": {}}}}'])
def test_pending_changes_that_do_not_read_keep_no_node_from_starting(tmp_path: Path, content: str) -> None:
    begun(tmp_path)
    (tmp_path / "pending.json").write_text(content)
    (tmp_path / "node.json").write_text(content)

    there = store(tmp_path)
    assert there.pending(OLD) == Pending() and there.node_state() == NodeState()
    assert there.left_out.startswith("pending changes cannot be read (")
    assert (tmp_path / "pending-unread.json").read_text() == content
    there.make_current(1)
    assert there.left_out == ""


def test_a_pending_area_that_still_reads_is_kept_beside_one_that_does_not(tmp_path: Path) -> None:
    begun(tmp_path)
    kept = json.loads((tmp_path / "pending.json").read_text())
    kept["areas"]["gate"] = {"who": "bob", "model": {"colour": "red"}}
    (tmp_path / "pending.json").write_text(json.dumps(kept))

    there = store(tmp_path)
    assert there.pending(OLD) == PENDING and "gate.colour: there is no such field" in there.left_out


def test_only_the_owner_reads_what_is_kept(tmp_path: Path) -> None:
    begun(tmp_path)

    assert {p.stat().st_mode & 0o077 for p in tmp_path.rglob("*") if p.is_file()} == {0}
