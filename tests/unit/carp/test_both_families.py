"""Two nodes with IPv6, with both families, and while one has a change that the other has not yet."""

import pytest

from gemel.carp.events import SettingsChanged, State
from gemel.carp.settings import Partner, Settings

from .world import World, vhid

DUAL = ("10.0.0.100", "2001:db8::100")
ONLY6 = ("2001:db8::100", "fe80::1")


def two(addresses=DUAL, heartbeat=False, base=1, skews=(1, 101)):
    world = World()
    hosts = []
    for n, skew in enumerate(skews, 1):
        partner = Partner(f"172.16.1.{n}", f"172.16.1.{3 - n}", key=bytes(32).hex()) if heartbeat else None
        config = vhid(1, "wan", skew, base, f"10.0.0.{n}", addresses)
        hosts.append(world.add(f"fw{n}", config, partner=partner))
    return world, *hosts


def change(world, host, n, **changes):
    skew, base = host.settings.vhids[0].advskew, host.settings.vhids[0].advbase
    new = vhid(1, "wan", skew, base, f"10.0.0.{n}", **changes)
    host.settings = Settings((new,), partner=host.settings.partner)
    host.tell(SettingsChanged(host.settings))


def roles(*hosts):
    return [host.state() for host in hosts]


@pytest.mark.parametrize("addresses", [DUAL, ONLY6], ids=["both", "ipv6"])
def test_the_better_node_is_master_and_has_all_addresses(addresses):
    world, one, other = two(addresses)
    world.run(6)
    assert roles(one, other) == [State.MASTER, State.BACKUP]
    assert {address for _, address in one.owned} == set(addresses)
    assert not other.owned
    before = len(other.reports())
    world.run(20)
    assert len(other.reports()) == before
    one.die()
    world.run(3.5)
    assert other.is_master()
    assert {address for _, address in other.owned} == set(addresses)


def test_a_peer_that_dies_is_noticed_over_ipv6_too():
    world, _one, other = two(ONLY6)
    world.run(6)
    assert other.node.machines["wan", 1].master.startswith("fe80::")


@pytest.mark.parametrize("heartbeat", [True, False])
@pytest.mark.parametrize("changes", [{"addresses": (*DUAL, "10.0.0.101")}, {"addresses": DUAL[:1]},
                                     {"addresses": DUAL, "password": "other"}, {"addresses": DUAL[1:]}])  # fmt: skip
@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("backup_first", [True, False])
def test_a_change_that_reaches_one_node_first_makes_nobody_master(heartbeat, changes, back, backup_first):
    world, one, other = two(heartbeat=heartbeat)
    if back:
        changes, before = {"addresses": DUAL}, changes
        change(world, one, 1, **before)
        change(world, other, 2, **before)
    world.run(6)
    seen = []
    world.watch = lambda: seen.append(roles(one, other))
    first, second = ((other, 2), (one, 1)) if backup_first else ((one, 1), (other, 2))
    change(world, *first, **changes)
    world.run(30)
    change(world, *second, **changes)
    world.run(90)
    assert all(states == [State.MASTER, State.BACKUP] for states in seen)
    # In the end each knows only the new one.
    assert [host.node.machines["wan", 1].speech.former(world.now) for host in (one, other)] == [[], []]


def test_a_change_at_full_speed_makes_nobody_master():
    world, one, other = two(heartbeat=True, base=0, skews=(2, 3))
    world.run(6)
    seen = []
    world.watch = lambda: seen.append(roles(one, other))
    change(world, one, 1, addresses=(*DUAL, "10.0.0.101"))
    world.run(2)
    change(world, other, 2, addresses=(*DUAL, "10.0.0.101"))
    world.run(2)
    assert all(states == [State.MASTER, State.BACKUP] for states in seen)


def test_a_peer_that_does_not_follow_is_told_of():
    world, one, other = two(heartbeat=True)
    world.run(6)
    change(world, one, 1, addresses=(*DUAL, "10.0.0.101"))
    world.run(5)
    assert not any("still has the password" in text for text in one.node.problems(world.now))
    world.run(600)
    assert roles(one, other) == [State.MASTER, State.BACKUP]
    assert any("still has the password and addresses" in text for text in one.node.problems(world.now))
