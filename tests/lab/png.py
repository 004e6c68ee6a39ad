"""Screenshots made small for the documents: pages of text need no more than a palette of their commonest colours."""

import struct
import zlib
from collections import Counter

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RGB, PALETTE = 2, 3  # colour types of PNG (RFC 2083 §4.1.1)
COLOURS = 128

Colour = bytes
"""Red, green and blue."""


def small(png: bytes) -> bytes:
    """The same picture in at most `COLOURS` colours; each other one becomes the nearest of them.

    Raises:
        ValueError: not a PNG of 8 bits, RGB, not interlaced.
    """
    width, rows = _pixels(png)
    counted = Counter(row[i : i + 3] for row in rows for i in range(0, len(row), 3))
    chosen = [colour for colour, _ in counted.most_common(COLOURS)]
    number = {colour: _nearest(colour, chosen) for colour in counted}
    lines = b"".join(b"\0" + bytes(number[row[i : i + 3]] for i in range(0, len(row), 3)) for row in rows)
    header = struct.pack("!IIBBBBB", width, len(rows), 8, PALETTE, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", b"".join(chosen)), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, data) for kind, data in parts)


def _nearest(colour: Colour, chosen: list[Colour]) -> int:
    return min(range(len(chosen)), key=lambda n: sum((a - b) ** 2 for a, b in zip(colour, chosen[n], strict=True)))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))


def _pixels(png: bytes) -> tuple[int, list[bytes]]:
    """Width, and the rows as three bytes for each pixel."""
    if not png.startswith(SIGNATURE):
        raise ValueError("no PNG")
    header, packed, place = b"", b"", len(SIGNATURE)
    while place < len(png):
        length, kind = struct.unpack_from("!I4s", png, place)
        data = png[place + 8 : place + 8 + length]
        header, packed = (data, packed) if kind == b"IHDR" else (header, packed + data * (kind == b"IDAT"))
        place += 12 + length
    width, _, bits, kind_of, _, _, interlaced = struct.unpack("!IIBBBBB", header)
    if (bits, kind_of, interlaced) != (8, RGB, 0):
        raise ValueError("8 bits RGB, not interlaced, are needed")
    lines, size = zlib.decompress(packed), 3 * width + 1
    rows, above = [], bytes(size - 1)
    for start in range(0, len(lines), size):
        above = _unfiltered(lines[start], bytearray(lines[start + 1 : start + size]), above)
        rows.append(above)
    return width, rows


def _unfiltered(kind: int, row: bytearray, above: bytes) -> bytes:
    """RFC 2083 §6: none, sub, up, average, Paeth."""
    for i in range(len(row) if kind else 0):
        left, up = row[i - 3] if i > 2 else 0, above[i]
        if kind == 4:
            corner = above[i - 3] if i > 2 else 0
            guess = left + up - corner
            distances = abs(guess - left), abs(guess - up), abs(guess - corner)
            row[i] = (row[i] + (left, up, corner)[distances.index(min(distances))]) & 255
        else:
            row[i] = (row[i] + (left, up, (left + up) // 2)[kind - 1]) & 255
    return bytes(row)
