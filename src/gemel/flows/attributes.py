"""Netlink attributes: u16 length, u16 type, value, padded to 4 bytes; lengths and types in host byte order."""

import struct
from collections.abc import Iterator

NESTED = 0x8000
TYPE_MASK = 0x3FFF

_HEADER = struct.Struct("=HH")


class Malformed(ValueError):
    """These bytes are no ctnetlink message that we can use."""


def walk(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (type, start, end) of each attribute in data[start:end]; start is at its header, end without padding.

    Raises:
        Malformed: an attribute is cut off.
    """
    while end - start >= 4:
        length, kind = _HEADER.unpack_from(data, start)
        if length < 4 or start + length > end:
            raise Malformed("an attribute is cut off")
        yield kind & TYPE_MASK, start, start + length
        start += (length + 3) & ~3


def table(data: bytes, start: int, end: int) -> dict[int, bytes]:
    """Type -> value of each attribute in data[start:end].

    Raises:
        Malformed: an attribute is cut off.
    """
    return {kind: data[a + 4:b] for kind, a, b in walk(data, start, end)}


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute with its padding."""
    return _HEADER.pack(len(value) + 4, kind) + value + b"\0" * (-len(value) & 3)


def nest(kind: int, *attributes: bytes) -> bytes:
    """An attribute made of attributes."""
    return attribute(kind | NESTED, b"".join(attributes))
