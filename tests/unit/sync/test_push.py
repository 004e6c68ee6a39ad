"""A push from end to end in memory: what arrives, what is refused, and what is true after every step that fails."""

from dataclasses import replace

import pytest

from gemel.sync.client import push_now
from gemel.sync.messages import AskReport, Commit, Committed, Hello, Network, Prepare, Prepared, Report, Welcome
from gemel.sync.push import NotPushed, Pushed, Why, transaction
from tests.unit.sync.world import PASSWORD, TARGET, Node, Wire, pair, paired, with_password


def refusal(primary: Node, wire: Wire, target: object = TARGET) -> NotPushed:
    """Why the push was not made."""
    assert isinstance(target, type(TARGET))
    with pytest.raises(NotPushed) as refused:
        push_now(primary, target, wire.dial)
    return refused.value


def test_the_peer_runs_what_was_meant() -> None:
    primary, secondary = pair()
    wire = Wire(secondary)
    pushed = push_now(primary, TARGET, wire.dial)
    assert pushed == Pushed(7, "fw2", 4, ("rules", "nat"), changed=True)
    assert secondary.areas == {"rules": ["icmp", "pfsync", "https"], "nat": {"mode": "hybrid"}, "dns": "local"}
    assert wire.methods() == ["pair_begin", "pair_finish", "hello", "report", "prepare", "commit", "report"]
    assert secondary.logins_checked == 1


def test_a_peer_that_has_it_already_is_left_alone() -> None:
    primary, secondary = paired()
    wire = Wire(secondary)
    push_now(primary, TARGET, wire.dial)
    again = push_now(primary, TARGET, wire.dial)
    assert not again.changed and again.peer_revision == 4
    assert secondary.commits == 1


def test_the_receiving_side_knows_who_pushed_what() -> None:
    primary, secondary = paired()
    wire = Wire(secondary)
    push_now(primary, TARGET, wire.dial)
    received = wire.server.status()
    assert (received.peer, received.address, received.pushed) == ("fw1", "172.16.1.2", 100.0)
    assert received.peer_revision == 7 and received.problem is None


def test_a_wrong_password_is_refused_in_words() -> None:
    primary, secondary = paired()
    no = refusal(primary, Wire(secondary), with_password(TARGET, "guess"))
    assert no.why is Why.LOGIN and "172.16.1.3:443 does not accept user admin" in str(no)
    assert secondary.areas == {"rules": ["temporary"], "dns": "local"}


def test_the_account_of_the_recipe_needs_one_privilege_only() -> None:
    primary, secondary = paired()
    secondary.users["syncer"] = (PASSWORD, "ha-sync")
    assert push_now(primary, replace(TARGET, username="syncer"), Wire(secondary).dial).changed


def test_an_account_without_the_privilege_is_refused_in_words() -> None:
    primary, secondary = paired()
    secondary.users["reader"] = (PASSWORD, "read-only")
    wire = Wire(secondary)
    no = refusal(primary, wire, replace(TARGET, username="reader"))
    assert "reader at 172.16.1.3:443 lacks the privilege System - HA node sync" in str(no)
    assert "reader lacks System - HA node sync" in (wire.server.status().problem or "")


def test_two_nodes_with_a_target_are_a_conflict_on_both() -> None:
    primary, secondary = paired()
    secondary.sends_to = TARGET
    wire = Wire(secondary)
    no = refusal(primary, wire)
    assert no.why is Why.REFUSED
    assert "both fw1 and fw2 have an address under Synchronize Config to IP" in str(no)
    assert "both fw1 and fw2" in (wire.server.status().problem or "")
    assert secondary.areas["rules"] == ["temporary"]


def test_a_conflict_is_found_at_first_contact_already() -> None:
    primary, secondary = pair()
    secondary.sends_to = TARGET
    wire = Wire(secondary)
    assert "both fw1 and fw2" in str(refusal(primary, wire))
    assert primary.peer_certificate is None and secondary.peer_certificate is None
    assert "both fw1 and fw2" in (wire.server.status().problem or "")


def test_interfaces_that_mean_other_networks_are_shown_side_by_side_on_both() -> None:
    primary, secondary = paired()
    secondary.networks = {**secondary.networks, "opt1": Network("DMZ", "10.0.0.0/24")}
    wire = Wire(secondary)
    no = refusal(primary, wire)
    assert no.why is Why.REFUSED
    row = next(line for line in str(no).splitlines() if "opt1" in line)
    assert row.startswith("≠") and "SYNC (172.16.1.0/24)" in row and "DMZ (10.0.0.0/24)" in row
    assert "DMZ (10.0.0.0/24)" in (wire.server.status().problem or "")
    assert secondary.commits == 0


def test_a_peer_that_ignores_the_senders_findings_is_still_safe() -> None:
    """A sender that skips its own check is stopped by the receiver's."""
    primary, secondary = paired()
    wire = Wire(secondary)
    secondary.sends_to = TARGET
    original = secondary.introduction

    def innocent() -> object:
        return replace(original(), has_target="prepare" in wire.methods())

    secondary.introduction = innocent  # type: ignore[method-assign, assignment]
    assert "both fw1 and fw2" in str(refusal(primary, wire))
    assert secondary.commits == 0


