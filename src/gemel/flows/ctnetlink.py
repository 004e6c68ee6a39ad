"""The kernel's conntrack messages: keys, ends, requests.

    nlmsghdr (16)  nfgenmsg (4)  CTA_TUPLE_ORIG  CTA_TUPLE_REPLY  [CTA_ZONE]  the rest, in an order that varies

What an event says about a state is turned into what the other kernel takes by `flows.injection`.
"""

import struct

from gemel.flows.attributes import Malformed, walk

NEW, GET, DELETE = 0x100, 0x101, 0x102  # NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_*
EXPECT, EXPECTED, UNEXPECT = 0x200, 0x201, 0x202  # NFNL_SUBSYS_CTNETLINK_EXP: new, get, delete
REQUEST, DUMP, EXCL, CREATE = 0x1, 0x300, 0x200, 0x400

ORIG, REPLY = 1, 2
EXPECT_MASTER, EXPECT_TUPLE, EXPECT_MASK, EXPECT_ZONE = 1, 2, 3, 7
ASSURED = 0x4

NO_SYNC = 0x80  # in the first byte of the mark: a rule wants its states kept on this node (rules.ir)

_NLMSG = struct.Struct("=IHHII")
_U16 = struct.Struct("=H").unpack_from
PORTS_V4 = b"\x34\0\x01\x80\x14\0\x01\x80"  # the original tuple of IPv4 with ports: 52 bytes, addresses first
STATUS_HEAD, MARK_HEAD = struct.pack("=HH", 8, 3), struct.pack("=HH", 8, 8)
_MARK = 8


def request(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """A netlink request; `body` begins with the nfgenmsg."""
    return _NLMSG.pack(len(body) + 16, kind, REQUEST | flags, sequence, 0) + body


def key_of(message: bytes) -> bytes:
    """The key: the original tuple as the kernel wrote it, and the zone if there is one.

    Raises:
        Malformed: the message has no tuples.
    """
    if message[20:28] == PORTS_V4 and message[72:75] == b"\x34\0\x02" and message[126:127] != b"\x12":
        return message[20:72]
    try:
        first = _U16(message, 20)[0]
        second = 20 + first
        after = second + _U16(message, second)[0]
        if first < 8 or after > len(message) or message[22] != ORIG or message[second + 2] != REPLY:
            raise Malformed("no tuples")
        if message[after + 2:after + 4] == b"\x12\0":  # CTA_ZONE
            return message[20:second] + message[after:after + 8]
        return message[20:second]
    except (struct.error, IndexError):
        raise Malformed("no tuples") from None


def endpoints(message: bytes) -> tuple[bytes, bytes]:
    """The real source and the real destination: source of the original tuple, source of the reply tuple.

    4 or 16 bytes each. The message has passed `key_of`.
    """
    length = 16 if message[16] == 10 else 4
    reply = 20 + _U16(message, 20)[0]
    return message[32:32 + length], message[reply + 12:reply + 12 + length]


def parts(message: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Key, real source, real destination, reply tuple: `key_of`, `endpoints` and `reply_of` in one go.

    Raises:
        Malformed: the message has no tuples.
    """
    if message[20:28] == PORTS_V4 and message[72:75] == b"\x34\0\x02" and message[126:127] != b"\x12":
        return message[20:72], message[32:36], message[84:88], message[72:124]
    key = key_of(message)
    reply = 20 + _U16(message, 20)[0]
    source, destination = endpoints(message)
    return key, source, destination, message[reply:reply + _U16(message, reply)[0]]


def stays_here(listed: bytes) -> bool:
    """Whether a state of a listing is marked *no state sync*."""
    if listed[124:128] == STATUS_HEAD and listed[132:136] == MARK_HEAD and len(listed) > 136:
        return bool(listed[136] & NO_SYNC)
    try:
        return any(kind == _MARK and listed[start + 4] & NO_SYNC for kind, start, _ in walk(listed, 20, len(listed)))
    except (Malformed, IndexError):
        return False


def expectation_key(message: bytes) -> bytes:
    """What tells one expectation from another: its tuple, mask and master, as the kernel wrote them.

    Raises:
        Malformed: one of them is missing.
    """
    at = 20
    try:
        for kind in (EXPECT_TUPLE, EXPECT_MASK, EXPECT_MASTER):
            length = _U16(message, at)[0]
            if length < 8 or message[at + 2] != kind:
                raise Malformed("no expectation")
            at += length
    except (struct.error, IndexError):
        raise Malformed("no expectation") from None
    if at > len(message):
        raise Malformed("no expectation")
    return message[20:at]


def expecting_key(message: bytes) -> bytes:
    """The key of the state that expects, from a message about an expectation.

    Raises:
        Malformed: the message does not say.
    """
    found = {kind: (start, end) for kind, start, end in walk(message, 20, len(message))}
    if EXPECT_MASTER not in found:
        raise Malformed("no master")
    start, end = found[EXPECT_MASTER]
    key = message[start:end]  # CTA_EXPECT_MASTER has the number and the content of CTA_TUPLE_ORIG
    if EXPECT_ZONE in found:
        start, end = found[EXPECT_ZONE]
        key += struct.pack("=HH", 8, 18) + message[start + 4:end + 2]
    return key


def _prologue(key: bytes) -> bytes:
    return (b"\x0a\0\0\0" if key[4:6] == b"\x2c\0" else b"\x02\0\0\0") + key


def delete(key: bytes, sequence: int = 0) -> bytes:
    """The request that ends a state."""
    return request(DELETE, 0, sequence, _prologue(key))


def get(key: bytes, sequence: int = 0) -> bytes:
    """The request that asks for a state."""
    return request(GET, 0, sequence, _prologue(key))


def delete_reply(message: bytes, sequence: int = 0) -> bytes:
    """The request that ends whatever state occupies the reply tuple of `message` (a translated port, say)."""
    zone = key_of(message)[_U16(message, 20)[0]:]
    return request(DELETE, 0, sequence, message[16:20] + reply_of(message) + zone)


def reply_of(message: bytes) -> bytes:
    """The reply tuple as the kernel wrote it.

    Raises:
        Malformed: the message has no tuples.
    """
    key_of(message)
    second = 20 + _U16(message, 20)[0]
    return message[second:second + _U16(message, second)[0]]


def merge(earlier: bytes, later: bytes) -> bytes:
    """One message that says what two of the same state say: events tell only the parts that changed.

    The later one is true; attributes that only the earlier one has are added, and its header stays: a state that
    the peer has not heard of remains new.

    Raises:
        Malformed: an attribute is cut off.
    """
    if len(earlier) == len(later) and earlier[124:128] == later[124:128] and earlier[148:152] == later[148:152]:
        return earlier[:16] + later[16:]
    if min(len(earlier), len(later)) < 20:
        raise Malformed("no message")
    have = {kind for kind, _, _ in walk(later, 20, len(later))}
    body = later[16:] + b"\0" * (-len(later) & 3)
    for kind, start, end in walk(earlier, 20, len(earlier)):
        if kind not in have:
            body += earlier[start:end] + b"\0" * (start - end & 3)
    return _NLMSG.pack(len(body) + 16, *_NLMSG.unpack_from(earlier)[1:]) + body
