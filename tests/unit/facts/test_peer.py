"""What the nodes tell each other, and whether it is safe to fail over."""

from typing import Any

import pytest

from gemel.core.codec import Malformed
from gemel.facts.peer import GONE_AFTER, Sight, heard, peer_section, safe_to_fail_over, told
from tests.unit.facts.node import node_status, vhid

BACKUP = node_status("fw2", "BACKUP")


def sight(age: float = 0.5, **changes: Any) -> Sight:
    return Sight(heard(told(node_status("fw2", "BACKUP", **changes))), age, "the cable is out")


def test_late_or_lastingly_different_states_speak_against_a_failover() -> None:
    good, bad = {"agreement": "equal"}, {"agreement": "differs"}
    for said, words in (
        (bad, "the state tables differ"), ({"lag_ms": 2500.0}, "the last ones took 2.5 s"),
        ({"waiting": 9000}, "9000 wait"), (good, ""), ({"agreement": "repairing"}, ""),
    ):  # fmt: skip
        mine = node_status(**{f"state_sync__{name}": value for name, value in said.items()})
        reasons = " ".join(safe_to_fail_over(mine, sight())["reasons"])
        assert (words in reasons) if words else "state" not in reasons, (said, reasons)


def test_what_is_told_is_heard_and_more_from_a_newer_peer_is_left_out() -> None:
    newer = {**told(BACKUP), "colour": "blue", "state_sync": {**told(BACKUP)["state_sync"], "shape": "round"}}
    assert heard(newer) == heard(told(BACKUP))
    assert heard(newer).carp[0].state == "BACKUP"


@pytest.mark.parametrize("spoilt", [None, [], {}, {"carp": 5}, {"node": 5}, {"state_sync": "x"}, {"carp": [1]}])
def test_what_is_no_status_is_malformed(spoilt: Any) -> None:
    said = {**told(BACKUP), **spoilt} if isinstance(spoilt, dict) and spoilt else spoilt
    with pytest.raises(Malformed):
        heard(said)


def test_a_peer_that_is_silent_is_shown_with_its_last_words_and_why() -> None:
    quiet = peer_section(sight(age=GONE_AFTER + 1))
    assert quiet is not None and not quiet["reachable"] and quiet["why"] == "the cable is out"
    assert quiet["status"]["node"] == "fw2" and quiet["age"] == GONE_AFTER + 1
    well = peer_section(sight())
    assert well is not None and well["reachable"] and well["why"] == ""
    assert peer_section(None) is None


def test_safe_when_all_is_well_from_either_side() -> None:
    here = safe_to_fail_over(node_status(), sight())
    there = safe_to_fail_over(BACKUP, Sight(heard(told(node_status())), 0.5))
    for verdict in (here, there):
        assert verdict["verdict"] == "safe" and verdict["standby"] == "fw2" and not verdict["reasons"]
        assert len(verdict["holds"]) == 5


@pytest.mark.parametrize(
    ("mine", "theirs", "words"),
    [
        ({}, {"carp": [vhid("wan", 200, "BACKUP"), vhid("lan", 1, "INIT")]}, ["LAN@1", "INIT on fw2"]),
        ({}, {"carp": [vhid("wan", 200, "BACKUP")]}, ["fw2 has no LAN@1"]),
        ({}, {"maintenance": True, "demotion": {"maintenance": 240}}, ["fw2 is in persistent CARP maintenance"]),
        ({}, {"demotion": {"wan has no link": 240}}, ["fw2 stands back: wan has no link (240)"]),
        ({}, {"carp_enabled": False}, ["CARP is disabled on fw2"]),
        ({"state_sync__in_sync": False, "state_sync__status": "bulk"}, {}, ["not in sync", "fw1", "bulk"]),
        ({}, {"state_sync__status": "off", "state_sync__in_sync": False}, ["not synchronised", "fw2"]),
        ({"config_sync__revision": 8}, {}, ["not proven"]),
        ({"config_sync__status": "refused", "config_sync__last_error": "no such user"}, {}, ["no such user"]),
        ({"role_config": "standalone"}, {}, ["no node is the primary"]),
        ({}, {"gateways": [{"name": "WANGW", "status": "offline"}]}, ["WANGW does not answer fw2"]),
        ({}, {"problems": ["flowd does not answer"]}, ["fw2: flowd does not answer"]),
    ],
)
def test_one_thing_is_enough_against_it(mine: dict[str, Any], theirs: dict[str, Any], words: list[str]) -> None:
    verdict = safe_to_fail_over(node_status(**mine), sight(**theirs))
    assert verdict["verdict"] == "not safe"
    [reason] = verdict["reasons"]
    assert all(word in reason for word in words), reason


def test_the_standby_is_the_one_that_is_not_master() -> None:
    verdict = safe_to_fail_over(node_status(maintenance=True, carp=BACKUP["carp"]), sight(carp=node_status()["carp"]))
    assert verdict["standby"] == "fw1" and "fw1 is in persistent CARP maintenance mode" in verdict["reasons"]


@pytest.mark.parametrize(
    ("mine", "seen", "word"),
    [
        ({}, None, "no peer"),
        ({}, Sight(None, None, "no answer from 172.16.1.3:443"), "no answer from 172.16.1.3:443"),
        ({}, sight(age=10.0), "the cable is out"),
        ({"carp": []}, sight(), "no CARP virtual IPs"),
    ],
)
def test_alone_it_is_never_safe(mine: dict[str, Any], seen: Sight | None, word: str) -> None:
    verdict = safe_to_fail_over(node_status(**mine), seen)
    assert verdict["verdict"] == "not safe" and word in verdict["reasons"][0]
