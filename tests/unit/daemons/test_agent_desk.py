"""Every change goes over the desk: pending until applied, whole or not at all, never more than was asked for."""

from pathlib import Path

import pytest

from gemel.areas.every import SCHEMA
from gemel.areas.nat import OUTBOUND_NAT
from gemel.core.area import NodeState
from gemel.core.edit import Edit, etag
from gemel.core.problem import Invalid
from gemel.core.revision import Origin
from gemel.effects.machine import Failed
from tests.unit.areas.cluster import added, changed, node, primary
from tests.unit.daemons.desk import ANN, BOB, Node, configured, rule, save
from tests.unit.machine import Killed


def test_a_blank_machine_is_left_alone_until_somebody_configures_it(tmp_path: Path) -> None:
    there = Node(tmp_path)
    desk = there.start()
    assert there.machine.performed == [] and desk.number == 0

    made = desk.replace(primary(), ANN, "first boot")

    assert made.revision == 1 and there.has(desk)
    assert there.restarted().config == primary()


def test_what_is_saved_is_pending_and_changes_nothing(tmp_path: Path) -> None:
    there, desk = configured(tmp_path)
    steps = len(there.machine.performed)

    saved = save(desk, "rules", "add", **rule())

    assert saved.revision == 0 and saved.items == ("x",)
    assert desk.config == primary() and desk.number == 1
    assert desk.candidate == added(primary(), "rules", "x", interface="lan")
    assert len(there.machine.performed) == steps and len(there.changes) == 1
    assert there.restarted().candidate == desk.candidate


def test_apply_makes_it_real_and_tells_the_peer(tmp_path: Path) -> None:
    there, desk = configured(tmp_path)
    save(desk, "rules", "add", **rule())

    made = desk.apply((), ANN, "because")

    assert (made.revision, desk.number, dict(desk.pending.models)) == (2, 2, {})
    assert there.has(desk) and there.changes[-1] == (primary(), desk.config)
    assert [(n, o.who, m) for n, o, m in desk.heads()] == [(2, "ann", "because"), (1, "ann", "first boot")]
    with pytest.raises(Invalid, match="nothing is pending"):
        desk.apply((), ANN)


def test_some_areas_are_applied_or_discarded_and_the_others_wait(tmp_path: Path) -> None:
    _, desk = configured(tmp_path)
    save(desk, "rules", "add", **rule())
    save(desk, "aliases", "add", id="y", name="more")
    save(desk, "system", domain="example.org")

    desk.apply(["aliases"], ANN)
    assert set(desk.pending.models) == {"rules", "system"}
    assert desk.config == added(primary(), "aliases", "y", name="more")
    desk.discard(["system"])
    assert set(desk.pending.models) == {"rules"} and desk.pending.origins == {"rules": BOB}
    desk.discard(())
    assert desk.candidate == desk.config


def test_a_page_that_only_says_save_applies_its_own_and_nothing_that_is_pending(tmp_path: Path) -> None:
    there, desk = configured(tmp_path)
    save(desk, "rules", "add", **rule())
    save(desk, "outbound_nat", "add", id="y", interface="wan", source="10.0.0.0/8")

    saved = save(desk, "outbound_nat", mode="manual")

    assert saved.revision == 2
    assert desk.config == changed(primary(), "outbound_nat", mode="manual") and there.has(desk)
    assert set(desk.pending.models) == {"rules", "outbound_nat"}
    assert desk.candidate[OUTBOUND_NAT].mode == "manual" and desk.candidate[OUTBOUND_NAT].items[-1].id == "y"
    assert there.restarted().candidate == desk.candidate


def test_an_item_applied_at_once_is_one_and_the_same_in_what_is_pending(tmp_path: Path) -> None:
    _, desk = configured(tmp_path)
    save(desk, "aliases", "set", "web", description="ours")  # pending, and stays so
    tag = etag(next(a for a in desk.candidate.named("aliases").items if a.id == "web"))  # type: ignore[attr-defined]

    [item] = save(desk, "aliases", "add", apply=True, name="more").items
    desk.save([Edit("aliases", "set", "web", {"name": "sites"}, etag=tag)], BOB, True)

    assert [a.id for a in desk.config.named("aliases").items] == ["web", "ports", item]  # type: ignore[attr-defined]
    assert [a.id for a in desk.candidate.named("aliases").items] == ["web", "ports", item]  # type: ignore[attr-defined]
    web = desk.config.named("aliases").items[0]  # type: ignore[attr-defined]
    assert (web.name, web.description) == ("sites", "")


def test_several_edits_are_saved_all_or_none(tmp_path: Path) -> None:
    _, desk = configured(tmp_path)

    good, bad = Edit("rules", "add", values=rule()), Edit("rules", "add", values=rule(id="y", source="x"))
    with pytest.raises(Invalid, match=r"rules\[y\]"):
        desk.save([good, bad], BOB, False)

    assert desk.candidate == primary()


