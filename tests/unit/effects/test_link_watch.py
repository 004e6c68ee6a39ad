"""Links as the kernel's messages tell them, and which of them have moved in their network."""

import struct

from gemel.effects.link_watch import LinkTable

UP = 0x1 | 0x40


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def told(index: int, name: str, flags: int = UP, event: int = 0, master: int = 0, kind: int = 16) -> bytes:
    """RTM_NEWLINK, in the order of the kernel's own."""
    body = struct.pack("=BxHiII", 0, 1, index, flags, 0xFFFFFFFF) + attribute(3, name.encode() + b"\0")
    body += attribute(10, struct.pack("=I", master)) if master else b""
    body += attribute(44, struct.pack("=I", event)) if event else b""
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def test_a_link_is_up_when_it_is_switched_on_and_has_carrier() -> None:
    table = LinkTable()
    table.take(told(2, "eth0") + told(3, "eth1", 0x1) + told(4, "eth2", 0x40))
    assert {name: link.up for name, link in table.links.items()} == {"eth0": True, "eth1": False, "eth2": False}


def test_a_link_that_has_got_another_name_has_that_one() -> None:
    table = LinkTable()
    table.take(told(2, "eth0"))
    table.take(told(2, "wan0"))
    assert set(table.links) == {"wan0"}
    table.take(told(2, "wan0", kind=17))
    assert not table.links


def test_a_bond_that_goes_by_another_port_has_moved_once() -> None:
    table = LinkTable()
    table.take(told(5, "bond0") + told(5, "bond0", event=3) + told(5, "bond0", event=4))
    assert table.moved() == {"bond0"}
    assert table.moved() == set()


def test_other_events_are_no_move() -> None:
    table = LinkTable()
    table.take(told(5, "bond0", event=2) + told(5, "bond0", event=5) + told(5, "bond0", event=6))
    assert table.moved() == set()


def test_a_bridge_has_moved_with_its_port() -> None:
    table = LinkTable()
    table.take(told(7, "br0") + told(2, "eth3", event=4, master=7))
    assert table.moved() == {"eth3", "br0"}


def test_a_message_that_is_cut_off_or_of_another_family_is_passed_over() -> None:
    table = LinkTable()
    bridge = bytearray(told(2, "eth3", event=4))
    bridge[16] = 7
    table.take(bytes(bridge) + told(5, "bond0")[:10])
    assert not table.links
