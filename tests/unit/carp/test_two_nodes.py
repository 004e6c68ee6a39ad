"""Two or three nodes on a fake wire: the stories of a cluster, with their times."""

import pytest

from gemel.carp.events import Demoted, Flush, LinkChanged, Promoted, State, Stopped

from .world import World, pair, vhid

BOTH = ("wan", "lan")


def settled(**settings) -> tuple[World, object, object]:
    world, one, two = pair(skews=(1, 101), devices=BOTH, **settings)
    world.run(6)
    assert (one.state(), two.state()) == (State.MASTER, State.BACKUP)
    return world, one, two


def until(world: World, true, limit: float) -> float:
    """Run until something is true; return how long it took."""
    start = world.now
    while not true():
        world.run(0.001)
        assert world.now - start < limit, "it did not happen in time"
    return world.now - start


def test_the_better_node_is_elected():
    _world, one, two = settled()
    assert ("wan", "10.0.0.100") in one.owned
    assert not two.owned
    assert one.node.machines["wan", 1].master is None
    assert two.node.machines["wan", 1].master == "10.0.0.1"


def test_a_power_cut_costs_the_master_down_time():
    world, one, two = settled()
    one.die()
    took = until(world, lambda: two.is_master("wan") and two.is_master("lan"), 3.5)
    assert took <= 3 + 101 / 256 + 0.002


def test_who_comes_back_preempts_without_a_moment_without_master():
    world, one, two = settled()
    one.die()
    world.run(5)
    one.boot()
    seen = []
    world.watch = lambda: seen.append(len(world.masters()))
    until(world, lambda: one.is_master("wan") and one.is_master("lan"), 2)
    world.run(1)
    assert min(seen) == 1
    assert two.state() is State.BACKUP


def test_without_preempt_who_comes_back_stays_backup():
    world, one, two = settled(preempt=False)
    one.die()
    world.run(5)
    one.boot()
    world.run(5)
    assert (one.state(), two.state()) == (State.BACKUP, State.MASTER)


def test_maintenance_moves_everything_at_once_and_back():
    world, one, two = settled()
    one.tell(Demoted("maintenance", 240))
    assert until(world, lambda: two.is_master("wan") and two.is_master("lan"), 1) <= world.flush_takes + 0.002
    until(world, lambda: not one.owned, 0.3)
    one.tell(Promoted("maintenance"))
    until(world, lambda: one.is_master("wan") and one.is_master("lan"), 1.5)
    world.run(0.01)
    assert world.masters("wan") == world.masters("lan") == [one]


def test_in_a_planned_hand_over_the_old_master_is_silent_holds_on_and_lets_go():
    world, one, two = settled()
    one.tell(Demoted("maintenance", 240))
    until(world, lambda: one.state("wan") is State.BACKUP and one.state("lan") is State.BACKUP, 1)
    yielded = world.now
    assert ("wan", "10.0.0.100") in one.owned
    assert ("wan", "10.0.0.100") in two.owned
    until(world, lambda: not one.owned, 1)
    assert world.now - yielded == pytest.approx(0.2, abs=0.01)
    assert sum(isinstance(action, Flush) for action in one.done) == 1
    virtual = bytes.fromhex("00005e000101")
    new_master_speaks = min(at for at, name, _, frame in world.frames if name == "fw2" and frame[6:12] == virtual)
    late = [at for at, name, _, frame in world.frames
            if name == "fw1" and frame[6:12] == virtual and at > new_master_speaks]  # fmt: skip
    assert late == []


def test_a_stop_hands_over_without_preempt_too():
    world, one, two = settled(preempt=False)
    one.tell(Stopped())
    assert until(world, lambda: two.is_master("wan") and two.is_master("lan"), 1) <= world.flush_takes + 0.002


def test_one_dead_port_moves_the_group():
    world, one, two = settled()
    one.links["wan"] = False
    one.tell(LinkChanged("wan", False))
    until(world, lambda: two.is_master("lan"), 0.1)
    until(world, lambda: two.is_master("wan"), 3.5)
    assert world.masters("wan") == world.masters("lan") == [two]
    one.links["wan"] = True
    one.tell(LinkChanged("wan", True))
    world.run(3)
    assert world.masters("wan") == world.masters("lan") == [one]