def test_a_newer_configuration_version_is_refused_with_both_versions() -> None:
    primary, secondary = paired()
    primary.config_version = 2
    text = str(refusal(primary, Wire(secondary)))
    assert "configuration version 1" in text and "configuration version 2" in text and "upgrade" in text


def test_a_peer_that_is_upgraded_already_goes_on_taking_pushes_and_both_say_so() -> None:
    primary, secondary = paired()
    secondary.config_version = 2
    wire = Wire(secondary)
    pushed = push_now(primary, TARGET, wire.dial)
    assert pushed.changed and any("configuration version 2" in notice for notice in pushed.notices)
    assert any("configuration version 2" in notice for notice in wire.server.status().notices)
    assert wire.server.status().problem is None


def test_two_nodes_with_one_host_id_push_and_say_so_on_both() -> None:
    primary, secondary = paired()
    primary.host_id = secondary.host_id = "1"
    wire = Wire(secondary)
    pushed = push_now(primary, TARGET, wire.dial)
    assert any("Filter Host ID 1" in notice for notice in pushed.notices)
    assert any("Filter Host ID 1" in notice for notice in wire.server.status().notices)


def test_problems_on_the_peer_come_back_with_their_paths() -> None:
    primary, secondary = paired()
    primary.areas["nat"] = {"wrong": True}
    wire = Wire(secondary)
    no = refusal(primary, wire)
    assert no.why is Why.FAILED and "fw2 cannot take this configuration: nat[3fa9c2d1].port: 70000" in str(no)
    assert "nat[3fa9c2d1].port" in (wire.server.status().problem or "")
    assert secondary.areas["rules"] == ["temporary"]


def test_warnings_on_the_peer_stop_nothing_and_are_passed_on() -> None:
    primary, secondary = paired()
    primary.areas["nat"] = {"odd": True}
    assert push_now(primary, TARGET, Wire(secondary).dial).notices == ("fw2: nat.description: is odd",)


def test_a_commit_that_fails_leaves_everything_and_says_why() -> None:
    primary, secondary = paired()
    secondary.breaks_at_commit = "nft: no space left"
    no = refusal(primary, Wire(secondary))
    assert no.why is Why.FAILED and "everything is as it was: nft: no space left" in str(no)
    assert secondary.areas == {"rules": ["temporary"], "dns": "local"}


def test_a_peer_that_applies_something_else_is_no_success() -> None:
    primary, secondary = paired()
    secondary.applies_something_else = True
    no = refusal(primary, Wire(secondary))
    assert no.why is Why.FAILED and "runs something else in rules, nat" in str(no)


def test_a_commit_whose_answer_was_lost_is_found_by_the_next_try() -> None:
    primary, secondary = paired()
    wire = Wire(secondary, loses_answer_to="gemel.commit")
    assert refusal(primary, wire).why is Why.AWAY
    wire.loses_answer_to = None
    assert not push_now(primary, TARGET, wire.dial).changed
    assert secondary.commits == 1


def test_a_push_that_changes_the_accounts_own_password_is_still_proven() -> None:
    primary, secondary = paired()
    commit = secondary.commit

    def changes_password(prepared: object, origin: object) -> int:
        secondary.users["admin"] = ("a new one", "all")
        return commit(prepared, origin)  # type: ignore[arg-type]

    secondary.commit = changes_password  # type: ignore[method-assign]
    assert push_now(primary, TARGET, Wire(secondary).dial).changed


@pytest.mark.parametrize("lost", ["hello", "report", "prepare", "commit"])
def test_interrupted_anywhere_the_next_push_makes_it_whole(lost: str) -> None:
    primary, secondary = paired()
    wire = Wire(secondary, loses_answer_to=f"gemel.{lost}")
    assert refusal(primary, wire).why is Why.AWAY
    before = dict(secondary.areas)
    assert before["rules"] in (["temporary"], primary.areas["rules"])
    wire.loses_answer_to = None
    push_now(primary, TARGET, wire.dial)
    assert secondary.areas["rules"] == primary.areas["rules"] and secondary.commits == 1


def test_the_sender_stops_by_itself_at_a_finding() -> None:
    primary, secondary = paired()
    steps = transaction(primary.introduction(), "PEM", primary.outgoing())
    next(steps)
    with pytest.raises(NotPushed, match="both fw1 and fw2"):
        steps.send(Welcome(replace(secondary.introduction(), has_target=True), "s"))


def test_the_transaction_asks_in_this_order() -> None:
    primary, secondary = paired()
    meant = primary.outgoing()
    steps = transaction(primary.introduction(), "PEM", meant)
    assert next(steps) == Hello(primary.introduction(), "PEM")
    assert steps.send(Welcome(secondary.introduction(), "s")) == AskReport(("rules", "nat"))
    assert steps.send(Report(3, {})) == Prepare(7, meant.sections)
    assert steps.send(Prepared("token", ())) == Commit("token")
    assert steps.send(Committed(4)) == AskReport(("rules", "nat"))
    with pytest.raises(StopIteration) as over:
        steps.send(Report(4, meant.hashes))
    assert over.value.value == Pushed(7, "fw2", 4, ("rules", "nat"), changed=True)
