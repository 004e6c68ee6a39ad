"""The state table: who talks to whom through this node, and who talks most."""

import heapq
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

from gemel.facts.fact import LIMIT, Column, Fact, Options, Sources, number
from gemel.facts.state_filter import CHOOSING, PROTOCOLS, Creators, End, Wanted, began_on, ends, wanted
from gemel.flows.attributes import Malformed, table
from gemel.flows.ctnetlink import key_of

TOP = 10
TCP_STATES = (
    "NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE",
    "SYN_SENT2",
)  # fmt: skip
# CTA_* of linux/netfilter/nfnetlink_conntrack.h
ORIG, STATUS, PROTOINFO, TIMEOUT = 1, 3, 4, 7
IP = 1
SEEN_REPLY, ASSURED = 0x2, 0x4
_U32 = struct.Struct("!I").unpack_from
_IP_HEADS = (struct.pack("=HH", 20, IP | 0x8000), struct.pack("=HH", 44, IP | 0x8000))  # IPv4, IPv6


@dataclass(frozen=True, slots=True)
class StateRow:
    """One state. `source` and `destination` are those of its first packet (``192.168.1.50:1234``); `translated` is what
    the source looks like outside, `forwarded` where the destination leads inside; empty where nothing is translated.
    `expires` is in seconds, `creator` the Filter Host ID of the node on which it began.
    """

    protocol: str
    source: str
    destination: str
    translated: str
    forwarded: str
    state: str
    expires: int
    creator: str = ""


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


def _end(end: End) -> str:
    text = str(ip_address(end.address))
    if not end.port:
        return text
    return f"[{text}]:{end.port}" if len(end.address) == 16 else f"{text}:{end.port}"


def read_state(message: bytes) -> StateRow:
    """A row of the listing.

    Raises:
        Malformed: this is no message about a state.
    """
    found = ends(message)
    parts = table(message, 20, len(message))
    status = _U32(parts[STATUS])[0] if len(parts.get(STATUS, b"")) >= 4 else 0
    return StateRow(
        protocol=PROTOCOLS.get(found.protocol, str(found.protocol)),
        source=_end(found.source),
        destination=_end(found.destination),
        translated="" if found.reply_destination == found.source else _end(found.reply_destination),
        forwarded="" if found.reply_source == found.destination else _end(found.reply_source),
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


def meant(messages: Iterable[bytes], what: Wanted, creators: Creators) -> Iterator[tuple[bytes, StateRow]]:
    """Those of the listed states that somebody means, with what people read of them."""
    for message in began_on(_fitting(messages, what), what.creator, creators):
        yield message, read_state(message)


def _fitting(messages: Iterable[bytes], what: Wanted) -> Iterator[bytes]:
    for message in messages:
        try:
            found = ends(message)
            if what.fits(found, _as_text(read_state(message)) if what.words else ""):
                yield message
        except Malformed:
            continue


def _is_readable(message: bytes) -> bool:
    try:
        ends(message)
    except Malformed:
        return False
    return True


def _brief(message: bytes) -> tuple[int, bytes, bytes] | None:
    """Protocol, source and destination of the first packet. In every listing they stand at the same places."""
    if len(message) >= 80 and message[24:28] in _IP_HEADS and message[22] == ORIG:
        if message[28] == 8:
            return message[52], message[32:36], message[40:44]
        return message[76], message[32:48], message[52:68]
    return None


def _states(sources: Sources, options: Options) -> States:
    what, limit = wanted(options), number(options, "limit", 100, 10_000)
    creators: Creators = sources["creators"]
    seen = _Seen(sources["conntrack"])
    counted = _Counted()
    shown: list[bytes] = []
    # The table of a million states is counted, not read, unless something is looked for in it.
    chosen = seen if what.everything else (message for message, _ in meant(seen, what, creators))
    for message in chosen:
        if counted.add(message) and len(shown) < limit and _is_readable(message):
            shown.append(message)
    began = creators([key_of(message) for message in shown])
    rows = tuple(replace(read_state(m), creator=host) for m, host in zip(shown, began, strict=True))
    return States(rows, seen.total, counted.total, dict(counted.protocols), _top(counted.sources),
                  _top(counted.destinations), _creators(sources["status"]))


class _Seen:
    """The states of a listing; afterwards, how many those were."""

    def __init__(self, messages: Iterable[bytes]) -> None:
        self._messages = messages
        self.total = 0

    def __iter__(self) -> Iterator[bytes]:
        for message in self._messages:
            if _brief(message) is not None:
                self.total += 1
                yield message


class _Counted:
    """How many of which protocol, and from whom to whom."""

    def __init__(self) -> None:
        self.total = 0
        self.protocols: Counter[str] = Counter()
        self.sources: Counter[bytes] = Counter()
        self.destinations: Counter[bytes] = Counter()

    def add(self, message: bytes) -> bool:
        brief = _brief(message)
        if brief is None:
            return False
        protocol, source, destination = brief
        self.total += 1
        self.protocols[PROTOCOLS.get(protocol, str(protocol))] += 1
        self.sources[source] += 1
        self.destinations[destination] += 1
        return True


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
    sources=("conntrack", "status", "creators"),
    columns=(
        Column("protocol", "Protocol"),
        Column("source", "Source"),
        Column("translated", "Outside"),
        Column("destination", "Destination"),
        Column("forwarded", "Inside"),
        Column("state", "State"),
        Column("expires", "Expires in", "seconds"),
        Column("creator", "Creator"),
    ),
    options=(*CHOOSING, LIMIT),
)
