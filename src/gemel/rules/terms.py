"""Rules taken apart into terms: one address family, and nothing but conditions that hold together.

A rule means the union of its terms; it becomes several when it concerns both families, when one of its sides names
more than one alias, or when its protocols look at different things (ICMP types, pfsync's ports). Terms of one rule
share its rank, so it does not matter which of them matches.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from gemel.rules.addresses import Family, Range, merge, merge_spans
from gemel.rules.ir import (
    ICMP,
    ICMP6,
    PFSYNC,
    STATE_SYNC_PORT,
    TCP,
    UDP,
    WITH_PORTS,
    Addresses,
    Alias,
    Match,
    Ports,
    PortSet,
)

Span = tuple[int, int]
FAMILIES: tuple[Family, ...] = (4, 6)


class Side(NamedTuple):
    """Values of one field: sorted disjoint spans, or the named set, or with `negated` all but these."""

    spans: tuple[Span, ...]
    sets: tuple[str, ...] = ()
    negated: bool = False


class Term(NamedTuple):
    """Conditions on the fields of a packet of one family; None means any. Ports and types imply their protocols."""

    rank: int
    protocols: Side | None
    source: Side | None
    destination: Side | None
    source_ports: Side | None
    destination_ports: Side | None
    types: Side | None


@dataclass(frozen=True, slots=True)
class Names:
    """The named sets of a policy, by id."""

    aliases: Mapping[str, Alias]
    port_sets: Mapping[str, PortSet]


def terms(rank: int, match: Match, family: Family, names: Names) -> Iterator[Term]:
    """The terms of `match` for packets of `family`; none if it can match none of them."""
    if match.family not in (None, family):
        return
    sources = _sides(match.source, family, names)
    destinations = _sides(match.destination, family, names)
    if not sources or not destinations:
        return
    for protocols, source_ports, destination_ports, types in _transports(match, family):
        for source in sources:
            for destination in destinations:
                yield Term(rank, protocols, source, destination, source_ports, destination_ports, types)


def _sides(addresses: Addresses | None, family: Family, names: Names) -> list[Side | None]:
    """The alternatives of one side; [] when nothing of this family can match, [None] when everything does."""
    if addresses is None:
        return [None]
    return _sides_of(addresses.ranges, tuple(_live(addresses.aliases, family, names)), addresses.negated, family)


def _live(aliases: tuple[str, ...], family: Family, names: Names) -> Iterator[str]:
    # An alias that may change keeps its place even while it holds nothing of this family.
    for name in aliases:
        alias = names.aliases[name]
        if alias.changing or any(r.family == family for r in alias.ranges):
            yield name


@lru_cache(1 << 14)
def _sides_of(ranges: tuple[Range, ...], aliases: tuple[str, ...], negated: bool,
              family: Family) -> list[Side | None]:
    if len(ranges) == 1:
        spans: tuple[Span, ...] = (ranges[0][1:],) if ranges[0][0] == family else ()
    else:
        spans = tuple((first, last) for _, first, last in merge(r for r in ranges if r[0] == family))
    if negated:
        return [Side(spans, aliases, True) if spans or aliases else None]
    sides: list[Side | None] = [Side((), (alias,)) for alias in aliases]
    if spans:
        sides.append(Side(spans))
    return sides


Transport = tuple[Side | None, Side | None, Side | None, Side | None]


def _transports(match: Match, family: Family) -> list[Transport]:
    return _transports_of(match.protocols, match.source_ports, match.destination_ports,
                          match.icmp_types if family == 4 else match.icmp6_types, family)


@lru_cache(1 << 14)
def _transports_of(protocols: frozenset[int] | None, source_ports: Ports | None, destination_ports: Ports | None,
                   types: frozenset[int] | None, family: Family) -> list[Transport]:
    if source_ports is not None or destination_ports is not None:
        wanted = WITH_PORTS if protocols is None else protocols & WITH_PORTS
        if not wanted:
            return []
        return [(_numbers(wanted), source, destination, None)
                for source in _port_sides(source_ports) for destination in _port_sides(destination_ports)]
    icmp = ICMP if family == 4 else ICMP6
    transports: list[Transport] = []
    rest = protocols
    if types is not None and (protocols is None or icmp in protocols):
        transports.append((_numbers({icmp}), None, None, _numbers(types)))
        rest = (protocols or frozenset()) - {icmp}
    if rest is None:
        transports.append((None, None, None, None))
    elif rest:
        transports.append((_numbers(rest), None, None, None))
    if rest and PFSYNC in rest:
        port = Side(((STATE_SYNC_PORT, STATE_SYNC_PORT),))
        transports.append((_numbers({TCP, UDP}), None, port, None))
    return transports


def _port_sides(ports: Ports | None) -> list[Side | None]:
    if ports is None:
        return [None]
    sides: list[Side | None] = [Side((), (name,)) for name in ports.sets]
    if ports.spans:
        sides.append(Side(merge_spans(ports.spans)))
    return sides


def _numbers(numbers: frozenset[int] | set[int]) -> Side:
    return Side(merge_spans((n, n) for n in numbers))
