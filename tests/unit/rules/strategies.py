"""Random policies and packets, drawn from few values so that rules overlap and packets hit them."""

import random

from hypothesis import strategies as st

from gemel.rules.addresses import Family, Range, parse_range
from gemel.rules.interpret import Packet
from gemel.rules.ir import (
    Action,
    Addresses,
    Alias,
    Helper,
    Interface,
    Match,
    Policy,
    PortForward,
    Ports,
    PortSet,
    Rule,
    SourceNat,
    addresses,
    ports,
)

V4 = tuple(map(parse_range, (
    "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3", "10.1.2.4", "10.1.3.1", "10.2.0.0-10.2.7.9",
    "192.168.1.0/24", "192.168.1.50", "0.0.0.0/0", "172.16.1.2-172.16.1.3", "203.0.113.9",
)))  # fmt: skip
V6 = tuple(map(parse_range, (
    "fd00::/16", "fd00:1::/32", "fd00:1::5", "fd00:1::5-fd00:1::9", "2001:db8::/32", "2001:db8::1", "::/0",
)))  # fmt: skip
SPANS = ((53, 53), (80, 80), (80, 90), (85, 443), (443, 443), (1, 65535), (1000, 2000), (3240, 3240), (1024, 1024))
ALIASES = (
    Alias("hosts", (V4[3], V4[5], V6[2])),
    Alias("nets", (V4[1], V4[7], V4[2], V6[3])),
    Alias("names", (V4[4], V6[1]), changing=True),
    Alias("v4", (V4[6],)),
)
PORT_SETS = (PortSet("web", ((80, 80), (443, 443))), PortSet("odd", ((85, 1500), (80, 81))))
PROTOCOLS = (1, 6, 17, 47, 58, 132, 240)


@st.composite
def sides(draw: st.DrawFn) -> Addresses | None:
    kind = draw(st.integers(0, 9))
    if kind < 3:
        return None
    most, least = (3, 0) if kind > 4 else (1, 1)
    ranges = tuple(draw(st.lists(st.sampled_from(V4 + V6), min_size=least, max_size=most)))
    aliases = tuple(a.id for a in draw(st.lists(st.sampled_from(ALIASES), max_size=2, unique=True))) if kind > 6 else ()
    return Addresses(ranges, aliases, negated=kind == 9)


@st.composite
def port_sides(draw: st.DrawFn) -> Ports | None:
    kind = draw(st.integers(0, 5))
    if kind < 2:
        return None
    sets = (draw(st.sampled_from(PORT_SETS)).id,) if kind == 5 else ()
    return Ports(tuple(draw(st.lists(st.sampled_from(SPANS), min_size=0 if sets else 1, max_size=2))), sets)


@st.composite
def matches(draw: st.DrawFn, families: tuple[Family | None, ...] = (4, 6, None)) -> Match:
    protocols = draw(st.none() | st.frozensets(st.sampled_from(PROTOCOLS), min_size=1, max_size=3))
    types = draw(st.none() | st.none() | st.frozensets(st.sampled_from((0, 8, 128, 129)), min_size=1))
    ported = draw(st.booleans()) and (protocols is None or protocols & {6, 17, 132})
    return Match(
        draw(st.sampled_from(families)), protocols, draw(sides()), draw(sides()),
        draw(port_sides()) if ported and draw(st.booleans()) else None, draw(port_sides()) if ported else None,
        types, types,
    )  # fmt: skip


@st.composite
def rules(draw: st.DrawFn, name: str, most: int = 60) -> tuple[Rule, ...]:
    asked = draw(st.lists(st.tuples(matches(), st.sampled_from(Action)), max_size=most))
    return tuple(Rule(f"{name}{i}", match, action) for i, (match, action) in enumerate(asked))


HELPERS = (Helper("ftp", 6, 21), Helper("sip", 17, 5060))


