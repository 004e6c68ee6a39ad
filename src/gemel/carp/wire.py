"""CARP adverts as bytes: FreeBSD's, OpenBSD's and ucarp's form alike (reference section 1).

An advert is 36 bytes after the IPv4 or IPv6 header, the same in both:

    0  version 2, type 1     5  advbase             16  HMAC-SHA1 over version, type, vhid,
    1  vhid                  6  checksum (2)             all addresses of the vhid, counter
    2  advskew               8  counter (8)
    3  7 (authlen)
    4  0 (OpenBSD: demote)

advskew, advbase and the source address are not authenticated; the set of addresses, of both families together, is.
The checksum has no pseudo header, not even with IPv6.
"""

import hashlib
import hmac
import struct
from collections.abc import Container, Iterable
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

PROTOCOL = 112
GROUP, GROUP6 = "224.0.0.18", "ff02::12"
TTL = 255
LOW_DELAY = 0x10  # type of service and traffic class, as OpenBSD sends them
LENGTH = 36
BLOCK = 64  # bytes that SHA-1 takes at once; keys are shorter
BOW_OUT = 255  # advbase and advskew of the last advert before leaving

_MULTICAST_MAC, _MULTICAST_MAC6 = bytes.fromhex("01005e000012"), bytes.fromhex("333300000012")
_GROUP, _GROUP6 = IPv4Address(GROUP).packed, IPv6Address(GROUP6).packed
_HEAD = struct.Struct("!BBBBBBHQ20s")
_TOLD = struct.Struct("!BBBxxBxxQ20s")  # the same, and of it what a receiver uses
_IP = struct.Struct("!BBHHHBBH4s4s")
_IP6 = struct.Struct("!IHBB16s16s")


class Fault(StrEnum):
    """Why a packet is not taken for an advert."""

    TOO_SHORT = "too short"
    TTL = "ttl not 255"
    VERSION = "version"
    CHECKSUM = "checksum"
    UNKNOWN_VHID = "unknown vhid"
    DIGEST = "bad digest"
    REFLECTED = "own advert came back"
    REPLAYED = "replayed"


class Advert(NamedTuple):
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

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.source else 4


class Seal:
    """The shared secret of one VHID: makes and checks digests.

    One digest covers the addresses of both families, in ascending order, each once: adding an address on one node
    only breaks authentication until the other has it too.
    """

    def __init__(self, password: str, vhid: int, addresses: Iterable[str]) -> None:
        packed = {ip_address(address).packed for address in addresses}
        covered = sealed(vhid, packed)
        # HMAC (RFC 2104) in its two halves, begun once: a quarter of what `hmac` takes, for each advert.
        key = password.encode().ljust(BLOCK, b"\0")
        self._inner = hashlib.sha1(bytes(byte ^ 0x36 for byte in key) + covered)
        self._outer = hashlib.sha1(bytes(byte ^ 0x5C for byte in key))
        self.mark = hmac.digest(password.encode(), b"mark" + covered, "sha256").hex()[:8]
        """Names this secret and address set to one who has them too: equal marks, equal seals."""

    def digest(self, counter: int) -> bytes:
        """The 20 bytes that go with `counter`."""
        return self._digest(counter.to_bytes(8, "big"))

    def _digest(self, counter: bytes) -> bytes:
        inner = self._inner.copy()
        inner.update(counter)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()

    def fits(self, advert: Advert) -> bool:
        """Whether the sender knows the password and has the same addresses. Takes the same time either way."""
        return hmac.compare_digest(self.digest(advert.counter), advert.digest)

    def closes(self, packet: bytes) -> bool:
        """The same of a packet that ends with its advert, and whether that came through whole; of this VHID it is."""
        whole = int.from_bytes(packet[-LENGTH:], "big") % 0xFFFF == 0  # see `checksum`; the first byte is not 0
        return whole and hmac.compare_digest(self._digest(packet[-28:-20]), packet[-20:])


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
    kind, vhid, advskew, advbase, counter, digest = _TOLD.unpack_from(message)
    if kind != 0x21:
        return Fault.VERSION
    if checksum(message[:LENGTH]):
        return Fault.CHECKSUM
    return Advert(vhid, advbase, advskew, counter, digest)


def read_packet(packet: bytes, far: Container[int] = ()) -> Received | Fault:
    """Read an IPv4 or IPv6 packet, from its header on. `far` are the VHIDs whose adverts may have come over routers:
    those with a unicast peer (reference 1.1).
    """
    if len(packet) < 20:
        return Fault.TOO_SHORT
    first = packet[0]
    if first >> 4 == 6:
        start, end, hops = 40, 40 + int.from_bytes(packet[4:6], "big"), packet[7]
    else:
        start, end, hops = (first & 15) * 4, packet[2] << 8 | packet[3], packet[8]
    if hops != TTL and not far:
        return Fault.TTL
    advert = decode(packet[start:end])
    if not isinstance(advert, Advert):
        return advert
    if hops != TTL and advert.vhid not in far:
        return Fault.TTL
    return Received(advert, source_of(packet))


def ends_with_advert(packet: bytes) -> bool:
    """Whether this packet, which has an advert, has its plain IP header before it and nothing behind."""
    if packet[0] >> 4 == 6:
        return len(packet) == 40 + LENGTH
    return len(packet) == 20 + LENGTH and packet[0] == 0x45


def source_of(packet: bytes) -> str:
    """Who sent this IP packet, as it claims."""
    if packet[0] >> 4 == 6:
        return str(IPv6Address(packet[8:24]))
    return _dotted(packet[12:16])


@lru_cache(maxsize=256)
def _dotted(packed: bytes) -> str:
    return str(IPv4Address(packed))


def virtual_mac(vhid: int) -> bytes:
    """The MAC address that moves with the VHID."""
    return bytes((0, 0, 0x5E, 0, 1, vhid))


def link_local(mac: bytes) -> str:
    """The IPv6 address that follows from a port's own MAC (RFC 4291 appendix A): where its IPv6 adverts come from."""
    return str(IPv6Address(b"\xfe\x80" + bytes(6) + bytes((mac[0] ^ 2,)) + mac[1:3] + b"\xff\xfe" + mac[3:6]))


def advert_head(source: str, mac: bytes) -> bytes:
    """What stands before an advert in its frame to the group of the source's family: Ethernet from `mac`, and the IP
    header that BSD sends (low delay; with IPv4 also DF).
    """
    if ":" in source:
        header = _IP6.pack(6 << 28 | LOW_DELAY << 20, LENGTH, PROTOCOL, TTL, IPv6Address(source).packed, _GROUP6)
        return _MULTICAST_MAC6 + mac + b"\x86\xdd" + header
    packed = IPv4Address(source).packed
    header = _IP.pack(0x45, LOW_DELAY, 20 + LENGTH, 0, 0x4000, TTL, PROTOCOL, 0, packed, _GROUP)
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return _MULTICAST_MAC + mac + b"\x08\x00" + header


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of an even number of bytes; 0 over data that holds its own."""
    # A sum of 16-bit words with its carries added again is the whole number's remainder, but that 0 has two forms.
    remainder = int.from_bytes(data, "big") % 0xFFFF
    return 0xFFFF - remainder if remainder or not any(data) else 0
