"""What an agent does with what another version wrote: on its own disk, or on its peer."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gemel.areas.every import SCHEMA
from gemel.core.exchange import outgoing, section_hashes
from gemel.core.problem import Invalid
from gemel.daemons.agent.desk import Desk
from gemel.daemons.agent.peer import ThisNode
from gemel.sync.node import Origin
from gemel.sync.push import NotPushed, Why
from tests.unit.areas.cluster import added, changed, primary
from tests.unit.daemons.agent import keys_folder
from tests.unit.daemons.desk import ANN, Node, configured, rule, save


def names_are_aliases(areas: dict[str, Any]) -> dict[str, Any]:
    """The area ``names`` is ``aliases``."""
    if "names" in areas:
        areas["aliases"] = areas.pop("names")
    return areas


LATER = replace(SCHEMA, migrations=(names_are_aliases,))


def newer(folder: Path, number: int) -> Path:
    """That revision as a version wrote it that is not installed."""
    path = folder / "config" / "revisions" / f"{number:08}.json"
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":9'))
    return path


def this_node(desk: Desk) -> ThisNode:
    return ThisNode(desk, lambda: 0.0, lambda: None, keys_folder())


def two_revisions(folder: Path) -> Node:
    node, desk = configured(folder)
    desk.replace(changed(primary(), "system", hostname="fw9"), ANN, "renamed")
    return node


def test_a_node_starts_with_the_newest_revision_that_reads_and_says_so(tmp_path: Path) -> None:
    node = two_revisions(tmp_path)
    path = newer(tmp_path, 2)
    content = path.read_bytes()

    desk = node.restarted()

    assert desk.number == 1 and desk.config == primary() and node.has(desk)
    [said] = desk.unread
    assert "revision 2 cannot be read: version: made by a newer Gemel" in said and "revision 1 runs instead" in said
    assert path.read_bytes() == content
    with pytest.raises(Invalid, match="revision 2 cannot be read: version: made by a newer Gemel"):
        desk.at(2)


def test_what_is_applied_then_is_a_new_revision_and_all_is_well(tmp_path: Path) -> None:
    node = two_revisions(tmp_path)
    newer(tmp_path, 2)
    desk = node.restarted()

    assert desk.replace(desk.at(1), ANN, "restored").revision == 3

    assert desk.unread == ()
    again = node.restarted()
    assert again.number == 3 and again.unread == ()
    assert [number for number, _, _ in again.heads()] == [3, 2, 1]


def test_an_older_revision_that_runs_instead_is_pushed_to_nobody(tmp_path: Path) -> None:
    node = two_revisions(tmp_path)
    newer(tmp_path, 2)
    desk = node.restarted()

    with pytest.raises(NotPushed, match="revision 1 runs instead") as refused:
        this_node(desk).outgoing()

    assert refused.value.why is Why.REFUSED
    desk.replace(desk.at(1), ANN, "restored")
    assert this_node(desk).outgoing().revision == 3


def test_a_node_whose_revisions_do_not_read_at_all_is_left_as_it_is(tmp_path: Path) -> None:
    node, _ = configured(tmp_path)
    newer(tmp_path, 1)
    performed = len(node.machine.performed)

    desk = node.restarted()

    assert desk.number == 0 and len(node.machine.performed) == performed
    assert "left as it is" in desk.unread[0]
    assert desk.replace(primary(), ANN, "imported").revision == 2


def test_pending_changes_that_do_not_read_are_said(tmp_path: Path) -> None:
    node, desk = configured(tmp_path)
    save(desk, "rules", "add", **rule())
    path = tmp_path / "config" / "pending.json"
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":9'))

    desk = node.restarted()

    assert not desk.pending.models and "pending changes cannot be read (version: made by a newer" in desk.unread[0]


def test_an_upgrade_keeps_history_and_pending_changes(tmp_path: Path) -> None:
    node, desk = configured(tmp_path)
    desk.replace(added(primary(), "aliases", "a1", name="mail", entries=["192.0.2.7"]), ANN, "an alias")
    save(desk, "rules", "add", **rule())
    differences = desk.differences(1, 2)[0]
    for path in (tmp_path / "config").rglob("*.json"):
        path.write_bytes(path.read_bytes().replace(b'"aliases":', b'"names":'))
    before, candidate = desk.config, desk.candidate

    node.schema = LATER
    after = node.restarted()

    assert after.config == before and after.candidate == candidate and after.unread == ()
    assert after.at(1) == primary()
    assert after.differences(1, 2)[0] == differences
    assert LATER.dump(after.at(1))["version"] == 2


def test_an_upgraded_secondary_goes_on_taking_pushes_and_proves_them(tmp_path: Path) -> None:
    _, desk = configured(tmp_path / "old")
    desk.replace(added(primary(), "aliases", "a1", name="mail", entries=["192.0.2.7"]), ANN, "an alias")
    sections = outgoing(SCHEMA, desk.config, ["aliases"])
    sections["names"] = sections.pop("aliases")
    theirs = Node(tmp_path / "new", schema=LATER)
    peers = theirs.start()
    peers.replace(primary(), ANN, "first boot")
    node = this_node(peers)
    assert node.introduction().config_version == 2

    def push() -> None:
        prepared, troubles = node.prepare(sections, origin)
        assert not [t for t in troubles if t.level == "error"]
        node.commit(prepared, origin)

    origin = Origin("fw1", "172.16.1.2", "admin", 2, 1)
    assert node.report(("names",)).hashes != section_hashes(sections)
    push()

    assert peers.config == desk.config
    assert node.report(("names",)).hashes == section_hashes(sections)
    restarted = this_node(peers)  # it has forgotten what it took: one push more, which changes nothing
    assert restarted.report(("names",)).hashes != section_hashes(sections)
    node = restarted
    push()
    assert node.report(("names",)).hashes == section_hashes(sections)
    assert peers.number == 2
    newer_still, troubles = node.prepare(sections, replace(origin, config_version=9))
    assert newer_still is None and "made by a newer Gemel" in troubles[0].text