@st.composite
def policies(draw: st.DrawFn, most: int = 60) -> Policy:
    wan = Interface("wan", "wan", draw(rules("w", most)), block_private=draw(st.booleans()),
                    block_bogons=draw(st.booleans()))  # fmt: skip
    lan = Interface("lan", "lan", draw(rules("l", most)), lockout_addresses=(V4[8],), lockout_ports=(443, 22))
    return Policy(
        (wan, lan), addresses=(parse_range("192.168.1.2"), parse_range("203.0.113.2")),
        vips=(parse_range("192.168.1.1"), parse_range("203.0.113.1"), V6[5]), carp=draw(st.booleans()), aliases=ALIASES,
        port_sets=PORT_SETS, source_nat=tuple(draw(source_nat())), port_forwards=tuple(draw(forwards())),
        helpers=tuple(draw(st.sets(st.sampled_from(HELPERS)))),
    )  # fmt: skip


@st.composite
def source_nat(draw: st.DrawFn) -> list[SourceNat]:
    mappings = []
    for i in range(draw(st.integers(0, 4))):
        family = draw(st.sampled_from((4, 6)))
        to = draw(st.sampled_from((None, parse_range("203.0.113.1") if family == 4 else V6[5])))
        mappings.append(SourceNat(f"s{i}", "wan", draw(matches((family,))), to, draw(st.booleans())))
    return mappings


@st.composite
def forwards(draw: st.DrawFn) -> list[PortForward]:
    found = []
    for i in range(draw(st.integers(0, 3))):
        low = draw(st.sampled_from((80, 443, 1000)))
        match = Match(4, draw(st.sampled_from((frozenset({6}), frozenset({6, 17})))), None, Addresses((V4[11],)), None,
                      Ports(((low, low + draw(st.sampled_from((0, 3)))),)))  # fmt: skip
        to, port = draw(st.sampled_from((V4[8], None))), draw(st.sampled_from((None, 8080)))
        found.append(PortForward(f"f{i}", "wan", match, to, port))
    return found


def inside(span: Range) -> st.SearchStrategy[int]:
    """Addresses at, between and just beyond the ends."""
    top = 2**32 - 1 if span.family == 4 else 2**128 - 1
    values = {span.first, span.last, (span.first + span.last) // 2, max(0, span.first - 1), min(top, span.last + 1)}
    return st.sampled_from(sorted(values))


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    family: Family = draw(st.sampled_from((4, 6)))
    pool = V4 if family == 4 else V6
    protocol = draw(st.sampled_from((*PROTOCOLS, 112)))
    numbers = st.sampled_from((0, 1, 53, 79, 80, 81, 85, 90, 91, 443, 1000, 1003, 1024, 3240, 65535))
    ported = protocol in (6, 17, 132)
    return Packet(
        draw(st.sampled_from(("wan", "lan", "other"))), family, protocol,
        draw(st.sampled_from(pool).flatmap(inside)), draw(st.sampled_from(pool).flatmap(inside)),
        draw(numbers) if ported else 0, draw(numbers) if ported else 0,
        draw(st.sampled_from((0, 8, 128, 129, 135))) if protocol in (1, 58) else 0,
        begins=draw(st.sampled_from((True, True, True, False))), out_device=draw(st.sampled_from((None, "wan", "lan"))),
    )  # fmt: skip


def long_list(count: int, seed: int) -> tuple[Rule, ...]:
    """Many IPv4 rules of few kinds: hosts, nested networks, port ranges, any."""
    chance = random.Random(seed)

    def side() -> Addresses | None:
        kind = chance.random()
        length = 32 if kind < 0.5 else chance.randint(12, 30)
        text = f"10.{chance.randrange(4)}.{chance.randrange(8)}.{chance.randrange(256)}/{length}"
        return None if kind > 0.8 else addresses(text, negated=kind > 0.78)

    def match() -> Match:
        low = chance.choice((22, 53, 80, 443, chance.randrange(1, 60000)))
        span = ports((low, low + chance.choice((0, 0, 0, 20, 4000))))
        if chance.random() < 0.2:
            return Match(4, None, side(), side())
        protocols = chance.choice((frozenset({6}), frozenset({17}), frozenset({6, 17})))
        return Match(4, protocols, side(), side(), None, span)

    return tuple(Rule(str(i), match(), chance.choice(list(Action)), log=i % 50 == 0) for i in range(count))
