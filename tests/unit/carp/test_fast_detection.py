"""Two nodes with a heartbeat: what it takes to be called dead, and everything that looks like it and is not."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.carp.events import LinkChanged, Send, SettingsChanged, State
from gemel.carp.settings import Partner

from .world import World, pair

BOTH = ("wan", "lan")
CARPS_OWN = 3 + 101 / 256
GATEWAY = "10.0.0.254"


def paired(gateways=("wan",), **partner) -> tuple[World, object, object]:
    settings = {"gateways": dict.fromkeys(gateways, (GATEWAY,)), **partner}
    world, one, two = pair(skews=(1, 101), devices=BOTH, partner=settings)
    world.gateways = dict.fromkeys(BOTH, GATEWAY)
    world.run(8)
    assert (one.state(), two.state()) == (State.MASTER, State.BACKUP)
    return world, one, two


def taken_after(world: World, host, limit=5.0) -> float:
    start = world.now
    while not (host.is_master("wan") and host.is_master("lan")):
        world.run(0.001)
        assert world.now - start < limit, "it did not take over"
    return world.now - start


def arps(host, since: int) -> int:
    return sum(isinstance(a, Send) and a.frame[12:14] == b"\x08\x06" for a in host.done[since:])


def test_a_power_cut_is_noticed_in_the_time_of_three_beats():
    world, one, two = paired()
    assert two.node.peer.phase == "armed"
    one.die()
    assert taken_after(world, two) <= 0.075
    reason = two.node.machines["wan", 1].reason
    assert reason.startswith("peer dead: no heartbeat for 6")
    assert "3 probes on wan, 3 probes on lan unanswered, witness 10.0.0.254 on wan answered" in reason
    assert any("is gone" in problem for problem in two.node.problems(world.now))


def test_each_further_death_is_noticed_too():
    world, one, two = paired()
    for _ in range(3):
        one.die()
        assert taken_after(world, two) <= 0.075
        world.run(1)
        one.boot()
        world.run(6)
        assert one.is_master("wan") and one.is_master("lan")
        assert not two.node.problems(world.now)
    assert two.node.ledger.counters["peer dead"] == 3


def test_one_that_beats_before_it_has_its_addresses_is_asked_again_soon():
    world, one, two = paired()
    one.die()
    world.run(40)
    own, one.own = one.own, {}
    one.boot()
    world.run(3)
    one.own = own
    world.run(3)
    assert one.is_master("wan") and one.is_master("lan")
    one.die()
    assert taken_after(world, two) <= 0.075


def test_one_that_never_answers_is_not_asked_for_ever():
    world, one, two = paired()
    one.die()
    world.run(1)
    one.own = {}
    one.boot()
    world.run(40)
    before = len(two.done)
    world.run(100)
    assert 20 <= arps(two, before) <= 60  # a look around every ten seconds: the peer and a witness on two segments


def test_a_cut_sync_moves_nothing_and_is_told():
    world, one, two = paired()
    before = len(two.done)
    world.silent = {("fw2", "sync")}
    world.run(30)
    assert one.is_master("wan") and one.is_master("lan")
    assert arps(two, before) < 60  # the suspicion, and a look around every ten seconds
    assert any("no heartbeat with the peer 172.16.1.1" in problem for problem in two.node.problems(world.now))
    assert any("the peer answers on wan, lan" in finding.text for finding in two.node.peer.findings)


def test_a_frozen_daemon_is_not_dead_and_carps_timer_decides():
    world, one, two = paired()
    one.frozen = True
    took = taken_after(world, two)
    assert CARPS_OWN - 1 - 2 / 256 <= took <= CARPS_OWN + 0.01


@pytest.mark.parametrize("held_up", [0.05, 0.1, 0.2, 0.4])
def test_a_peer_that_was_held_up_may_die_at_once_and_it_is_noticed(held_up):
    world, one, two = paired()
    for _ in range(3):
        one.frozen = True
        world.run(held_up)
        one.thaw()
        world.run(0.03)
    one.die()
    assert taken_after(world, two) <= 0.13


@pytest.mark.parametrize("held_up", [0.05, 0.1, 0.25, 0.9])
def test_beats_that_waited_for_this_node_say_nothing_of_the_peer(held_up):
    world, one, two = paired()
    usual = two.node.peer.detector.rhythm.patience
    two.frozen = True
    world.run(held_up)
    two.thaw()
    world.run(0.03)
    assert two.node.peer.phase == "armed"
    assert two.node.peer.detector.rhythm.patience < usual + 0.02
    one.die()
    assert taken_after(world, two) <= 0.09


def test_a_peer_that_dies_while_it_is_held_up_is_noticed():
    world, one, two = paired()
    one.frozen = True
    world.run(0.2)
    assert two.node.peer.phase == "suspecting"
    one.die()
    assert taken_after(world, two) <= 0.1
    assert two.node.machines["wan", 1].reason.startswith("peer dead: no heartbeat for 2")


def test_a_backup_that_is_cut_off_with_carrier_waits_for_carps_timer():
    world, _, two = paired()
    world.silent = {("fw2", "sync"), ("fw2", "wan"), ("fw2", "lan")}
    assert taken_after(world, two) >= CARPS_OWN - 1 - 2 / 256
    assert not two.node.ledger.counters["peer dead"]


def test_a_backup_without_carrier_does_not_judge():
    world, _, two = paired()
    world.silent = {("fw2", "sync")}
    for device in BOTH:
        two.links[device] = False
        two.tell(LinkChanged(device, False))
    world.run(10)
    assert not two.node.ledger.counters["peer dead"]


def test_without_anybody_else_on_the_wires_nobody_is_called_dead():
    world, one, two = paired()
    world.gateways = {}
    world.run(60)
    one.die()
    assert taken_after(world, two) >= 2


def test_a_segment_where_the_peer_never_answered_proves_nothing():
    world, one, two = paired()
    world.silent = {("fw1", "wan"), ("fw1", "lan")}  # from now on no answer, and CARP's timers have decided
    world.run(60)
    world.silent |= {("fw1", "sync")}
    world.run(1)
    assert not two.node.ledger.counters["peer dead"]
    assert one.alive


def test_off_means_off():
    world, one, two = paired(fast=False)
    one.die()
    assert taken_after(world, two) >= 2


def test_the_heartbeats_pace_can_be_chosen():
    world, one, two = paired(interval_ms=10)
    one.die()
    assert taken_after(world, two) <= 0.04
    world, one, two = paired(misses=10)
    one.die()
    assert 0.18 <= taken_after(world, two) <= 0.22


def test_new_settings_begin_the_talk_anew():
    world, one, two = paired()
    for n, host in enumerate((one, two), 1):
        partner = Partner(f"172.16.1.{n}", f"172.16.1.{3 - n}", key=bytes(32).hex(), gateways={"wan": (GATEWAY,)})
        host.tell(SettingsChanged(type(host.settings)(host.settings.vhids, partner=partner)))
    world.run(3)
    assert two.node.peer.phase == "armed"
    one.tell(SettingsChanged(type(one.settings)(one.settings.vhids)))
    world.run(5)
    assert one.node.peer is None
    assert one.is_master() and two.state() is State.BACKUP


@pytest.mark.parametrize("delay", [0.02, 0.1, 0.2])
def test_a_slow_sync_delays_the_verdict_and_starts_nothing(delay):
    world, one, two = paired()
    world.sync_delay = lambda: delay
    world.run(10)
    before = len(two.done)
    world.run(30)
    assert one.is_master("wan") and one.is_master("lan")
    assert arps(two, before) < 20
    one.die()
    assert delay <= taken_after(world, two) <= 3.5 * delay + 0.25


@settings(max_examples=12, deadline=None)
@given(st.lists(st.sampled_from([0.0003, 0.001, 0.01, 0.03, 0.08, 0.3, None]), min_size=5, max_size=200))
def test_whatever_sync_does_to_beats_nobody_is_called_dead(delays):
    world, one, two = paired()
    ever = itertools.cycle(delays)
    world.sync_delay = lambda: next(ever)
    before = len(two.done)
    world.run(20)
    assert one.is_master("wan") and one.is_master("lan")
    assert not two.node.ledger.counters["peer dead"]
    assert arps(two, before) < 20 * 40  # a burst of twelve at most, and a second of good beats before the next


FAULTS = st.lists(
    st.tuples(
        st.floats(0.01, 3),
        st.sampled_from(["silent", "loud", "unplug", "plug", "freeze", "thaw", "lose sync", "find sync"]),
        st.integers(0, 1),
        st.sampled_from(["wan", "lan", "sync"]),
    ),
    max_size=15,
)


@settings(max_examples=30, deadline=None)
@given(FAULTS)
def test_the_living_are_only_called_dead_when_every_way_to_them_is_cut(faults):
    world, *hosts = paired(gateways=BOTH)

    def judged_alive() -> None:
        for host, other in (hosts, hosts[::-1]):
            if host.node.ledger.counters["peer dead"] > seen[host.name]:
                seen[host.name] += 1
                ways = [
                    d for d in BOTH
                    if host.links[d] and other.links[d] and not {(host.name, d), (other.name, d)} & world.silent
                ]
                assert not ways, f"{host.name} called {other.name} dead, which answers on {ways}"
                assert any(host.links[d] and (host.name, d) not in world.silent for d in BOTH)

    seen = {host.name: 0 for host in hosts}
    world.watch = judged_alive
    for pause, kind, who, device in faults:
        world.run(pause)
        host = hosts[who]
        match kind:
            case "silent":
                world.silent.add((host.name, device))
            case "loud":
                world.silent.discard((host.name, device))
            case "freeze":
                host.frozen = True
            case "thaw" if host.frozen:
                host.thaw()
            case "lose sync":
                world.sync_delay = lambda: None
            case "find sync":
                world.sync_delay = lambda: 0.0003
            case "unplug" | "plug" if device != "sync":
                host.links[device] = kind == "plug"
                host.tell(LinkChanged(device, kind == "plug"))
    world.run(5)
