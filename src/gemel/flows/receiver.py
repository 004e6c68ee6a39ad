"""The peer's states on their way into this node's kernel.

The caller feeds stream bytes, then asks for `requests()` and gives the kernel's `answered(...)` until there are none,
then sends `data_to_send()`.
"""

import struct
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gemel.flows.attributes import Malformed
from gemel.flows.conversation import Conversation, Reply
from gemel.flows.ctnetlink import DELETE, EXPECT, NEW, UNEXPECT, key_of, parts, stays_here
from gemel.flows.digest import Sums, bucket, chosen
from gemel.flows.ledger import Ledger
from gemel.flows.local import Local
from gemel.flows.outbox import CREATES
from gemel.flows.wire import (
    EVERYTHING,
    NOTHING,
    OLDEST,
    PART,
    VERSION,
    Ack,
    Batch,
    BulkEnd,
    BulkPart,
    BulkStart,
    Creators,
    Decoder,
    Digest,
    DigestAsk,
    Frame,
    Hello,
    Ping,
    Refusal,
    Welcome,
    encode,
)

MOST_AT_ONCE = 512  # deletions in one go
LISTED = 2  # in the flags' first byte: NLM_F_MULTI, the message is of a listing and not an event

_NEW, _DELETE = struct.pack("=H", NEW), struct.pack("=H", DELETE)
_EXPECT, _UNEXPECT = struct.pack("=H", EXPECT), struct.pack("=H", UNEXPECT)
_U32 = struct.Struct("=I").unpack_from


WHOLE = 0, frozenset((0,))
"""As a part of the table, in bits and buckets: all of it."""


@dataclass(slots=True)
class Look:
    """What a listing is for: ending what was not named in some buckets; sums that were asked for."""

    sweep: tuple[int, frozenset[int]] | None = None
    ask: DigestAsk | None = None
    sums: Sums | None = None


