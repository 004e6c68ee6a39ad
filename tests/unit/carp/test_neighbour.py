"""ARP and neighbour discovery as frames, checked against scapy, which knows the RFCs by itself."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether

from gemel.carp.neighbour import Asked, announcement, answer, question, request, spoken

VMAC, HOST = bytes.fromhex("00005e000107"), bytes.fromhex("020000000050")
VIP6, CLIENT6 = "2001:db8::1", "2001:db8::50"


def packed(text: str) -> bytes:
    return ip_address(text).packed


def solicitation(target=VIP6, source=CLIENT6, option=True, **fields) -> bytes:
    layers = Ether(src="02:00:00:00:00:50", dst="33:33:ff:00:00:01")
    layers /= IPv6(src=source, dst="ff02::1:ff00:1", hlim=fields.pop("hlim", 255))
    layers /= ICMPv6ND_NS(tgt=target, **fields)
    return bytes(layers / ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:51")) if option else bytes(layers)


def has_good_checksum(frame: Ether) -> bool:
    said = frame[IPv6].payload.cksum
    again = Ether(bytes(frame))
    del again[IPv6].payload.cksum
    return Ether(bytes(again))[IPv6].payload.cksum == said


def test_a_gratuitous_arp_comes_from_the_virtual_mac():
    assert announcement("192.168.1.1", bytes.fromhex("00005e000101")).hex() == (
        "ffffffffffff" "00005e000101" "0806" "0001080006040001" "00005e000101" "c0a80101" "ffffffffffff" "c0a80101"
    )


def test_an_unsolicited_advertisement_comes_from_the_virtual_mac():
    frame = Ether(announcement(VIP6, VMAC))
    assert (frame.src, frame.dst) == ("00:00:5e:00:01:07", "33:33:00:00:00:01")
    assert (frame[IPv6].src, frame[IPv6].dst, frame[IPv6].hlim) == (VIP6, "ff02::1", 255)
    said = frame[ICMPv6ND_NA]
    assert (said.R, said.S, said.O, said.tgt) == (1, 0, 1, VIP6)
    assert frame[ICMPv6NDOptDstLLAddr].lladdr == "00:00:5e:00:01:07"
    assert has_good_checksum(frame)


def test_a_solicitation_is_answered_from_the_virtual_mac():
    asked = question(solicitation())
    assert asked == Asked(packed(VIP6), packed(CLIENT6), bytes.fromhex("020000000051"))
    frame = Ether(answer(asked, VMAC))
    assert (frame.src, frame.dst) == ("00:00:5e:00:01:07", "02:00:00:00:00:51")
    assert (frame[IPv6].src, frame[IPv6].dst, frame[IPv6].hlim) == (VIP6, CLIENT6, 255)
    said = frame[ICMPv6ND_NA]
    assert (said.R, said.S, said.O, said.tgt) == (1, 1, 1, VIP6)
    assert frame[ICMPv6NDOptDstLLAddr].lladdr == "00:00:5e:00:01:07"
    assert has_good_checksum(frame)


def test_one_who_tests_whether_the_address_is_free_is_told_with_everybody():
    frame = Ether(answer(question(solicitation(source="::", option=False)), VMAC))
    assert (frame.dst, frame[IPv6].dst) == ("33:33:00:00:00:01", "ff02::1")
    assert (frame[ICMPv6ND_NA].S, frame[ICMPv6ND_NA].O) == (0, 1)


def test_without_the_option_the_answer_goes_where_the_question_came_from():
    assert question(solicitation(option=False)).mac == HOST


@pytest.mark.parametrize(
    "frame",
    [
        solicitation(hlim=254),
        solicitation(code=1),
        solicitation(cksum=1),
        solicitation()[:-9],
        bytes(Ether() / IPv6(dst="ff02::1") / ICMPv6ND_NA(tgt=VIP6)),
        bytes(Ether() / ARP(op=2, psrc="10.0.0.1", pdst="10.0.0.2")),
        bytes(Ether() / ARP(op=1, psrc="10.0.0.1", pdst="10.0.0.1")),
        b"",
    ],
    ids=["hops", "code", "checksum", "cut", "advertisement", "reply", "gratuitous", "empty"],
)
def test_what_is_no_question_gets_no_answer(frame):
    assert question(frame) is None


def test_an_arp_request_is_answered():
    host = "02:00:00:00:00:50"
    frame = bytes(Ether(src=host) / ARP(op=1, hwsrc=host, psrc="10.0.0.5", pdst="10.0.0.9"))
    reply = Ether(answer(question(frame), VMAC))
    assert (reply.src, reply.dst, reply[ARP].op, reply[ARP].hwsrc) == ("00:00:5e:00:01:07", host, 2, reply.src)
    assert (reply[ARP].psrc, reply[ARP].pdst) == ("10.0.0.9", "10.0.0.5")


@pytest.mark.parametrize(("own", "other"), [("10.0.0.1", "10.0.0.9"), ("2001:db8::2", "2001:db8::9")])
def test_a_request_is_understood_and_its_answer_read(own, other):
    frame = request(packed(other), packed(own), HOST, None)
    asked = question(frame)
    assert asked == Asked(packed(other), packed(own), HOST)
    assert spoken(frame) == (packed(own), HOST, packed(other), False)
    assert spoken(answer(asked, VMAC)) == (packed(other), VMAC, packed(own), True)
    assert spoken(announcement(other, VMAC)).answers is False
    assert question(request(packed(other), packed(own), HOST, VMAC)) == asked  # also when only one is asked


def test_a_solicitation_goes_to_the_solicited_nodes_group():
    frame = Ether(request(packed("2001:db8::12:3456"), packed(CLIENT6), HOST, None))
    assert (frame.dst, frame[IPv6].dst) == ("33:33:ff:12:34:56", "ff02::1:ff12:3456")
    assert frame[ICMPv6ND_NS].tgt == "2001:db8::12:3456"
    assert has_good_checksum(frame)


@given(st.binary(max_size=120), st.integers(0, 119), st.integers(0, 255))
def test_any_bytes_are_read_without_an_error(noise, at, value):
    broken = bytearray(solicitation())
    if at < len(broken):
        broken[at] = value
    for frame in (noise, bytes(broken), noise[:12] + b"\x86\xdd" + noise, noise[:12] + b"\x08\x06" + noise):
        question(frame)
        spoken(frame)
