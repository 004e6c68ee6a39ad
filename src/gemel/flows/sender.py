"""This node's states on their way to the peer.

Kernel events go into the outbox, one entry per state. What waits for the peer is bounded twice: unacknowledged bytes by
a window that follows the measured lag, waiting states by `outbox.MOST`, beyond which everything is dropped and a bulk
is owed instead. Without a connection nothing is kept: the bulk at the next one says it all.

Whose word counts:

    role     new and changed states     ended states                       bulk, comparison, announcements
    True     sent                       sent                               the whole table; the peer forgets the rest
    None     sent                       sent if the state is ours          our states; nothing is compared
    False    sent (packets did it)      kept back: giving up mastership    nothing but who created what
                                        never ends a flow
"""

import struct
from collections.abc import Iterable, Sequence

from gemel.flows.attributes import Malformed
from gemel.flows.ctnetlink import ASSURED, MARK_HEAD, NO_SYNC, expectation_key, expecting_key, key_of, parts, stays_here
from gemel.flows.ledger import Ledger
from gemel.flows.local import Local
from gemel.flows.outbox import CREATES, ENDED, MOST, Outbox
from gemel.flows.rounds import Rounds
from gemel.flows.window import Window
from gemel.flows.wire import (
    EVERYTHING,
    NOTHING,
    OLDEST,
    OWN,
    VERSION,
    WITH_DIGESTS,
    Ack,
    Batch,
    Creators,
    Decoder,
    Digest,
    Frame,
    Hello,
    Ping,
    Refusal,
    Welcome,
    encode,
)

COALESCE = 0.002  # s an event waits for others; also the least distance of two flushes
MANY = 16  # events that came together need not wait for more
PING = 1.0  # s without a batch
LARGEST_BATCH = 256  # states
TYPICAL = 200  # bytes of a state's message
ENOUGH_WAITING = 4_000  # states; a listing waits above that

_ID_HEAD = struct.pack("=HH", 8, 12)
_U16 = struct.Struct("=H").unpack_from


