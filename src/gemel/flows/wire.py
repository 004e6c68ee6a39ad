"""Frames between two flowds, over one TLS stream per direction.

    u32 length of the payload, u8 kind, payload                          all numbers big-endian

The sender speaks first: Hello; the receiver answers Welcome, or Refusal with the reason in words, and hangs up. Then
batches, bulks and pings one way, acknowledgements the other. A batch holds ctnetlink messages exactly as the kernel
wrote them, each aligned to 4 bytes, in the byte order of the sender's machine, which its Hello names.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar

MAGIC = b"GEMF"
VERSION = 1  # what we speak
OLDEST = 1  # what we still understand
NOTHING, OWN, EVERYTHING = 0, 1, 2  # scope of a bulk: the sender is BACKUP, knows no roles, is MASTER
LONGEST = 1 << 20  # bytes of payload; batches stay far below

_HEADER = struct.Struct("!IB")
_HELLO = struct.Struct("!4sBBBIQ16s")
_WELCOME = struct.Struct("!BIQ16s")
_BATCH = struct.Struct("!II")
_BULK = struct.Struct("!IIB")
_U32 = struct.Struct("!I")


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


Frame = Hello | Welcome | Refusal | Batch | Ack | BulkStart | BulkEnd | Ping | Creators


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


def _hello(payload: bytes) -> Hello:
    magic, version, oldest, little, host, epoch, nonce = _HELLO.unpack_from(payload)
    if magic != MAGIC:
        raise Malformed("the other side does not speak Gemel's state synchronisation")
    return Hello(version, oldest, bool(little), host, epoch, nonce)


def _creators(payload: bytes) -> Creators:
    keys, at = [], 4
    while at < len(payload):
        key = payload[at + 1:at + 1 + payload[at]]
        if len(key) != payload[at]:
            raise Malformed("a key is cut off")
        keys.append(key)
        at += 1 + len(key)
    return Creators(_U32.unpack_from(payload)[0], tuple(keys))


def decode(kind: int, payload: bytes) -> Frame:
    """The frame that these bytes are. A later version may append fields: what follows the known ones is ignored.

    Raises:
        Malformed: no frame of this protocol.
    """
    try:
        match kind:
            case Batch.KIND:
                sequence, creator = _BATCH.unpack_from(payload)
                return Batch(sequence, creator, payload[_BATCH.size:])
            case Ack.KIND:
                return Ack(*_U32.unpack_from(payload))
            case Ping.KIND:
                return Ping(*_U32.unpack_from(payload))
            case Hello.KIND:
                return _hello(payload)
            case Welcome.KIND:
                return Welcome(*_WELCOME.unpack_from(payload))
            case BulkStart.KIND:
                return BulkStart(*_BULK.unpack_from(payload))
            case BulkEnd.KIND:
                return BulkEnd(*_BULK.unpack_from(payload))
            case Refusal.KIND:
                return Refusal(payload[:500].decode("utf-8", "replace"))
            case Creators.KIND:
                return _creators(payload)
    except struct.error:
        raise Malformed(f"frame of kind {kind} is cut off") from None
    raise Malformed(f"unknown kind of frame: {kind}")


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
