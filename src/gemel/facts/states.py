"""The state table: who talks to whom through this node, and who talks most."""

import heapq
import struct
from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from gemel.facts.fact import FILTER, LIMIT, Column, Fact, Options, Sources, matches, number
from gemel.flows.attributes import Malformed, table

TOP = 10
PROTOCOLS = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 33: "dccp", 47: "gre", 58: "icmpv6", 112: "carp", 132: "sctp"}
TCP_STATES = (
    "NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE",
    "SYN_SENT2",
)  # fmt: skip
# CTA_* of linux/netfilter/nfnetlink_conntrack.h
ORIG, REPLY, STATUS, PROTOINFO, TIMEOUT, COUNTERS_ORIG, COUNTERS_REPLY = 1, 2, 3, 4, 7, 9, 10
IP, PROTO = 1, 2
SEEN_REPLY, ASSURED, DYING = 0x2, 0x4, 0x200
_U32 = struct.Struct("!I").unpack_from
_IP_HEADS = (struct.pack("=HH", 20, IP | 0x8000), struct.pack("=HH", 44, IP | 0x8000))  # IPv4, IPv6


@dataclass(frozen=True, slots=True)
class StateRow:
    """One state. `source` and `destination` are those of its first packet (``192.168.1.50:1234``); `translated` is what
    the source looks like outside, `forwarded` where the destination leads inside; empty where nothing is translated.
    `expires` is in seconds.
    """

    protocol: str
    source: str
    destination: str
    translated: str
    forwarded: str
    state: str
    expires: int


@dataclass(frozen=True, slots=True)
class Talker:
    """An address and how many states it has."""

    address: str
    states: int


@dataclass(frozen=True, slots=True)
class Creator:
    """A node by its Filter Host ID, and how many states of this node's table began there."""

    host_id: str
    states: int
    this_node: bool


@dataclass(frozen=True, slots=True)
class States:
    """`total` states are in the table, `matching` of them fit the filter, and the first of these are the `rows`.
    `sources` and `destinations` are those with the most states among the matching ones.
    """

    rows: tuple[StateRow, ...]
    total: int
    matching: int
    by_protocol: dict[str, int]
    sources: tuple[Talker, ...]
    destinations: tuple[Talker, ...]
    creators: tuple[Creator, ...]


@dataclass(frozen=True, slots=True)
class _Tuple:
    protocol: int
    source: bytes
    destination: bytes
    source_port: int
    destination_port: int


def _end(address: bytes, port: int) -> str:
    text = str(ip_address(address))
    if not port:
        return text
    return f"[{text}]:{port}" if len(address) == 16 else f"{text}:{port}"


def _tuple(data: bytes) -> _Tuple:
    parts = table(data, 0, len(data))
    ip, proto = table(parts[IP], 0, len(parts[IP])), table(parts[PROTO], 0, len(parts[PROTO]))
    ports = (int.from_bytes(proto.get(n, b""), "big") for n in (2, 3))
    addresses = (ip[1], ip[2]) if 1 in ip else (ip[3], ip[4])
    return _Tuple(proto[1][0], *addresses, *ports)


def read_state(message: bytes) -> StateRow:
    """A row of the listing.

    Raises:
        Malformed: this is no message about a state.
    """
    try:
        parts = table(message, 20, len(message))
        first, reply = _tuple(parts[ORIG]), _tuple(parts[REPLY])
    except (KeyError, IndexError):
        raise Malformed("no tuples") from None
    status = _U32(parts[STATUS])[0] if len(parts.get(STATUS, b"")) >= 4 else 0
    name = PROTOCOLS.get(first.protocol, str(first.protocol))
    there_and_back = (reply.destination, reply.destination_port) == (first.source, first.source_port)
    here_and_there = (reply.source, reply.source_port) == (first.destination, first.destination_port)
    return StateRow(
        protocol=name,
        source=_end(first.source, first.source_port),
        destination=_end(first.destination, first.destination_port),
        translated="" if there_and_back else _end(reply.destination, reply.destination_port),
        forwarded="" if here_and_there else _end(reply.source, reply.source_port),
        state=_progress(parts.get(PROTOINFO, b""), status),
        expires=_U32(parts[TIMEOUT])[0] if len(parts.get(TIMEOUT, b"")) >= 4 else 0,
    )


def _progress(info: bytes, status: int) -> str:
    if info:
        tcp = table(info, 0, len(info)).get(1)
        state = table(tcp, 0, len(tcp)).get(1) if tcp else None
        if state:
            return TCP_STATES[state[0]] if state[0] < len(TCP_STATES) else str(state[0])
    if not status & SEEN_REPLY:
        return "UNREPLIED"
    return "ASSURED" if status & ASSURED else "REPLIED"


def _row(message: bytes) -> StateRow | None:
    try:
        return read_state(message)
    except Malformed:
        return None


def _brief(message: bytes) -> tuple[int, bytes, bytes] | None:
    """Protocol, source and destination of the first packet. In every listing they stand at the same places."""
    if len(message) >= 80 and message[24:28] in _IP_HEADS and message[22] == ORIG:
        if message[28] == 8:
            return message[52], message[32:36], message[40:44]
        return message[76], message[32:48], message[52:68]
    return None


def _states(sources: Sources, options: Options) -> States:
    wanted, limit = options.get("filter", ""), number(options, "limit", 100, 10_000)
    rows: list[StateRow] = []
    total = matching = 0
    protocols: Counter[str] = Counter()
    senders: Counter[bytes] = Counter()
    receivers: Counter[bytes] = Counter()
    for message in sources["conntrack"]:
        brief = _brief(message)
        if brief is None:
            continue
        total += 1
        if wanted or len(rows) < limit:  # the rest of a table of a million is counted, not read
            row = _row(message)
            if row is None or (wanted and not matches(_as_text(row), wanted)):
                continue
            if len(rows) < limit:
                rows.append(row)
        matching += 1
        protocol, source, destination = brief
        protocols[PROTOCOLS.get(protocol, str(protocol))] += 1
        senders[source] += 1
        receivers[destination] += 1
    return States(
        tuple(rows), total, matching, dict(protocols), _top(senders), _top(receivers), _creators(sources["status"])
    )


def _as_text(row: StateRow) -> str:
    return f"{row.protocol} {row.source} {row.destination} {row.translated} {row.forwarded} {row.state}"


def _top(counted: Counter[bytes]) -> tuple[Talker, ...]:
    most = heapq.nlargest(TOP, counted.items(), key=lambda one: one[1])
    return tuple(Talker(str(ip_address(address)), count) for address, count in most)


def _creators(status: dict[str, Any]) -> tuple[Creator, ...]:
    sync = status["state_sync"]
    return tuple(Creator(c, n, c == sync["host_id"]) for c, n in sorted(sync["creators"].items()))


STATES = Fact(
    name="states",
    label="States",
    menu="Diagnostics > States",
    help="The connections that this node knows, its own and the peer's, and who has the most of them.",
    shape=States,
    read=_states,
    sources=("conntrack", "status"),
    columns=(
        Column("protocol", "Protocol"),
        Column("source", "Source"),
        Column("translated", "Outside"),
        Column("destination", "Destination"),
        Column("forwarded", "Inside"),
        Column("state", "State"),
        Column("expires", "Expires in", "seconds"),
    ),
    options=(FILTER, LIMIT),
)
