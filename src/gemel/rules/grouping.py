"""A long list of terms, cut so that a packet meets only a few of them and the first match still wins.

A *node* is a sequence of parts. Each part finds its own lowest matching rank, and a packet keeps the lowest that any
part found: so terms may be dealt out to parts in any way, and nothing has to be proved about which of them overlap.
Parts are

* an *exact map*, for terms that ask for single values in the same fields: one look-up gives the rank;
* a *cut*: one field is looked up, and only the terms that can hold for its value are asked further, in a node of their
  own. Terms that say nothing about the field, or cover much of it, would have to be repeated in many cells; they are
  left to the next part instead;
* the *leaf*: the few terms left, asked one by one in their order.

What cannot be told apart (thousands of wide overlapping ranges in every field) ends in a long leaf: correct, and slow.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import log2

from gemel.rules.addresses import Family, merge_spans
from gemel.rules.terms import Names, Side, Span, Term

PROTOCOLS, SOURCE, DESTINATION, SOURCE_PORTS, DESTINATION_PORTS = range(1, 6)
FIELDS = (DESTINATION, SOURCE, DESTINATION_PORTS, SOURCE_PORTS, PROTOCOLS)
"""Places in `Term` that a part can look at."""

LEAF = 6  # asking this many one by one costs about as much as a look-up and a jump
EXACT = 16  # an exact map pays from here
DEEPEST = 6  # cuts below each other; the kernel follows 16 jumps
CONTENTS = 32  # ranges of an alias that a cut may look into
SPARE = 1024  # a cut may repeat terms as often as there are terms, and this often on top; a quarter one level down


@dataclass(frozen=True, slots=True)
class ExactMap:
    """Values of `fields` -> rank. Only ever the first part of all, for it does not look at what was found before."""

    fields: tuple[int, ...]
    ranks: dict[tuple[int, ...], int]


@dataclass(frozen=True, slots=True)
class Cut:
    """Cells `(first, last, child)`, sorted and disjoint, of one field; `single` if each holds one value."""

    field: int
    single: bool
    cells: list[tuple[int, int, int]]
    children: list["Node"]


@dataclass(frozen=True, slots=True)
class Node:
    """Parts, each asked for the lowest rank it has for a packet."""

    parts: list[ExactMap | Cut] = field(default_factory=list)
    leaf: list[Term] = field(default_factory=list)


Spans = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a cut may know about named sets: those that are missing may hold anything."""

    aliases: Mapping[str, Spans]
    port_sets: Mapping[str, Spans]



def group(terms: Sequence[Term], contents: Contents) -> Node:
    """Arrange terms, which must come in rising rank."""
    rest = _reachable(terms)
    node = Node()
    exact, rest = _exact_map(rest)
    if exact:
        node.parts.append(exact)
    _divide(node, rest, contents, 0)
    return node


def _reachable(terms: Sequence[Term]) -> Sequence[Term]:
    """Without what stands behind a term that always holds."""
    for position, term in enumerate(terms):
        if term[1:] == (None, None, None, None, None, None):
            return terms[: position + 1]
    return terms


def _exact_map(terms: Sequence[Term]) -> tuple[ExactMap | None, Sequence[Term]]:
    """The largest group of terms that one look-up answers, and the others."""
    asked = [_exact(term) for term in terms]
    sizes: dict[tuple[int, ...], int] = defaultdict(int)
    for question in asked:
        if question:
            sizes[question[0]] += 1
    shape = max(sizes, key=lambda shape: sizes[shape], default=())
    if sizes[shape] < EXACT:
        return None, terms
    ranks: dict[tuple[int, ...], int] = {}
    rest = []
    for term, question in zip(terms, asked, strict=True):
        if question and question[0] == shape:
            for key in product(*question[1]):
                ranks.setdefault(key, term.rank)
        else:
            rest.append(term)
    return ExactMap(shape, ranks), rest


def _exact(term: Term) -> tuple[tuple[int, ...], list[list[int]]] | None:
    """The places in which the term asks for a value or two, and these; None if it asks anything else, or nothing."""
    if term.types is not None:
        return None
    shape, values = [], []
    for place in range(1, 6):
        side = _side(term, place)
        if side is None:
            continue
        spans, sets, negated = side
        if sets or negated or len(spans) > 2:
            return None
        for first, last in spans:
            if first != last:
                return None
        shape.append(place)
        values.append([first for first, _ in spans])
    return (tuple(shape), values) if shape else None


def _divide(node: Node, terms: Sequence[Term], contents: Contents, depth: int) -> None:
    """Cut as long as it helps; what is left becomes the leaf."""
    while len(terms) > LEAF and depth < DEEPEST:
        found = _best_cut(terms, contents, depth)
        if not found:
            break
        place, single, cells, wide = found
        node.parts.append(_cut(place, single, cells, terms, contents, depth))
        terms = wide
    node.leaf.extend(terms)


Cells = list[tuple[int, int, list[int]]]
"""First and last value, and the positions of the terms that hold there."""


def _best_cut(
    terms: Sequence[Term], contents: Contents, depth: int
) -> tuple[int, bool, Cells, Sequence[Term]] | None:
    """The cut that tells most, by an estimate: the share of terms it takes times the bits it tells them apart by."""
    candidates: list[tuple[float, int, bool, dict[int, Spans]]] = []
    for place in FIELDS:
        spans: dict[int, Spans] = {
            i: s
            for i, term in enumerate(terms)
            if term[place] is not None and (s := known_spans(term, place, contents)) is not None
        }
        singles: dict[int, Spans] = {i: s for i, s in spans.items() if len(s) == 1 and s[0][0] == s[0][1]}
        for single, some in ((True, singles), (False, spans)):
            if len(some) > LEAF // 2 and (single or len(some) > len(singles)):
                # A look-up in intervals is a walk down a tree, a single value is hashed.
                bits = log2(len(set(some.values()))) * (1 if single else 0.9)
                candidates.append((bits * len(some) / len(terms), place, single, some))
    candidates.sort(key=lambda c: -c[0])
    for gain, place, single, some in candidates:
        if gain <= 0:
            break
        cells, taken = _single_cells(some) if single else _span_cells(some, terms, place, SPARE >> 2 * depth)
        largest = max((len(members) for _, _, members in cells), default=0)
        if len(taken) > LEAF // 2 and largest <= 0.75 * len(terms):
            return place, single, cells, [term for i, term in enumerate(terms) if i not in taken]
    return None


def _side(term: Term, place: int) -> Side | None:
    return term[place]  # type: ignore[return-value]  # only place 0, the rank, is anything else


def known_spans(term: Term, place: int, contents: Contents) -> tuple[Span, ...] | None:
    """The only values of a field for which the term can hold; None if that may be any, or is not known."""
    side = _side(term, place)
    if side is None or side.negated:
        return None
    if not side.sets:
        return side.spans
    known = contents.aliases if place in (SOURCE, DESTINATION) else contents.port_sets
    return known.get(side.sets[0])


def _single_cells(some: dict[int, Spans]) -> tuple[Cells, set[int]]:
    members: dict[int, list[int]] = defaultdict(list)
    for position, spans in some.items():
        members[spans[0][0]].append(position)
    return [(value, value, members[value]) for value in sorted(members)], set(some)


def _span_cells(some: dict[int, Spans], terms: Sequence[Term], place: int, spare: int) -> tuple[Cells, set[int]]:
    """The elementary intervals between all ends; terms that cover too many of them are left out, widest first."""
    # In a cell, nothing is reached behind a term that asks for no more than this field.
    closing = {i for i in some if _asks_only(terms[i], place)}
    starts, extents = _extents(some)
    for widest in (1024, 64, 8, 1):
        narrow = {i: some[i] for i, extent in extents.items() if sum(high - low for low, high in extent) <= widest}
        if len(narrow) < len(some):
            some = narrow
            starts, extents = _extents(some)
        members = _members(len(starts), extents, closing, 2 * len(some) + spare)
        if members is not None:
            return [(starts[i], starts[i + 1] - 1, held) for i, held in enumerate(members) if held], set(some)
    return [], set()


def _extents(some: dict[int, Spans]) -> tuple[list[int], dict[int, list[Span]]]:
    """Where cells start, and for each term the half-open runs of cells that it covers."""
    ends: set[int] = set()
    for spans in some.values():
        for first, last in spans:
            ends.add(first)
            ends.add(last + 1)
    starts = sorted(ends)
    cell = {start: i for i, start in enumerate(starts)}
    return starts, {i: [(cell[first], cell[last + 1]) for first, last in spans] for i, spans in some.items()}


def _members(cells: int, extents: dict[int, list[Span]], closing: set[int], most: int) -> list[list[int]] | None:
    """The terms of each cell; None if there are more than `most` in all."""
    members: list[list[int]] = [[] for _ in range(cells)]
    closed: set[int] = set()
    for position, extent in extents.items():
        for low, high in extent:
            run = range(low, high) if not closed else [cell for cell in range(low, high) if cell not in closed]
            for cell in run:
                members[cell].append(position)
            most -= len(run)
            if position in closing:
                closed.update(run)
        if most < 0:
            return None
    return members


def _asks_only(term: Term, place: int) -> bool:
    return all(term[other] is None for other in range(1, 7) if other != place)


def _cut(place: int, single: bool, cells: Cells, terms: Sequence[Term], contents: Contents, depth: int) -> Cut:
    children: list[Node] = []
    child_of: dict[tuple[int, ...], int] = {}
    placed: list[tuple[int, int, int]] = []
    for first, last, members in cells:
        child = child_of.setdefault(tuple(members), len(children))
        if child == len(children):
            children.append(Node())
            inside = _reachable([_without(terms[i], place) for i in members])
            _divide(children[-1], inside, contents, depth + 1)
        if placed and placed[-1][1] + 1 == first and placed[-1][2] == child:
            placed[-1] = (placed[-1][0], last, child)
        else:
            placed.append((first, last, child))
    return Cut(place, single, placed, children)


def _without(term: Term, place: int) -> Term:
    """The term without the condition that its cell fulfils."""
    return Term._make((*term[:place], None, *term[place + 1 :]))


def readable_contents(names: Names, family: Family) -> Contents:
    """What cuts may look into: port sets and aliases that are small and do not change by themselves."""
    of_family = {
        alias.id: [(r.first, r.last) for r in alias.ranges if r.family == family]
        for alias in names.aliases.values()
        if not alias.changing
    }
    return Contents(
        {name: merge_spans(spans) for name, spans in of_family.items() if len(spans) <= CONTENTS},
        {p.id: merge_spans(p.spans) for p in names.port_sets.values() if len(p.spans) <= CONTENTS},
    )
