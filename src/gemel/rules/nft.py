"""A policy compiled to nftables: table `inet gemel` filters and translates, so that both use the same aliases.

How a packet is filtered:

    input, forward ── of a known flow: accept · invalid: drop, silently
       └─ inbound ─── link-local, required ICMPv6, port 0, CARP, out of state   (in pf's order)
            └─ if_<interface> ── private, bogons, anti-lockout
                 └─ if_<interface>_<family> ── the rules, as `grouping` lays them out
                      └─ default_deny

What leaves the node itself passes. A TCP packet that belongs to no state and begins none is dropped before the rules:
pf's pass rules do not match it (`flags S/SA`), and answering it as a reject rule would, with a RST, would kill a
connection whose state has not arrived from the peer yet.

Source: reference pfsense-semantics §2.4, §2.5, §2.7; RFC 4890 for ICMPv6.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from gemel.rules.addresses import Family, Range, merge, merge_spans, range_text
from gemel.rules.expressions import TCP_UDP, address_list, alias_name, identifier, number_list, port_set_name, quoted
from gemel.rules.grouping import Contents, readable_contents
from gemel.rules.ir import CARP, LOG_GROUP, TCP, UDP, Interface, Policy, Rule
from gemel.rules.layout import lay_out
from gemel.rules.nat import translate
from gemel.rules.ranks import Ranks
from gemel.rules.reserved import BOGONS, LINK_LOCAL, PRIVATE
from gemel.rules.ruleset import TCP_UDP_SET, Chain, Collection, Ruleset, Table
from gemel.rules.terms import FAMILIES, Names

KNOWN_FLOWS = "ct state vmap { established : accept, related : accept, invalid : drop }"


def compile(policy: Policy, previous: Ruleset | None = None) -> Ruleset:
    """Compile a node's policy. With `previous`, what did not change keeps its numbers, so that `delta` is small.

    Raises:
        KeyError: a rule names an alias or port set that the policy does not hold.
        ValueError: two interfaces have the same id or device, or a translation makes no sense (see `nat`).
    """
    names = Names({a.id: a for a in policy.aliases}, {p.id: p for p in policy.port_sets})
    for values in ({i.id for i in policy.interfaces}, {i.device for i in policy.interfaces}):
        if len(values) != len(policy.interfaces):
            raise ValueError("two interfaces have the same id or device")
    ranks = Ranks(previous.ranks if previous else {})
    before: Parts = previous.parts if previous and previous.parts else Parts(Names({}, {}), {}, {})
    table = Table({TCP_UDP: TCP_UDP_SET, **dict(_named_sets(policy, before))})
    parts = Parts(names, {}, table.collections)
    for interface in policy.interfaces:
        _interface(table, policy, interface, ranks, (before, parts))
    _frame(table, policy)
    translate(table, policy, names)
    return Ruleset({"gemel": table}, ranks.numbers, parts)


@dataclass(frozen=True)
class Parts:
    """What a compilation can take over from the one before: lists by name (numbered rules, and what they were laid out
    as), if all names in them mean the same; and the sets of aliases that did not change."""

    names: Names
    lists: dict[str, tuple[list[tuple[int, Rule]], Table]]
    collections: dict[str, Collection]

    @cached_property
    def contents(self) -> dict[Family, Contents]:
        """What cuts may look into."""
        return {family: readable_contents(self.names, family) for family in FAMILIES}


def _named_sets(policy: Policy, before: Parts) -> Iterator[tuple[str, Collection]]:
    for alias in policy.aliases:
        if before.names.aliases.get(alias.id) == alias:  # 100,000 entries take a while to write
            for name in (alias_name(family, alias.id) for family in FAMILIES):
                yield name, before.collections[name]
            continue
        ranges = merge(alias.ranges)
        for family in FAMILIES:
            yield alias_name(family, alias.id), address_set(family, [r for r in ranges if r.family == family])
    for port_set in policy.port_sets:
        elements = {number_list((span,)): "" for span in merge_spans(port_set.spans)}
        yield port_set_name(port_set.id), Collection("set", "type inet_service; flags interval;", elements)


def address_set(family: Family, ranges: Iterable[Range]) -> Collection:
    """A set of ranges, which must neither overlap nor touch (`merge`)."""
    kind = "ipv4_addr" if family == 4 else "ipv6_addr"
    return Collection("set", f"type {kind}; flags interval;", {range_text(r): "" for r in ranges})


def _interface(
    table: Table, policy: Policy, interface: Interface, ranks: Ranks, before_and_now: tuple[Parts, Parts]
) -> None:
    name = f"if_{identifier(interface.id)}"
    rules = [*interface.automatic, *interface.rules]
    numbers = ranks.of(name, [rule.id for rule in rules])
    before, now = before_and_now
    numbered = list(zip(numbers, rules, strict=True))
    known = before.lists.get(name)
    if known is None or known[0] != numbered or before.names != now.names:
        known = numbered, Table()
        for family in FAMILIES:
            lay_out(known[1], f"{name}_{family}", family, numbered, now.names, now.contents[family])
    now.lists[name] = known
    table.collections.update(known[1].collections)
    table.chains.update(known[1].chains)
    lines = [*_blocked_sources(policy, interface), *_lockout(interface),
             f"meta nfproto vmap {{ ipv4 : goto {name}_4, ipv6 : goto {name}_6 }}"]  # fmt: skip
    table.chains[name] = Chain("", tuple(lines))


def _blocked_sources(policy: Policy, interface: Interface) -> Iterator[str]:
    bogons = BOGONS if policy.bogons is None else policy.bogons
    for wanted, ranges, label, logged in (
        (interface.block_private, PRIVATE, "private", policy.log_private),
        (interface.block_bogons, bogons, "bogons", policy.log_bogons),
    ):
        for family in FAMILIES if wanted else ():
            spans = tuple((r.first, r.last) for r in merge(ranges) if r.family == family)
            if spans:
                source = "ip saddr" if family == 4 else "ip6 saddr"
                yield f"{source} {address_list(family, spans)} {blocking(label, logged)}"


def _lockout(interface: Interface) -> Iterator[str]:
    ports = number_list(merge_spans((p, p) for p in interface.lockout_ports))
    for family in FAMILIES if interface.lockout_ports else ():
        spans = tuple((r.first, r.last) for r in merge(interface.lockout_addresses) if r.family == family)
        if spans:
            destination = "ip daddr" if family == 4 else "ip6 daddr"
            yield (f"{destination} {address_list(family, spans)} tcp dport {ports} "
                   f'counter accept comment "anti-lockout"')  # fmt: skip


def blocking(label: str, logged: bool) -> str:
    """The end of a statement that drops, counted and perhaps logged under `label`."""
    log = f"log prefix {quoted(f'gemel:block:{label}')} group {LOG_GROUP} " if logged else ""
    return f"{log}counter drop comment {quoted(label)}"


def _frame(table: Table, policy: Policy) -> None:
    """Everything around the interfaces' own chains."""
    devices = {quoted(i.device): f" : goto if_{identifier(i.id)}" for i in policy.interfaces}
    table.collections["by_device"] = Collection("map", "type ifname : verdict;", devices)
    if policy.carp:
        own = merge((*policy.addresses, *policy.vips))
        for family in FAMILIES:
            table.collections[f"own{family}"] = address_set(family, [r for r in own if r.family == family])
        for hook in ("prerouting", "output"):
            # Stateless, as pf has it; and what conntrack does not see, NAT leaves alone.
            head = f"type filter hook {hook} priority raw; policy accept;"
            table.chains[f"untracked_{hook}"] = Chain(head, (f"meta l4proto {CARP} notrack",))
        guard = [f'{ip} saddr @own{family} counter drop comment "own CARP"' for ip, family in (("ip", 4), ("ip6", 6))]
        table.chains["carp_in"] = Chain("", (*guard, 'counter accept comment "CARP"'))
    _helpers(table, policy)
    table.chains["input"] = Chain("type filter hook input priority filter; policy drop;",
                                  ('iifname "lo" accept', KNOWN_FLOWS, "goto inbound"))
    table.chains["forward"] = Chain("type filter hook forward priority filter; policy drop;",
                                    (KNOWN_FLOWS, "goto inbound"))
    table.chains["inbound"] = Chain("", tuple(_inbound(policy)))
    table.chains["control6"] = Chain("", ICMP6_RULES)
    table.chains["rejected"] = Chain("", REJECT_RULES)
    table.chains["default_deny"] = Chain("", (blocking("default", policy.log_default_deny),))
    table.chains["out_of_state"] = Chain("", (blocking("out of state", policy.log_default_deny),))


