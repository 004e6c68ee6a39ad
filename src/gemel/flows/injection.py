"""How a state of the peer's kernel becomes one of ours.

The kernel takes back less than it tells (reference section 4.4): status bits it sets itself are refused, ids and
counters mean nothing elsewhere, and a translated reply tuple is believed but *not acted upon*. NAT therefore travels
as the plain inverse of the original tuple with CTA_NAT_SRC and CTA_NAT_DST, exact to address and port; both can only be
given when an entry is created, as can the helper and the master. TCP entries are always made liberal: whoever takes
over in the middle of a connection has not seen its windows.

Most states are IPv4 TCP and UDP and have their fields at fixed offsets; `quick` makes the requests for those.
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
    NEW,
    ORIG,
    REPLY,
    UNEXPECT,
    expectation_key,
    key_of,
    request,
)
from gemel.flows.fields import (
    CONFIRMED,
    DESTINATION_PORT,
    FIXED_TIMEOUT,
    FLAGS,
    GRE,
    GRE_LEASE,
    HELP,
    ICMP_ID,
    ICMPV6_ID,
    IP,
    KEPT,
    LABELS,
    LEASE,
    LONGEST,
    MASTER,
    NAT_DST,
    NAT_SRC,
    PROTO,
    PROTO_NUM,
    PROTOINFO,
    SOURCE_PORT,
    STATUS,
    STATUS_KEPT,
    SYNPROXY,
    TCP,
    TIMEOUT,
    TUPLE_ZONE,
)

INVERSE_IP = {1: 2, 2: 1, 3: 4, 4: 3}  # v4 source, destination; v6 source, destination
INVERSE_PROTO = {2: 3, 3: 2}  # ports
EXPECT_ID = 5  # CTA_EXPECT_ID; all the others mean the same on the other node
_ESTABLISHED = b"\3"

_U16 = struct.Struct("=H").unpack_from
_BE32 = struct.Struct("!I")


class Injection(NamedTuple):
    """A state as the other kernel takes it. `body` goes into creates and updates; `once` only into creates."""

    body: bytes
    once: bytes


def create(message: bytes, index: int) -> bytes:
    """The request that gives this kernel the state of which `message`, of the peer's kernel, tells.

    Raises:
        Malformed: no such state.
    """
    body, once = inject(message)
    return request(NEW, CREATE | EXCL, index, body + once)


def update(message: bytes, index: int) -> bytes:
    """The request that makes this kernel's state as `message` says.

    Raises:
        Malformed: no such state.
    """
    return request(NEW, 0, index, inject(message).body)


def inject(message: bytes) -> Injection:
    """What to ask of this kernel, so that it has the state that `message`, of the peer's kernel, tells of.

    Raises:
        Malformed: no such state.
    """
    try:
        return _injection(message)
    except (KeyError, IndexError, struct.error):
        raise Malformed("an attribute that a state needs is missing") from None


def _injection(m: bytes) -> Injection:
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
        tcp[kind] = FLAGS[flags[0]][:2]
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
