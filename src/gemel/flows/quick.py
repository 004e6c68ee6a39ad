"""The requests for most states: IPv4 with ports, of which everything stands at a fixed offset. `injection` makes the
requests for any state and says why they are as they are; what is made here says the same.

    20 ORIG  32 source  40 destination  44 protocol  60 source port  68 destination port      72 REPLY  likewise
    an event:    124 ID        132 STATUS  140 TIMEOUT                          148 PROTOINFO  MARK
    a listing:   124 STATUS    132 MARK    140 ID       148 USE   156 TIMEOUT   164 PROTOINFO

What differs from state to state are addresses and ports; whatever follows them is alike for thousands, is looked at
once and remembered.
"""

import struct

from gemel.flows.attributes import Malformed, walk
from gemel.flows.ctnetlink import CREATE, EXCL, NEW, ORIG, REPLY, REQUEST
from gemel.flows.fields import (
    CONFIRMED,
    DCCP,
    FLAGS,
    HELP,
    IP,
    KEPT,
    LEASE,
    LONGEST,
    MARK,
    MASTER,
    NAT_DST,
    NAT_SRC,
    PROTO,
    PROTOINFO,
    SCTP,
    STATUS,
    STATUS_KEPT,
    SYNPROXY,
    TCP,
    TIMEOUT,
    UDP,
    UDPLITE,
)

LONGEST_MESSAGE = 900  # bytes; no state of this kind comes near
REMEMBERED = 4096  # endings; a peer may invent more

_BE32 = struct.Struct("!I")
_ORIG_HEAD = struct.pack("=HHHHHH", 52, ORIG | 0x8000, 20, IP | 0x8000, 8, 1)
_REPLY_HEAD = struct.pack("=HHHHHH", 52, REPLY | 0x8000, 20, IP | 0x8000, 8, 1)
_DESTINATION = struct.pack("=HH", 8, 2)
_BETWEEN = b"\0\0" + struct.pack("=HH", 6, 3)  # the two ports of a tuple
_STATUS_HEAD = struct.pack("=HH", 8, STATUS)
_TIMEOUT_HEAD = struct.pack("=HH", 8, TIMEOUT)
_MARK_HEAD = struct.pack("=HH", 8, MARK)
_ID_HEAD = struct.pack("=HH", 8, 12)
_TCP_INFO = struct.pack("=HHHHHH", 48, PROTOINFO | 0x8000, 44, 1 | 0x8000, 5, 1)
_NAT_SRC_HEAD = struct.pack("=HHHH", 40, NAT_SRC | 0x8000, 8, 1)
_NAT_DST_HEAD = struct.pack("=HHHH", 40, NAT_DST | 0x8000, 8, 1)
_NAT_MAX = struct.pack("=HH", 8, 2)
_NAT_PORTS = struct.pack("=HHHH", 20, 3 | 0x8000, 6, 1)
_NAT_PORT_MAX = b"\0\0" + struct.pack("=HH", 6, 2)
_PAD = b"\0\0"
_LEASE, _LONGEST = _BE32.pack(LEASE), _BE32.pack(LONGEST)
_SOME_TIME = _TIMEOUT_HEAD + _LEASE

_FIELDS = struct.Struct("=20x 12s4s4x4s 16s2s6x2s2x 12s4s4x4s 16x2s6x2s2x 4s").unpack_from
_SEQUENCE = struct.Struct("=I4x").pack
_PLAIN = 16 + 56 + 52  # bytes of a request without its ending and without translation
_CREATES, _UPDATES = ([struct.pack("=IHH", length, NEW, REQUEST | flags) for length in range(LONGEST_MESSAGE + 100)]
                      for flags in (CREATE | EXCL, 0))


class _Endings(dict[bytes, bytes | None]):
    """What follows the tuples -> what of it is injected; None if that takes a thorough look. Few are different."""

    def __init__(self, tcp: bool) -> None:
        super().__init__()
        self._tcp = tcp

    def __missing__(self, ending: bytes) -> bytes | None:
        if len(self) >= REMEMBERED:
            self.clear()
        self[ending] = made = self._kept(ending)
        return made

    def _kept(self, ending: bytes) -> bytes | None:
        """Status, timeout and the rest, as they stand in an event from offset 132 on."""
        if ending[:4] != _STATUS_HEAD or ending[8:12] != _TIMEOUT_HEAD or len(ending) < 16:
            return None
        status = _BE32.unpack_from(ending, 4)[0] & STATUS_KEPT | CONFIRMED
        timeout = min(max(ending[12:16], _LEASE), _LONGEST)
        kept, at = _STATUS_HEAD + _BE32.pack(status) + _TIMEOUT_HEAD + timeout, 16
        if self._tcp:
            if ending[16:28] != _TCP_INFO or len(ending) < 64:
                return None  # the event does not say how the connection stands
            kept += ending[16:52] + FLAGS[ending[52]] + ending[56:60] + FLAGS[ending[60]]
            at = 64
        try:
            for kind, start, end in walk(ending, at, len(ending)):
                if kind in KEPT:
                    kept += ending[start:end] + bytes(start - end & 3)
                elif kind in (HELP, MASTER, PROTOINFO) or (kind == SYNPROXY and any(ending[start + 8:end:8])):
                    return None
        except Malformed:
            return None
        return kept


def _protocol(number: int) -> bytes:
    return struct.pack("=HHHHB3xHH", 28, PROTO | 0x8000, 5, 1, number, 6, 2)


_OTHERS = _Endings(False)
_ENDINGS = {_protocol(TCP): _Endings(True)} | {_protocol(number): _OTHERS for number in (UDP, DCCP, SCTP, UDPLITE)}


def quick(m: bytes, index: int, create: bool) -> bytes | None:
    """The request that creates the state of which `m` tells, or else updates it; None if that takes a thorough look."""
    if not 148 <= len(m) <= LONGEST_MESSAGE:
        return None
    head, src, dst, protocol, sport, dport, reply_head, rsrc, rdst, rsport, rdport, next_head = _FIELDS(m)
    endings = _ENDINGS.get(protocol)
    if endings is None or head != _ORIG_HEAD or reply_head != _REPLY_HEAD:
        return None
    ending = endings[m[132:]] if next_head == _ID_HEAD else _of_listing(m, endings)
    if ending is None:
        return None
    if create:
        if src != rdst or sport != rdport:
            ending += b"".join((_NAT_SRC_HEAD, rdst, _NAT_MAX, rdst, _NAT_PORTS, rdport, _NAT_PORT_MAX, rdport, _PAD))
        if dst != rsrc or dport != rsport:
            ending += b"".join((_NAT_DST_HEAD, rsrc, _NAT_MAX, rsrc, _NAT_PORTS, rsport, _NAT_PORT_MAX, rsport, _PAD))
        heads = _CREATES
    else:
        heads = _UPDATES
    return b"".join((heads[_PLAIN + len(ending)], _SEQUENCE(index), m[16:72], _REPLY_HEAD, dst, _DESTINATION, src,
                     protocol, dport, _BETWEEN, sport, _PAD, ending))


def _of_listing(m: bytes, endings: _Endings) -> bytes | None:
    """The same ending, put in the order of an event. What time is left differs from state to state."""
    if len(m) < 164 or m[132:136] != _MARK_HEAD or m[156:160] != _TIMEOUT_HEAD:
        return None
    ending = endings[m[124:132] + _SOME_TIME + m[164:] + m[132:140]]
    return ending and ending[:12] + min(max(m[160:164], _LEASE), _LONGEST) + ending[16:]
