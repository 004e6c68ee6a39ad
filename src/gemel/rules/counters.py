"""How often each rule has matched, read from what nft lists.

A rule's counter stands beside a comment with its id: in a chain, or in a map when its list is grouped. One rule can
have several (families, alternatives); they add up.
"""

import re
from typing import NamedTuple

COUNTED = re.compile(r'counter packets (\d+) bytes (\d+)[^\n,]*? comment "([^"]*)"')


class Count(NamedTuple):
    """Packets that began a flow and were decided by the rule, and their bytes."""

    packets: int
    bytes: int


def read_counters(listing: str) -> dict[str, Count]:
    """Sum up by rule id (or built-in label) the counters in the output of `nft list table inet gemel`."""
    counts: dict[str, Count] = {}
    for packets, size, name in COUNTED.findall(listing):
        before = counts.get(name, Count(0, 0))
        counts[name] = Count(before.packets + int(packets), before.bytes + int(size))
    return counts