def test_a_restarted_daemon_is_silent_until_it_has_heard_the_peer():
    world, _one, two = settled()
    two.die()
    two.boot()
    before = len(world.frames)
    world.run(10)
    assert {name for _, name, _, _ in world.frames[before:]} == {"fw1"}


def test_a_frozen_master_keeps_nothing_and_comes_back_as_backup():
    world, one, two = settled()
    one.frozen = True
    until(world, lambda: all(end < world.now for end in one.owned.values()), 2.1)
    until(world, lambda: two.is_master("wan"), 3.5)
    world.run(1)
    one.owned.clear()
    one.thaw()
    assert one.state() is State.BACKUP
    assert not one.owned
    world.run(2)
    assert world.masters() == [two]  # it stands back for a while
    world.run(6)
    assert world.masters() == [one]


def test_a_split_heals_within_an_interval_and_a_delay():
    world, one, _two = settled()
    world.loses = lambda sender, receiver, device: True
    world.run(6)
    assert len(world.masters()) == 2
    world.loses = lambda sender, receiver, device: False
    assert until(world, lambda: world.masters() == [one], 3) <= one.node.machines["wan", 1].interval + 0.002


def test_equal_nodes_find_one_master():
    world, one, two = pair(skews=(0, 1))
    one.tell(Demoted("maintenance", 240))
    two.tell(Demoted("maintenance", 240))
    world.run(8)
    assert len(world.masters()) == 1


def test_three_nodes_pass_it_on():
    world = World()
    hosts = [world.add(f"fw{n}", vhid(skew=50 * n, source=f"10.0.0.{n}")) for n in (1, 2, 3)]
    world.run(6)
    for host, successor in zip(hosts, [*hosts[1:], None], strict=True):
        assert world.masters() == [host]
        host.tell(Stopped())
        if successor:
            world.run(0.1)
            assert world.masters() == [successor]


def test_other_passwords_make_two_masters_and_both_say_why():
    world = World()
    one = world.add("fw1", vhid(skew=0, source="10.0.0.1"))
    two = world.add("fw2", vhid(skew=100, source="10.0.0.2", password="other"))
    world.run(8)
    assert len(world.masters()) == 2
    for host, peer in ((one, "10.0.0.2"), (two, "10.0.0.1")):
        (said,) = host.node.ledger.problems(world.now)
        assert f"adverts from {peer} do not authenticate: another password" in said


def test_sub_second_carp_takes_over_in_milliseconds():
    world = World(delay=0.0002)
    one = world.add("fw1", vhid(skew=10, base=0, source="10.0.0.1"))
    two = world.add("fw2", vhid(skew=11, base=0, source="10.0.0.2"))
    world.run(2)
    assert world.masters() == [one]
    one.die()
    assert until(world, lambda: two.is_master(), 1) <= 33 / 256 + 0.002


def test_who_comes_back_waits_out_its_hold_down():
    world, one, two = settled(hold_down=20.0)
    one.die()
    world.run(5)
    one.boot()
    world.run(19)
    assert (one.state(), two.state()) == (State.BACKUP, State.MASTER)
    assert "this node has come back a moment ago" in one.node.reasons()
    until(world, lambda: one.is_master("wan") and one.is_master("lan"), 3)
    assert not one.node.reasons()


def test_a_link_that_comes_back_begins_the_hold_down_anew():
    world, one, two = settled(hold_down=20.0)
    world.run(30)
    for up in (False, True):
        one.links["lan"] = up
        one.tell(LinkChanged("lan", up))
        world.run(5)
    assert two.is_master("wan") and two.is_master("lan")
    world.run(10)
    assert two.is_master("wan") and two.is_master("lan")
    until(world, lambda: one.is_master("wan") and one.is_master("lan"), 10)


def test_alone_a_node_serves_during_its_hold_down():
    world = World()
    one = world.add("fw1", vhid(1, "wan", 1), hold_down=60.0)
    assert until(world, lambda: one.is_master(), 4) <= 3.1


def test_base_0_is_faster_than_a_second():
    world, one, two = pair(skews=(10, 11), base=0)
    world.run(3)
    assert (one.state(), two.state()) == (State.MASTER, State.BACKUP)
    one.die()
    assert until(world, two.is_master, 1) <= 3 * 11 / 256 + 0.002
