"""Events out of differences: each role change once, each problem once, nothing out of figures that only move."""

from typing import Any

import pytest

from gemel.core.event import CONFIG, PROBLEM, ROLE, STATES, SYNC
from gemel.facts.changes import LASTING, ProblemWatch, RoleWatch, changes, significant
from gemel.facts.peer import Sight, heard, peer_section, told
from gemel.facts.transitions import TRANSITIONS, measured
from tests.unit.facts.node import node_status, vhid

WORDS = {"lan": "LAN"}
BOOT = 1_000_000.0  # when the machine was started, by its clock


def transition(at: float, before: str, after: str, reason: str = "so") -> dict[str, Any]:
    return {"at": at, "interface": "lan", "vhid": 1, "before": before, "after": after, "reason": reason}


STORY = [
    transition(BOOT + 1, "INIT", "BACKUP"),
    transition(BOOT + 60, "BACKUP", "MASTER", "no advert for 3.00 s"),
]


def test_each_role_change_is_an_event_once() -> None:
    watch = RoleWatch()
    assert [e.data["after"] for e in watch.new(STORY[:1], WORDS)] == ["BACKUP"]
    [event] = watch.new(STORY, WORDS)
    assert event.kind == ROLE and event.subject == "LAN@1" and event.data["outage"] == 3.0
    assert "3.00 s without a master" in event.text
    assert watch.new(STORY, WORDS) == []


def test_however_many_changes_are_listed_each_is_an_event_once() -> None:
    watch = RoleWatch()
    many = [transition(BOOT + n, "BACKUP", "MASTER") for n in range(600)]
    assert len(watch.new(many, WORDS)) == 600
    assert watch.new(many, WORDS) == []


def test_a_clock_that_is_set_makes_no_events() -> None:
    watch = RoleWatch()
    watch.new(STORY, WORDS)
    set_back = transition(STORY[0]["at"] - 3600, "MASTER", "BACKUP")
    assert [e.at for e in watch.new([*STORY, set_back], WORDS)] == [set_back["at"]]
    assert watch.new([*STORY, set_back], WORDS) == []


def test_a_restarted_agent_knows_what_it_remembered_and_a_restarted_carpd_begins_anew() -> None:
    remembered = RoleWatch().new(STORY, WORDS)
    watch = RoleWatch(remembered)
    assert watch.new(STORY, WORDS) == []
    [event] = watch.new([transition(BOOT + 90, "INIT", "BACKUP")], WORDS)
    assert event.data["after"] == "BACKUP"


@pytest.mark.parametrize(
    ("cause", "after", "held", "outage"),
    [
        ("no advert for 3.00 s", "MASTER", 600.0, 3.0),
        ("no advert for 3.00 s", "MASTER", 3.1, None),  # there was no master before
        ("no advert for 3.00 s", "MASTER", None, None),
        ("peer dead: no heartbeat for 62 ms, 3 probes on lan unanswered", "MASTER", 600.0, 0.062),
        ("192.168.1.2 bowed out", "MASTER", 600.0, 0.0),
        ("192.168.1.3 advertises base 1 skew 0, this node base 1 skew 1", "BACKUP", 600.0, None),
        ("lan has no link", "INIT", 600.0, None),
    ],
)
def test_how_long_nobody_was_master(cause: str, after: str, held: float | None, outage: float | None) -> None:
    assert measured(cause, after, held) == outage


def test_the_fact_shows_causes_and_durations() -> None:
    events = list(reversed(RoleWatch().new(STORY, WORDS)))
    answer = TRANSITIONS.read({"events": events, "status": {"transitions": []}}, {"filter": "advert", "limit": "5"})
    assert [(r.name, r.after, r.outage) for r in answer.rows] == [("LAN@1", "MASTER", 3.0)]


def test_steps_that_were_done_after_the_change_was_remembered_are_shown() -> None:
    early = [STORY[0], {**STORY[1], "steps": [{"name": "advert", "ms": 0.2}]}]
    events = list(reversed(RoleWatch().new(early, WORDS)))
    now = {**STORY[1], "steps": [{"name": "advert", "ms": 0.2}, {"name": "announced", "ms": 1.5}]}
    [row] = TRANSITIONS.read({"events": events, "status": {"transitions": [now]}}, {"filter": "advert"}).rows
    assert row.steps == {"advert": 0.2, "announced": 1.5}
    [row] = TRANSITIONS.read({"events": events, "status": {"transitions": []}}, {"filter": "advert"}).rows
    assert row.steps == {"advert": 0.2}


