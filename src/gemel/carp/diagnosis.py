"""Why a digest does not fit: another password, or another set of addresses?

Nobody says so on the wire, but the likely mistakes are few: an address was added or removed on one node, or mistyped.
Trying them takes a millisecond or two, so a person can be told which. If none fits, the password is the likely cause.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from itertools import combinations

from gemel.carp.settings import Vhid
from gemel.carp.wire import Advert, Seal

MOST_TRIES = 3000  # digests at about 3 us each


def explain_digest(ours: Vhid, advert: Advert, known: Iterable[str] = ()) -> str:
    """Return in words what the sender of `advert` probably has otherwise.

    `known` are further addresses that the sender might have, such as those of other VHIDs.
    """
    mine = set(ours.addresses)
    for tries, theirs in enumerate(_likely(mine, set(known))):
        if tries >= MOST_TRIES:
            break
        if Seal(ours.password, ours.vhid, theirs).fits(advert):
            return f"other address set ({_difference(mine, theirs)})"
    return "another password"


def _likely(mine: set[str], known: set[str]) -> Iterator[set[str]]:
    """Address sets near ours, the likeliest first."""
    few = range(1, len(mine) + 1) if len(mine) <= 6 else (1,)
    for missing in few:
        for lost in combinations(sorted(mine), missing):
            yield mine - set(lost)
    added = sorted(known - mine)
    for address in added:
        yield mine | {address}
    if added:
        yield mine | known
    for address in _neighbours(mine):
        yield mine | {address}
    for lost in combinations(sorted(mine), 1):
        for address in (*added, *_neighbours(mine)):
            yield mine - set(lost) | {address}


def _neighbours(mine: set[str]) -> list[str]:
    """All the addresses beside ours, as if every network were a /24."""
    networks = {int(IPv4Address(address)) & ~0xFF for address in mine}
    near = (str(IPv4Address(network + host)) for network in sorted(networks) for host in range(1, 255))
    return [address for address in near if address not in mine]


def _difference(mine: set[str], theirs: set[str]) -> str:
    lost, extra = sorted(mine - theirs), sorted(theirs - mine)
    if lost and extra:
        return f"the sender has {', '.join(extra)} instead of {', '.join(lost)}"
    if lost:
        return f"the sender has not {', '.join(lost)}"
    return f"the sender also has {', '.join(extra)}"