def test_an_error_that_was_there_does_not_forbid_mending_another(tmp_path: Path) -> None:
    _, desk = configured(tmp_path)
    save(desk, "rules", "add", **rule())
    other = changed(primary(), "interfaces", "set", "opt1", description="x")
    for key in ("https", "pfsync", "icmp"):
        other = changed(other, "rules", "delete", key)
    other = changed(other, "high_availability", synchronize_states=False, synchronize_interface="")
    desk.replace(changed(other, "interfaces", "delete", "opt1"), ANN, "no SYNC")  # pending rules still refer to it

    assert {p.level for p in SCHEMA.check(desk.candidate)} == {"error"}
    save(desk, "rules", "delete", "https")
    with pytest.raises(Invalid, match="there is no interface"):
        desk.apply((), ANN)


def test_deleting_what_is_in_use_is_refused_with_what_uses_it(tmp_path: Path) -> None:
    _, desk = configured(tmp_path)

    for apply in (False, True):
        with pytest.raises(Invalid) as no:
            save(desk, "aliases", "delete", "web_servers", apply)
        assert str(no.value) == "rules[to_web].destination: this needs web_servers: change it first, then delete"
    with pytest.raises(Invalid) as no:
        save(desk, "virtual_ips", "delete", "198.51.100.200")
    assert {p.text for p in no.value.problems} == {"this needs 198.51.100.200/24: change it first, then delete"}
    uses = ["virtual_ips[stacked].interface", "outbound_nat[general].translation", "port_forwards[mail].destination"]
    assert [p.path for p in no.value.problems] == uses
    assert desk.candidate == primary()


# What goes wrong -----------------------------------------------------------------------------------------------------


def test_a_change_that_the_machine_does_not_take_leaves_everything_as_it_was(tmp_path: Path) -> None:
    there, desk = configured(tmp_path)
    save(desk, "interfaces", "set", "lan", ipv4="192.168.1.9/24")
    pending, heads = desk.pending, desk.heads()
    there.machine.fails = len(there.machine.performed) + 1

    with pytest.raises(Failed):
        desk.apply((), ANN)

    assert (desk.number, desk.config, desk.pending, desk.heads()) == (1, primary(), pending, heads)
    assert there.has(desk) and len(there.changes) == 1
    there.machine.fails = len(there.machine.performed)
    with pytest.raises(Failed):
        save(desk, "outbound_nat", mode="manual")
    assert (desk.number, desk.config, desk.pending) == (1, primary(), pending) and there.has(desk)
    assert desk.apply((), ANN).revision == 2 and there.has(desk)


def test_a_disk_that_cannot_keep_the_revision_undoes_it(tmp_path: Path) -> None:
    there, desk = configured(tmp_path)
    save(desk, "interfaces", "set", "lan", ipv4="192.168.1.9/24")
    (tmp_path / "config" / ".current.new").mkdir()

    with pytest.raises(OSError):
        desk.apply((), ANN)
    assert desk.number == 1 and there.has(desk)
    (tmp_path / "config" / ".current.new").rmdir()

    again = there.restarted()
    assert again.config == primary() and again.pending.models and there.has(again)
    assert again.apply((), ANN).revision == 2


@pytest.mark.parametrize("half", [False, True], ids=["before", "half-way"])
@pytest.mark.parametrize("at", range(22))
def test_a_kill_at_any_point_of_apply_leaves_the_old_or_the_new(tmp_path: Path, at: int, half: bool) -> None:
    there, desk = configured(tmp_path)
    save(desk, "interfaces", "set", "lan", ipv4="192.168.1.9/24")
    old, new, pending = desk.config, desk.candidate, desk.pending
    there.machine.fate.comes(at, half)

    with pytest.raises(Killed):
        desk.apply((), ANN)
        raise Killed  # the last ones find it done

    again = there.restarted()
    assert again.config in (old, new)
    assert again.pending == (pending if again.config == old else type(pending)())
    assert there.has(again)
    assert again.number == again.heads()[0][0]


# Others --------------------------------------------------------------------------------------------------------------

PRIMARY = Origin("fw1 (admin)", "sync from 172.16.1.2", 3.0)


def test_an_old_revision_is_restored_as_a_new_one(tmp_path: Path) -> None:
    there, desk = configured(tmp_path)
    save(desk, "rules", "add", apply=True, **rule())
    save(desk, "system", domain="example.org")

    made = desk.replace(desk.at(1), BOB, "restored revision 1")

    assert made.revision == 3 and desk.config == primary() and there.has(desk)
    assert set(desk.pending.models) == {"system"}
    with pytest.raises(Invalid, match="there is no revision 9"):
        desk.at(9)


