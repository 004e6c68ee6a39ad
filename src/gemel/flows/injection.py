"""How a state of the peer's kernel becomes one of ours.

The kernel takes back less than it tells (reference section 4.4): status bits it sets itself are refused, ids and
counters mean nothing elsewhere, and a translated reply tuple is believed but *not acted upon*. NAT therefore travels
as the plain inverse of the original tuple with CTA_NAT_SRC and CTA_NAT_DST, exact to address and port; both can only be
given when an entry is created, as can the helper and the master. TCP entries are always made liberal: whoever takes
over in the middle of a connection has not seen its windows.

Most states are IPv4 TCP and UDP and have their fields at fixed offsets; `_quick` takes those. `_thorough` takes every
state, and gives the same.
"""

import struct
from dataclasses import dataclass
from typing import NamedTuple

from gemel.flows.attributes import Malformed, attribute, nest, table, walk
from gemel.flows.ctnetlink import (
    ASSURED,
    CREATE,
    EXCL,
    EXPECT,
    EXPECT_TUPLE,
    EXPECT_ZONE,
    ORIG,
    REPLY,
    UNEXPECT,
    expectation_key,
    key_of,
    request,
)

STATUS, PROTOINFO, HELP, NAT_SRC, TIMEOUT, MARK = 3, 4, 5, 6, 7, 8
NAT_DST, MASTER, SEQ_ORIG, SEQ_REPLY, LABELS, SYNPROXY = 13, 14, 15, 16, 22, 24
KEPT = (MARK, SEQ_ORIG, SEQ_REPLY, LABELS)
IP, PROTO, TUPLE_ZONE = 1, 2, 3
INVERSE_IP = {1: 2, 2: 1, 3: 4, 4: 3}  # v4 source, destination; v6 source, destination
INVERSE_PROTO = {2: 3, 3: 2}  # ports
PROTO_NUM, SOURCE_PORT, DESTINATION_PORT, ICMP_ID, ICMPV6_ID = 1, 2, 3, 4, 7

SEEN_REPLY, CONFIRMED, FIXED_TIMEOUT = 0x2, 0x8, 0x400
STATUS_KEPT = SEEN_REPLY | ASSURED | FIXED_TIMEOUT
LIBERAL = 0x8
FLAGS_MASK = 0x1 | 0x2 | LIBERAL  # window scale, selective acknowledgement, liberal
TCP, GRE = 6, 47
EXPECT_ID = 5  # CTA_EXPECT_ID; all the others mean the same on the other node
_ESTABLISHED = b"\3"

LEASE = 180  # seconds
GRE_LEASE = 600  # seconds: the kernel refreshes an injected GRE state to *no* time at its next packet, so this is fixed
LONGEST = 30 * 86400  # seconds; more is no timeout but a mistake

_U16 = struct.Struct("=H").unpack_from
_BE32 = struct.Struct("!I")


class Injection(NamedTuple):
    """A state as the other kernel takes it. `body` goes into creates and updates; `once` only into creates."""

    body: bytes
    once: bytes


def inject(message: bytes) -> Injection:
    """What to ask of this kernel, so that it has the state that `message`, of the peer's kernel, tells of.

    Raises:
        Malformed: no such state.
    """
    made = _quick(message)
    if made is None:
        try:
            made = _thorough(message)
        except (KeyError, IndexError, struct.error):
            raise Malformed("an attribute that a state needs is missing") from None
    return made


