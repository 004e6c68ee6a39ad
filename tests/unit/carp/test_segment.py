"""What ARP tells: who answers, who is only heard, and who cannot be believed."""

from ipaddress import IPv4Address, ip_address

import pytest

from gemel.carp.neighbour import answer, question
from gemel.carp.segment import MOST_NEIGHBOURS, MOST_WITNESSES, Segment

from .world import ARP

OWN, PEER, GATEWAY, HOST = "10.0.0.1", "10.0.0.2", "10.0.0.254", "10.0.0.50"
MAC, PEER_MAC, HOST_MAC = (bytes((2, 0, 0, 0, 0, n)) for n in (1, 2, 50))
NOW = 100.0


def segment() -> Segment:
    one = Segment("wan", "wan", OWN, (GATEWAY,))
    one.link(True, MAC)
    one.meet(PEER, PEER_MAC)
    return one


def packed(address: str) -> bytes:
    return IPv4Address(address).packed


def arp(operation, mac, address, target, target_mac=MAC, outer=None) -> bytes:
    body = ARP.pack(1, 0x800, 6, 4, operation, mac, packed(address), target_mac, packed(target))
    return target_mac + (outer or mac) + b"\x08\x06" + body


def asked(one: Segment, now=NOW) -> set[str]:
    return {str(IPv4Address(send.frame[38:42])) for send in one.probes(now)}


def test_the_peer_the_gateway_and_who_was_heard_are_asked():
    one = segment()
    assert asked(one) == {PEER, GATEWAY}
    one.hear(arp(1, HOST_MAC, HOST, "10.0.0.9"), NOW)
    assert asked(one) == {PEER, GATEWAY, HOST}


def test_an_answer_counts_if_it_was_asked_for():
    one = segment()
    one.hear(arp(2, PEER_MAC, PEER, OWN), NOW)
    assert not one.expects_answer(NOW)
    one.probes(NOW)
    one.hear(arp(2, PEER_MAC, PEER, OWN), NOW + 0.002)
    assert one.expects_answer(NOW + 30)
    assert not one.expects_answer(NOW + 60)
    assert abs(one.round_trip - 0.002) < 1e-9
    assert one.answers(NOW + 1)


def test_one_slow_moment_does_not_make_a_segment_slow():
    one = segment()
    for n, took in enumerate([0.001] * 8 + [0.3, 0.2]):
        one.probes(NOW + n)
        one.hear(arp(2, PEER_MAC, PEER, OWN), NOW + n + took)
    assert one.round_trip == pytest.approx(0.001)
    for n in range(20, 23):
        one.probes(NOW + n)
        one.hear(arp(2, PEER_MAC, PEER, OWN), NOW + n + 0.1)
    assert one.round_trip == pytest.approx(0.1)


def test_only_the_peers_own_mac_speaks_for_it():
    one = segment()
    one.probes(NOW)
    one.hear(arp(2, HOST_MAC, PEER, OWN), NOW)
    one.hear(arp(2, PEER_MAC, PEER, OWN, outer=HOST_MAC), NOW)
    one.hear(arp(2, PEER_MAC, PEER, "10.0.0.77"), NOW)
    assert not one.expects_answer(NOW)


def test_the_peer_is_no_witness_under_another_address():
    one = segment()
    one.hear(arp(1, PEER_MAC, "10.0.0.66", "10.0.0.9"), NOW)
    one.hear(arp(1, bytes.fromhex("00005e0001c8"), "10.0.0.100", "10.0.0.9"), NOW)
    one.hear(arp(1, MAC, OWN, "10.0.0.9"), NOW)
    assert asked(one) == {PEER, GATEWAY}


def test_a_witness_is_one_who_answered_since():
    one = segment()
    one.probes(NOW)
    one.hear(arp(2, HOST_MAC, GATEWAY, OWN), NOW + 0.001)
    assert one.witness_since(NOW) == GATEWAY
    assert one.witness_since(NOW + 1) is None
    assert one.witnesses(NOW + 1) == [GATEWAY]


def test_a_scan_in_many_names_does_not_drive_out_who_answers():
    one = segment()
    one.hear(arp(1, HOST_MAC, HOST, "10.0.0.9"), NOW)
    one.probes(NOW)
    one.hear(arp(2, HOST_MAC, HOST, OWN), NOW)
    for n in range(3 * MOST_NEIGHBOURS):
        one.hear(arp(1, bytes((2, 0, 0, 0, 9, n)), f"10.0.1.{n}", "10.0.0.9"), NOW + 1 + n / 100)
    asked_now = asked(one, NOW + 5)
    assert HOST in asked_now
    assert len(asked_now) <= 2 + MOST_WITNESSES


def test_noise_is_nothing():
    one = segment()
    for frame in (b"", bytes(13), bytes(42), arp(2, PEER_MAC, PEER, OWN)[:41], arp(9, HOST_MAC, HOST, OWN)):
        one.hear(frame, NOW)
    assert not one.expects_answer(NOW)


def test_where_there_is_no_ipv4_neighbour_discovery_tells_who_answers():
    own, theirs, gateway = (bytes((2, 0, 0, 0, 0, n)) for n in (1, 2, 3))
    there = Segment("lan", "lan", "2001:db8::2", ("2001:db8::fe",))
    there.link(True, own)
    assert [a for a in ("192.0.2.3", "fe80::3", "2001:db8::3") if there.can_probe(a)] == ["2001:db8::3"]
    there.meet("2001:db8::3", theirs)
    for probe in there.probes(1000.0):
        asked = question(probe.frame)
        mac = theirs if asked.address == ip_address("2001:db8::3").packed else gateway
        there.hear(answer(asked, mac), 1000.01)
    assert there.answers(1000.02)
    assert there.witnesses(1000.02) == ["2001:db8::fe"]
    assert there.witness_since(1000.0) == "2001:db8::fe"
    # An answer from another MAC than the peer told is not the peer's.
    asked = question(there.probes(1010.0)[0].frame)
    there.hear(answer(asked, gateway), 1010.01)
    assert not there.answers(1010.02)
