"""The BPF program, run by a small interpreter, decides like the dict."""

import struct
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gemel.flows.attributes import walk
from gemel.flows.ctnetlink import endpoints
from gemel.flows.local import Local
from gemel.flows.settings import Settings
from tests.unit.flows.kernel import State, Tuple, flow, ip, message

IGNORED = ["172.16.1.0/24", "192.168.1.1/32", "2001:db8::/32"]


def attribute_at(packet: bytes, start: int, wanted: int) -> int:
    return next((at for kind, at, _ in walk(packet, start, len(packet)) if kind == wanted), 0)


LOADS = {
    0x00: lambda packet, a, x, k: k,
    0x07: lambda packet, a, x, k: a,
    0x20: lambda packet, a, x, k: struct.unpack_from("!I", packet, k)[0] if k < 1 << 31 else attribute_at(packet, a, x),
    0x28: lambda packet, a, x, k: struct.unpack_from("!H", packet, k)[0],
    0x30: lambda packet, a, x, k: packet[k],
    0x50: lambda packet, a, x, k: packet[x + k],
    0x54: lambda packet, a, x, k: a & k,
}


def run(program: list[tuple[int, int, int, int]], packet: bytes) -> bool:
    a = x = at = 0
    while True:
        code, yes, no, k = program[at]
        at += 1
        if code in LOADS:
            a = LOADS[code](packet, a, x, k)
            x = a if code == 0x07 else x
        elif code == 0x01:
            x = k
        elif code == 0x05:
            at += k
        elif code in (0x15, 0x45):
            at += yes if (a == k if code == 0x15 else a & k) else no
        else:
            assert code == 0x06
            return bool(k)


ADDRESSES = st.sampled_from(["172.16.1.2", "192.168.1.1", "192.168.1.50", "224.0.0.18", "127.0.0.1", "8.8.8.8"]).map(ip)


@given(ADDRESSES, ADDRESSES, ADDRESSES, ADDRESSES)
def test_kernel_and_user_space_agree(src, dst, real, nat):
    local = Local(IGNORED)
    orig = Tuple(src, dst, 1, 2)
    m = message(State(orig, replace(orig.inverse(), src=real, dst=nat)))
    source, destination = endpoints(m)
    assert run(local.program(4711), m) == (not (local[source] or local[destination]))


def test_own_injections_are_dropped_in_the_kernel():
    program = Local([]).program(4711)
    assert not run(program, message(flow(1), port=4711))
    assert run(program, message(flow(1), port=4712)) and run(program, message(flow(1)))


def test_states_that_a_rule_keeps_here_are_dropped_in_the_kernel():
    program = Local([]).program(4711)
    v6 = Tuple(bytes(15) + b"\1", bytes(15) + b"\2", 5, 6)
    for state in (flow(1), State(v6, v6.inverse())):
        assert run(program, message(replace(state, mark=7)))
        for info in (True, False):
            assert not run(program, message(replace(state, mark=0x80000007), info=info))


def test_expectations_are_not_taken_for_states():
    expectation = bytearray(message(flow(1, port=5000)))
    expectation[5] = 2
    expectation[84:88] = b"\xff\xff\xff\xff"  # a mask where states have the real destination
    assert run(Local([]).program(4711), bytes(expectation))


def test_ipv6_is_left_to_user_space():
    local = Local(IGNORED)
    inside = bytes.fromhex("20010db8") + bytes(12)
    orig = Tuple(inside, bytes(15) + b"\x05", 1, 2)
    assert run(local.program(1), message(State(orig, orig.inverse())))
    assert local[inside] and local[bytes(15) + b"\x01"] and not local[bytes.fromhex("2a00") + bytes(14)]


def test_settings_say_what_is_wrong_with_them():
    assert Settings().faults() == ()
    assert Settings(True, "172.16.1.2", "fd00::3", "a1b2c3d4", ignore=("10.0.0.1/8",)).faults() == ()
    bad = Settings(True, "here", "there", "0", 70000, ("10.0.0.0/33",)).faults()
    assert [text.split(":")[0] for text in bad] == ["host_id", "listen", "peer", "ignore", "port"]
    assert Settings(host_id="123456789").faults() and Settings(host_id="A").faults()
