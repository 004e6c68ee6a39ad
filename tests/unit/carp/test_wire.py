"""Adverts as bytes: golden vectors that ucarp was seen to accept, and every reason to refuse one."""

import hmac
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.carp.wire import (
    LENGTH,
    Advert,
    Fault,
    Seal,
    advert_head,
    checksum,
    decode,
    encode,
    link_local,
    read_packet,
    sealed,
    virtual_mac,
)

COUNTER = 0x0102030405060708
GOLDEN = [
    (7, 10, "secret", ["10.9.0.100"],
     "21070a0700016ef20102030405060708482bda747e9de8a0198d9970779792c98a11849b"),
    (200, 0, "hunter2", ["198.51.100.200", "198.51.100.201"],
     "21c800070001897301020304050607088a7b84e576b07f7824564dc5ef5c5f2c8e20f058"),
    (1, 100, "foobar", ["192.0.2.254", "2001:db8::1"],
     "21016407000128830102030405060708c5f71f8d58a151ddaecf7d2a4fb119aff43e28c2"),
    (1, 100, "foobar", ["2001:db8::1", "fe80::1:1"],
     "21016407000105d40102030405060708816f426c6096da66388c2e6930156ef176cde96b"),
]  # fmt: skip


@pytest.mark.parametrize(("vhid", "skew", "password", "addresses", "wanted"), GOLDEN)
def test_golden_vectors(vhid, skew, password, addresses, wanted):
    seal = Seal(password, vhid, addresses)
    message = encode(vhid, 1, skew, COUNTER, seal.digest(COUNTER))
    assert message.hex() == wanted
    advert = decode(message)
    assert advert == Advert(vhid, 1, skew, COUNTER, message[16:])
    assert seal.fits(advert)


def test_order_and_doubles_of_addresses_do_not_matter():
    one = Seal("x", 1, ["10.0.0.9", "10.0.0.10", "10.0.0.9"])
    other = Seal("x", 1, ["10.0.0.10", "10.0.0.9"])
    assert one.digest(5) == other.digest(5)
    # Ascending as numbers, not as text: 9 before 10.
    plain = bytes((2, 1, 1, 10, 0, 0, 9, 10, 0, 0, 10)) + (5).to_bytes(8, "big")
    assert one.digest(5) == hmac.digest(b"x", plain, "sha1")


def packet(message: bytes, ttl: int = 255) -> bytes:
    head = bytearray(advert_head("10.0.0.1", virtual_mac(1))[14:])
    head[8] = ttl
    return bytes(head) + message


def good() -> bytes:
    return encode(1, 1, 0, 7, Seal("secret", 1, ["10.0.0.100"]).digest(7))


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"\x45", Fault.TOO_SHORT),
        (packet(good()[:35]), Fault.TOO_SHORT),
        (packet(good(), ttl=254), Fault.TTL),
        (packet(b"\x31" + good()[1:]), Fault.VERSION),
        (packet(good()[:-1] + bytes((good()[-1] ^ 1,))), Fault.CHECKSUM),
    ],
)
def test_what_is_no_advert_is_named(raw, fault):
    assert read_packet(raw) is fault


def test_a_good_packet_tells_its_sender():
    received = read_packet(packet(good()))
    assert received.source == "10.0.0.1"
    assert received.advert.interval == 1.0


def test_bytes_after_the_advert_are_ignored():
    assert decode(good() + b"trailer") == decode(good())


@given(st.binary(max_size=120))
def test_any_bytes_are_answered(raw):
    assert isinstance(read_packet(raw), Fault)


@given(st.integers(1, 255), st.integers(0, 255), st.integers(0, 255), st.integers(0, 2**64 - 1))
def test_there_and_back(vhid, base, skew, counter):
    seal = Seal("pass", vhid, ["192.0.2.1"])
    advert = decode(encode(vhid, base, skew, counter, seal.digest(counter)))
    assert (advert.vhid, advert.advbase, advert.advskew, advert.counter) == (vhid, base, skew, counter)
    assert seal.fits(advert)
    assert not Seal("Pass", vhid, ["192.0.2.1"]).fits(advert)


def test_frame_is_what_bsd_sends():
    frame = advert_head("198.51.100.201", virtual_mac(200)) + good()
    assert len(frame) == 70
    assert frame[:14].hex() == "01005e00001200005e0001c80800"
    assert checksum(frame[14:34]) == 0
    assert frame[14:16] == b"\x45\x10"  # low delay
    assert int.from_bytes(frame[16:18], "big") == 20 + LENGTH
    assert frame[20:22] == b"\x40\x00"  # don't fragment
    assert (frame[22], frame[23]) == (255, 112)
    assert frame[26:34] == bytes((198, 51, 100, 201, 224, 0, 0, 18))


def test_an_ipv6_frame_is_what_bsd_sends():
    source = link_local(bytes.fromhex("02a1b2c3d4e5"))
    assert source == "fe80::a1:b2ff:fec3:d4e5"  # RFC 4291: the universal/local bit is turned over
    frame = advert_head(source, virtual_mac(7)) + good()
    assert len(frame) == 90
    assert frame[:14].hex() == "333300000012" "00005e000107" "86dd"
    assert frame[14:18].hex() == "61000000"  # version, traffic class low delay, no flow label
    assert (int.from_bytes(frame[18:20], "big"), frame[20], frame[21]) == (LENGTH, 112, 255)
    assert frame[38:54].hex() == "ff020000000000000000000000000012"
    received = read_packet(frame[14:])
    assert (received.source, received.family, received.advert.vhid) == (source, 6, 1)


def test_an_ipv6_packet_from_another_segment_is_refused():
    packet6 = bytearray(advert_head("fe80::1", virtual_mac(1))[14:] + good())
    packet6[7] = 254
    assert read_packet(bytes(packet6)) is Fault.TTL


def test_only_a_vhid_with_a_unicast_peer_is_heard_over_routers():
    assert read_packet(packet(good(), ttl=60), far={2}) is Fault.TTL
    assert read_packet(packet(good(), ttl=60), far={1}).source == "10.0.0.1"


def test_marks_tell_seals_apart_and_say_nothing_else():
    one = Seal("secret", 1, ["10.0.0.100", "2001:db8::1"])
    assert one.mark == Seal("secret", 1, ["2001:db8::1", "10.0.0.100"]).mark
    others = [Seal("secret2", 1, ["10.0.0.100", "2001:db8::1"]), Seal("secret", 2, ["10.0.0.100", "2001:db8::1"]),
              Seal("secret", 1, ["10.0.0.100"])]  # fmt: skip
    assert one.mark not in {other.mark for other in others}


@given(st.binary(max_size=64).filter(lambda data: len(data) % 2 == 0))
def test_the_checksum_is_that_of_rfc_1071(data):
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    assert checksum(data) == ~total & 0xFFFF


@given(st.text("abc§", min_size=1, max_size=9), st.integers(1, 255), st.integers(0, 2**64 - 1))
def test_the_digest_is_hmac_sha1(password, vhid, counter):
    covered = sealed(vhid, [IPv4Address("10.0.0.1").packed]) + counter.to_bytes(8, "big")
    assert Seal(password, vhid, ["10.0.0.1"]).digest(counter) == hmac.digest(password.encode(), covered, "sha1")
