"""Who else is on a segment: CARP and VRRP told apart. Both speak protocol 112 to the same group and share the MACs.

CARP and VRRPv2 also share their first byte; lengths tell: CARP has 36 bytes and says 7 in the fourth, where VRRPv2
counts its addresses (RFC 3768: 16 bytes and 4 for each).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gemel.carp.wire import LENGTH, PROTOCOL, Received, Seal, read_packet, source_of


@dataclass(frozen=True, slots=True, order=True)
class Sighting:
    """A group that somebody speaks for. `kind`: CARP, VRRPv2 or VRRPv3; `says` is its priority, in words."""

    vhid: int
    kind: str
    source: str
    says: str

    @property
    def shares_mac(self) -> bool:
        """Whether its group has the virtual MAC that the same VHID of CARP has. VRRP for IPv6 has others (RFC 5798)."""
        return self.kind == "CARP" or ":" not in self.source


def sighting(packet: bytes) -> Sighting | None:
    """Read an IPv4 or IPv6 packet, from its header on; None if it is neither."""
    message = _message(packet)
    if message is None or len(message) < 8:
        return None
    source = source_of(packet)
    if message[0] == 0x31:
        centiseconds = int.from_bytes(message[4:6], "big") & 0xFFF
        return Sighting(message[1], "VRRPv3", source, f"priority {message[2]}, every {centiseconds / 100:g} s")
    if message[0] != 0x21:
        return None
    if ":" not in source and len(message) >= 16 + 4 * message[3]:
        return Sighting(message[1], "VRRPv2", source, f"priority {message[2]}, every {message[5]} s")
    if message[3] == 7 and len(message) >= LENGTH:
        return Sighting(message[1], "CARP", source, f"base {message[5]}, skew {message[2]}")
    return None


def _message(packet: bytes) -> bytes | None:
    """What stands after the IP header, if it is of protocol 112."""
    if len(packet) < 28:
        return None
    if packet[0] >> 4 == 6:
        return packet[40 : 40 + int.from_bytes(packet[4:6], "big")] if packet[6] == PROTOCOL else None
    if packet[0] >> 4 == 4 and packet[9] == PROTOCOL:
        return packet[(packet[0] & 15) * 4 : int.from_bytes(packet[2:4], "big")]
    return None


def is_sealed(packet: bytes, seals: Iterable[Seal]) -> bool:
    """Whether this packet is an advert of somebody who has one of these passwords and address sets."""
    received = read_packet(packet, range(256))
    return isinstance(received, Received) and any(seal.fits(received.advert) for seal in seals)


def free(taken: Iterable[int], how_many: int = 5) -> list[int]:
    """The lowest VHIDs that are not taken."""
    there = set(taken)
    return [vhid for vhid in range(1, 256) if vhid not in there][:how_many]
