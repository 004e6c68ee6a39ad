"""Adverts that come again are looked at briefly, and that makes no difference."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.carp import wire
from gemel.carp.events import Demoted, Forced, Heard, LinkChanged, Promoted, SettingsChanged, Started, State, TimePassed
from gemel.carp.node import Node
from gemel.carp.settings import Settings, Vhid
from gemel.carp.wire import Fault

from .test_replay import adverts, armed
from .world import vhid

NOW = 1000.0
BOTH = ("10.0.0.100", "2001:db8::100")
ONE = dataclasses.replace(vhid(7, "wan", 100), addresses=BOTH)
OTHER = dataclasses.replace(ONE, password="another")
OTHER_MAC = b"\2\0\0\0\0\2"
SENDERS = ("10.0.0.9", "10.0.0.8", "fe80::9", wire.link_local(OTHER_MAC))


def packet(sender: str, counter: int, base: int = 1, skew: int = 0, by: Vhid = ONE) -> bytes:
    digest = wire.Seal(by.password, by.vhid, by.addresses).digest(counter)
    return wire.advert_head(sender, bytes(6))[14:] + wire.encode(by.vhid, base, skew, counter, digest)


def mended(packet: bytes) -> bytes:
    message = packet[-36:-30] + b"\0\0" + packet[-28:]
    return packet[:-30] + wire.checksum(message).to_bytes(2, "big") + packet[-28:]


def flipped(packet: bytes, place: int) -> bytes:
    changed = bytearray(packet)
    changed[place] ^= 1
    return bytes(changed)


def backup(*vhids: Vhid) -> Node:
    made = Node(Settings(vhids or (ONE,)), NOW, 77)
    made.handle(Started(), NOW)
    made.handle(LinkChanged("wan", True, b"\2\0\0\0\0\1"), NOW)
    return made


def wait(one: Node, until: float) -> None:
    while one.deadline() < until:
        assert one.handle(TimePassed(), one.deadline()) == []


def looks_closely(one: Node) -> bool:
    return not one._hearing._known


def test_the_second_of_a_kind_is_known_and_keeps_a_backup_waiting() -> None:
    one = backup()
    for n in range(1, 20):
        wait(one, NOW + n)
        assert one.handle(Heard("wan", (packet("10.0.0.9", n), packet("fe80::9", n))), NOW + n) == []
        assert not looks_closely(one)
        assert one.machines["wan", 7].deadline() == NOW + n + 3 + 100 / 256
    assert one.ledger.counters == {"adverts accepted": 38}


@pytest.mark.parametrize("sender", ["10.0.0.9", "fe80::9"])
@pytest.mark.parametrize(
    ("place", "mend", "cause"),
    [
        (-1, True, Fault.DIGEST),
        (-21, True, Fault.DIGEST),  # the counter
        (-1, False, Fault.CHECKSUM),
        (-29, False, Fault.CHECKSUM),
        (-35, True, Fault.UNKNOWN_VHID),
        (-36, True, Fault.VERSION),
    ],
)
def test_what_was_changed_is_refused_as_ever(sender: str, place: int, mend: bool, cause: Fault) -> None:
    one = backup()
    good = packet(sender, 5)
    for n in range(3):
        one.handle(Heard("wan", (good,)), NOW + n * 0.1)
    assert not looks_closely(one)
    due = one.machines["wan", 7].deadline()
    changed = flipped(good, place)
    assert one.handle(Heard("wan", (mended(changed) if mend else changed,)), NOW + 1) == []
    assert one.ledger.counters == {"adverts accepted": 3, str(cause): 1}
    assert one.machines["wan", 7].deadline() == due


def test_a_replay_of_the_known_peer_in_a_burst_counts_once() -> None:
    world, one, two = armed()
    recorded = adverts(one)
    world.run(1.1)
    fresh = adverts(one)[len(recorded) :]
    assert fresh and not looks_closely(two.node)
    before = two.node.ledger.counters.copy()
    two.tell(Heard("wan", [*recorded, *fresh]))
    assert two.node.ledger.counters - before == {Fault.REPLAYED: len(recorded) + len(fresh)}
    counter = int.from_bytes(fresh[-1][28:36], "big") + 1
    config = two.node.machines["wan", 1].config
    digest = wire.Seal(config.password, 1, config.addresses).digest(counter)
    again = mended(fresh[-1][:28] + counter.to_bytes(8, "big") + digest)
    two.tell(Heard("wan", [again, again]))
    assert two.node.ledger.counters - before == {Fault.REPLAYED: len(recorded) + len(fresh) + 1, "adverts accepted": 1}


def test_a_sender_whose_packets_never_begin_alike_fills_no_memory() -> None:
    one = backup()
    for n in range(5000):
        numbered = packet("10.0.0.9", n)
        one.handle(Heard("wan", (numbered[:4] + n.to_bytes(2, "big") + numbered[6:],)), NOW + 1)
    assert one.ledger.counters == {"adverts accepted": 5000}
    assert len(one._hearing._known) <= 2048


def test_what_follows_the_advert_is_looked_past_each_time() -> None:
    one = backup()
    for n in range(3):
        assert one.handle(Heard("wan", (packet("10.0.0.9", n) + bytes(4),)), NOW + n) == []
    assert looks_closely(one) and one.ledger.counters == {"adverts accepted": 3}


def test_a_port_whose_address_becomes_the_senders_hears_itself() -> None:
    one = backup()
    sender = wire.link_local(OTHER_MAC)
    for n in range(3):
        one.handle(Heard("wan", (packet(sender, n),)), NOW + 1)
    one.handle(LinkChanged("wan", True, OTHER_MAC), NOW + 1)
    one.handle(Heard("wan", (packet(sender, 4),)), NOW + 1)
    assert any("another node sends from this node's own" in text for text in one.problems(NOW + 1))


def test_who_yielded_to_an_equal_and_waits_longer_does_so_for_one_interval_only() -> None:
    one = backup(vhid(7, "wan", 100))
    machine = one.machines["wan", 7]
    while machine.state is not State.MASTER:
        one.handle(TimePassed(), now := one.deadline())
    single = dataclasses.replace(ONE, addresses=ONE.addresses[:1])
    one.handle(Heard("wan", (packet("10.0.0.9", 1, skew=100, by=single),)), now)
    assert machine.state is State.BACKUP
    while machine.holds:
        one.handle(TimePassed(), one.deadline())
    longer = machine.deadline() - now
    assert longer > machine.master_down
    for number, (at, patience) in enumerate(((0.25, longer), (machine.interval, machine.master_down)), 1):
        for _ in range(2):
            one.handle(Heard("wan", (packet("10.0.0.9", number, skew=100, by=single),)), now + at)
        assert machine.deadline() == pytest.approx(now + at + patience)


class _Forgetful(dict):
    def __setitem__(self, key: object, value: object) -> None:
        """Nothing is ever known."""


HEARD = st.tuples(
    st.just("hear"),
    st.lists(
        st.tuples(
            st.sampled_from(SENDERS),
            st.integers(0, 3),  # counter
            st.sampled_from([(1, 0), (1, 0), (1, 0), (1, 100), (1, 200), (3, 0), (255, 255)]),
            st.sampled_from([ONE, ONE, ONE, OTHER]),
            st.sampled_from([None, None, None, None, 8, -1, -21, -29, -30, -35]),
            st.booleans(),
        ),
        min_size=1,
        max_size=6,
    ),
)
STEPS = st.one_of(
    HEARD,
    HEARD,
    HEARD,
    st.tuples(st.just("rest"), st.sampled_from([0.05, 0.9, 1.0, 3.0])),
    st.tuples(
        st.just("tell"),
        st.sampled_from(
            [
                Demoted("why", 150), Promoted("why"), LinkChanged("wan", False), LinkChanged("wan", True),
                LinkChanged("wan", True, OTHER_MAC), Forced("wan", 7, State.MASTER), Forced("wan", 7, State.BACKUP),
                SettingsChanged(Settings((OTHER,))), SettingsChanged(Settings((ONE,))), SettingsChanged(Settings()),
                SettingsChanged(Settings((dataclasses.replace(ONE, advskew=150),), preempt=False)),
                SettingsChanged(Settings((dataclasses.replace(ONE, source="10.0.0.9"),))),
                SettingsChanged(Settings((dataclasses.replace(ONE, peer="10.0.0.9"),))),
            ]
        ),
    ),
)  # fmt: skip


def seen(one: Node) -> object:
    machines = {key: (m.state, m.deadline(), m.master, m.holds, m.reason) for key, m in one.machines.items()}
    return machines, one.ledger.counters, one.problems(NOW), one.reasons()


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=25))
def test_brief_looks_come_to_the_same_as_close_ones(steps: list) -> None:
    brief, close = backup(), backup()
    close._hearing._known = _Forgetful()
    now = NOW
    for what, how in steps:
        if what == "rest":
            until = now + how
            while (due := min(brief.deadline(), close.deadline())) <= until:
                now = due
                assert brief.handle(TimePassed(), now) == close.handle(TimePassed(), now)
            now = until
            continue
        events = [how]
        if what == "hear":
            packets = []
            for sender, counter, (base, skew), by, place, mend in how:
                whole = packet(sender, counter, base, skew, by)
                changed = whole if place is None else flipped(whole, place)
                packets.append(mended(changed) if mend else changed)
            events = [Heard("wan", packets)]
        for event in events:
            assert brief.handle(event, now) == close.handle(event, now)
        assert seen(brief) == seen(close)
