"""The status of a node: promised keys, roles, and the gravest problem first."""

from dataclasses import replace
from typing import Any

import pytest

from gemel.facts.status import NO_CARPD, NO_FLOWD, Sources, problems, role_config, status

VHID = {
    "interface": "wan", "vhid": 200, "addresses": ["198.51.100.200"], "state": "MASTER", "advbase": 1, "advskew": 1,
    "effective_skew": 1, "since": 5.0, "reason": "nobody else was heard", "master": "198.51.100.201",
}  # fmt: skip
CARP: dict[str, Any] = {"vhids": [VHID], "demotion": {}, "allowed": True, "problems": [], "transitions": []}
FLOWS: dict[str, Any] = {
    "status": "connected", "peer": "172.16.1.3", "host_id": "1", "creators": {"2": 3, "1": 40}, "states": 43,
    "lag_ms": 0.4, "in_sync": True, "problems": [],
}  # fmt: skip
WELL = Sources(
    node="fw1", revision=7, maintenance=False, carp=CARP, flows=FLOWS, push={"status": "in sync", "revision": 7},
    received={}, pinned=True, has_target=True, has_carp_vips=True, synchronizes_states=True, pending=0,
    words={"wan": "WAN"},
)  # fmt: skip


def test_the_keys_that_scripts_rely_on() -> None:
    report = status(WELL)
    promised = {"node", "role_config", "problems", "carp", "demotion", "maintenance", "state_sync", "config_sync"}

    assert promised <= set(report)
    [vhid] = report["carp"]
    assert vhid == {**VHID, "description": "WAN"}
    assert {"status", "peer", "host_id", "creator_ids", "states", "lag_ms", "in_sync"} <= set(report["state_sync"])
    assert {"status", "revision", "peer_revision", "areas", "last_error"} <= set(report["config_sync"])
    assert report["state_sync"]["creator_ids"] == ["1", "2"]


def test_the_keys_are_there_when_nobody_answers() -> None:
    report = status(replace(WELL, carp=None, flows=None, push={}, has_target=False, pinned=False))

    assert set(report) == set(status(WELL))
    assert set(report["state_sync"]) == set(status(WELL)["state_sync"])
    assert set(report["config_sync"]) == set(status(WELL)["config_sync"])
    assert report["carp"] == [] and report["config_sync"]["status"] == "off"


@pytest.mark.parametrize(
    ("has_target", "pinned", "conflict", "role"),
    [
        (False, False, False, "standalone"),
        (True, False, False, "primary"),
        (True, True, False, "primary"),
        (False, True, False, "secondary"),
        (True, True, True, "conflict"),
        (False, True, True, "secondary"),  # it has given up its own target since
    ],
)
def test_the_role(has_target: bool, pinned: bool, conflict: bool, role: str) -> None:
    assert role_config(replace(WELL, has_target=has_target, pinned=pinned, conflict=conflict)) == role


def test_a_node_that_is_well_has_no_problems() -> None:
    assert list(problems(WELL)) == []
    assert status(WELL)["config_sync"]["status"] == "in sync"


def test_the_gravest_problem_comes_first() -> None:
    ill = replace(
        WELL,
        faults=("add link wan: there is no network device wan",),
        carp=None,
        flows={**FLOWS, "problems": ["the peer hears nothing"]},
        push={"last_error": "the peer is away"},
        received={"problem": "a stranger called"},
        maintenance=True,
    )

    found = list(problems(ill))

    order = ["device wan", NO_CARPD, "hears nothing", "peer is away", "stranger", "maintenance"]
    assert [next(i for i, text in enumerate(found) if part in text) for part in order] == list(range(len(found)))


def test_a_daemon_is_missed_only_where_it_has_something_to_do() -> None:
    silent = replace(WELL, carp=None, flows=None)

    assert list(problems(silent)) == [NO_CARPD, NO_FLOWD]
    assert list(problems(replace(silent, has_carp_vips=False, synchronizes_states=False))) == []


def test_states_that_cannot_flow_yet_say_what_to_do() -> None:
    [problem] = problems(replace(WELL, pinned=False))

    assert "gemel peer pin" in problem


def test_demotion_is_named_and_maintenance_said_once() -> None:
    carp = {**CARP, "demotion": {"maintenance": 240, "link down on WAN": 240, "gone": 0}}

    assert list(problems(replace(WELL, maintenance=True, carp=carp))) == [
        "this node is in persistent CARP maintenance mode: leave it with `gemel carp maintenance off`",
        "this node stands back (demotion): link down on WAN (240)",
    ]