class Sender:
    """One direction: from this node's table to the peer's. Times are monotonic seconds."""

    def __init__(self, host: int, epoch: int, ledger: Ledger, local: Local, little_endian: bool = True) -> None:
        self.host, self.ledger, self.local = host, ledger, local
        self.role: bool | None = None
        self.peer: Welcome | None = None
        self.refusal: str | None = None
        self.sent = 0
        self.table_size = 0  # states in the kernel, as the caller last saw it
        self.rounds = Rounds(self._put)
        self._counters = {"batches": 0, "local": 0, "ends kept back": 0, "overruns": 0, "pending dropped": 0,
                          "announced": 0, "not understood": 0, "expectations": 0}
        self._epoch, self._little_endian = epoch, little_endian
        self._decoder = Decoder()
        self._sequence = 0
        self._tickets: dict[int, int | None] = {}
        self._next_ticket = 0
        self._outbox = Outbox()
        self._lookups: dict[bytes, None] = {}
        self._lookup_at = 0.0
        self._reset()

    def _reset(self) -> None:
        self._outbox.clear()
        self._lookups.clear()
        self.rounds.reset()
        self._window = Window()
        self._out: list[bytes] = []
        self._flush_at: float | None = None
        self._flushed_at = 0.0
        self._ping_at = 0.0

    @property
    def counters(self) -> dict[str, int]:
        """What happened, counted."""
        return {**self._counters, **self._outbox.counters, "bulks": self.rounds.bulks, "repairs": self.rounds.parts}

    @property
    def bulk_done(self) -> bool:
        """Whether the peer has been told the whole table since it connected."""
        return self.rounds.bulk_done

    @property
    def patient(self) -> bool:
        """Whether nobody waits for an acknowledgement."""
        return not self._tickets and self._window.open

    @property
    def waiting(self) -> int:
        """States that wait for the peer."""
        return len(self._outbox)

    # --- the connection ---------------------------------------------------------------------------------------------

    def connected(self, nonce: bytes) -> None:
        """The stream to the peer stands: say who we are. Nothing else goes out before the Welcome."""
        self.lost()
        self.refusal = None
        self._put(Hello(VERSION, OLDEST, self._little_endian, self.host, self._epoch, nonce))

    def lost(self) -> None:
        """The stream is gone, and with it all that was not acknowledged."""
        self.peer, self._decoder = None, Decoder()
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
                    if self._outbox and self._flush_at is None:
                        self._flush_at = now
                case Welcome():
                    self.peer = frame
                    self._ping_at = now + PING
                    self.rounds.start(now)
                    self.resync(now, "the peer connected")
                case Digest():
                    self.rounds.digest(frame)
                case Refusal(text):
                    self.refusal = text
                case _:
                    pass

    # --- the kernel's word ------------------------------------------------------------------------------------------

    def noticed(self, messages: Sequence[bytes], now: float) -> None:
        """Events of this kernel, in their order; our own injections are not among them."""
        entries, local, waiting = self.ledger.entries, self.local, self._outbox.waiting
        online = self.peer is not None
        watched = self.ledger.fresh is not None or self.rounds.touched is not None
        soon = len(messages) >= MANY
        for m in messages:
            try:
                key, source, destination, _ = parts(m)
            except Malformed:
                self._odd(m, online, now)
                continue
            if local[source] or local[destination] or (m[-4] & NO_SYNC and m[-8:-4] == MARK_HEAD):
                self._counters["local"] += 1
                continue
            if m[4] == ENDED:
                self._ended(key, m, online)
                continue
            if watched and m[7] & CREATES:
                self._began(key)
            if key in entries:
                self.ledger.adopt(key)
            if not online:
                continue
            if key in waiting:
                self._outbox.changed(key, m)
            else:
                waiting[key] = m
            if not soon and _assured(m):
                soon = True
        if waiting:
            self._due(now, soon)

    def _began(self, key: bytes) -> None:
        if self.ledger.fresh is not None and key not in self.ledger.entries:
            self.ledger.fresh.add(key)
        if self.rounds.touched:
            self.rounds.touched.touch(key)

    def _odd(self, m: bytes, online: bool, now: float) -> None:
        """A message that is not about a state."""
        try:
            self._expected(m, online, now)
        except Malformed:
            self._counters["not understood"] += 1

    def _ended(self, key: bytes, m: bytes, online: bool) -> None:
        if self.rounds.touched:
            self.rounds.touched.touch(key)
        owned = self.role is True or (self.role is None and self.ledger.ours(key))
        self.ledger.entries.pop(key, None)
        if not owned:
            self._counters["ends kept back"] += 1
        self._outbox.ended(key, m, owned and online)

    def _expected(self, m: bytes, online: bool, now: float) -> None:
        """A helper (FTP, SIP) expects a connection, or does so no longer; the peer has to expect it, too."""
        key = expectation_key(m)
        if not (online and self.peer and self.peer.version >= WITH_DIGESTS):
            return
        self._counters["expectations"] += 1
        if m[4] == ENDED:
            self._outbox.ended(key, m, self.role is not False)
        else:
            self._outbox.changed(key, m)
            self._lookups[expecting_key(m)] = None
            self._lookup_at = now + COALESCE

    def lookups(self, now: float) -> list[bytes]:
        """Keys of states to ask the kernel for and hand to `looked_up`: where a helper has changed the length of what
        was said, sequence numbers are adjusted from then on, and the kernel has no event for that."""
        if not self._lookups or now < self._lookup_at:
            return []
        keys = list(self._lookups)
        self._lookups.clear()
        return keys

    def looked_up(self, messages: Iterable[bytes], now: float) -> None:
        """The states that the kernel was asked for."""
        for m in messages:
            self._outbox.changed(key_of(m), m)
        self._flush_at = now

    def overrun(self, now: float) -> None:
        """The kernel had to drop events: only the whole table can tell what they were."""
        self._counters["overruns"] += 1
        self.resync(now, "the kernel dropped events")

    def _due(self, now: float, soon: bool) -> None:
        if len(self._outbox) > MOST:
            self._counters["pending dropped"] += 1
            self._outbox.clear()
            self.rounds.abandon(now)
        elif soon:
            self._flush_at = max(now, self._flushed_at + COALESCE)
        elif self._flush_at is None:
            self._flush_at = now + COALESCE

    # --- listings: bulk, repair, comparison, announcements ----------------------------------------------------------

    def resync(self, now: float, why: str = "asked for", after: float = 0.0) -> None:
        """Send the whole table (again), in `after` seconds."""
        self.rounds.owe(now, why, after)
        self._begin_rounds(now)

    def compare_soon(self, now: float) -> None:
        """Compare the tables at once rather than in a few seconds."""
        self.rounds.compare_soon(now)
        self._begin_rounds(now)

    def _begin_rounds(self, now: float) -> None:
        rounds = self.rounds
        if self.peer is None:
            return
        if rounds.due_bulk(now):
            rounds.begin_bulk(now, {True: EVERYTHING, None: OWN, False: NOTHING}[self.role], self.table_size)
            if self.role is False:
                self._tell_creators()
                self._flush_at = now
        elif rounds.due_part():
            if self.role is True:
                rounds.begin_part()
        elif rounds.due_announcement(now):
            if self.role is not False:
                rounds.begin_announcement()
        elif rounds.due_comparison(now):
            self._flush(now)
            # What still waits is in our table and not in the peer's: no time to compare.
            if self.role is True and self.peer.version >= WITH_DIGESTS and not self._outbox:
                rounds.begin_comparison(now, self._window.slow)

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
        """Whether a listing has to begin."""
        return self.rounds.wants_listing

    def listing_began(self) -> None:
        """A listing begins; it serves what is wanted now."""
        self.rounds.listing_began()

    @property
    def takes_listing(self) -> bool:
        """Whether there is room for more of it now."""
        return len(self._outbox) < ENOUGH_WAITING

    def listed(self, messages: Sequence[bytes], now: float) -> None:
        """A piece of the dump."""
        outbox, local, ledger, rounds = self._outbox, self.local, self.ledger, self.rounds
        entries, wanted, reason = ledger.entries, rounds.reading, rounds.reason
        whole = self.role is True
        count = 0
        for m in messages:
            try:
                key, source, destination, reply = parts(m)
            except Malformed:
                self._odd(m, reason == "bulk", now)
                continue
            if entries:
                ledger.seen(key)
            if not wanted or local[source] or local[destination] or stays_here(m):
                continue
            if (whole or ledger.ours(key)) and rounds.names(key, reply, m):
                outbox.listed(key, m)
                count += 1
        if reason in ("bulk", "part"):
            rounds.count += count
        elif reason == "announce":
            self._counters["announced"] += count
        if count:
            self._due(now, False)

    def listing_ended(self, now: float) -> None:
        """The dump is complete."""
        self.rounds.listing_ended(len(self._outbox))
        self._flush_at = now

    def listing_failed(self, now: float) -> None:
        """The dump broke off: once more from the start."""
        self.rounds.listing_failed(now)
        self._begin_rounds(now)

    def compare(self, now: float) -> None:
        """All events that waited have been noticed: compare the sums of both tables, and repair what differs."""
        self.rounds.compare(now)
        self._begin_rounds(now)

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

    def forget(self, ticket: int) -> None:
        """Nobody waits for this one any more."""
        self._tickets.pop(ticket, None)

    def deadline(self) -> float | None:
        """When `handle_timer` wants to be called; None while there is no peer."""
        if self.peer is None:
            return None
        soonest = min(self._ping_at, self.rounds.deadline())
        if self._lookups:
            soonest = min(soonest, self._lookup_at)
        return soonest if self._flush_at is None else min(soonest, self._flush_at)

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
        self._begin_rounds(now)

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

    def _flush(self, now: float) -> None:
        outbox, window = self._outbox, self._window
        while outbox and window.open:
            keys = outbox.take(max(1, min(LARGEST_BATCH, window.size // (4 * TYPICAL))))
            self._flushed_at, self._ping_at = now, now + PING
            self._send_batches(keys, now)
            self.rounds.flushed(len(keys), len(outbox), now, self._narrowed())
        if not outbox:
            for ticket in [t for t, sequence in self._tickets.items() if sequence is None]:
                self._tickets[ticket] = self._sequence
            self.rounds.flushed(0, 0, now, self._narrowed())

    def _narrowed(self) -> int | None:
        """Whoever ceased to be master meanwhile does not know everything any more."""
        return NOTHING if self.role is False else None

    def _send_batches(self, keys: list[bytes], now: float) -> None:
        """One batch for each creator among these states, in the order in which the first of each came up."""
        waiting, entries = self._outbox.waiting, self.ledger.entries
        by_creator: dict[int, list[bytes]] = {}
        if entries:
            for key in keys:
                by_creator.setdefault(self.ledger.creator(key), []).append(waiting.pop(key))
        else:
            by_creator[self.host] = [waiting.pop(key) for key in keys]
        for creator, messages in by_creator.items():
            self._sequence += 1
            self._send(Batch(self._sequence, creator, b"".join(messages)), now)
        self.sent += len(keys)
        self._counters["batches"] += len(by_creator)


def _assured(event: bytes) -> bool:
    """Whether an event says that both ends have answered: the moment from which a flow would be missed."""
    at = 20 + _U16(event, 20)[0]
    at += _U16(event, at)[0]
    return event[at:at + 4] == _ID_HEAD and bool(event[at + 15] & ASSURED)
