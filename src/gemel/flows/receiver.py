"""The peer's states on their way into this node's kernel.

The caller feeds stream bytes, then asks for `requests()` and gives the kernel's `answered(...)` until there are none,
then sends `data_to_send()`. Each batch is a short conversation with the kernel, because what the peer knows and what we
hold may differ:

    first     create what is new to us, update what we know, delete what ended
    create    EEXIST      we have the tuple: GET it, and if it is translated alike update it, else replace it
              ENOENT      its master is missing: once more at the end of the batch, then without the master
              EOPNOTSUPP  no such helper here: without
    update    ENOENT      we lost it: create
              EBUSY       ours is of an earlier use of the tuple: replace it
    replace   EEXIST      another state sits on its translated port: end that one, then create

A master does not let its own states be replaced or ended by the peer: it sees their packets, the peer does not.
"""

import struct
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from gemel.flows.attributes import Malformed
from gemel.flows.ctnetlink import (
    CREATE,
    DELETE,
    EXCL,
    NEW,
    delete,
    delete_reply,
    endpoints,
    get,
    key_of,
    reply_of,
    request,
)
from gemel.flows.injection import bare, inject
from gemel.flows.ledger import Ledger
from gemel.flows.local import Local
from gemel.flows.wire import (
    EVERYTHING,
    NOTHING,
    OLDEST,
    VERSION,
    Ack,
    Batch,
    BulkEnd,
    BulkStart,
    Creators,
    Decoder,
    Frame,
    Hello,
    Ping,
    Refusal,
    Welcome,
    encode,
)

ENOENT, EBUSY, EEXIST, ENOSPC, ENOMEM, EOPNOTSUPP = 2, 16, 17, 28, 12, 95
MOST_TRIES = 4  # conversations about one batch
MOST_AT_ONCE = 512  # deletions in one go


_NEW, _DELETE = struct.pack("=H", NEW), struct.pack("=H", DELETE)
_QUIET = 0xFFFFFFFF  # index of a request whose outcome does not matter
_U32 = struct.Struct("=I").unpack_from


class Reply(NamedTuple):
    """What the kernel says to request `number`: an error number, or the message that was asked for."""

    number: int
    error: int
    message: bytes = b""


class _Ask(NamedTuple):
    """One request of a conversation: what for, and what to make of a failure."""

    verb: str  # create, update, delete, get, replace, bare
    key: bytes
    message: bytes
    tries: int = 0


