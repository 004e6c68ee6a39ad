"""CARP adverts as bytes: FreeBSD's, OpenBSD's and ucarp's form alike (reference section 1).

An advert is 36 bytes after the IPv4 header:

    0  version 2, type 1     5  advbase             16  HMAC-SHA1 over version, type, vhid,
    1  vhid                  6  checksum (2)             all addresses of the vhid, counter
    2  advskew               8  counter (8)
    3  7 (authlen)
    4  0 (OpenBSD: demote)

advskew, advbase and the source address are not authenticated; the set of addresses is.
"""

import hashlib
import hmac
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, ip_address
from typing import NamedTuple

PROTOCOL = 112
GROUP = "224.0.0.18"
TTL = 255
LENGTH = 36
BOW_OUT = 255  # advbase and advskew of the last advert before leaving

_MULTICAST_MAC = bytes.fromhex("01005e000012")
_BROADCAST_MAC = b"\xff" * 6
_GROUP = IPv4Address(GROUP).packed
_HEAD = struct.Struct("!BBBBBBHQ20s")
_IP = struct.Struct("!BBHHHBBH4s4s")
_ARP = struct.Struct("!HHBBH6s4s6s4s")


class Fault(StrEnum):
    """Why a packet is not taken for an advert."""

    TOO_SHORT = "too short"
    TTL = "ttl not 255"
    VERSION = "version"
    CHECKSUM = "checksum"
    UNKNOWN_VHID = "unknown vhid"
    DIGEST = "bad digest"
    REFLECTED = "own advert came back"


@dataclass(frozen=True, slots=True)
class Advert:
    """What a master says. `interval` in seconds is what elections compare."""

    vhid: int
    advbase: int
    advskew: int
    counter: int
    digest: bytes

    @property
    def interval(self) -> float:
        """Seconds until the sender's next advert; the smallest one wins."""
        return self.advbase + self.advskew / 256


class Received(NamedTuple):
    """An advert and where it came from (the sender's address is a claim, not a proof)."""

    advert: Advert
    source: str


class Seal:
    """The shared secret of one VHID: makes and checks digests.

    One digest covers the addresses of both families, in ascending order, each once: adding an address on one node
    only breaks authentication until the other has it too.
    """

    def __init__(self, password: str, vhid: int, addresses: Iterable[str]) -> None:
        packed = {ip_address(address).packed for address in addresses}
        self._begun = hmac.new(password.encode(), sealed(vhid, packed), hashlib.sha1)

    def digest(self, counter: int) -> bytes:
        """The 20 bytes that go with `counter`."""
        running = self._begun.copy()
        running.update(counter.to_bytes(8, "big"))
        return running.digest()

    def fits(self, advert: Advert) -> bool:
        """Whether the sender knows the password and has the same addresses. Takes the same time either way."""
        return hmac.compare_digest(self.digest(advert.counter), advert.digest)


def sealed(vhid: int, addresses: Iterable[bytes]) -> bytes:
    """What the digest covers before the counter; `addresses` in network order, each once."""
    in_order: list[bytes] = sorted(addresses, key=_order)
    return bytes((2, 1, vhid)) + b"".join(in_order)


def _order(address: bytes) -> tuple[int, bytes]:
    """IPv4 before IPv6, then as numbers."""
    return len(address), address


def encode(vhid: int, advbase: int, advskew: int, counter: int, digest: bytes) -> bytes:
    """Return the 36 bytes of an advert."""
    blank = _HEAD.pack(0x21, vhid, advskew, 7, 0, advbase, 0, counter, digest)
    return blank[:6] + struct.pack("!H", checksum(blank)) + blank[8:]


def decode(message: bytes) -> Advert | Fault:
    """Read the bytes after the IP header; what follows the 36th is ignored, as by every other implementation."""
    if len(message) < LENGTH:
        return Fault.TOO_SHORT
    kind, vhid, advskew, _, _, advbase, _, counter, digest = _HEAD.unpack_from(message)
    if kind != 0x21:
        return Fault.VERSION
    if checksum(message[:LENGTH]):
        return Fault.CHECKSUM
    return Advert(vhid, advbase, advskew, counter, digest)


def read_packet(packet: bytes) -> Received | Fault:
    """Read an IPv4 packet, from its header on."""
    if len(packet) < 20:
        return Fault.TOO_SHORT
    header = (packet[0] & 15) * 4
    total = int.from_bytes(packet[2:4], "big")
    if packet[8] != TTL:
        return Fault.TTL
    advert = decode(packet[header:total])
    if isinstance(advert, Fault):
        return advert
    return Received(advert, "{}.{}.{}.{}".format(*packet[12:16]))


def virtual_mac(vhid: int) -> bytes:
    """The MAC address that moves with the VHID."""
    return bytes((0, 0, 0x5E, 0, 1, vhid))


def advert_head(source: str, mac: bytes) -> bytes:
    """What stands before an advert in its frame: Ethernet from `mac`, and the IPv4 header that BSD sends (low
    delay, DF).
    """
    header = _IP.pack(0x45, 0x10, 20 + LENGTH, 0, 0x4000, TTL, PROTOCOL, 0, IPv4Address(source).packed, _GROUP)
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return _MULTICAST_MAC + mac + b"\x08\x00" + header


def arp_announcement(address: str, vhid: int) -> bytes:
    """A gratuitous ARP from the virtual MAC: it teaches the hosts the address and the switch the port."""
    mac, packed = virtual_mac(vhid), IPv4Address(address).packed
    body = _ARP.pack(1, 0x800, 6, 4, 1, mac, packed, _BROADCAST_MAC, packed)
    return _BROADCAST_MAC + mac + b"\x08\x06" + body


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of an even number of bytes; 0 over data that holds its own."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF
