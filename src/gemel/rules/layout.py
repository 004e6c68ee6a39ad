"""A list of rules laid out as chains of a table, so that the first rule that matches wins.

Few rules stand one after the other. Many are grouped; then chain NAME reads

    meta mark set NO_RULE
    jump NAME_find                    # parts and leaf: leave the lowest rank that matches in the mark
    meta mark vmap @NAME_rules        # rank -> verdict; the counters are here, one for each rule
    goto default_deny

The packet mark is free for this: routing has been decided, and what a later hook wants in it, it sets itself.
"""

import hashlib
from collections.abc import Sequence
from typing import ClassVar

from gemel.rules.addresses import Family, Range, address_text, range_text
from gemel.rules.expressions import condition, quoted, span_text
from gemel.rules.grouping import (
    DESTINATION,
    DESTINATION_PORTS,
    PROTOCOLS,
    SOURCE,
    SOURCE_PORTS,
    Contents,
    Cut,
    ExactMap,
    Node,
    group,
)
from gemel.rules.ir import Rule
from gemel.rules.ruleset import Chain, Collection, Table
from gemel.rules.terms import Names, Term, terms
from gemel.rules.verdicts import VERDICTS, is_plain, statements

FEW = 12  # from more terms on, grouping costs a packet less than asking one by one
NO_RULE = 0xFFFF_FFFF
SIGNS = {PROTOCOLS: "p", SOURCE: "s", DESTINATION: "d", SOURCE_PORTS: "f", DESTINATION_PORTS: "t"}
LONGEST_NAME = 100  # of a chain; the kernel takes 255


def lay_out(
    table: Table, name: str, family: Family, rules: Sequence[tuple[int, Rule]], names: Names, contents: Contents
) -> None:
    """Add chain `name` (and what it needs) for packets of one family; what no rule matches goes to `default_deny`."""
    by_rank = dict(rules)
    asked = [term for rank, rule in rules for term in terms(rank, rule.match, family, names)]
    if len(asked) <= FEW:
        lines = [_line(term, by_rank[term.rank], family) for term in asked]
        table.chains[name] = Chain("", (*lines, "goto default_deny"))
        return
    grouped = GroupedList(table, name, family)
    grouped.write_verdicts(by_rank, asked)
    grouped.write_node(f"{name}_find", group(asked, contents))
    steps = (f"meta mark set {NO_RULE:#x}", f"jump {name}_find", f"meta mark vmap @{name}_rules", "goto default_deny")
    table.chains[name] = Chain("", steps)


def _line(term: Term, rule: Rule, family: Family) -> str:
    return f"{condition(term, family)}counter {statements(rule)} comment {quoted(rule.id)}"


class GroupedList:
    """Writes the chains and maps of one grouped list into a table."""

    TYPES: ClassVar[dict[int, str]] = {
        PROTOCOLS: "inet_proto", SOURCE_PORTS: "inet_service", DESTINATION_PORTS: "inet_service",
    }  # fmt: skip
    WORDS: ClassVar[dict[int, str]] = {
        PROTOCOLS: "meta l4proto", SOURCE_PORTS: "th sport", DESTINATION_PORTS: "th dport",
    }  # fmt: skip

    def __init__(self, table: Table, name: str, family: Family) -> None:
        self._table = table
        self._name = name
        self._family = family
        ip, address = ("ip", "ipv4_addr") if family == 4 else ("ip6", "ipv6_addr")
        self._types = {**self.TYPES, SOURCE: address, DESTINATION: address}
        self._words = {**self.WORDS, SOURCE: f"{ip} saddr", DESTINATION: f"{ip} daddr"}

    def write_verdicts(self, rules: dict[int, Rule], asked: Sequence[Term]) -> None:
        """The map from rank to verdict; rules that log or mark have a chain each."""
        elements = {}
        for rank in dict.fromkeys(term.rank for term in asked):
            rule = rules[rank]
            verdict = VERDICTS[rule.action]
            if not is_plain(rule):
                verdict = f"goto {self._name}_r{rank}"
                self._table.chains[f"{self._name}_r{rank}"] = Chain("", (statements(rule),))
            elements[str(rank)] = f" comment {quoted(rule.id)} : {verdict}"
        self._table.collections[f"{self._name}_rules"] = Collection("map", "type mark : verdict; counter;", elements)

    def write_node(self, chain: str, node: Node) -> None:
        """A chain that lowers the mark to the best rank of the node, if it has a better one."""
        lines = []
        for number, part in enumerate(node.parts):
            if isinstance(part, ExactMap):
                lines.append(self._exact(chain, part))
            else:
                lines.append(self._cut(f"{chain}_{number}{_sign(part)}", part))
        for term in node.leaf:
            lines.append(f"meta mark > {term.rank} {condition(term, self._family)}meta mark set {term.rank} return")
        self._table.chains[chain] = Chain("", tuple(lines))

    def _exact(self, chain: str, part: ExactMap) -> str:
        addresses = [place in (SOURCE, DESTINATION) for place in part.fields]
        elements = {
            " . ".join(
                [address_text(self._family, v) if a else str(v) for a, v in zip(addresses, key, strict=True)]
            ): f" : {rank}"
            for key, rank in part.ranks.items()
        }
        types = " . ".join(self._types[place] for place in part.fields)
        name = f"{chain}_{''.join(SIGNS[place] for place in part.fields)}"
        self._table.collections[name] = Collection("map", f"type {types} : mark;", elements)
        return f"meta mark set {' . '.join(self._words[place] for place in part.fields)} map @{name}"

    def _cut(self, name: str, part: Cut) -> str:
        elements: dict[str, str] = {}
        chains: dict[int, str] = {}
        for first, last, child in part.cells:
            chain = chains.get(child)
            if chain is None:
                chain = chains[child] = _short(f"{name}_{first:x}")
                self.write_node(chain, part.children[child])
            elements[self._cell(part.field, first, last)] = f" : jump {chain}"
        flags = "" if part.single else " flags interval;"
        head = f"type {self._types[part.field]} : verdict;{flags}"
        self._table.collections[f"{name}_cells"] = Collection("map", head, elements)
        return f"{self._words[part.field]} vmap @{name}_cells"

    def _cell(self, place: int, first: int, last: int) -> str:
        if place in (SOURCE, DESTINATION):
            if first == last:
                return address_text(self._family, first)
            return range_text(Range(self._family, first, last))
        return span_text((first, last))


def _sign(part: Cut) -> str:
    """What a cut looks at is in the name of its map: so no map ever changes its type, and `delta` can do its work."""
    return SIGNS[part.field].upper() if part.single else SIGNS[part.field]


def _short(name: str) -> str:
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:LONGEST_NAME - 17]}_{hashlib.blake2b(name.encode(), digest_size=8).hexdigest()}"
