"""Grouping never changes which rule wins: a small reader of the grouped form agrees with the rules read one by one."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.rules.addresses import Family
from gemel.rules.grouping import PROTOCOLS, Cut, ExactMap, Node, group, readable_contents
from gemel.rules.interpret import Interpreter, Packet
from gemel.rules.ir import Action, Interface, Match, Policy, Rule, addresses, ports
from gemel.rules.terms import Names, Side, Term, terms
from tests.unit.rules.strategies import ALIASES, PORT_SETS, long_list, packets, rules

NAMES = Names({a.id: a for a in ALIASES}, {p.id: p for p in PORT_SETS})
NO_RULE = 1 << 32


def value(packet: Packet, place: int) -> int | None:
    """What a look-up in this field reads; None where the packet has no such field."""
    if place in (4, 5) and packet.protocol not in (6, 17, 132):
        return None
    fields = (packet.protocol, packet.source, packet.destination, packet.source_port, packet.destination_port)
    return fields[place - 1]


def side_holds(side: Side | None, number: int | None, family: Family) -> bool:
    if side is None:
        return True
    spans = list(side.spans)
    for name in side.sets:
        if name in NAMES.aliases:
            spans += [(r.first, r.last) for r in NAMES.aliases[name].ranges if r.family == family]
        else:
            spans += NAMES.port_sets[name].spans
    return number is not None and any(low <= number <= high for low, high in spans) != side.negated


def term_holds(term: Term, packet: Packet) -> bool:
    fits = all(side_holds(term[place], value(packet, place), packet.family) for place in range(PROTOCOLS, 6))
    return fits and side_holds(term.types, packet.icmp_type, packet.family)


def winner(node: Node, packet: Packet, best: int = NO_RULE) -> int:
    """What the mark holds after the node's chain."""
    for part in node.parts:
        if isinstance(part, ExactMap):
            assert best == NO_RULE, "an exact map overwrites what was found before"
            best = part.ranks.get(tuple(value(packet, place) for place in part.fields), best)
        else:
            best = cut_winner(part, packet, best)
    for term in node.leaf:
        if best > term.rank and term_holds(term, packet):
            return term.rank
    return best


def cut_winner(part: Cut, packet: Packet, best: int) -> int:
    number = value(packet, part.field)
    for first, last, child in part.cells:
        assert not part.single or first == last
        if number is not None and first <= number <= last:
            return winner(part.children[child], packet, best)
    return best


def grouped(rule_list: tuple[Rule, ...], family: Family) -> Node:
    asked = [t for rank, rule in enumerate(rule_list) for t in terms(rank, rule.match, family, NAMES)]
    return group(asked, readable_contents(NAMES, family))


def first_match(rule_list: tuple[Rule, ...], packet: Packet) -> int:
    reader = Interpreter(Policy((), aliases=ALIASES, port_sets=PORT_SETS))
    return next((i for i, rule in enumerate(rule_list) if reader.matches(rule.match, packet)), NO_RULE)


@settings(max_examples=150, deadline=None)
@given(rules("r", 120), st.lists(packets(), min_size=10, max_size=40))
def test_the_first_match_wins_in_the_grouped_form(rule_list: tuple[Rule, ...], some: list[Packet]) -> None:
    for family in (4, 6):
        node = grouped(rule_list, family)
        for packet in some:
            if packet.family == family:
                assert winner(node, packet) == first_match(rule_list, packet)


def test_long_mixed_lists_agree_too() -> None:
    chance = random.Random(7)
    for seed in range(3):
        rule_list = long_list(1500, seed)
        node = grouped(rule_list, 4)
        for _ in range(150):
            address = [(10 << 24) + chance.randrange(4 << 16) for _ in range(2)]
            port = chance.choice((22, 53, 80, 443, chance.randrange(1, 60000)))
            packet = Packet("lan", 4, chance.choice((6, 17, 1)), address[0], address[1], 999, port)
            assert winner(node, packet) == first_match(rule_list, packet)


def steps(node: Node, packet: Packet) -> int:
    """How many look-ups and single questions a packet meets."""
    count = len(node.leaf)
    for part in node.parts:
        count += 1
        if isinstance(part, Cut):
            number = value(packet, part.field)
            for first, last, child in part.cells:
                if number is not None and first <= number <= last:
                    count += steps(part.children[child], packet)
    return count


def test_a_packet_meets_few_of_many_host_rules() -> None:
    rule_list = tuple(
        Rule(str(i), Match(4, frozenset({6}), host, None, None, ports(i % 50 + 1)), Action.PASS)
        for i, host in enumerate(addresses(f"10.0.{i >> 8}.{i & 255}") for i in range(5000))
    )
    packet = Packet("lan", 4, 6, (10 << 24) + 77, 1, 5, 6)
    assert steps(grouped(rule_list, 4), packet) <= 3


def test_what_stands_behind_an_any_rule_is_not_laid_out() -> None:
    rule_list = (Rule("all", Match(), Action.PASS), *long_list(100, 1))
    node = grouped(rule_list, 4)
    assert node.parts == [] and [t.rank for t in node.leaf] == [0]


def test_interfaces_do_not_share_rules() -> None:
    lan = Interface("lan", "lan", (Rule("a", Match(), Action.PASS),))
    reader = Interpreter(Policy((lan, Interface("wan", "wan"))))
    assert reader.outcome(Packet("lan", 4, 17, 1, 2, 3, 4)).decided_by == "a"
    assert reader.outcome(Packet("wan", 4, 17, 1, 2, 3, 4)).decided_by == "default"
