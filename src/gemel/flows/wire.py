"""Frames between two flowds, over one TLS stream per direction.

    u32 length of the payload, u8 kind, payload                          all numbers big-endian

The sender speaks first: Hello; the receiver answers Welcome, or Refusal with the reason in words, and hangs up. Then
batches, bulks and pings one way, acknowledgements the other. A batch holds ctnetlink messages exactly as the kernel
wrote them, each aligned to 4 bytes, in the byte order of the sender's machine, which its Hello names.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

MAGIC = b"GEMF"
VERSION = 2  # what we speak
OLDEST = 1  # what we still understand; 1 knows no digests, parts and expectations
WITH_DIGESTS = 2  # from this version on
NOTHING, OWN, EVERYTHING, PART = 0, 1, 2, 3
"""Scope of a bulk: the sender is BACKUP, knows no roles, is MASTER; the buckets that the `BulkPart` before it names."""
LONGEST = 1 << 20  # bytes of payload; batches stay far below

_HEADER = struct.Struct("!IB")
_HELLO = struct.Struct("!4sBBBIQ16s")
_WELCOME = struct.Struct("!BIQ16s")
_BATCH = struct.Struct("!II")
_BULK = struct.Struct("!IIB")
_DIGEST = struct.Struct("!IBI")
_ASK = struct.Struct("!IB")
_U32 = struct.Struct("!I")
MOST_BITS = 16  # 2^16 sums of 8 bytes: half of the longest payload


class Malformed(ValueError):
    """The peer sent bytes that are no frame of this protocol; nothing after them can be read."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Who sends. `epoch` changes with every start, `nonce` with every connection."""

    version: int
    oldest: int
    little_endian: bool
    host: int
    epoch: int
    nonce: bytes
    KIND: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Welcome:
    """Who receives; the nonce of the Hello comes back."""

    version: int
    host: int
    epoch: int
    nonce: bytes
    KIND: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the receiver hangs up, for people."""

    text: str
    KIND: ClassVar[int] = 3


@dataclass(frozen=True, slots=True)
class Batch:
    """States that `creator` began: what became of them, in order."""

    sequence: int
    creator: int
    messages: bytes
    KIND: ClassVar[int] = 4


@dataclass(frozen=True, slots=True)
class Ack:
    """Everything up to `sequence` is in the receiver's kernel."""

    sequence: int
    KIND: ClassVar[int] = 5


@dataclass(frozen=True, slots=True)
class BulkStart:
    """From here on every state within `scope` is named. `count` is an estimate, for a progress display."""

    number: int
    count: int
    scope: int
    KIND: ClassVar[int] = 6


@dataclass(frozen=True, slots=True)
class BulkEnd:
    """Every state within `scope` has been named; `count` of them. What was not named is gone."""

    number: int
    count: int
    scope: int
    KIND: ClassVar[int] = 7


@dataclass(frozen=True, slots=True)
class Ping:
    """Nothing to say; to be acknowledged like a batch."""

    sequence: int
    KIND: ClassVar[int] = 8


@dataclass(frozen=True, slots=True)
class Creators:
    """States of the sender's table that `creator` began, by their keys: for a receiver that has forgotten."""

    creator: int
    keys: tuple[bytes, ...]
    KIND: ClassVar[int] = 9


@dataclass(frozen=True, slots=True)
class DigestAsk:
    """List your table, as it is after all that was sent before this, and send its sums over 2^bits buckets."""

    number: int
    bits: int
    KIND: ClassVar[int] = 10


@dataclass(frozen=True, slots=True)
class Digest:
    """The sums that were asked for, as `digest.Sums.to_bytes` has them, and how many states they are made of.

    Empty: the receiver does not compare (it is MASTER itself).
    """

    number: int
    bits: int
    states: int
    sums: bytes
    KIND: ClassVar[int] = 11


@dataclass(frozen=True, slots=True)
class BulkPart:
    """From here on every state in these buckets (of 2^bits) is named; a `BulkEnd` with scope PART follows."""

    number: int
    bits: int
    buckets: tuple[int, ...]
    KIND: ClassVar[int] = 12


Frame = (Hello | Welcome | Refusal | Batch | Ack | BulkStart | BulkEnd | Ping | Creators | DigestAsk | Digest
         | BulkPart)


def encode(frame: Frame) -> bytes:
    """The frame as bytes."""
    payload = _payload(frame)
    return _HEADER.pack(len(payload), frame.KIND) + payload


