"""nftables' words for what a term asks, and for names that come from people."""

from gemel.rules.addresses import Family, Range, range_text
from gemel.rules.ir import SCTP, TCP, UDP
from gemel.rules.terms import Side, Span, Term

PORT_HEADERS: dict[tuple[Span, ...], str] = {
    ((TCP, TCP),): "tcp",
    ((UDP, UDP),): "udp",
    ((SCTP, SCTP),): "sctp",
}


TCP_UDP = "tcp_udp"
"""Name of the set of these two protocols, which the table always holds."""


def identifier(text: str) -> str:
    """`text` as part of an nftables name: signs other than letters and digits become code points, `a.b` -> `a_2eb`."""
    return "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}" for c in text)


def quoted(text: str, longest: int = 120) -> str:
    """`text` as a quoted string; nft knows no escapes, so what would end or break the string becomes `?`."""
    if text.isascii() and text.isprintable() and not ('"' in text or "\\" in text):
        return f'"{text[:longest]}"'
    plain = (c if c.isprintable() and c.isascii() and c not in '"\\' else "?" for c in text[:longest])
    return f'"{"".join(plain)}"'


def alias_name(family: Family, alias: str) -> str:
    """The set that holds an alias's addresses of one family."""
    return f"a{family}_{identifier(alias)}"


def port_set_name(port_set: str) -> str:
    """The set that holds a port alias."""
    return f"p_{identifier(port_set)}"


def address_list(family: Family, spans: tuple[Span, ...]) -> str:
    """One range as it is, several as an anonymous set."""
    if len(spans) == 1:
        return range_text(Range(family, *spans[0]))
    return f"{{ {', '.join([range_text(Range(family, first, last)) for first, last in spans])} }}"


def number_list(spans: tuple[Span, ...]) -> str:
    """Ports, protocols or types."""
    if len(spans) == 1:
        return span_text(spans[0])
    return f"{{ {', '.join(map(span_text, spans))} }}"


def span_text(span: Span) -> str:
    """`80`, or `80-90`."""
    return str(span[0]) if span[0] == span[1] else f"{span[0]}-{span[1]}"


def condition(term: Term, family: Family, shared: bool = True) -> str:
    """The match part of one nft statement, with a blank at its end unless it is empty.

    `shared` False: no set for {tcp, udp}, so that nft sees that ports exist, as it must before it translates them.
    """
    words = []
    if term.source is not None:
        words.append(_addresses("saddr", term.source, family))
    if term.destination is not None:
        words.append(_addresses("daddr", term.destination, family))
    if term.types is not None:
        words.append(f"{'icmp' if family == 4 else 'icmpv6'} type {number_list(term.types.spans)} ")
    elif term.source_ports is None and term.destination_ports is None:
        if term.protocols is not None:
            words.append(f"meta l4proto {_protocols(term.protocols, shared)} ")
    else:
        words.append(_ports(term, shared))
    return "".join(words)


def _protocols(side: Side, shared: bool) -> str:
    # Anonymous sets cost more to load than the rules that they stand in; this one is in every second rule set.
    return f"@{TCP_UDP}" if shared and side.spans == ((TCP, TCP), (UDP, UDP)) else number_list(side.spans)


def _addresses(field: str, side: Side, family: Family) -> str:
    what = f"{'ip' if family == 4 else 'ip6'} {field} {'!= ' if side.negated else ''}"
    if not side.sets:
        return f"{what}{address_list(family, side.spans)} "
    words = [f"{what}@{alias_name(family, name)} " for name in side.sets]
    if side.spans:
        words.append(f"{what}{address_list(family, side.spans)} ")
    return "".join(words)


def _ports(term: Term, shared: bool) -> str:
    header = PORT_HEADERS.get(term.protocols.spans) if term.protocols else None
    words = [] if header or not term.protocols else [f"meta l4proto {_protocols(term.protocols, shared)} "]
    for field, side in (("sport", term.source_ports), ("dport", term.destination_ports)):
        if side is not None:
            value = f"@{port_set_name(side.sets[0])}" if side.sets else number_list(side.spans)
            words.append(f"{header or 'th'} {field} {value} ")
    return "".join(words)