class Receiver:
    """One direction: from the peer's table to this node's."""

    def __init__(self, host: int, epoch: int, ledger: Ledger, local: Local, little_endian: bool = True) -> None:
        self.host, self.ledger, self.local = host, ledger, local
        self.role: bool | None = None
        self.peer: Hello | None = None
        self.bulk_running = False
        self.bulk_announced = 0
        self.synced = False  # the first bulk since our start is in
        self.received = 0
        self.errors: dict[str, int] = {}
        self.counters = {"batches": 0, "replaced": 0, "swept": 0,
                         "ends refused": 0, "not understood": 0, "table full": 0}
        self._epoch, self._little_endian = epoch, little_endian
        self._decoder = Decoder()
        self._frames: deque[Frame] = deque()
        self._out: list[bytes] = []
        self._asked: list[_Ask] = []
        self._again: list[_Ask] = []
        self._acknowledge: int | None = None
        self._sweeping = False
        self._doomed: list[bytes] = []
        self._mark = 0

    # --- the connection ---------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """The peer has a stream to us; nothing counts before its Hello."""
        self.lost()

    def lost(self) -> None:
        """The stream is gone; what we hold stays, each copy until its lease ends."""
        self.peer, self.bulk_running, self._decoder = None, False, Decoder()
        self.ledger.fresh = None
        self._sweeping = False
        self._frames.clear()
        self._out.clear()
        self._asked, self._again, self._doomed, self._acknowledge = [], [], [], None

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

    # --- the conversation with the kernel ---------------------------------------------------------------------------

    def requests(self) -> list[bytes]:
        """What to ask the kernel next, in this order; empty when there is nothing to do. Answer with `answered`."""
        while not self._again:
            if self._acknowledge is not None:
                self._out.append(encode(Ack(self._acknowledge)))
                self._acknowledge = None
            if self._frames:
                self._take(self._frames.popleft())
            elif self._doomed:
                keys, self._doomed = self._doomed[:MOST_AT_ONCE], self._doomed[MOST_AT_ONCE:]
                self._again = [_Ask("delete", key, b"") for key in keys]
            else:
                return []
        self._asked, self._again = self._again, []
        return [made for i, ask in enumerate(self._asked) for made in self._request(ask, i)]

    def _request(self, ask: _Ask, index: int) -> list[bytes]:
        if ask.verb == "delete":
            return [delete(ask.key, index)]
        if ask.verb == "get":
            return [get(ask.key, index)]
        try:
            state = inject(ask.message)
        except Malformed:
            self.counters["not understood"] += 1
            return []
        if ask.verb == "update":
            return [request(NEW, 0, index, state.body)]
        once = bare(state.once) if ask.verb == "bare" else state.once
        made = [request(NEW, CREATE | EXCL, index, state.body + once)]
        if ask.verb == "replace":
            made[:0] = [delete(ask.key, _QUIET), delete_reply(ask.message, _QUIET)]
        return made

    def answered(self, replies: Iterable[Reply]) -> None:
        """The kernel's errors, and the states it was asked for; silence about a request means that it was done."""
        for reply in replies:
            if reply.number >= len(self._asked):
                continue
            ask = self._asked[reply.number]
            if reply.message:
                self._compared(ask, reply.message)
            else:
                self._failed(ask, reply.error)
        self._asked = []

    def _compared(self, ask: _Ask, mine: bytes) -> None:
        """We hold a state with this tuple: the same flow, or another one?"""
        try:
            alike = reply_of(mine) == reply_of(ask.message)
        except Malformed:
            alike = False
        if alike:
            if self.role is True:
                # A backup that was restarted takes all it holds for its own. We know better who began this one.
                self.ledger.entries.pop(ask.key, None)
            self._try(ask, "update")
        elif self.role is not True:
            self.counters["replaced"] += 1
            self._try(ask, "replace")

    def _failed(self, ask: _Ask, error: int) -> None:
        match ask.verb, error:
            case ("delete", 2):
                pass
            case ("create" | "bare", 17):
                self._try(ask, "get")
            case ("get", 2):  # not the tuple is taken but the translated port
                self._try(ask, "replace" if self.role is not True else "")
            case ("update", 2):
                self._try(ask, "create")
            case ("update", 16):
                self._try(ask, "replace" if self.role is not True else "")
            case ("create", 2 | 95) | ("replace", 2 | 95):
                self._try(ask, "bare")
            case _:
                self._give_up(ask, error)

    def _try(self, ask: _Ask, verb: str) -> None:
        if verb and ask.tries < MOST_TRIES:
            self._again.append(_Ask(verb, ask.key, ask.message, ask.tries + 1))
        else:
            self.ledger.entries.pop(ask.key, None)

    def _give_up(self, ask: _Ask, error: int) -> None:
        if error in (ENOMEM, ENOSPC):
            self.counters["table full"] += 1
        name = f"{ask.verb}: error {error}"
        self.errors[name] = self.errors.get(name, 0) + 1
        self.ledger.entries.pop(ask.key, None)

    # --- frames -----------------------------------------------------------------------------------------------------

    def _take(self, frame: Frame) -> None:
        if self.peer is None:
            if isinstance(frame, Hello):
                self._greet(frame)
            return
        match frame:
            case Batch(sequence, creator, messages):
                self._acknowledge = sequence
                self.counters["batches"] += 1
                self._plan(messages, self.ledger.mark(creator))
            case Ping(sequence):
                self._acknowledge = sequence
            case BulkStart(_, count, _):
                self.bulk_running, self.bulk_announced = True, count
                self.ledger.begin_bulk()
            case BulkEnd(_, _, scope):
                self._end_bulk(scope)
            case Creators(creator, keys):
                mark = self.ledger.mark(creator)
                self.ledger.entries.update((key, mark) for key in keys if key not in self.ledger.entries)
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
        entries, asks, at, end = self.ledger.entries, self._again, 0, len(messages)
        while end - at >= 24:
            length = _U32(messages, at)[0]
            m = messages[at:at + length]
            at += max(16, length + 3 & ~3)
            try:
                key = key_of(m)
            except Malformed:
                self.counters["not understood"] += 1
                continue
            self.received += 1
            kind = m[4:6]
            if kind == _DELETE:
                if self.role is True:
                    self.counters["ends refused"] += 1
                else:
                    entries.pop(key, None)
                    asks.append(_Ask("delete", key, m))
            elif kind == _NEW:
                asks.append(_Ask("update" if key in entries and not m[7] & 4 else "create", key, m))
                entries[key] = mark
            else:
                self.counters["not understood"] += 1

    # --- the end of a bulk ------------------------------------------------------------------------------------------

    def _end_bulk(self, scope: int) -> None:
        """The peer has named its states. Copies within the bulk's scope that it did not name are gone on its side."""
        self.bulk_running, self.synced = False, True
        if self.role is not True and self.peer is not None and scope != NOTHING:
            gone = self.ledger.end_bulk(None if scope == EVERYTHING else self.peer.host)
            self.counters["swept"] += len(gone)
            self._doomed += gone
            # And our own states of the time before: those a look at the whole table tells.
            self._sweeping = scope == EVERYTHING and self.role is False
        if not self._sweeping:
            self.ledger.fresh = None

    @property
    def wants_listing(self) -> bool:
        """Whether a dump of the table should be running."""
        return self._sweeping

    def listed(self, messages: Iterable[bytes]) -> None:
        """A piece of the dump: what the master did not name, and no packet began here since, has ended."""
        if not self._sweeping:
            return
        entries, local, fresh = self.ledger.entries, self.local, self.ledger.fresh or ()
        for m in messages:
            try:
                key = key_of(m)
                source, destination = endpoints(m)
            except Malformed:
                continue
            if key not in entries and key not in fresh and not local[source] and not local[destination]:
                self.counters["swept"] += 1
                self._doomed.append(key)

    def listing_ended(self) -> None:
        """The dump is complete (or broke off: what is left over then ends by its timeout)."""
        self._sweeping = False
        self.ledger.fresh = None