def _payload(frame: Frame) -> bytes:
    match frame:
        case Batch(sequence, creator, messages):
            return _BATCH.pack(sequence, creator) + messages
        case Ack(sequence) | Ping(sequence):
            return _U32.pack(sequence)
        case Hello(version, oldest, little, host, epoch, nonce):
            return _HELLO.pack(MAGIC, version, oldest, little, host, epoch, nonce)
        case Welcome(version, host, epoch, nonce):
            return _WELCOME.pack(version, host, epoch, nonce)
        case BulkStart(number, count, scope) | BulkEnd(number, count, scope):
            return _BULK.pack(number, count, scope)
        case Refusal(text):
            return text.encode()
        case Creators(creator, keys):
            return _U32.pack(creator) + b"".join(bytes((len(key),)) + key for key in keys)
        case DigestAsk(number, bits):
            return _ASK.pack(number, bits)
        case Digest(number, bits, states, sums):
            return _DIGEST.pack(number, bits, states) + sums
        case BulkPart(number, bits, buckets):
            return _ASK.pack(number, bits) + struct.pack(f"!{len(buckets)}I", *buckets)


def _hello(payload: bytes) -> Hello:
    magic, version, oldest, little, host, epoch, nonce = _HELLO.unpack_from(payload)
    if magic != MAGIC:
        raise Malformed("the other side does not speak Gemel's state synchronisation")
    return Hello(version, oldest, bool(little), host, epoch, nonce)


def _batch(payload: bytes) -> Batch:
    sequence, creator = _BATCH.unpack_from(payload)
    return Batch(sequence, creator, payload[_BATCH.size:])


def _creators(payload: bytes) -> Creators:
    keys, at = [], 4
    while at < len(payload):
        key = payload[at + 1:at + 1 + payload[at]]
        if len(key) != payload[at]:
            raise Malformed("a key is cut off")
        keys.append(key)
        at += 1 + len(key)
    return Creators(_U32.unpack_from(payload)[0], tuple(keys))


def _checked(number: int, bits: int) -> tuple[int, int]:
    if bits > MOST_BITS:
        raise Malformed(f"2^{bits} buckets")
    return number, bits


def _digest(payload: bytes) -> Digest:
    number, bits, states = _DIGEST.unpack_from(payload)
    sums = payload[_DIGEST.size:]
    _checked(number, bits)
    if len(sums) not in (0, 8 << bits):
        raise Malformed(f"{len(sums)} bytes of sums for 2^{bits} buckets")
    return Digest(number, bits, states, sums)


def _part(payload: bytes) -> BulkPart:
    number, bits = _checked(*_ASK.unpack_from(payload))
    count = (len(payload) - _ASK.size) // 4
    return BulkPart(number, bits, struct.unpack_from(f"!{count}I", payload, _ASK.size))


_DECODE: dict[int, Callable[[bytes], Frame]] = {
    Batch.KIND: _batch,
    Ack.KIND: lambda p: Ack(*_U32.unpack_from(p)),
    Ping.KIND: lambda p: Ping(*_U32.unpack_from(p)),
    Hello.KIND: _hello,
    Welcome.KIND: lambda p: Welcome(*_WELCOME.unpack_from(p)),
    BulkStart.KIND: lambda p: BulkStart(*_BULK.unpack_from(p)),
    BulkEnd.KIND: lambda p: BulkEnd(*_BULK.unpack_from(p)),
    Refusal.KIND: lambda p: Refusal(p[:500].decode("utf-8", "replace")),
    Creators.KIND: _creators,
    DigestAsk.KIND: lambda p: DigestAsk(*_checked(*_ASK.unpack_from(p))),
    Digest.KIND: _digest,
    BulkPart.KIND: _part,
}


def decode(kind: int, payload: bytes) -> Frame:
    """The frame that these bytes are. A later version may append fields: what follows the known ones is ignored.

    Raises:
        Malformed: no frame of this protocol.
    """
    made = _DECODE.get(kind)
    if made is None:
        raise Malformed(f"unknown kind of frame: {kind}")
    try:
        return made(payload)
    except struct.error:
        raise Malformed(f"frame of kind {kind} is cut off") from None


class Decoder:
    """Stream bytes in, whole frames out."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete now.

        Raises:
            Malformed: the stream is no use any more.
        """
        if self._rest:
            data = self._rest + data
        frames, at, end = [], 0, len(data)
        while end - at >= _HEADER.size:
            length, kind = _HEADER.unpack_from(data, at)
            if length > LONGEST:
                raise Malformed(f"frame of {length} bytes announced")
            stop = at + _HEADER.size + length
            if stop > end:
                break
            frames.append(decode(kind, data[at + _HEADER.size:stop]))
            at = stop
        self._rest = data[at:]
        return frames
