"""The upgrade of a pair as scripts of what is seen: what is done, in which order, and where it stops."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gemel.control.agent import AskPeerInstall, UpgradePeer
from gemel.daemons.upgrade.sight import Installation
from gemel.daemons.upgrade.steps import COMES_BACK, Upgrade
from tests.unit.daemons.agent import WEB, running
from tests.unit.daemons.box import EVERYTHING, NEW, OLD, Box, Spoil, seen
from tests.unit.facts.node import node_status


def test_only_root_sends_packages(tmp_path: Path) -> None:
    agent = running(tmp_path)
    for question in (UpgradePeer("/root/gemel.deb"), AskPeerInstall()):
        assert "log in first" in str(agent.refusal(question, WEB))
        assert "only the primary of a pair" in str(agent.refusal(question)), "its keys are not exchanged yet"


def test_both_nodes_get_the_new_version_and_the_roles_are_as_before() -> None:
    box = Box()
    assert box.run() and box.log == EVERYTHING
    assert box.versions == {"fw1": NEW, "fw2": NEW} and not box.maintenance
    assert box.said == [
        "fw2 gets 1.1; fw1 goes on serving", "fw2 runs 1.1 and stands by; the virtual IPs go there",
        "fw2 serves; fw1 gets 1.1", "fw1 runs 1.1; the virtual IPs come back", "Both nodes run 1.1.",
    ]  # fmt: skip


def test_what_both_run_already_is_left_alone() -> None:
    box = Box({"fw1": NEW, "fw2": NEW})
    assert box.run() and box.log == []


def test_on_a_slow_machine_looks_leave_most_of_the_time_to_the_installation() -> None:
    fast, slow = Box(), Box(look_takes=8.0)
    assert fast.run()
    assert slow.run()
    assert set(fast.paused) == {2.0}
    assert set(slow.paused) == {16.0}


@pytest.mark.parametrize(
    ("versions", "maintenance", "left"),
    [
        ({"fw1": OLD, "fw2": NEW}, False, EVERYTHING[1:]),
        ({"fw1": OLD, "fw2": NEW}, True, EVERYTHING[2:]),
        ({"fw1": NEW, "fw2": NEW}, True, EVERYTHING[3:]),
        ({"fw1": NEW, "fw2": OLD}, False, EVERYTHING[:1]),
    ],
)
def test_one_that_stopped_goes_on_where_it_stood(versions: dict[str, str], maintenance: bool, left: list[str]) -> None:
    box = Box(dict(versions), maintenance, ours=maintenance)
    assert box.run() and box.log == left and not box.maintenance


def states_differ(_box: Box, mine: dict[str, Any], _theirs: dict[str, Any]) -> None:
    mine["state_sync"] = {**mine["state_sync"], "agreement": "differs"}


UNFIT: list[tuple[Spoil, str]] = [
    (lambda _b, m, _t: m.update(role_config="secondary"), "a pair is upgraded from its primary"),
    (lambda _b, _m, t: t.update(carp_enabled=False), "CARP is disabled on fw2"),
    (lambda _b, _m, t: t.update(software=""), "fw2 does not tell its version"),
    (lambda _b, _m, t: t["carp"][0].update(state="INIT"), "WAN@200 is MASTER on fw1 and INIT on fw2"),
    (lambda _b, m, _t: m["config_sync"].update(status="waiting"), "not proven to be the same on both: waiting"),
    (states_differ, "the state tables differ"),
]


@pytest.mark.parametrize(("spoil", "words"), UNFIT, ids=[words for _, words in UNFIT])
def test_a_pair_that_is_not_well_is_left_as_it_is(spoil: Spoil, words: str) -> None:
    box = Box(spoil=spoil)
    assert not box.run() and box.log == []
    assert words in box.said[-1] and "Nothing has been changed." in box.said[-1]


def test_a_package_that_does_not_start_leaves_the_primary_serving() -> None:
    box = Box(starts={"fw2": False})
    assert not box.run() and box.log == ["install there"] and not box.maintenance
    said = box.said[-1]
    assert "nothing is heard of fw2: no answer from 172.16.1.3:443" in said and box.now >= COMES_BACK
    assert (
        "fw1 serves as before, with 1.0; not heard of now, when last heard: fw2 stands by" in said
        and "Look at fw2" in said
        and "goes on from here" in said
    )


def test_how_long_a_node_may_take_is_for_the_administrator_to_say() -> None:
    upgrade = Upgrade("1.1", 90.0)
    pair = seen(node_status("fw1", "MASTER", software="1.0"), node_status("fw2", "BACKUP", software="1.0"))
    assert upgrade.next(pair, 0.0).kind == "install there"
    assert upgrade.next(pair, 89.0, there=Installation("running")).kind == "wait"
    assert "waited 90 s in vain: fw2 runs 1.0, not 1.1" in upgrade.next(pair, 90.0).text


def test_a_package_that_does_not_start_here_leaves_the_peer_serving() -> None:
    box = Box(starts={"fw1": False})
    assert not box.run() and box.log == EVERYTHING[:3] and box.maintenance
    assert "this node's agent does not answer" in box.said[-1]
    assert (
        "Seen last: fw1 stands by with 1.0, in maintenance mode (`gemel carp maintenance off` ends it); "
        in box.said[-1]
    )
    assert "fw2 serves with 1.1. Look here" in box.said[-1]


def test_what_apt_says_is_said_at_once() -> None:
    box = Box(broken_apt="E: Unmet dependencies")
    assert not box.run() and box.log == ["install there"] and box.now == 0.0
    assert "the package could not be installed: E: Unmet dependencies" in box.said[-1]


def test_a_primary_that_loses_a_role_while_the_peer_is_away_is_not_gone_on_with() -> None:
    def lost(box: Box, mine: dict[str, Any], _theirs: dict[str, Any]) -> None:
        if box.installing == "fw2":
            mine["carp"][1]["state"] = "BACKUP"

    box = Box(spoil=lost)
    assert not box.run() and box.log == ["install there"] and "LAN@1 is BACKUP on fw1" in box.said[-1]
    assert "fw1 is MASTER of WAN@200 and not of LAN@1, with 1.0" in box.said[-1] and "serves" not in box.said[-1]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t.update(demotion={"dhcp": 100}), "fw2 stands back: dhcp (100)"),
        (lambda t: t["state_sync"].update(in_sync=False, status="joining"), "fw2 says 'joining'"),
        (lambda t: t.update(problems=["carpd does not answer"]), "fw2: carpd does not answer"),
        (lambda t: t["carp"].pop(), "do not have the same virtual IPs"),
    ],
)
def test_a_peer_that_comes_back_unwell_gets_no_virtual_ip(spoil: Callable[[Any], None], words: str) -> None:
    def with_new(box: Box, _mine: dict[str, Any], theirs: dict[str, Any]) -> None:
        if box.versions["fw2"] == NEW:
            spoil(theirs)

    box = Box(spoil=with_new)
    assert not box.run() and box.log == ["install there"] and not box.maintenance and words in box.said[-1]


def test_configurations_of_two_versions_are_no_reason_to_stop_half_way() -> None:
    def refused(box: Box, mine: dict[str, Any], theirs: dict[str, Any]) -> None:
        if len(set(box.versions.values())) > 1:
            mine["config_sync"].update(status="refused", last_error="fw1 runs Gemel 1.0 (configuration version 1), ...")
            theirs["problems"] = ["from the peer: fw1 runs Gemel 1.0 (configuration version 1), ..."]

    box = Box(spoil=refused)
    assert box.run() and box.log == EVERYTHING


def test_a_hand_over_that_does_not_come_about_says_how_to_get_back() -> None:
    def stays(_box: Box, mine: dict[str, Any], theirs: dict[str, Any]) -> None:
        for vip in mine["carp"]:
            vip["state"] = "MASTER"
        for vip in theirs["carp"]:
            vip["state"] = "BACKUP"

    box = Box(spoil=stays)
    assert not box.run() and box.log == EVERYTHING[:2]
    assert "WAN@200 is BACKUP on fw2" in box.said[-1] and "`gemel carp maintenance off`" in box.said[-1]


def test_what_a_silent_node_ran_when_it_was_last_heard_is_no_reason() -> None:
    upgrade = Upgrade("1.1", 90.0)
    mine, theirs = node_status("fw1", "MASTER", software="1.0"), node_status("fw2", "BACKUP", software="1.0")
    upgrade.next(seen(mine, theirs), 0.0)
    said = upgrade.next(seen(mine, theirs, "it does not answer"), 90.0, there=Installation("unknown", "no")).text
    assert "waited 90 s in vain: nothing is heard of fw2: it does not answer" in said and "fw2 runs" not in said