def _helpers(table: Table, policy: Policy) -> None:
    """Before translation: what a helper adds to a state has to be there when NAT is set up."""
    words = {TCP: "tcp", UDP: "udp"}
    for helper in policy.helpers:
        kind = f"type {quoted(helper.name)} protocol {words[helper.protocol]};"
        table.collections[f"helper_{helper.name}"] = Collection("ct helper", kind, {})
    if policy.helpers:
        table.chains["helpers"] = Chain(
            "type filter hook prerouting priority mangle; policy accept;",
            tuple(f'ct state new {words[h.protocol]} dport {h.port} ct helper set "helper_{h.name}"'
                  for h in policy.helpers))  # fmt: skip


def _inbound(policy: Policy) -> Iterator[str]:
    if policy.block_link_local:
        yield f"ip saddr {range_text(LINK_LOCAL)} {blocking('link-local', False)}"
        yield f"ip daddr {range_text(LINK_LOCAL)} {blocking('link-local', False)}"
    yield "meta l4proto ipv6-icmp jump control6"
    yield f"meta l4proto {{ tcp, udp }} th sport 0 {blocking('port 0', False)}"
    yield f"meta l4proto {{ tcp, udp }} th dport 0 {blocking('port 0', False)}"
    if policy.carp:
        yield f"meta l4proto {CARP} goto carp_in"
    yield "tcp flags & (syn | ack) != syn goto out_of_state"
    yield "iifname vmap @by_device"
    yield "goto default_deny"


ICMP6_RULES = (
    # Unreachable, too big, neighbour solicitation and advertisement; among neighbours, echo and router discovery.
    'icmpv6 type { 1, 2, 135, 136 } counter accept comment "required ICMPv6"',
    'icmpv6 type { 128, 133, 134 } ip6 saddr . ip6 daddr { fe80::/10 . fe80::/10, fe80::/10 . ff02::/16, '
    ':: . ff02::/16, ff02::/16 . fe80::/10 } counter accept comment "required ICMPv6"',
)
REJECT_RULES = (
    "meta l4proto tcp reject with tcp reset",
    "meta l4proto udp reject with icmpx port-unreachable",
    "reject with icmpx admin-prohibited",
)
