"""Address translation. Port forwards before routing, outbound NAT after it; in both the first match wins.

Always to given addresses, never masquerade: a VIP stays the source when the other node takes over. CARP is untracked,
and so never translated. Source: reference pfsense-semantics §5.
"""

from collections.abc import Iterator

from gemel.rules.addresses import Family, Range, address_text
from gemel.rules.expressions import condition, identifier, quoted, span_text
from gemel.rules.ir import SCTP, TCP, UDP, Match, Policy, PortForward, SourceNat
from gemel.rules.ruleset import Chain, Collection, Table
from gemel.rules.terms import Names, Side, Span, Term, terms

PORTED: tuple[Span, ...] = ((TCP, TCP), (UDP, UDP), (SCTP, SCTP))


def translate(table: Table, policy: Policy, names: Names) -> None:
    """Add the chains of both directions.

    Raises:
        ValueError: a translation's family is not that of its match, or a forward moves ports that it does not name.
    """
    incoming: dict[str, list[str]] = {}
    for forward in policy.port_forwards:
        incoming.setdefault(forward.device, []).extend(_forward_lines(forward, names))
    outgoing: dict[str, list[str]] = {}
    for mapping in policy.source_nat:
        outgoing.setdefault(mapping.device, []).extend(_mapping_lines(mapping, names))
    _direction(table, "prerouting", "dstnat", "iifname", incoming)
    _direction(table, "postrouting", "srcnat", "oifname", outgoing)


def _direction(table: Table, hook: str, priority: str, device_word: str, lists: dict[str, list[str]]) -> None:
    elements = {quoted(device): f" : goto {hook}_{identifier(device)}" for device in lists}
    table.collections[f"{hook}_devices"] = Collection("map", "type ifname : verdict;", elements)
    head = f"type nat hook {hook} priority {priority}; policy accept;"
    table.chains[hook] = Chain(head, (f"{device_word} vmap @{hook}_devices",))
    for device, lines in lists.items():
        table.chains[f"{hook}_{identifier(device)}"] = Chain("", tuple(lines))


def translation_family(match: Match, to: Range | None, rule_id: str) -> Family:
    """The one family that a translation concerns."""
    family = to.family if to else match.family
    if family is None or match.family != family:
        raise ValueError(f"translation {rule_id}: the match must be of the family of its target")
    return family


def _forward_lines(forward: PortForward, names: Names) -> Iterator[str]:
    family = translation_family(forward.match, forward.to, forward.id)
    for term in terms(0, forward.match, family, names):
        action = _redirection(forward, forward.to, term) if forward.to else "accept"
        yield f"{condition(term, family, shared=False)}counter {action} comment {quoted(forward.id)}"


def _redirection(forward: PortForward, to: Range, term: Term) -> str:
    dnat = f"dnat {'ip' if to.family == 4 else 'ip6'} to"
    if forward.first_port is None:
        return f"{dnat} {target_text(to)}"
    ports = term.destination_ports
    if ports is None or not ports.spans:
        raise ValueError(f"port forward {forward.id}: without destination ports there are none to move")
    lowest = ports.spans[0][0]
    distance = forward.first_port - lowest
    if not distance:
        return f"{dnat} {target_text(to)}"
    if ports.spans == ((lowest, lowest),):
        return f"{dnat} {target_text(to, bracket=True)}:{forward.first_port}"
    moved = ", ".join(f"{p} : {p + distance}" for low, high in ports.spans for p in range(low, high + 1))
    return f"{dnat} {target_text(to, bracket=True)}:th dport map {{ {moved} }}"


def covers(spans: tuple[Span, ...], number: int) -> bool:
    """True if one of the spans holds the number."""
    return any(low <= number <= high for low, high in spans)


def target_text(to: Range, bracket: bool = False) -> str:
    """An address or `first-last`; in brackets where a port follows."""
    texts = [address_text(to.family, to.first)]
    if to.last != to.first:
        texts.append(address_text(to.family, to.last))
    if bracket and to.family == 6:
        texts = [f"[{text}]" for text in texts]
    return "-".join(texts)


def _mapping_lines(mapping: SourceNat, names: Names) -> Iterator[str]:
    family = translation_family(mapping.match, mapping.to, mapping.id)
    for term in terms(0, mapping.match, family, names):
        for part, action in _source_actions(mapping, term):
            yield f"{condition(part, family, shared=False)}counter {action} comment {quoted(mapping.id)}"


def _source_actions(mapping: SourceNat, term: Term) -> Iterator[tuple[Term, str]]:
    if mapping.to is None:
        yield term, "accept"
        return
    snat = f"snat {'ip' if mapping.to.family == 4 else 'ip6'} to"
    # Only what has ports can have them changed: other protocols follow in a statement of their own.
    protocols = tuple(p for p in PORTED if term.protocols is None or covers(term.protocols.spans, p[0]))
    if protocols and not mapping.static_port and term.types is None:
        ports = span_text(mapping.ports)
        yield term._replace(protocols=Side(protocols)), f"{snat} {target_text(mapping.to, bracket=True)}:{ports}"
        if term.protocols == Side(protocols) or term.source_ports or term.destination_ports:
            return
    yield term, f"{snat} {target_text(mapping.to)}"
