"""This node's states on their way to the peer.

Kernel events go into `_pending`, one entry per state, so that a state that changes ten times in two milliseconds, or
while the peer is slow, costs one message. What waits for the peer is bounded twice: unacknowledged bytes by a window
that follows the measured lag, pending states by `MOST_PENDING`, beyond which everything is dropped and a bulk is owed
instead. Without a connection nothing is kept: the bulk at the next one says it all.

Whose word counts:

    role     new and changed states     ended states                       bulk and announcements
    True     sent                       sent                               the whole table; the peer forgets the rest
    None     sent                       sent if the state is ours          our states
    False    sent (packets did it)      kept back: giving up mastership    nothing but who created what
                                        never ends a flow
"""

import struct
from collections.abc import Iterable, Sequence
from itertools import islice

from gemel.flows.attributes import Malformed
from gemel.flows.ctnetlink import ASSURED, endpoints, key_of, merge
from gemel.flows.ledger import Ledger
from gemel.flows.local import Local
from gemel.flows.window import Window
from gemel.flows.wire import (
    EVERYTHING,
    NOTHING,
    OLDEST,
    OWN,
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

COALESCE = 0.002  # s an event waits for others; also the least distance of two flushes
PING = 1.0  # s without a batch
ANNOUNCE = 25.0  # s between announcements of live states; a lease is 90 s
LARGEST_BATCH = 256  # states
MOST_PENDING = 120_000  # states
ENOUGH_PENDING = 4_000  # states; a listing waits above that
SHORT = 300  # s: a TCP state with less left is announced like UDP
HOURLY = 144  # announcements in an hour: a long-lived TCP state has its turn in one of them

_ENDED = 2  # low byte of IPCTNL_MSG_CT_DELETE; a new or changed state has 0
_ID_HEAD = struct.pack("=HH", 8, 12)
_U16 = struct.Struct("=H").unpack_from
_U32 = struct.Struct("=I").unpack_from
_TIME_WAIT = 7


class Sender:
    """One direction: from this node's table to the peer's. Times are monotonic seconds."""

    def __init__(self, host: int, epoch: int, ledger: Ledger, local: Local, little_endian: bool = True) -> None:
        self.host, self.ledger, self.local = host, ledger, local
        self.role: bool | None = None
        self.peer: Welcome | None = None
        self.refusal: str | None = None
        self.bulk_done = False
        self.sent = 0
        self.table_size = 0  # states in the kernel, as the caller last saw it
        self.counters = {"batches": 0, "coalesced": 0, "local": 0, "ends kept back": 0, "overruns": 0,
                         "pending dropped": 0, "bulks": 0, "announced": 0, "not understood": 0}
        self._epoch, self._little_endian = epoch, little_endian
        self._decoder = Decoder()
        self._sequence = 0
        self._tickets: dict[int, int | None] = {}
        self._next_ticket = 0
        self._round = 0
        self._announce_at = 0.0
        self._reset()

    def _reset(self) -> None:
        self._pending: dict[bytes, bytes] = {}
        self._window = Window()
        self._out: list[bytes] = []
        self._flush_at: float | None = None
        self._flushed_at = 0.0
        self._ping_at = 0.0
        self._listing = ""  # "", "bulk", "announce"
        self._bulk_owed, self._bulk_after = False, 0.0
        self._bulk_left: int | None = None
        self._bulk_count = 0
        self._scope = NOTHING

    # --- the connection ---------------------------------------------------------------------------------------------

    def connected(self, nonce: bytes) -> None:
        """The stream to the peer stands: say who we are. Nothing else goes out before the Welcome."""
        self.lost()
        self.refusal = None
        self._put(Hello(VERSION, OLDEST, self._little_endian, self.host, self._epoch, nonce))

    def lost(self) -> None:
        """The stream is gone, and with it all that was not acknowledged."""
        self.peer, self.bulk_done, self._decoder = None, False, Decoder()
        self._tickets = dict.fromkeys(self._tickets)
        self._reset()

    def heard(self, data: bytes, now: float) -> None:
        """The peer's receiver answered.

        Raises:
            wire.Malformed: hang up.
        """
        for frame in self._decoder.feed(data):
            match frame:
                case Ack(sequence):
                    self._window.acknowledged(sequence, now)
                    if self._pending and self._flush_at is None:
                        self._flush_at = now
                case Welcome():
                    self.peer = frame
                    self._ping_at = now + PING
                    self._announce_at = now + ANNOUNCE
                    self.resync(now)
                case Refusal(text):
                    self.refusal = text
                case _:
                    pass

    # --- the kernel's word ------------------------------------------------------------------------------------------

    def noticed(self, messages: Iterable[bytes], now: float) -> None:
        """Events of this kernel, in their order; our own injections are not among them."""
        entries, local, pending = self.ledger.entries, self.local, self._pending
        fresh, online = self.ledger.fresh, self.peer is not None
        soon = False
        for m in messages:
            try:
                key = key_of(m)
                source, destination = endpoints(m)
            except Malformed:
                self.counters["not understood"] += 1
                continue
            if local[source] or local[destination]:
                self.counters["local"] += 1
                continue
            if m[4] == _ENDED:
                self._ended(key, m, online)
                continue
            if key in entries:
                self.ledger.adopt(key)
            elif fresh is not None and m[7] & 4:
                fresh.add(key)
            if not online:
                continue
            before = pending.get(key)
            if before is not None:
                self.counters["coalesced"] += 1
                pending[key] = self._joined(before, m)
            else:
                pending[key] = m
            if not soon and _assured(m):
                soon = True
        if pending:
            self._due(now, soon)

    def _joined(self, before: bytes, m: bytes) -> bytes:
        """What stands for a state of which we had not yet sent `before`."""
        try:
            if before[4] == _ENDED:  # the tuple was used again: the end of the old one goes first
                end = before[:_U32(before)[0]]
                return end + (merge(before[len(end):], m) if len(before) > len(end) else m)
            return merge(before, m)
        except Malformed:
            self.counters["not understood"] += 1
            return m

    def _ended(self, key: bytes, m: bytes, online: bool) -> None:
        owned = self.role is True or (self.role is None and self.ledger.ours(key))
        self.ledger.entries.pop(key, None)
        before = self._pending.pop(key, None)
        if not owned:
            self.counters["ends kept back"] += 1
        elif online and not (before is not None and before[4] != _ENDED and before[7] & 4):
            # (A state that came and went before the peer heard of it needs no word at all.)
            self._pending[key] = m

    def overrun(self, now: float) -> None:
        """The kernel had to drop events: only the whole table can tell what they were."""
        self.counters["overruns"] += 1
        self.resync(now)

    def _due(self, now: float, soon: bool) -> None:
        if len(self._pending) > MOST_PENDING:
            self.counters["pending dropped"] += 1
            self._pending.clear()
            self._listing, self._bulk_left, self._bulk_owed = "", None, True
            return
        if soon:
            self._flush_at = max(now, self._flushed_at + COALESCE)
        elif self._flush_at is None:
            self._flush_at = now + COALESCE

    # --- listings: bulk and announcements ---------------------------------------------------------------------------

    def resync(self, now: float, after: float = 0.0) -> None:
        """Send the whole table (again), in `after` seconds."""
        self._bulk_owed, self._bulk_after = True, now + after
        self._begin_bulk(now)

    def _begin_bulk(self, now: float) -> None:
        busy = self._listing or self._bulk_left is not None
        if self.peer is None or not self._bulk_owed or busy or now < self._bulk_after:
            return
        self._bulk_owed, self.bulk_done = False, False
        self.counters["bulks"] += 1
        self._bulk_count = 0
        self._flush(now, everything=True)
        self._scope = {True: EVERYTHING, None: OWN, False: NOTHING}[self.role]
        self._put(BulkStart(self.counters["bulks"], self.table_size, self._scope))
        if self.role is False:
            self._tell_creators()
            self._bulk_left = 0
            self._flush_at = now
        else:
            self._listing = "bulk"

    def _tell_creators(self) -> None:
        """We hold copies only. A master that forgot who created them (it was restarted) can learn it back."""
        by_creator: dict[int, list[bytes]] = {}
        peer = self.peer.host if self.peer else 0
        for key in self.ledger.entries:
            creator = self.ledger.creator(key)
            if creator != peer and len(key) < 256:
                by_creator.setdefault(creator, []).append(key)
        for creator, keys in by_creator.items():
            for i in range(0, len(keys), LARGEST_BATCH):
                self._put(Creators(creator, tuple(keys[i:i + LARGEST_BATCH])))

    @property
    def wants_listing(self) -> bool:
        """Whether a dump of the table should be running."""
        return bool(self._listing)

    @property
    def takes_listing(self) -> bool:
        """Whether there is room for more of it now."""
        return len(self._pending) < ENOUGH_PENDING

    def listed(self, messages: Sequence[bytes], now: float) -> None:
        """A piece of the dump. What an event said since is newer, and stays."""
        pending, local, ledger = self._pending, self.local, self.ledger
        entries, wanted = ledger.entries, self._listing
        bulk, whole = self._listing == "bulk", self.role is True
        count = 0
        for m in messages:
            try:
                key = key_of(m)
                source, destination = endpoints(m)
            except Malformed:
                self.counters["not understood"] += 1
                continue
            if entries:
                ledger.seen(key)
            if not wanted or key in pending or local[source] or local[destination]:
                continue
            if (whole or ledger.ours(key)) and (bulk or self._has_turn(m, key)):
                pending[key] = m
                count += 1
        if bulk:
            self._bulk_count += count
        else:
            self.counters["announced"] += count
        if count:
            self._due(now, False)

    def _has_turn(self, m: bytes, key: bytes) -> bool:
        """Whether a live state is announced this time: the kernel does not tell when a timeout is refreshed.

        Each time: all but TCP, and TCP states that have little time left and are not just waiting to end. Every
        long-lived TCP state about once an hour.
        """
        if m[52] != 6 or len(m) < 180 or key[4] != 20:
            return True
        if int.from_bytes(m[160:164], "big") < SHORT:
            return m[176] != _TIME_WAIT
        return sum(key[40:52]) % HOURLY == self._round % HOURLY

    def listing_ended(self, now: float) -> None:
        """The dump is complete."""
        if self._listing == "bulk":
            self._bulk_left = len(self._pending)
            self._flush_at = now
        self._listing = ""

    def listing_failed(self, now: float) -> None:
        """The dump broke off: once more from the start."""
        if self._listing == "bulk":
            self._bulk_owed = True
        self._listing = ""
        self._begin_bulk(now)

    # --- out --------------------------------------------------------------------------------------------------------

    def flush(self, now: float) -> int:
        """Send what is pending without delay. Returns a ticket for `arrived`."""
        self._next_ticket += 1
        self._tickets[self._next_ticket] = None
        self._flush_at = now
        self.handle_timer(now)
        return self._next_ticket

    def arrived(self, ticket: int) -> bool:
        """Whether everything that was pending when the ticket was given is in the peer's kernel."""
        sequence = self._tickets.get(ticket)
        if self.peer is None or sequence is None or not self._window.past(sequence):
            return False
        del self._tickets[ticket]
        return True

    def deadline(self) -> float | None:
        """When `handle_timer` wants to be called; None while there is no peer."""
        if self.peer is None:
            return None
        times = [self._ping_at, self._announce_at]
        if self._flush_at is not None:
            times.append(self._flush_at)
        if self._bulk_owed and not self._listing and self._bulk_left is None:
            times.append(self._bulk_after)
        return min(times)

    def stuck(self, now: float) -> bool:
        """Whether the peer owes an acknowledgement for too long: hang up and try again."""
        return self._window.stuck(now)

    @property
    def lag(self) -> float | None:
        """Seconds from the last batch to its acknowledgement."""
        return self._window.lag

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        if self.peer is None:
            return
        if self._flush_at is not None and now >= self._flush_at:
            self._flush_at = None
            self._flush(now)
        if now >= self._ping_at:
            self._ping_at = now + PING
            if not self._window:
                self._sequence += 1
                self._send(Ping(self._sequence), now)
        if now >= self._announce_at:
            self._announce_at = now + ANNOUNCE
            self._round += 1
            if self.role is not False and not self._listing and self._bulk_left is None:
                self._listing = "announce"
        self._begin_bulk(now)

    def data_to_send(self) -> bytes:
        """Bytes for the stream."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def _put(self, frame: Frame) -> None:
        self._out.append(encode(frame))

    def _send(self, frame: Batch | Ping, now: float) -> None:
        data = encode(frame)
        self._window.sent(frame.sequence, len(data), now)
        self._out.append(data)

    def _flush(self, now: float, everything: bool = False) -> None:
        pending = self._pending
        while pending and (everything or self._window.open):
            keys = list(islice(pending, LARGEST_BATCH))
            self._flushed_at, self._ping_at = now, now + PING
            self._send_batches(keys, now)
            if self._bulk_left is not None:
                self._bulk_left -= len(keys)
        if not pending:
            for ticket in [t for t, sequence in self._tickets.items() if sequence is None]:
                self._tickets[ticket] = self._sequence
        if self._bulk_left is not None and (self._bulk_left <= 0 or not pending):
            # Whoever ceased to be master meanwhile does not know everything any more.
            scope = self._scope if self.role is not False else NOTHING
            self._put(BulkEnd(self.counters["bulks"], self._bulk_count, scope))
            self._bulk_left, self.bulk_done = None, True

    def _send_batches(self, keys: list[bytes], now: float) -> None:
        """One batch for each creator among these states, in the order in which the first of each came up."""
        pending, entries = self._pending, self.ledger.entries
        by_creator: dict[int, list[bytes]] = {}
        if entries:
            for key in keys:
                by_creator.setdefault(self.ledger.creator(key), []).append(pending.pop(key))
        else:
            by_creator[self.host] = [pending.pop(key) for key in keys]
        for creator, messages in by_creator.items():
            self._sequence += 1
            self._send(Batch(self._sequence, creator, b"".join(messages)), now)
        self.sent += len(keys)
        self.counters["batches"] += len(by_creator)


def _assured(event: bytes) -> bool:
    """Whether an event says that both ends have answered: the moment from which a flow would be missed."""
    at = 20 + _U16(event, 20)[0]
    at += _U16(event, at)[0]
    return event[at:at + 4] == _ID_HEAD and bool(event[at + 15] & ASSURED)
