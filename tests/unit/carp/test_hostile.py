"""Hostile and broken adverts: each field changed, cut short, padded, from afar, again, our own. Nothing moves, and each
is counted by its cause.

What is not authenticated (advskew, advbase, the sender's address) can be changed by whoever has captured an advert:
that is CARP's, and the same for every implementation. Here it is shown for both states what that can do at most.
"""

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gemel.carp import wire
from gemel.carp.events import Heard, LinkChanged, Report, Send, Started, State, TimePassed
from gemel.carp.node import Node
from gemel.carp.settings import Settings
from gemel.carp.wire import Fault

from .world import vhid

NOW = 1000.0
ONE = vhid(7, "wan", 100)
GOOD = wire.advert_head("10.0.0.9", wire.virtual_mac(7))[14:] + wire.encode(
    7, 1, 100, 5, wire.Seal(ONE.password, 7, ONE.addresses).digest(5)
)
ANYBODY = range(12, 20)  # the addresses in the IP header: nobody vouches for them
REFUSED = {*map(str, Fault)}


def node(state: State) -> Node:
    made = Node(Settings((ONE,)), NOW, 77)
    made.handle(Started(), NOW)
    made.handle(LinkChanged("wan", True, b"\2\0\0\0\0\1"), NOW)
    if state is State.MASTER:
        made.handle(TimePassed(), made.deadline())
    assert made.machines["wan", 7].state is state
    return made


def reaction(one: Node, packet: bytes, now: float) -> tuple[list, str]:
    """What a packet leads to, and the cause that was counted for it."""
    before = one.ledger.counters.copy()
    actions = one.handle(Heard("wan", (packet,)), now)
    return actions, ", ".join(str(cause) for cause in one.ledger.counters - before)


def is_mended(packet: bytes) -> bytes:
    """The same with a checksum that fits: whoever changes a field can do that."""
    message = packet[20:26] + b"\0\0" + packet[28:56]
    return packet[:26] + wire.checksum(message).to_bytes(2, "big") + packet[28:]


AUTHENTICATED = {"vhid": 21, "counter": 28, "its end": 35, "digest": 36, "its last byte": 55}


@pytest.mark.parametrize("state", [State.BACKUP, State.MASTER])
@pytest.mark.parametrize("place", AUTHENTICATED.values(), ids=AUTHENTICATED)
@pytest.mark.parametrize("bit", range(8))
def test_an_authenticated_field_that_was_changed_moves_nothing(state: State, place: int, bit: int) -> None:
    one = node(state)
    packet = bytearray(GOOD)
    packet[place] ^= 1 << bit
    deadline = one.deadline()
    actions, cause = reaction(one, is_mended(bytes(packet)), deadline - 0.5)
    assert actions == [] and cause in (Fault.DIGEST, Fault.UNKNOWN_VHID)
    assert one.deadline() == deadline


@pytest.mark.parametrize("state", [State.BACKUP, State.MASTER])
@pytest.mark.parametrize(
    ("packet", "cause"),
    [
        (GOOD[:8] + b"\xfe" + GOOD[9:], Fault.TTL),
        (GOOD[:55], Fault.TOO_SHORT),
        (GOOD[:20], Fault.TOO_SHORT),
        (GOOD[:3], Fault.TOO_SHORT),
        (b"", Fault.TOO_SHORT),
        (GOOD[:2] + b"\x00\x37" + GOOD[4:], Fault.TOO_SHORT),  # a header that says less than there is
        (b"\x4f" + GOOD[1:], Fault.TOO_SHORT),  # one that says it is longer itself
        (is_mended(GOOD[:20] + b"\x31" + GOOD[21:]), Fault.VERSION),
        (GOOD[:26] + b"\0\0" + GOOD[28:], Fault.CHECKSUM),
    ],
)
def test_what_is_broken_is_counted_by_cause(state: State, packet: bytes, cause: Fault) -> None:
    one = node(state)
    deadline = one.deadline()
    assert reaction(one, packet, deadline - 0.5) == ([], cause)
    assert one.deadline() == deadline


def test_padding_is_nothing() -> None:
    whole = GOOD + bytes(1500 - len(GOOD))
    padded = GOOD[:2] + (1500).to_bytes(2, "big") + GOOD[4:] + random.Random(1).randbytes(1500 - len(GOOD))
    for packet in (whole, padded):
        one = node(State.BACKUP)
        assert reaction(one, packet, NOW + 1) == ([], "adverts accepted")
        assert one.machines["wan", 7].state is State.BACKUP


def test_a_replayed_advert_keeps_a_backup_waiting_and_moves_no_master() -> None:
    """Nobody's counters are sure to grow (reference 1.5), so an advert that is sent again counts. It says what its
    sender said: that it is master."""
    backup, master = node(State.BACKUP), node(State.MASTER)
    worse = wire.advert_head("10.0.0.9", bytes(6))[14:] + wire.encode(7, 1, 101, 5, GOOD[36:56])
    for n in range(50):
        now = master.deadline() + n * 0.001
        assert not [a for a in backup.handle(Heard("wan", (GOOD,)), NOW + n * 0.01) if isinstance(a, Report)]
        assert not [a for a in master.handle(Heard("wan", (worse,)), now) if isinstance(a, Report)]
    assert backup.machines["wan", 7].state is State.BACKUP
    assert master.machines["wan", 7].state is State.MASTER


def test_own_adverts_that_come_back_ever_again_move_nothing() -> None:
    one = node(State.MASTER)
    for _ in range(100):
        actions = one.handle(TimePassed(), now := one.deadline())
        own = [a.frame[14:] for a in actions if isinstance(a, Send) and a.frame[12:14] == b"\x08\x00"]
        for packet in own * 3:
            assert reaction(one, packet, now) == ([], Fault.REFLECTED)
    assert one.machines["wan", 7].state is State.MASTER


def test_a_flood_of_worse_adverts_is_answered_once_in_an_interval() -> None:
    one = node(State.MASTER)
    worse = wire.advert_head("10.0.0.9", bytes(6))[14:] + wire.encode(7, 1, 200, 5, GOOD[36:56])
    now = one.deadline()
    one.handle(TimePassed(), now)
    frames = sum(len(one.handle(Heard("wan", (worse,)), now + n / 20_000)) for n in range(20_000))
    assert frames <= 2 * 2  # an advert and an announcement, at most twice in that second


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([State.BACKUP, State.MASTER]),
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, len(GOOD) + 40),
    st.booleans(),
)
@example(State.MASTER, [(22, 0)], 56, True)
def test_whatever_is_changed_no_one_moves_unless_the_digest_fits(state, changes, length, mend) -> None:
    packet = bytearray(GOOD)
    for place, value in changes:
        packet[place] = value
    packet = (bytes(packet) + bytes(40))[:length]
    if mend and length >= 56:
        packet = is_mended(packet)
    one = node(state)
    deadline = one.deadline()
    actions, cause = reaction(one, packet, deadline - 0.5)
    if cause != "adverts accepted":
        assert actions == [] and cause in REFUSED and one.deadline() == deadline
        return
    # Accepted: then all that the digest covers is as it was, and only what nobody vouches for was changed.
    start = (packet[0] & 15) * 4
    assert packet[start + 1] == 7 and packet[start + 8 : start + 36] == GOOD[28:56]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_noise_moves_nothing(noise: bytes) -> None:
    for state in (State.BACKUP, State.MASTER):
        one = node(state)
        actions, cause = reaction(one, noise, one.deadline() - 0.5)
        assert actions == [] and cause in REFUSED
