"""What leased says of its pools and its peer, and since when."""

from dataclasses import replace

from gemel.daemons.leased.standing import PeerSeen, Seen, Standing
from gemel.leases.settings import Scope, Settings

LAN = Scope("lan", "eth1", "192.168.1.2", "192.168.1.0/24", 1, "192.168.1.1", "192.168.1.3", "LAN")
TOLD = {"serving": [], "kea": "running", "level": True}
LINKED = PeerSeen(True, True, "10.0.0.2", clock_offset=0.1, told=TOLD)
CALM = Seen(Settings((LAN,), peers=("10.0.0.2",)), 1000.0, 60.0, "running", frozenset({"lan"}), True, LINKED)


def told(seen: Seen) -> str:
    return " ".join(Standing().report(seen, {}).problems)


def test_all_is_well() -> None:
    (pool,) = Standing().report(CALM, {}).pools
    assert (pool.state, pool.peer_state, pool.serving, pool.peer_serving) == ("normal", "normal", True, False)
    assert not told(CALM)


def test_a_state_is_told_with_the_moment_at_which_it_began() -> None:
    standing, gone = Standing(), replace(CALM, peer=PeerSeen(False, failure="10.0.0.2: no answer"))
    standing.report(CALM, {})
    standing.report(replace(CALM, now=1007.0), {})
    (pool,) = standing.report(replace(gone, now=1009.0), {}).pools
    assert (pool.state, pool.since) == ("communications-interrupted", 1009.0)
    (pool,) = standing.report(replace(gone, now=1030.0), {}).pools
    assert pool.since == 1009.0
    (pool,) = standing.report(replace(CALM, now=1040.0), {}).pools
    assert (pool.state, pool.since, pool.peer_since) == ("normal", 1040.0, 1040.0)


def test_a_peer_that_is_away_is_a_problem_when_it_had_time_to_come() -> None:
    away = replace(CALM, peer=PeerSeen(False, failure="10.0.0.2: no answer"))
    assert "does not answer (10.0.0.2: no answer)" in told(away)
    assert not told(replace(away, age=2.0))
    assert not told(replace(away, peer=None)), "without failover there is nobody to miss"


def test_what_the_peer_said_before_it_went_away_does_not_count() -> None:
    away = replace(CALM, peer=PeerSeen(False, True, "10.0.0.2", "no answer", 99.0, {**TOLD, "serving": ["lan"]}))
    report = Standing().report(away, {})
    assert not report.pools[0].peer_serving and report.clock_offset is None
    assert "clock" not in told(away) and "both nodes" not in told(away)


def test_two_masters_of_one_network_are_named_by_its_title() -> None:
    both = replace(CALM, peer=replace(LINKED, told={**TOLD, "serving": ["lan"]}))
    assert "both nodes serve DHCP on LAN" in told(both)
    alone = replace(both, settings=Settings((replace(LAN, vip=""),), peers=("10.0.0.2",)))
    assert not told(alone), "what follows no virtual IP serves on both"


def test_servers_that_do_not_answer() -> None:
    assert "nobody gets a lease from this node; see `gemel log kea-dhcp4`" in told(replace(CALM, kea=""))
    assert not told(replace(CALM, kea="", age=2.0))
    assert "it could not take over" in told(replace(CALM, peer=replace(LINKED, told={**TOLD, "kea": ""})))


def test_a_clock_that_is_off_is_told_with_its_direction() -> None:
    assert "40 s ahead of" in told(replace(CALM, peer=replace(LINKED, clock_offset=40.0)))
    assert "40 s behind" in told(replace(CALM, peer=replace(LINKED, clock_offset=-40.0)))


def test_what_keeps_the_whole_from_working_comes_first() -> None:
    assert told(replace(CALM, kea="", fault="the key cannot be read")).startswith("the key cannot be read")
