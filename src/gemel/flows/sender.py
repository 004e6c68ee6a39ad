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

from collections.abc import Iterable, Sequence

from gemel.flows.attributes import Malformed
from gemel.flows.ctnetlink import key_of, parts, stays_here
from gemel.flows.intake import COALESCE, Intake
from gemel.flows.ledger import Ledger
from gemel.flows.local import Local
from gemel.flows.outbox import MOST, Outbox
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

PING = 1.0  # s without a batch
LARGEST_BATCH = 256  # states
TYPICAL = 200  # bytes of a state's message
ENOUGH_WAITING = 4_000  # states; a listing waits above that


class Sender:
    """One direction: from this node's table to the peer's. Times are monotonic seconds."""

    def __init__(self, host: int, epoch: int, ledger: Ledger, local: Local, little_endian: bool = True) -> None:
        self.host, self.ledger = host, ledger
        self.peer: Welcome | None = None
        self.refusal: str | None = None
        self.sent = 0
        self.table_size = 0  # states in the kernel, as the caller last saw it
        self.rounds = Rounds(self._put)
        self._counters = {"batches": 0, "overruns": 0, "pending dropped": 0, "announced": 0}
        self._epoch, self._little_endian = epoch, little_endian
        self._decoder = Decoder()
        self._sequence = 0
        self._tickets: dict[int, int | None] = {}
        self._next_ticket = 0
        self.outbox = Outbox()
        self.intake = Intake(ledger, local, self.outbox, self.rounds)
        self._reset()

    def _reset(self) -> None:
        self.outbox.clear()
        self.intake.reset()
        self.rounds.reset()
        self._window = Window()
        self._out: list[bytes] = []
        self._flush_at: float | None = None
        self._flushed_at = 0.0
        self._ping_at = 0.0

    @property
    def role(self) -> bool | None:
        """Whether this node is MASTER; None: there are no roles."""
        return self.intake.role

    @role.setter
    def role(self, role: bool | None) -> None:
        self.intake.role = role

    @property
    def local(self) -> Local:
        """Which states stay here."""
        return self.intake.local

    @local.setter
    def local(self, local: Local) -> None:
        self.intake.local = local

    @property
    def counters(self) -> dict[str, int]:
        """What happened, counted."""
        return {**self._counters, **self.intake.counters, "coalesced": self.outbox.coalesced,
                "bulks": self.rounds.bulks, "repairs": self.rounds.parts, "comparisons": self.rounds.comparisons}

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
        return len(self.outbox)

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
                    if self.outbox and self._flush_at is None:
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
        soon = self.intake.noticed(messages, self.peer, now)
        if self.outbox:
            self._due(now, soon)

    def looked_up(self, messages: Iterable[bytes], now: float) -> None:
        """The states that `intake.lookups` asked for."""
        for m in messages:
            self.outbox.changed(key_of(m), m)
        self._flush_at = now

    def overrun(self, now: float) -> None:
        """The kernel had to drop events: only the whole table can tell what they were."""
        self._counters["overruns"] += 1
        self.resync(now, "the kernel dropped events")

    def _due(self, now: float, soon: bool) -> None:
        if len(self.outbox) > MOST:
            self._counters["pending dropped"] += 1
            self.outbox.clear()
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
        elif rounds.due_comparison(now, self.table_size):
            self._flush(now)
            # What still waits is in our table and not in the peer's: no time to compare.
            if self.role is True and self.peer.version >= WITH_DIGESTS and not self.outbox:
                rounds.begin_comparison(now, self._window.slow)

    def _tell_creators(self) -> None:
        """We hold copies only. A master that forgot who created them (it was restarted) can learn it back."""
        for creator, keys in self.ledger.by_creator(self.peer.host if self.peer else 0).items():
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
        return len(self.outbox) < ENOUGH_WAITING

    def listed(self, messages: Sequence[bytes], now: float) -> None:
        """A piece of the dump."""
        outbox, local, ledger, rounds = self.outbox, self.intake.local, self.ledger, self.rounds
        reason, whole = rounds.reason, self.role is True
        ledger.seen(messages)
        if not rounds.reading:
            return
        if rounds.summing is not None:
            rounds.summing.take(messages, local)
            return
        count = 0
        for m in messages:
            try:
                key, source, destination, _ = parts(m)
            except Malformed:
                self.intake.odd(m, self.peer if reason == "bulk" else None, now)
                continue
            if local[source] or local[destination] or stays_here(m):
                continue
            if (whole or ledger.ours(key)) and rounds.names(key, m):
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
        self.rounds.listing_ended(len(self.outbox))
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
        soonest = min(soonest, self.intake.lookup_at)
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
        outbox, window = self.outbox, self._window
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
        waiting, entries = self.outbox.waiting, self.ledger.entries
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
