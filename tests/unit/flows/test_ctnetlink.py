import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.flows import ctnetlink, injection
from gemel.flows.attributes import Malformed, attribute, nest, table
from gemel.flows.ctnetlink import endpoints, key_of, merge
from gemel.flows.fields import LEASE
from gemel.flows.injection import inject
from gemel.flows.quick import quick
from tests.unit.flows.kernel import TCP, UDP, State, Tuple, flow, ip, listing, message

V6 = bytes.fromhex("20010db8000000000000000000000001"), bytes.fromhex("20010db8000000000000000000000002")

STATES = st.builds(
    lambda number, proto, snat, dnat, status, timeout, tcp, mark: _state(number, proto, snat, dnat, status, timeout,
                                                                       tcp, mark),
    st.integers(0, 999), st.sampled_from([TCP, UDP]), st.booleans(), st.booleans(), st.integers(0, 0xFFFF),
    st.integers(0, 2**32 - 1), st.integers(0, 9), st.sampled_from([0, 7]))


def _state(number, proto, snat, dnat, status, timeout, tcp, mark):
    orig = Tuple(ip("192.168.1.9"), ip("203.0.113.5"), 1024 + number, 443, proto)
    reply = orig.inverse()
    if snat:
        reply = Tuple(reply.src, ip("198.51.100.200"), reply.sport, 61000, proto)
    if dnat:
        reply = Tuple(ip("10.1.2.3"), reply.dst, 8443, reply.dport, proto)
    return State(orig, reply, status, timeout, tcp if proto == TCP else None, mark=mark)


@given(STATES, st.booleans(), st.booleans(), st.integers(0, 5000))
def test_quick_requests_say_what_thorough_ones_say(state, dumped, create, index):
    m = listing(state) if dumped else message(state)
    said = quick(m, index, create)
    thorough = injection.create(m, index) if create else injection.update(m, index)
    assert said is not None
    assert said[:20] == thorough[:20]
    assert table(said, 20, len(said)) == table(thorough, 20, len(thorough))


def test_translated_state_travels_as_plain_inverse_with_exact_nat():
    state = flow(5)
    made = inject(message(state))
    found = table(made.body, 4, len(made.body))
    assert Tuple.decode(found[2]) == state.orig.inverse()
    nat = table(table(made.once, 0, len(made.once))[6], 0, 40 - 4)
    assert nat[1] == nat[2] == ip("198.51.100.200")


@pytest.mark.parametrize(("said", "injected"), [(5, LEASE), (LEASE + 1, LEASE + 1), (2**32 - 1, 30 * 86400)])
def test_copies_live_at_least_a_lease(said, injected):
    for proto in (TCP, UDP):
        state = flow(1, proto)
        body = inject(message(State(state.orig, state.reply, 8, said, 3 if proto == TCP else None))).body
        assert struct.unpack("!I", table(body, 4, len(body))[7])[0] == injected


@pytest.mark.parametrize("status", [0x198, 0x1, 0x200, 0x4000, 0xFFFF, 0])
def test_status_bits_of_this_kernel_only_stay_at_home(status):
    body = inject(message(State(flow(1).orig, flow(1).reply, status))).body
    kept = struct.unpack("!I", table(body, 4, len(body))[3])[0]
    assert kept == status & 0x406 | 0x8


def test_ipv6_state_with_destination_nat():
    orig = Tuple(*V6, 4000, 443)
    reply = Tuple(bytes(15) + b"\x09", V6[0], 8443, 4000)
    m = message(State(orig, reply, 0x1AE, tcp=3))
    made = inject(m)
    assert endpoints(m) == (V6[0], bytes(15) + b"\x09")
    assert Tuple.decode(table(made.body, 4, len(made.body))[2]) == orig.inverse()
    nat = table(table(made.once, 0, len(made.once))[13], 0, len(made.once) - 4)
    assert nat[4] == nat[5] == bytes(15) + b"\x09"


