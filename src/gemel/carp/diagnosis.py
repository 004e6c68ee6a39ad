"""Why a digest does not fit: another password, or another set of addresses?

Nobody says so on the wire, but the likely mistakes are few: an address was added or removed on one node, or mistyped.
Trying them takes a millisecond or two, so a person can be told which. If none fits, the password is the likely cause.
"""

import hmac
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from itertools import combinations

from gemel.carp.settings import Vhid
from gemel.carp.wire import Advert, sealed

MOST_WORK = 20_000  # addresses put in order and hashed, about 0.5 us each; one set counts at least 8


def explain_digest(ours: Vhid, advert: Advert, known: Iterable[str] = ()) -> str:
    """Return in words what the sender of `advert` probably has otherwise.

    `known` are further addresses that the sender might have, such as those of other VHIDs.
    """
    mine = frozenset(ip_address(address).packed for address in ours.addresses)
    others = sorted({ip_address(address).packed for address in known} - mine)
    key, counter, work = ours.password.encode(), advert.counter.to_bytes(8, "big"), 0
    for theirs in _likely(mine, others):
        work += max(8, len(theirs))
        if work > MOST_WORK:
            break
        if hmac.digest(key, sealed(ours.vhid, theirs) + counter, "sha1") == advert.digest:
            return f"other address set ({_difference(mine, theirs)})"
    return "another password"


def _likely(mine: frozenset[bytes], others: list[bytes]) -> Iterator[frozenset[bytes]]:
    """Address sets near ours, the likeliest first."""
    for missing in range(1, len(mine) + 1) if len(mine) <= 6 else (1,):
        for lost in combinations(sorted(mine), missing):
            yield mine.difference(lost)
    for address in others:
        yield mine | {address}
    yield mine.union(others)
    near = [*others, *_neighbours(mine)]
    for address in near:
        yield mine | {address}
    for one in sorted(mine):
        for address in near:
            yield mine - {one} | {address}


def _neighbours(mine: frozenset[bytes]) -> Iterator[bytes]:
    """All the addresses beside ours, as if every network were a /24; with IPv6, those that differ in the last byte."""
    for network in sorted({address[:-1] for address in mine}):
        yield from (address for host in range(1, 255) if (address := network + bytes((host,))) not in mine)


def _difference(mine: frozenset[bytes], theirs: frozenset[bytes]) -> str:
    lost, extra = (", ".join(str(ip_address(a)) for a in sorted(s)) for s in (mine - theirs, theirs - mine))
    if lost and extra:
        return f"the sender has {extra} instead of {lost}"
    return f"the sender has not {lost}" if lost else f"the sender also has {extra}"
