"""Address ranges as plain numbers: quick to compare, to merge and to print.

A range is `(family, first, last)` with family 4 or 6 and both ends included; a network, a single address and `a-b` are
all ranges.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal, NamedTuple

Family = Literal[4, 6]
BITS: dict[int, int] = {4: 32, 6: 128}
TOP: dict[int, int] = {4: 2**32 - 1, 6: 2**128 - 1}


class Range(NamedTuple):
    """Addresses `first`..`last` of one family, as integers, both ends included."""

    family: Family
    first: int
    last: int


def parse_range(text: str) -> Range:
    """Read `10.0.0.0/8`, `10.0.0.5`, `10.0.0.5-10.0.0.9` or the like in IPv6; host bits in a network are cut off.

    Raises:
        ValueError: the text is none of these.
    """
    first, dash, last = text.partition("-")
    if dash:
        low, high = ip_address(first.strip()), ip_address(last.strip())
        if low.version != high.version or int(low) > int(high):
            raise ValueError(f"{text!r} is no range of addresses")
        return Range(low.version, int(low), int(high))
    quick = _parse_ipv4(text)
    if quick is not None:
        return quick
    network = ip_network(text, strict=False)
    return Range(network.version, int(network.network_address), int(network.broadcast_address))


def _parse_ipv4(text: str) -> Range | None:
    # ipaddress takes 4 µs for each address; a policy of 10,000 rules has some 20,000 of them.
    address, _, length = text.partition("/")
    parts = address.split(".")
    if len(parts) != 4 or (length and not length.isdigit()):
        return None
    value = 0
    for part in parts:
        if not part.isdecimal() or not part.isascii() or len(part) > 3 or (octet := int(part)) > 255:
            return None
        if len(part) > 1 and part[0] == "0":
            return None
        value = value << 8 | octet
    host_bits = 32 - int(length) if length else 0
    if host_bits < 0:
        return None
    first = value >> host_bits << host_bits
    return Range(4, first, first | (1 << host_bits) - 1)


def merge(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The same addresses as sorted ranges that neither overlap nor touch."""
    merged: list[Range] = []
    for family, first, last in sorted(ranges):
        if merged and merged[-1].family == family and first <= merged[-1].last + 1:
            if last > merged[-1].last:
                merged[-1] = Range(family, merged[-1].first, last)
        else:
            merged.append(Range(family, first, last))
    return tuple(merged)


def merge_spans(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Number spans (ports, protocols), sorted, neither overlapping nor touching."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def address_text(family: Family, value: int) -> str:
    """One address in its usual notation."""
    if family == 4:
        return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"
    return str(IPv6Address(value))


def range_text(span: Range) -> str:
    """The shortest notation: an address, a network, or `first-last`."""
    family, first, last = span
    if first == last:
        return address_text(family, first)
    size = last - first + 1
    if size & size - 1 == 0 and first & size - 1 == 0:
        return f"{address_text(family, first)}/{BITS[family] - size.bit_length() + 1}"
    return f"{address_text(family, first)}-{address_text(family, last)}"


def parse_address(text: str) -> Range:
    """Read a single address.

    Raises:
        ValueError: the text is no address.
    """
    address: IPv4Address | IPv6Address = ip_address(text)
    return Range(address.version, int(address), int(address))