def echo(identifier: int, translated: int) -> bytes:
    def one(kind, src, dst, number, icmp):
        return nest(kind, nest(1, attribute(1, ip(src)), attribute(2, ip(dst))),
                    nest(2, attribute(1, b"\1"), attribute(4, struct.pack("!H", number)), attribute(5, bytes((icmp,))),
                         attribute(6, b"\0")))
    body = (b"\2\0\0\0" + one(1, "192.168.1.5", "198.51.100.1", identifier, 8)
            + one(2, "198.51.100.1", "198.51.100.200", translated, 0) + attribute(3, b"\0\0\1\x9a")
            + attribute(7, b"\0\0\0\x1e"))
    return struct.pack("=IHHII", len(body) + 16, 0x100, 0x600, 0, 0) + body


def test_echo_is_answered_by_an_echo_reply_with_its_own_identifier():
    made = inject(echo(77, 12345))
    reply = table(table(made.body, 4, len(made.body))[2], 0, 56)
    proto = table(reply[2], 0, len(reply[2]))
    assert (proto[4], proto[5]) == (struct.pack("!H", 77), b"\0")
    nat = table(table(made.once, 0, len(made.once))[6], 0, 36)
    assert table(nat[3], 0, 16)[1] == struct.pack("!H", 12345)


def test_zone_is_part_of_the_key_and_of_both_requests():
    plain = message(flow(1))
    zoned_body = plain[16:124] + attribute(18, b"\0\3") + plain[124:]
    zoned = struct.pack("=IHHII", len(zoned_body) + 16, 0x100, 0, 0, 0) + zoned_body
    assert key_of(zoned) == key_of(plain) + attribute(18, b"\0\3")
    assert table(inject(zoned).body, 4, len(inject(zoned).body))[18] == b"\0\3"
    assert table(ctnetlink.delete(key_of(zoned)), 20, 20 + 60)[18] == b"\0\3"


def test_helper_and_master_are_told_once_and_can_be_left_out():
    extra = nest(5, attribute(1, b"ftp\0")) + flow(2).orig.encode(14)
    m = message(flow(1))
    m = struct.pack("=IHHII", len(m) + len(extra), 0x100, 0x600, 0, 0) + m[16:] + extra
    made = inject(m)
    once = table(made.once, 0, len(made.once))
    assert table(once[5], 0, len(once[5]))[1] == b"ftp\0"
    assert Tuple.decode(once[14]) == flow(2).orig
    assert set(table(injection.bare(made.once), 0, len(injection.bare(made.once)))) == {6}
    assert not {5, 14} & set(table(made.body, 4, len(made.body)))


def test_event_that_does_not_tell_the_tcp_state_leaves_it_alone():
    state = State(flow(1).orig, flow(1).reply, 0xE, tcp=3, mark=9)
    made = inject(message(state, info=False))
    assert 4 not in table(made.body, 4, len(made.body))
    assert 4 in table(made.once, 0, len(made.once))  # but one that we have to create is established


def test_merge_keeps_what_the_later_event_does_not_tell():
    first = State(flow(1).orig, flow(1).reply, 0x8, tcp=2)
    later = State(flow(1).orig, flow(1).reply, 0xE, timeout=500, tcp=3, mark=9)
    both = merge(message(first, flags=0x600), message(later, info=False))
    found = table(both, 20, len(both))
    assert both[6:8] == message(first, flags=0x600)[6:8]
    assert found[4] == table(message(first), 20, len(message(first)))[4]
    assert found[8] == b"\0\0\0\x09" and found[3] == b"\0\0\0\x0e" and len(both) == struct.unpack_from("=I", both)[0]


@given(st.binary(max_size=400))
def test_garbage_is_malformed_and_nothing_else(data):
    for reading in (key_of, inject, lambda d: merge(d, message(flow(1))), lambda d: quick(d, 0, True)):
        with contextlib.suppress(Malformed):
            reading(data)


@given(STATES, st.data())
def test_bent_messages_are_malformed_or_injected(state, data):
    m = bytearray(listing(state) if data.draw(st.booleans()) else message(state))
    for _ in range(data.draw(st.integers(1, 4))):
        m[data.draw(st.integers(16, len(m) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(m[:data.draw(st.integers(0, len(m)))]) if data.draw(st.booleans()) else bytes(m)
    for reading in (key_of, inject, lambda d: quick(d, 0, True), ctnetlink.reply_of, lambda d: merge(d, d),
                    ctnetlink.delete_reply):
        with contextlib.suppress(Malformed):
            reading(cut)
