"""A recorded advert of the peer, or of this node itself, moves nothing."""

import random

import pytest

from gemel.carp import wire
from gemel.carp.events import Heard, Send
from gemel.carp.replay import LIVES, STEPS, Counters
from gemel.carp.wire import Fault

from .world import Host, World, pair

FAST = {"interval_ms": 20, "misses": 3}


def test_what_was_passed_once_is_over_and_each_life_begins_anew() -> None:
    seen = Counters()
    assert [seen.has_passed(n) for n in (100, 101, 103, 102, 101, 104)] == [False, False, False, True, True, False]
    assert not seen.has_passed(7)  # another life, below the first
    assert [seen.has_passed(n) for n in (8, 100, 104, 7, 9)] == [False, True, True, True, False]
    assert not seen.has_passed(10 + STEPS)
    assert not seen.has_passed(0)


def test_memory_is_bounded() -> None:
    seen = Counters()
    lives = [random.Random(n).getrandbits(64) for n in range(3 * LIVES)]
    assert not any(seen.has_passed(start) for start in lives)
    assert all(seen.has_passed(start) for start in lives[-LIVES:])
    assert len(seen._former) <= LIVES


def adverts(host: Host, device: str = "wan") -> list[bytes]:
    """Everything that a host has advertised so far, from the IP header on."""
    sent = (a for a in host.done if isinstance(a, Send) and a.device == device)
    return [a.frame[14:] for a in sent if a.frame[12:14] == b"\x08\x00"]


def armed() -> tuple[World, Host, Host]:
    world, one, two = pair(devices=("wan",), partner=FAST)
    world.run(8)
    assert world.masters() == [one]
    return world, one, two


def test_a_recording_of_the_peer_does_not_keep_a_backup_from_taking_over() -> None:
    world, one, two = armed()
    recorded = adverts(one)
    one.die()
    for n in range(600):
        two.tell(Heard("wan", (recorded[n % len(recorded)],)))
        world.run(0.01)
    assert two.is_master()
    assert two.node.ledger.counters[Fault.REPLAYED] == 600


def test_a_recording_of_the_better_peer_does_not_bring_a_master_down() -> None:
    world, one, two = armed()
    recorded = adverts(one)
    one.die()
    world.run(6)
    before = len(two.reports())
    for packet in recorded * 3:
        two.tell(Heard("wan", (packet,)))
        world.run(0.01)
    assert two.is_master() and len(two.reports()) == before
    one.boot()
    world.run(8)
    assert world.masters() == [one], "a new life of the peer is believed"
    for packet in recorded:
        two.tell(Heard("wan", (packet,)))
    assert len(two.reports()) == before + 1


@pytest.mark.parametrize("restarts", [0, 1])
def test_ones_own_recordings_move_nothing_not_even_those_of_a_former_life(restarts: int) -> None:
    world, one, _ = armed()
    world.run(100)
    recorded = adverts(one)
    assert len(recorded) > 90
    if restarts:
        one.die()
        world.run(1)
        one.boot()
        world.run(8)
        assert world.masters() == [one]
    before = len(one.reports())
    for packet in recorded:
        one.tell(Heard("wan", (packet,)))
    assert one.is_master() and len(one.reports()) == before
    assert one.node.ledger.counters[Fault.REFLECTED] == len(recorded)


def test_of_a_stranger_nothing_is_expected() -> None:
    """Another make repeats its counter, or goes back with it: its adverts count all the same."""
    _, _, two = armed()
    config = two.node.machines["wan", 1].config
    digest = wire.Seal(config.password, 1, config.addresses).digest(5)
    packet = wire.advert_head("10.0.0.77", bytes(6))[14:] + wire.encode(1, 1, 0, 5, digest)
    before = two.node.ledger.counters["adverts accepted"]
    for _ in range(5):
        two.tell(Heard("wan", (packet,)))
    assert two.node.ledger.counters["adverts accepted"] == before + 5
