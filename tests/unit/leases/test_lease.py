"""Which of two versions of a lease is right, whatever the clocks say."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gemel.leases.dialect import changes
from gemel.leases.lease import Verdict, for_kea, holder, is_live, last_heard, on_the_wire, verdict
from gemel.leases.pool import ALONE, DOWN, INTERRUPTED, NORMAL, RECOVER, STARTUP, pool_state

NOW = 1_000_000.0


def lease(mac: str = "02:00:00:00:00:01", heard: float = NOW - 10, **more: Any) -> dict[str, Any]:
    return {
        "ip-address": "192.168.1.100", "hw-address": mac, "cltt": int(heard), "valid-lft": 7200, "state": 0,
        "subnet-id": 2, "hostname": "", **more,
    }  # fmt: skip


def test_a_lease_travels_by_its_age_so_that_a_wrong_clock_moves_nothing() -> None:
    told = on_the_wire(lease(), NOW)
    assert told["age"] == 10 and "cltt" not in told
    there = for_kea(told, NOW + 120)
    assert there["expire"] == NOW + 120 - 10 + 7200
    assert last_heard(there) == NOW + 110


def test_an_unknown_address_is_taken() -> None:
    assert verdict(None, on_the_wire(lease(), NOW), NOW) is Verdict.TAKE


def test_the_same_again_is_known() -> None:
    assert verdict(lease(), on_the_wire(lease(), NOW), NOW) is Verdict.KNOWN


def test_a_renewal_is_taken_and_an_older_version_is_not() -> None:
    assert verdict(lease(), on_the_wire(lease(heard=NOW), NOW), NOW) is Verdict.TAKE
    assert verdict(lease(heard=NOW), on_the_wire(lease(), NOW), NOW) is Verdict.KNOWN


def test_an_address_that_somebody_else_has_just_got_is_a_conflict() -> None:
    other = lease(mac="02:00:00:00:00:02", heard=NOW - 20)
    assert verdict(lease(), on_the_wire(other, NOW), NOW) is Verdict.CONFLICT


def test_an_address_that_has_run_out_may_go_to_somebody_else() -> None:
    mine = lease(heard=NOW - 8000)
    assert not is_live(mine, NOW)
    assert verdict(mine, on_the_wire(lease(mac="02:00:00:00:00:02"), NOW), NOW) is Verdict.TAKE


def test_the_client_identifier_says_who_it_is() -> None:
    assert holder(lease()) == "02:00:00:00:00:01"
    assert holder(lease(**{"client-id": "01:02"})) == "01:02"


@given(st.floats(0, 7000), st.floats(0, 7000))
def test_two_nodes_that_hold_an_address_for_two_clients_agree_who_keeps_it(one: float, other: float) -> None:
    here, there = lease(heard=NOW - one), lease(mac="02:00:00:00:00:02", heard=NOW - other)
    ours, theirs = verdict(here, on_the_wire(there, NOW), NOW), verdict(there, on_the_wire(here, NOW), NOW)
    assert Verdict.TAKE in (ours, theirs) or abs(last_heard(here) - last_heard(there)) < 1
    assert not ours is theirs is Verdict.TAKE


def lease6(duid: str = "00:03:00:01", iaid: int = 1, heard: float = NOW - 10) -> dict[str, Any]:
    return {
        "ip-address": "2001:db8:1::1000", "duid": duid, "iaid": iaid, "type": "IA_NA", "cltt": int(heard),
        "valid-lft": 7200, "preferred-lft": 4500, "state": 0, "subnet-id": 2, "hw-address": "02:00:00:00:00:01",
    }  # fmt: skip


def test_an_ipv6_host_is_its_duid_and_the_number_of_the_address() -> None:
    told = on_the_wire(lease6(), NOW)
    assert told["duid"] == "00:03:00:01" and told["preferred-lft"] == 4500 and told["type"] == "IA_NA"
    assert verdict(lease6(), told, NOW) is Verdict.KNOWN
    for other in (lease6(duid="00:03:00:02", heard=NOW - 20), lease6(iaid=2, heard=NOW - 20)):
        assert verdict(lease6(), on_the_wire(other, NOW), NOW) is Verdict.CONFLICT


def test_what_kea_asks_about_is_one_lease_or_all_of_a_packet() -> None:
    four, six, old = lease(), lease6(), lease6(iaid=9)
    assert changes("lease4-update", four) == ([four], []) and changes("lease4-del", four) == ([], [four])
    assert changes("lease6-bulk-apply", {"leases": [six], "deleted-leases": [old]}) == ([six], [old])
    assert changes("lease6-bulk-apply", {"leases": [six]}) == ([six], [])
    assert changes("ha-heartbeat", {}) == ([], [])


def test_states_are_the_ones_that_admins_know() -> None:
    assert pool_state(True, True, True, True, 60) == NORMAL
    assert pool_state(True, True, True, False, 60) == RECOVER
    assert pool_state(True, True, False, False, 60) == INTERRUPTED
    assert pool_state(True, True, False, False, 1) == STARTUP
    assert pool_state(True, False, True, True, 60) == DOWN
    assert pool_state(False, True, False, False, 60) == ALONE