class Receiver:
    """One direction: from the peer's table to this node's."""

    def __init__(self, host: int, epoch: int, ledger: Ledger, local: Local, little_endian: bool = True) -> None:
        self.host, self.ledger, self.local = host, ledger, local
        self.peer: Hello | None = None
        self.bulk_running = False
        self.bulk_announced = 0  # states that the peer means to name
        self.bulk_received = 0
        self.synced = False  # the first bulk since our start is in
        self.bulk_done = False  # one is in since the peer connected
        self.received = 0
        self._counters = {"batches": 0, "swept": 0, "ends refused": 0, "not understood": 0, "expectations": 0}
        self._epoch, self._little_endian = epoch, little_endian
        self._conversation = Conversation(ledger)
        self._decoder = Decoder()
        self._frames: deque[Frame] = deque()
        self._out: list[bytes] = []
        self._acknowledge: int | None = None
        self._doomed: list[bytes] = []
        self._unnamed: set[bytes] | None = None  # while a part comes in: what it has not named yet
        self._part: tuple[int, frozenset[int]] = WHOLE
        self._wanted = Look()  # what the next listing is to be for
        self._look: Look | None = None  # what the one under way is for

    @property
    def role(self) -> bool | None:
        """Whether this node is MASTER."""
        return self._conversation.role

    @role.setter
    def role(self, role: bool | None) -> None:
        self._conversation.role = role

    @property
    def counters(self) -> dict[str, int]:
        """What happened, counted."""
        told = self._conversation.counters
        both = self._counters["not understood"] + told["not understood"]
        return {**self._counters, **told, "not understood": both}

    @property
    def errors(self) -> dict[str, int]:
        """What the kernel did not take in the end: verb and error number, how often."""
        return self._conversation.errors

    # --- the connection ---------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """The peer has a stream to us; nothing counts before its Hello."""
        self.lost()

    def lost(self) -> None:
        """The stream is gone; what we hold stays, each copy until its lease ends."""
        self.peer, self.bulk_running, self.bulk_done, self._decoder = None, False, False, Decoder()
        self.ledger.fresh = None
        self._unnamed, self._wanted, self._look = None, Look(), None
        self._frames.clear()
        self._out.clear()
        self._conversation.forget()
        self._doomed, self._acknowledge = [], None

    def heard(self, data: bytes) -> None:
        """Stream bytes of the peer.

        Raises:
            wire.Malformed: hang up.
        """
        self._frames.extend(self._decoder.feed(data))

    def data_to_send(self) -> bytes:
        """Bytes for the stream back."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    # --- the kernel -------------------------------------------------------------------------------------------------

    def requests(self) -> list[bytes]:
        """What to ask the kernel next, in this order; empty when there is nothing to do. Answer with `answered`."""
        talk = self._conversation
        while True:
            while talk.to_ask:
                if made := talk.requests():  # nothing, if it was not understood
                    return made
            if self._acknowledge is not None:
                self._out.append(encode(Ack(self._acknowledge)))
                self._acknowledge = None
            if self._frames:
                self._take(self._frames.popleft())
            elif self._doomed:
                keys, self._doomed = self._doomed[:MOST_AT_ONCE], self._doomed[MOST_AT_ONCE:]
                talk.to_ask = [("delete", key, b"", 0) for key in keys]
            else:
                return []

    def answered(self, replies: Iterable[Reply]) -> None:
        """What the kernel said to the last `requests`; silence about one means that it was done."""
        self._conversation.answered(replies)

    # --- frames -----------------------------------------------------------------------------------------------------

    def _take(self, frame: Frame) -> None:
        if self.peer is None:
            if isinstance(frame, Hello):
                self._greet(frame)
            return
        match frame:
            case Batch(sequence, creator, messages):
                self._acknowledge = sequence
                self._counters["batches"] += 1
                self._plan(messages, self.ledger.mark(creator))
            case Ping(sequence):
                self._acknowledge = sequence
            case BulkStart(_, count, _):
                self.bulk_running, self.bulk_announced, self.bulk_received = True, count, 0
                self._unnamed = None
                self.ledger.begin_bulk()
            case BulkPart(_, bits, buckets):
                self._part = bits, frozenset(buckets)
                self._unnamed = chosen(self.ledger.entries, *self._part)
                self.ledger.fresh = set()
            case BulkEnd(_, _, scope) if scope == PART:
                self._end_part()
            case BulkEnd(_, _, scope):
                self._end_bulk(scope)
            case Creators(creator, keys):
                mark = self.ledger.mark(creator)
                self.ledger.entries.update((key, mark) for key in keys if key not in self.ledger.entries)
            case DigestAsk(number, bits) if self.role is True:
                self._out.append(encode(Digest(number, bits, 0, b"")))
            case DigestAsk():
                self._wanted.ask = frame
            case _:
                pass

    def _greet(self, hello: Hello) -> None:
        if hello.oldest > VERSION or hello.version < OLDEST:
            text = (f"it speaks state synchronisation {hello.oldest} to {hello.version}, "
                    f"this node {OLDEST} to {VERSION}: upgrade the older one")
        elif hello.little_endian != self._little_endian:
            text = "its processor orders bytes the other way round"
        else:
            self.peer = hello
            self._out.append(encode(Welcome(min(VERSION, hello.version), self.host, self._epoch, hello.nonce)))
            return
        self._out.append(encode(Refusal(text)))

    def _plan(self, messages: bytes, mark: int) -> None:
        """Turn a batch into the first requests."""
        entries, asks, unnamed = self.ledger.entries, self._conversation.to_ask, self._unnamed
        at, end, count = 0, len(messages), 0
        while end - at >= 24:
            length = _U32(messages, at)[0]
            m = messages[at:at + length]
            at += max(16, length + 3 & ~3)
            kind = m[4:6]
            try:
                if kind == _NEW:
                    key = key_of(m)
                    if key not in entries or m[7] & CREATES:
                        asks.append(("create", key, m, 0))
                    else:
                        asks.append(("check" if m[6] & LISTED else "update", key, m, 0))
                    entries[key] = mark
                    if unnamed is not None:
                        unnamed.discard(key)
                elif kind == _DELETE:
                    key = key_of(m)
                    if self.role is True:
                        self._counters["ends refused"] += 1
                    else:
                        entries.pop(key, None)
                        asks.append(("delete", key, m, 0))
                elif kind in (_EXPECT, _UNEXPECT):
                    self._counters["expectations"] += 1
                    asks.append(("expect" if kind == _EXPECT else "unexpect", b"", m, 0))
                else:
                    raise Malformed("not about a state")
            except Malformed:
                self._counters["not understood"] += 1
                continue
            count += 1
        self.received += count
        if self.bulk_running:
            self.bulk_received += count

    # --- the end of a bulk, and of a part ---------------------------------------------------------------------------

    def _end_bulk(self, scope: int) -> None:
        """The peer has named its states. Copies within the bulk's scope that it did not name are gone on its side."""
        self.bulk_running, self.synced, self.bulk_done = False, True, True
        if self.role is not True and self.peer is not None and scope != NOTHING:
            self._end(self.ledger.end_bulk(None if scope == EVERYTHING else self.peer.host))
            if scope == EVERYTHING and self.role is False:
                # And our own states of the time before: those a look at the whole table tells.
                self._wanted.sweep = WHOLE
                return
        self.ledger.fresh = None

    def _end_part(self) -> None:
        """The same for some buckets."""
        unnamed, self._unnamed = self._unnamed, None
        if unnamed is None or self.role is not False:
            self.ledger.fresh = None
            return
        for key in unnamed:
            self.ledger.entries.pop(key, None)
        self._end(list(unnamed))
        self._wanted.sweep = self._wanted.sweep or self._part

    def _end(self, keys: list[bytes]) -> None:
        self._counters["swept"] += len(keys)
        self._doomed += keys

    # --- listings: what nobody named, and sums for a comparison -----------------------------------------------------

    @property
    def wants_listing(self) -> bool:
        """Whether a listing has to begin."""
        return self._look is None and (self._wanted.sweep is not None or self._wanted.ask is not None)

    def listing_began(self) -> None:
        """A listing begins; it serves what is wanted now."""
        self._look, self._wanted = self._wanted, Look()
        self._look.sums = Sums(self._look.ask.bits) if self._look.ask else None

    def listed(self, messages: Sequence[bytes]) -> None:
        """A piece of the dump: what the master did not name, and no packet began here since, has ended."""
        look = self._look
        if look is None or (look.sums is None and look.sweep is None):
            return
        entries, local, fresh = self.ledger.entries, self.local, self.ledger.fresh or ()
        if look.sums is not None:
            look.sums.take(messages, local)
        if look.sweep is None:
            return
        bits, buckets = look.sweep
        for m in messages:
            try:
                key, source, destination, _ = parts(m)
            except Malformed:
                continue  # an expectation
            if local[source] or local[destination] or stays_here(m):
                continue
            if key not in entries and key not in fresh and bucket(key, bits) in buckets:
                self._end([key])

    def listing_ended(self, whole: bool = True) -> None:
        """The dump is complete, or broke off: what is left over then ends by its timeout, or by the next comparison."""
        look, self._look = self._look, None
        if look is None:
            return
        if look.sums and look.ask and whole:
            self._out.append(encode(Digest(look.ask.number, look.ask.bits, look.sums.states, look.sums.to_bytes())))
        if look.sweep and self._unnamed is None and not self.bulk_running:
            self.ledger.fresh = None
