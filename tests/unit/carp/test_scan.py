"""CARP and VRRP told apart by their bytes."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.carp import wire
from gemel.carp.scan import Sighting, free, is_sealed, sighting


def ip(message: bytes, source="192.0.2.7", protocol=112) -> bytes:
    head = wire.advert_head(source, bytes(6))[14:]
    if ":" in source:
        return head[:4] + struct.pack("!H", len(message)) + bytes((protocol,)) + head[7:] + message
    return head[:2] + struct.pack("!H", 20 + len(message)) + head[4:9] + bytes((protocol,)) + head[10:] + message


@pytest.mark.parametrize(
    ("message", "vhid", "kind", "says"),
    [
        (wire.encode(7, 1, 100, 5, bytes(20)), 7, "CARP", "base 1, skew 100"),
        # VRRPv2 with five addresses has 36 bytes, too.
        (bytes((0x21, 51, 200, 5, 0, 1, 0, 0)) + bytes(28), 51, "VRRPv2", "priority 200, every 1 s"),
        (bytes((0x21, 51, 200, 1, 0, 3, 0, 0)) + bytes(12), 51, "VRRPv2", "priority 200, every 3 s"),
        # With seven its fourth byte is CARP's.
        (bytes((0x21, 51, 200, 7, 0, 3, 0, 0)) + bytes(36), 51, "VRRPv2", "priority 200, every 3 s"),
        (bytes((0x31, 9, 254, 1, 0, 10, 0, 0)) + bytes(4), 9, "VRRPv3", "priority 254, every 0.1 s"),
    ],
)
def test_each_kind(message, vhid, kind, says):
    assert sighting(ip(message)) == Sighting(vhid, kind, "192.0.2.7", says)


def test_over_ipv6_there_are_carp_and_vrrpv3_and_only_carp_shares_a_mac():
    carp = sighting(ip(wire.encode(7, 1, 100, 5, bytes(20)), "fe80::7"))
    vrrp = sighting(ip(bytes((0x31, 9, 254, 1, 0, 10, 0, 0)) + bytes(16), "fe80::7"))
    assert (carp, vrrp) == (
        Sighting(7, "CARP", "fe80::7", "base 1, skew 100"),
        Sighting(9, "VRRPv3", "fe80::7", "priority 254, every 0.1 s"),
    )
    assert (carp.shares_mac, vrrp.shares_mac) == (True, False)
    assert Sighting(9, "VRRPv3", "192.0.2.7", "").shares_mac


def test_who_has_the_password_and_the_addresses_is_told_apart():
    seal = wire.Seal("secret", 7, ["10.0.0.1"])
    packet = ip(wire.encode(7, 1, 100, 5, seal.digest(5)))
    assert is_sealed(packet, [wire.Seal("other", 7, ["10.0.0.1"]), seal])
    assert not is_sealed(packet, [wire.Seal("secret", 7, ["10.0.0.2"])])
    assert not is_sealed(b"", [seal])


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        ip(bytes(7)),
        ip(bytes(36)),
        ip(bytes((0x21, 51, 200, 5, 0, 1, 0, 0)) + bytes(27)),
        ip(bytes((0x31, 9, 254, 1, 0, 10, 0, 0)), protocol=17),
    ],
)
def test_what_is_neither(packet):
    assert sighting(packet) is None


@given(st.binary(max_size=100))
def test_noise_raises_nothing(noise):
    sighting(noise)


def test_free_ones():
    assert free({1, 2, 4}) == [3, 5, 6, 7, 8]
    assert free(range(1, 256)) == []
    assert free(set(), 255)[-1] == 255