# --- IPv4 TCP and UDP: everything at a fixed offset -----------------------------------------------------------------
#
#   20 ORIG  32 source  40 destination  52 protocol  60 source port  68 destination port      72 REPLY  likewise
#   an event:    124 ID        132 STATUS  140 TIMEOUT                          148 PROTOINFO  MARK
#   a listing:   124 STATUS    132 MARK    140 ID       148 USE   156 TIMEOUT   164 PROTOINFO
#
_PORTS = struct.pack("=HH", 28, PROTO | 0x8000)
_ORIG_HEAD = struct.pack("=HHHHHH", 52, ORIG | 0x8000, 20, IP | 0x8000, 8, 1)
_REPLY_HEAD = struct.pack("=HHHHHH", 52, REPLY | 0x8000, 20, IP | 0x8000, 8, 1)
_DESTINATION = struct.pack("=HH", 8, 2)
_STATUS_HEAD = struct.pack("=HH", 8, STATUS)
_TIMEOUT_HEAD = struct.pack("=HH", 8, TIMEOUT)
_MARK_HEAD = struct.pack("=HH", 8, MARK)
_ID_HEAD = struct.pack("=HH", 8, 12)
_LISTING_HEADS = (_STATUS_HEAD, _MARK_HEAD, _TIMEOUT_HEAD)
_TCP_INFO = struct.pack("=HHHHHH", 48, PROTOINFO | 0x8000, 44, 1 | 0x8000, 5, 1)
_NAT_SRC_HEAD = struct.pack("=HHHH", 40, NAT_SRC | 0x8000, 8, 1)
_NAT_DST_HEAD = struct.pack("=HHHH", 40, NAT_DST | 0x8000, 8, 1)
_NAT_MAX = struct.pack("=HH", 8, 2)
_NAT_PORTS = struct.pack("=HHHH", 20, 3 | 0x8000, 6, 1)
_NAT_PORT_MAX = b"\0\0" + struct.pack("=HH", 6, 2)
_LEASE = _BE32.pack(LEASE)
_LONGEST = _BE32.pack(LONGEST)
_FLAGS = [bytes(((flags | LIBERAL) & FLAGS_MASK, FLAGS_MASK, 0, 0)) for flags in range(256)]

_TUPLES = struct.Struct("=32x 4s4x4s 16x 2s6x2s2x 12x 4s4x4s 16x 2s6x2s2x").unpack_from
_EVENT = struct.Struct("=124x 4s4x 4s4s 4s4s").unpack_from
_LISTING = struct.Struct("=124x 4s4s 4s4s 16x 4s4s").unpack_from


class _Statuses(dict[bytes, bytes]):
    """The kernel's status word -> the attribute to inject."""

    def __missing__(self, word: bytes) -> bytes:
        kept = _BE32.unpack(word)[0] & STATUS_KEPT | CONFIRMED
        self[word] = made = _STATUS_HEAD + _BE32.pack(kept)
        if len(self) > 4096:  # the kernel has 16 bits; a peer may invent more
            self.clear()
        return made


class _Tails(dict[bytes, bytes | None]):
    """What follows the timeout -> what of it is injected; None if that takes a thorough look. Few are different."""

    def __init__(self, tcp: bool) -> None:
        super().__init__()
        self._tcp = tcp

    def __missing__(self, tail: bytes) -> bytes | None:
        if len(self) > 4096:
            self.clear()
        self[tail] = made = self._kept(tail)
        return made

    def _kept(self, tail: bytes) -> bytes | None:
        kept, at = b"", 0
        if self._tcp:
            if tail[:12] != _TCP_INFO or len(tail) < 48:
                return None  # the event does not say how the connection stands
            kept, at = tail[:36] + _FLAGS[tail[36]] + tail[40:44] + _FLAGS[tail[44]], 48
        try:
            for kind, start, end in walk(tail, at, len(tail)):
                if kind in KEPT:
                    kept += tail[start:end] + bytes(start - end & 3)
                elif kind in (HELP, MASTER, PROTOINFO) or (kind == SYNPROXY and any(tail[start + 8:end:8])):
                    return None
        except Malformed:
            return None
        return kept


_STATUSES = _Statuses()
_TCP_TAILS, _OTHER_TAILS = _Tails(True), _Tails(False)