def test_a_push_overtakes_pending_changes_and_keeps_them_readable(tmp_path: Path) -> None:
    there, desk = configured(tmp_path)
    save(desk, "rules", "add", **rule(description="my night's work"))
    save(desk, "users", "add", id="u", name="eve", password_hash="$argon2", disabled=True)
    save(desk, "system", domain="example.org")
    theirs = added(primary(), "aliases", "y", name="more")

    desk.overtake(theirs, 1, ["rules", "users", "aliases"], PRIMARY)

    assert desk.config == theirs and there.has(desk)
    assert set(desk.pending.models) == {"system"}
    [notice] = desk.notices
    assert "pending changes in rules, users were overtaken by a push of fw1 (admin)" in notice
    kept = Path(notice.rpartition(" ")[2]).read_text()
    assert "added rules[x]" in kept and "my night's work" in kept and "argon2" not in kept


def test_a_push_that_changes_nothing_makes_no_revision(tmp_path: Path) -> None:
    _, desk = configured(tmp_path)

    assert desk.overtake(primary(), 1, ["rules"], PRIMARY).revision == 1
    assert desk.number == 1 and desk.notices == ()


def test_a_push_that_was_prepared_on_an_older_revision_is_refused(tmp_path: Path) -> None:
    _, desk = configured(tmp_path)
    save(desk, "rules", "add", apply=True, **rule())

    with pytest.raises(Failed, match="changed meanwhile"):
        desk.overtake(primary(), 1, ["rules"], PRIMARY)


def test_preparing_changes_nothing(tmp_path: Path) -> None:
    there, desk = configured(tmp_path)
    steps = len(there.machine.performed)

    assert desk.prepared(changed(primary(), "system", hostname="fw9")) == []
    assert "error" in {p.level for p in desk.prepared(changed(primary(), "interfaces", "set", "opt1", ipv4=""))}
    there.machine.refuses = "there is no network device dmz on this machine"
    with pytest.raises(Failed, match="no network device"):
        desk.prepared(changed(primary(), "interfaces", "set", "opt1", device="dmz"))

    assert len(there.machine.performed) == steps and desk.config == primary()


def test_maintenance_outlives_a_reboot_and_disabled_carp_does_not(tmp_path: Path) -> None:
    there, desk = configured(tmp_path)

    desk.set_node(NodeState(maintenance=True, carp_disabled=True))
    assert there.has(desk)

    assert there.restarted().node == NodeState(maintenance=True)


def test_a_node_state_that_cannot_be_made_real_is_not_kept(tmp_path: Path) -> None:
    there, desk = configured(tmp_path)
    there.machine.fails = len(there.machine.performed)

    with pytest.raises(Failed):
        desk.set_node(NodeState(maintenance=True))

    assert desk.node == NodeState() and there.restarted().node == NodeState()


def test_the_difference_between_any_two(tmp_path: Path) -> None:
    _, desk = configured(tmp_path)
    save(desk, "rules", "add", apply=True, **rule())
    save(desk, "outbound_nat", "add", id="y", source="any", translation="198.51.100.200")

    changes, authors, problems = desk.differences(0, -1)
    assert [c.path for c in changes] == ["outbound_nat[y]"] and authors == {"outbound_nat": BOB}
    assert [p.level for p in problems] == ["warning"]
    assert [(c.path, c.kind) for c in desk.differences(1, 2)[0]] == [("rules[x]", "added")]
    assert [(c.path, c.kind) for c in desk.differences(2, 1)[0]] == [("rules[x]", "removed")]


def test_a_secondary_starts_from_nothing_like_anybody(tmp_path: Path) -> None:
    there = Node(tmp_path)
    desk = there.start()
    desk.replace(node(2), ANN, "first boot")

    assert there.has(desk) and there.restarted().config == node(2)


def test_a_helper_that_this_kernel_does_not_have_is_saved_with_a_warning_and_said_once(tmp_path: Path) -> None:
    there, _ = configured(tmp_path)
    there.lacks = ("sip",)
    desk = there.restarted()

    saved = save(desk, "conntrack_helpers", ftp=True, sip=True)

    assert saved.revision == 2 and desk.config.named("conntrack_helpers").sip  # type: ignore[attr-defined]
    [warning] = saved.warnings
    assert warning.path == "conntrack_helpers.sip" and "no SIP helper" in warning.text
    assert save(desk, "conntrack_helpers", tftp=True).warnings == ()
    assert desk.node.lacks == ("sip",)
    desk.set_node(NodeState(maintenance=True, lacks=("sip",)))
    there.lacks = ()  # another kernel
    assert there.restarted().node == NodeState(maintenance=True)
