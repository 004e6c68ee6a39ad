"""Who has an address? The questions and answers of ARP (RFC 826) and IPv6 neighbour discovery (RFC 4861) as frames.

What is announced or answered for an IPv6 address says that its owner is a router: one that did not would take itself
off the hosts' lists of default routers.
"""

import struct
from ipaddress import IPv6Address, ip_address
from typing import Final, NamedTuple

from gemel.carp.wire import checksum

EVERYBODY: Final = b"\xff" * 6
ALL_NODES: Final = IPv6Address("ff02::1").packed
ALL_NODES_MAC: Final = bytes.fromhex("333300000001")
SOLICITED_NODE: Final = IPv6Address("ff02::1:ff00:0").packed[:13]
SOLICITATION, ADVERTISEMENT = 135, 136
ROUTER, SOLICITED, OVERRIDE = 0x80, 0x40, 0x20
_SOURCE_LINK, _TARGET_LINK = 1, 2  # options of neighbour discovery
_REQUEST, _REPLY = 1, 2
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_IP6 = struct.Struct("!IHBB16s16s")
_ND = struct.Struct("!BBHB3x16s")
_NOBODY = bytes(16)


class Asked(NamedTuple):
    """Somebody asks who has `address`. `asker` and its `mac` are where the answer goes; an asker of zeroes only tests
    whether the address is free (RFC 5227, RFC 4862). Addresses in network order, 4 or 16 bytes.
    """

    address: bytes
    asker: bytes
    mac: bytes


class Spoken(NamedTuple):
    """Somebody says that it is at `address`, from `mac`, to `to`; `answers`: because it was asked."""

    address: bytes
    mac: bytes
    to: bytes
    answers: bool


def spoken(frame: bytes) -> Spoken | None:
    """Who says that it is where, in an Ethernet frame with ARP or neighbour discovery; None if nobody does."""
    kind = frame[12:14]
    if kind == b"\x08\x06" and len(frame) >= 42:
        *shape, operation, mac, address, _, to = _ARP.unpack_from(frame, 14)
        return Spoken(address, mac, to, operation == _REPLY) if shape == [1, 0x800, 6, 4] else None
    if kind != b"\x86\xdd" or len(frame) < 78:
        return None
    _, _, protocol, hops, source, to = _IP6.unpack_from(frame, 14)
    kind, code, _, flags, target = _ND.unpack_from(frame, 54)
    if (protocol, hops, code) != (58, 255, 0) or source == _NOBODY:
        return None
    if kind == ADVERTISEMENT:
        return Spoken(target, frame[6:12], to, bool(flags & SOLICITED))
    return Spoken(source, frame[6:12], target, False) if kind == SOLICITATION else None


def request(address: bytes, own: bytes, mac: bytes, to_mac: bytes | None) -> bytes:
    """Ask who has `address`, in the name of `own` at `mac`; everybody, or only `to_mac`. Addresses in network order."""
    if len(address) == 4:
        body = _ARP.pack(1, 0x800, 6, 4, _REQUEST, mac, own, bytes(6), address)
        return (to_mac or EVERYBODY) + mac + b"\x08\x06" + body
    to = address if to_mac else SOLICITED_NODE + address[13:]
    message = _ND.pack(SOLICITATION, 0, 0, 0, address) + bytes((_SOURCE_LINK, 1)) + mac
    message = message[:2] + struct.pack("!H", _icmp6_checksum(own, to, message)) + message[4:]
    there = to_mac or b"\x33\x33" + to[12:]
    return there + mac + b"\x86\xdd" + _IP6.pack(6 << 28, len(message), 58, 255, own, to) + message


def announcement(address: str, mac: bytes) -> bytes:
    """A gratuitous ARP or unsolicited neighbour advertisement: it teaches the hosts the address and, as it comes from
    that MAC, the switch the port.
    """
    packed = ip_address(address).packed
    if len(packed) == 4:
        return EVERYBODY + mac + b"\x08\x06" + _ARP.pack(1, 0x800, 6, 4, _REQUEST, mac, packed, EVERYBODY, packed)
    return _advertisement(packed, mac, ALL_NODES_MAC, ALL_NODES, ROUTER | OVERRIDE)


def solicited_node(address: str) -> str:
    """The group in which questions for this IPv6 address are asked (RFC 4291 section 2.7.1)."""
    return str(IPv6Address(SOLICITED_NODE + ip_address(address).packed[13:]))


def question(frame: bytes) -> Asked | None:
    """Read an Ethernet frame; None if it is neither an ARP request nor a neighbour solicitation, or asks for itself."""
    kind = frame[12:14]
    if kind == b"\x08\x06" and len(frame) >= 42:
        *shape, operation, mac, asker, _, address = _ARP.unpack_from(frame, 14)
        if shape != [1, 0x800, 6, 4] or operation != _REQUEST or asker == address:
            return None
        return Asked(address, asker, mac)
    return _solicited(frame) if kind == b"\x86\xdd" else None


def _solicited(frame: bytes) -> Asked | None:
    if len(frame) < 78:
        return None
    _, length, protocol, hops, asker, to = _IP6.unpack_from(frame, 14)
    message = frame[54 : 54 + length]
    # Hop limit 255: it was sent on this segment (RFC 4861 section 7.1.1).
    if (protocol, hops) != (58, 255) or len(message) != length or length < 24 or length % 8:
        return None
    kind, code, _, _, address = _ND.unpack_from(message)
    if (kind, code) != (SOLICITATION, 0) or _icmp6_checksum(asker, to, message):
        return None
    return Asked(address, asker, _option(message[24:], _SOURCE_LINK) or frame[6:12])


def _option(options: bytes, wanted: int) -> bytes | None:
    while len(options) >= 8 and options[1]:
        if options[0] == wanted:
            return options[2:8]
        options = options[8 * options[1] :]
    return None


def answer(asked: Asked, mac: bytes) -> bytes:
    """The address that was asked for is at `mac`: the frame that says so."""
    if len(asked.address) == 4:
        body = _ARP.pack(1, 0x800, 6, 4, _REPLY, mac, asked.address, asked.mac, asked.asker)
        return asked.mac + mac + b"\x08\x06" + body
    if asked.asker == _NOBODY:
        return _advertisement(asked.address, mac, ALL_NODES_MAC, ALL_NODES, ROUTER | OVERRIDE)
    return _advertisement(asked.address, mac, asked.mac, asked.asker, ROUTER | SOLICITED | OVERRIDE)


def _advertisement(address: bytes, mac: bytes, to_mac: bytes, to: bytes, flags: int) -> bytes:
    message = _ND.pack(ADVERTISEMENT, 0, 0, flags, address) + bytes((_TARGET_LINK, 1)) + mac
    message = message[:2] + struct.pack("!H", _icmp6_checksum(address, to, message)) + message[4:]
    return to_mac + mac + b"\x86\xdd" + _IP6.pack(6 << 28, len(message), 58, 255, address, to) + message


def _icmp6_checksum(source: bytes, to: bytes, message: bytes) -> int:
    return checksum(source + to + struct.pack("!II", len(message), 58) + message)