def _quick(m: bytes) -> Injection | None:
    if len(m) < 148 or m[20:32] != _ORIG_HEAD or m[44:48] != _PORTS or m[72:84] != _REPLY_HEAD:
        return None
    a, status_head, status, timeout_head, timeout = _EVENT(m)
    mark, at = b"", 148
    if a != _ID_HEAD or status_head != _STATUS_HEAD or timeout_head != _TIMEOUT_HEAD:
        if len(m) < 164:
            return None
        a, status, b, mark, timeout_head, timeout = _LISTING(m)
        if (a, b, timeout_head) != _LISTING_HEADS:
            return None
        mark, at = m[132:140], 164
    protocol = m[52]
    tail = (_TCP_TAILS if protocol == TCP else _OTHER_TAILS)[m[at:]]
    if tail is None or protocol == GRE:  # whose timeout is a special one
        return None
    src, dst, sport, dport, rsrc, rdst, rsport, rdport = _TUPLES(m)
    once = b""
    if src != rdst or sport != rdport:
        once = b"".join((_NAT_SRC_HEAD, rdst, _NAT_MAX, rdst, _NAT_PORTS, rdport, _NAT_PORT_MAX, rdport, b"\0\0"))
    if dst != rsrc or dport != rsport:
        once += b"".join((_NAT_DST_HEAD, rsrc, _NAT_MAX, rsrc, _NAT_PORTS, rsport, _NAT_PORT_MAX, rsport, b"\0\0"))
    timeout = _LEASE if timeout < _LEASE else timeout if timeout < _LONGEST else _LONGEST
    return Injection(b"".join((
        m[16:72], _REPLY_HEAD, dst, _DESTINATION, src, m[44:60], dport, m[62:68], sport, b"\0\0",
        _STATUSES[status], _TIMEOUT_HEAD, timeout, tail, mark)), once)


# --- every other state ----------------------------------------------------------------------------------------------


def _thorough(m: bytes) -> Injection:
    key = key_of(m)
    attributes = table(m, 20, len(m))
    orig, reply = _tuple(attributes[ORIG]), _tuple(attributes[REPLY])
    protocol = orig.proto.get(PROTO_NUM, b"\0")[:1]
    timeout = _number(attributes.get(TIMEOUT, b"")) or LEASE
    status, lease = _number(attributes.get(STATUS, b"")), LEASE
    if protocol == bytes((GRE,)):
        status, lease = status | FIXED_TIMEOUT, GRE_LEASE
    body = [m[16:20], key[:_U16(m, 20)[0]], key[_U16(m, 20)[0]:], _inverse(orig, reply),
            attribute(STATUS, _BE32.pack(status & STATUS_KEPT | CONFIRMED)),
            attribute(TIMEOUT, _BE32.pack(min(max(timeout, lease), LONGEST)))]
    if protocol == bytes((TCP,)) and PROTOINFO in attributes:
        body.append(_tcp_info(attributes[PROTOINFO]))
    elif PROTOINFO in attributes:
        body.append(attribute(PROTOINFO | 0x8000, attributes[PROTOINFO]))
    body += [attribute(kind, attributes[kind]) for kind in KEPT if kind in attributes]
    if any(attributes.get(SYNPROXY, b"")[4::8]):
        body.append(attribute(SYNPROXY, attributes[SYNPROXY]))
    once = [_nat(NAT_SRC, orig.source, orig.source_port, reply.destination, reply.destination_port),
            _nat(NAT_DST, orig.destination, orig.destination_port, reply.source, reply.source_port)]
    if protocol == bytes((TCP,)) and PROTOINFO not in attributes:
        # This event does not say how the connection stands: an assured one that we have to create is established.
        once.append(_tcp_info(nest(1, attribute(1, _ESTABLISHED)) if status & ASSURED else b""))
    if HELP in attributes:
        name = table(attributes[HELP], 0, len(attributes[HELP])).get(1, b"")
        once.append(nest(HELP, attribute(1, name)))
    if MASTER in attributes:
        once.append(attribute(MASTER | 0x8000, attributes[MASTER]))
    return Injection(b"".join(body), b"".join(once))


@dataclass(frozen=True, slots=True)
class _Tuple:
    addresses: dict[int, bytes]
    proto: dict[int, bytes]
    zone: bytes

    @property
    def source(self) -> bytes:
        return self.addresses.get(1) or self.addresses.get(3) or b""

    @property
    def destination(self) -> bytes:
        return self.addresses.get(2) or self.addresses.get(4) or b""

    @property
    def source_port(self) -> bytes:
        """The port; for an echo its id, which NAT treats like a source port."""
        return self.proto.get(SOURCE_PORT) or self.proto.get(ICMP_ID) or self.proto.get(ICMPV6_ID) or b""

    @property
    def destination_port(self) -> bytes:
        return self.proto.get(DESTINATION_PORT) or self.proto.get(ICMP_ID) or self.proto.get(ICMPV6_ID) or b""