def test_a_problem_comes_and_goes_once_however_its_figures_move() -> None:
    watch = ProblemWatch()
    told = [e for i in range(60) for e in watch.look([f"peer silent for {i} s"] if i < 30 else [], 100.0 + i)]
    assert [(e.kind, e.good, e.at) for e in told] == [(PROBLEM, False, 100.0), (PROBLEM, True, 130.0)]
    assert told[1].data == {"lasted": 30.0}


def test_a_problem_that_is_over_at_once_is_none() -> None:
    watch = ProblemWatch()
    assert watch.look(["carpd does not answer"], 100.0) == []
    assert watch.look([], 100.0 + LASTING / 2) == [] and watch.look([], 200.0) == []


def test_a_gap_does_not_make_a_problem_two() -> None:
    watch = ProblemWatch()
    told = [e for i in range(20) for e in watch.look(["no link"] if i != 10 else [], 100.0 + i)]
    assert len(told) == 1


@pytest.mark.parametrize(
    ("before", "after", "kind", "good", "words"),
    [
        ({"state_sync__in_sync": False}, {}, STATES, True, "in sync"),
        ({}, {"state_sync__in_sync": False, "state_sync__status": "bulk"}, STATES, False, "bulk"),
        ({}, {"config_sync__status": "refused", "config_sync__last_error": "wrong"}, SYNC, False, "wrong"),
        ({"config_sync__proven_revision": 6}, {}, SYNC, True, "revision 7"),
        ({}, {"maintenance": True}, CONFIG, None, "maintenance mode was entered"),
        ({}, {"carp_enabled": False}, CONFIG, None, "disabled"),
    ],
)
def test_what_differs_is_an_event(
    before: dict[str, Any], after: dict[str, Any], kind: str, good: bool | None, words: str
) -> None:
    [event] = changes(node_status(**before), node_status(**after), 50.0)
    assert (event.kind, event.good, event.at) == (kind, good, 50.0) and words in event.text
    assert significant(node_status(**before)) != significant(node_status(**after))


def test_the_peer_that_falls_silent_is_an_event_and_comes_back() -> None:
    status = heard(told(node_status("fw2", "BACKUP")))
    well, quiet = (node_status(peer=peer_section(Sight(status, age, "no answer"))) for age in (0.5, 9.0))
    [gone] = changes(well, quiet, 1.0)
    [back] = changes(quiet, well, 2.0)
    assert gone.subject == back.subject == "fw2" and (gone.good, back.good) == (False, True)
    assert "no answer" in gone.text


def test_the_first_look_and_moving_figures_are_no_news() -> None:
    assert changes(None, node_status(), 1.0) == []
    moved = node_status(state_sync__states=99, state_sync__lag_ms=9.0, config_sync__since=2.0)
    assert changes(node_status(), moved, 1.0) == []
    assert significant(node_status()) == significant(moved)
    assert significant(node_status()) != significant(node_status(carp=[vhid("wan", 200, "BACKUP")]))


@pytest.mark.parametrize(
    "changed",
    [
        {"maintenance": True}, {"carp_enabled": False}, {"demotion": {"link wan": 240}}, {"problems": ["no link"]},
        {"gateways": [{"name": "WANGW", "status": "offline"}]}, {"config_sync__revision": 8},
        {"state_sync__in_sync": False}, {"state_sync__status": "connecting"}, {"web_address": "https://192.0.2.1"},
    ],
)  # fmt: skip
def test_whatever_a_page_shows_of_the_peer_wakes_it(changed: dict[str, Any]) -> None:
    def seen(**changes: Any) -> Any:
        sight = Sight(heard(told(node_status("fw2", "BACKUP", **changes))), 0.2)
        return significant(node_status() | {"peer": peer_section(sight)})

    assert seen() == seen() != seen(**changed)
    assert seen(state_sync__states=77) == seen(), "figures come with the figures of the second"
