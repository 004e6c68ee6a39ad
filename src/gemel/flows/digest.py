"""Do two tables hold the same? Told by a sum for each of 2^bits buckets of keys.

The master asks (`wire.DigestAsk`), lists its own table, has the peer list its, and compares. Both tables move
meanwhile, so a bucket in which a state began or ended between the question and the comparison says nothing this time:
it is *touched*. What differs in an untouched bucket is a real difference, and the bucket is told again
(`wire.BulkPart`). The number of buckets follows the load, so that most of them stay untouched; which ones are, changes
from one time to the next.

A state counts with its original tuple, its zone and its reply tuple, so a wrong translation is found, too.
"""

import struct
from array import array
from collections.abc import Iterable
from zlib import crc32

from gemel.flows.attributes import Malformed
from gemel.flows.ctnetlink import MARK_HEAD, NO_SYNC, PORTS_V4, STATUS_HEAD, parts, stays_here
from gemel.flows.local import Local

FEWEST, MOST = 8, 16  # bits
SPARSE = 16  # buckets for each touch of the last time

# Of a listed IPv4 state with ports: both tuples, heads of status and mark, the first byte of the mark.
_LISTED = struct.Struct("=20x52s52s4s4x4sB").unpack_from
_LEAST = 137  # bytes that these need


def bucket(key: bytes, bits: int) -> int:
    """The bucket of a key."""
    return crc32(key) & (1 << bits) - 1


def suitable(touches: int) -> int:
    """Bits for a table in which that many states began or ended while it was compared."""
    return min(MOST, max(FEWEST, (touches * SPARSE).bit_length()))


class Sums:
    """The sums of one table."""

    def __init__(self, bits: int) -> None:
        self.bits, self._mask = bits, (1 << bits) - 1
        self.sums = array("Q", bytes(8 << bits))
        self.states = 0

    def add(self, key: bytes, reply: bytes) -> None:
        """One state, by its key and its reply tuple as the kernel wrote them."""
        crc = crc32(key)
        self.sums[crc & self._mask] += crc32(reply, crc)
        self.states += 1

    def take(self, listed: Iterable[bytes], local: Local) -> None:
        """The states of a piece of a listing that do not stay here. Every state of both tables comes by here."""
        sums, mask, count = self.sums, self._mask, 0
        for m in listed:
            if len(m) >= _LEAST:
                key, reply, status, mark, first = _LISTED(m)
                if status == STATUS_HEAD and mark == MARK_HEAD and key.startswith(PORTS_V4):
                    if not (local[key[12:16]] or local[reply[12:16]] or first & NO_SYNC):
                        crc = crc32(key)
                        sums[crc & mask] += crc32(reply, crc)
                        count += 1
                    continue
            try:
                key, source, destination, reply = parts(m)
            except Malformed:
                continue  # an expectation
            if not (local[source] or local[destination] or stays_here(m)):
                self.add(key, reply)
        self.states += count

    def to_bytes(self) -> bytes:
        """Big-endian, 8 bytes for each bucket."""
        return _swapped(self.sums).tobytes()


class Touched:
    """Buckets in which something began or ended since a comparison was begun."""

    def __init__(self, bits: int) -> None:
        self.bits, self._mask = bits, (1 << bits) - 1
        self._flags = bytearray(1 << bits)
        self.touches = 0

    def touch(self, key: bytes) -> None:
        """A state began or ended."""
        self._flags[crc32(key) & self._mask] = 1
        self.touches += 1

    def untouched(self) -> int:
        """How many buckets can be compared."""
        return self._flags.count(0)

    def differing(self, mine: Sums, theirs: bytes) -> list[int]:
        """Untouched buckets of which the peer's sum is another."""
        other = array("Q", theirs)
        flags = self._flags
        return [i for i, (a, b) in enumerate(zip(mine.sums, _swapped(other), strict=True)) if a != b and not flags[i]]


def chosen(keys: Iterable[bytes], bits: int, buckets: frozenset[int]) -> set[bytes]:
    """Those of the keys that are in one of the buckets."""
    mask = (1 << bits) - 1
    return {key for key in keys if crc32(key) & mask in buckets}


def _swapped(sums: "array[int]") -> "array[int]":
    """Between this machine's byte order and the wire's."""
    if array("H", b"\0\1")[0] == 1:
        return sums
    other = array("Q", sums)
    other.byteswap()
    return other