def _tuple(value: bytes) -> _Tuple:
    parts = table(value, 0, len(value))
    if IP not in parts or PROTO not in parts:
        raise Malformed("a tuple without addresses or protocol")
    found = _Tuple(table(parts[IP], 0, len(parts[IP])), table(parts[PROTO], 0, len(parts[PROTO])),
                   attribute(TUPLE_ZONE, parts[TUPLE_ZONE]) if TUPLE_ZONE in parts else b"")
    if len(found.source) not in (4, 16) or len(found.destination) != len(found.source):
        raise Malformed("a tuple without addresses")
    return found


def _inverse(orig: _Tuple, reply: _Tuple) -> bytes:
    """The reply tuple that the kernel would have computed without NAT.

    ICMP: type and code are the reply's own (an echo is answered by type 0), the id is the original one.
    """
    addresses = _attributes({INVERSE_IP.get(kind, kind): value for kind, value in orig.addresses.items()})
    kept = (ICMP_ID, ICMPV6_ID)
    if any(kind in orig.proto for kind in kept):
        proto = _attributes({kind: orig.proto.get(kind, value) if kind in kept else value
                             for kind, value in reply.proto.items()})
    else:
        proto = _attributes({INVERSE_PROTO.get(kind, kind): value for kind, value in orig.proto.items()})
    return nest(REPLY, nest(IP, addresses), nest(PROTO, proto), reply.zone)


def _attributes(values: dict[int, bytes]) -> bytes:
    return b"".join(attribute(kind, values[kind]) for kind in sorted(values))


def _nat(kind: int, address: bytes, port: bytes, new_address: bytes, new_port: bytes) -> bytes:
    if address == new_address and port == new_port:
        return b""
    lowest, highest = (1, 2) if len(new_address) == 4 else (4, 5)
    ports = nest(3, attribute(1, new_port), attribute(2, new_port)) if new_port else b""
    return nest(kind, attribute(lowest, new_address), attribute(highest, new_address), ports)


def _tcp_info(value: bytes) -> bytes:
    """PROTOINFO with both directions liberal."""
    inner = table(value, 0, len(value)).get(1, b"")
    tcp = table(inner, 0, len(inner))
    for kind in (4, 5):
        flags = tcp.get(kind, b"") or b"\0"
        tcp[kind] = _FLAGS[flags[0]][:2]
    return nest(PROTOINFO, nest(1, _attributes(tcp)))


def expect(message: bytes, sequence: int) -> bytes:
    """The request that makes this kernel expect the connection that the peer's helper expects.

    Raises:
        Malformed: it does not say what is expected.
    """
    expectation_key(message)
    kept = [message[a:b] + bytes(a - b & 3) for kind, a, b in walk(message, 20, len(message)) if kind != EXPECT_ID]
    return request(EXPECT, CREATE | EXCL, sequence, message[16:20] + b"".join(kept))


def unexpect(message: bytes, sequence: int) -> bytes:
    """The request that ends an expectation: by its tuple (and zone).

    Raises:
        Malformed: it does not say which.
    """
    expectation_key(message)
    kept = [message[a:b] + bytes(a - b & 3) for kind, a, b in walk(message, 20, len(message))
            if kind in (EXPECT_TUPLE, EXPECT_ZONE)]
    return request(UNEXPECT, 0, sequence, message[16:20] + b"".join(kept))


def unlabelled(body: bytes) -> bytes:
    """`body` without labels: for a node whose rules have none."""
    kept = (body[a:b] + bytes(a - b & 3) for kind, a, b in walk(body, 4, len(body)) if kind != LABELS)
    return body[:4] + b"".join(kept)


def bare(once: bytes) -> bytes:
    """`once` without helper and master: for a node that has no such helper, or not the master."""
    return b"".join(once[a:b] for kind, a, b in walk(once, 0, len(once)) if kind not in (HELP, MASTER))


def _number(value: bytes) -> int:
    return int.from_bytes(value[:4], "big")
