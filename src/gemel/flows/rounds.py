"""Why this node's table is listed, one reason at a time:

    bulk        the peer joins, or we lost track: it is told everything
    part        a comparison found differences: it is told everything in some buckets
    digest      a comparison
    announce    states that live on without events are told again before the copies' leases end

Each is asked for, waits for a listing that *begins* after that (one under way has already passed some states), and is
done when that listing ends; a bulk or part when what it named has also gone out.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gemel.flows.digest import FEWEST, Sums, Touched, bucket, suitable
from gemel.flows.wire import NOTHING, PART, BulkEnd, BulkPart, BulkStart, Digest, DigestAsk, Frame

ANNOUNCE = 55.0  # s between announcements of live states; a lease is 180 s
COMPARE = 5.0  # s between comparisons, and more for a table that takes long to list:
LISTING_SHARE = 0.01  # of one processor may go into listings for comparisons
TYPICAL = 6e-6  # s of work that it is for each state, on the side that has more of it
SOON = 0.2  # s until a comparison is tried again for which there was no time
LONGEST_PAUSE = 300.0  # s between comparisons, when repairs do not help
MOST_BUCKETS = 1 << 14  # told again at once; more differences than that take a bulk
SHORT = 300  # s: a TCP state with less left is announced like UDP
HOURLY = 65  # announcements in an hour: a long-lived TCP state has its turn in one of them
TIME_WAIT = 7


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison: when it ended (monotonic), how many of how many buckets could be compared, and how many of these
    differed; the states on this side and on the peer's."""

    at: float
    compared: int
    buckets: int
    differing: int
    states: int
    peer_states: int

    @property
    def equal(self) -> bool:
        """Whether what could be compared was the same."""
        return self.differing == 0


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was told again: when (monotonic), why, and how many states."""

    at: float
    why: str
    states: int


class Rounds:
    """Decides what a listing is for. Times are monotonic seconds."""

    def __init__(self, put: Callable[[Frame], None]) -> None:
        self._put = put
        self.compared: Compared | None = None
        self.repaired: Repaired | None = None
        self.bulks = self.parts = self.comparisons = 0
        self.round = 0  # of announcements
        self.reset()

    def reset(self) -> None:
        """The peer is gone: nothing is under way."""
        self.reason = ""  # "", or as above
        self.reading = False  # a listing for it has begun
        self.bulk_done = False
        self.count = 0  # states named by this bulk or part
        self.touched: Touched | None = None
        self._why = ""
        self._owed, self._after = "", 0.0
        self._left: int | None = None  # named states that have not gone out yet
        self._scope = NOTHING
        self._part: tuple[int, frozenset[int]] = (0, frozenset())
        self._wrong: tuple[int, list[int]] | None = None
        self._sums: Sums | None = None
        self._theirs: Digest | None = None
        self._bits = FEWEST
        self._number = 0
        self._began = 0.0
        self._pause = COMPARE
        self.fruitless = 0  # how often the same bucket has differed
        self._lasting: set[int] = set()
        self._lasting_bits = FEWEST
        self._announce_at = self._compare_at = float("inf")
        self._rested = 0.0  # since when no table has been listed for a comparison
        self._hurried = False

    def start(self, now: float) -> None:
        """The peer is there."""
        self._announce_at, self._compare_at, self._rested = now + ANNOUNCE, now + COMPARE, now

    # --- what is due ------------------------------------------------------------------------------------------------

    def owe(self, now: float, why: str, after: float = 0.0) -> None:
        """A bulk has to be sent, in `after` seconds."""
        self._owed, self._after = why, now + after

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return bool(self.reason) or self._left is not None

    @property
    def telling(self) -> bool:
        """Whether a whole table is on its way."""
        return self.reason == "bulk" or (self._left is not None and self._scope != PART)

    def deadline(self) -> float:
        """When something is due."""
        times = [self._announce_at, self._compare_at]
        if self._owed and not self.busy:
            times.append(self._after)
        return min(times)

    def due_bulk(self, now: float) -> bool:
        """Whether a bulk has to begin now."""
        return bool(self._owed) and now >= self._after and not self.busy

    def begin_bulk(self, now: float, scope: int, states: int) -> None:
        """The bulk begins: what goes out from here on, goes out within it."""
        self.bulks += 1
        self._why, self._owed = self._owed, ""
        self._wrong, self.touched = None, None
        self.count, self._scope, self._part = 0, scope, (0, frozenset())
        self._put(BulkStart(self.bulks, states, scope))
        if scope == NOTHING:
            self._left = 0
        else:
            self.reason = "bulk"

    def due_part(self) -> bool:
        """Whether differences wait to be repaired."""
        return self._wrong is not None and not self.busy and not self._owed

    def begin_part(self) -> None:
        """The differing buckets follow."""
        if self._wrong is None:
            return
        (bits, buckets), self._wrong = self._wrong, None
        self.parts += 1
        self._why = f"{len(buckets)} of {1 << bits} parts of the table differed"
        self.count, self._scope, self._part = 0, PART, (bits, frozenset(buckets))
        self._put(BulkPart(self.parts, bits, tuple(buckets)))
        self.reason = "part"

    def due_announcement(self, now: float) -> bool:
        """Whether live states are to be announced; asks once each time."""
        if now < self._announce_at:
            return False
        self._announce_at = now + ANNOUNCE
        self.round += 1
        return not self.busy

    def due_comparison(self, now: float, states: int) -> bool:
        """Whether the tables, of so many states, are to be compared; asks once each time."""
        if now < self._compare_at:
            return False
        earned = self._rested + min(LONGEST_PAUSE, states * TYPICAL / LISTING_SHARE)
        if now < earned and not self._hurried:
            self._compare_at = earned
            return False
        free = not self.busy and not self._owed
        self._compare_at = now + (self._pause if free else SOON)
        return free

    def compare_soon(self, now: float) -> None:
        """Somebody wants to know."""
        self._compare_at, self._pause, self._hurried = now, COMPARE, True

    def begin_announcement(self) -> None:
        """List for it."""
        self.reason = "announce"

    def begin_comparison(self, now: float, narrow: bool) -> None:
        """All that was pending has gone out. `narrow`: the link is slow, few buckets have to do."""
        self._number += 1
        self._hurried = False
        bits = FEWEST if narrow else self._bits
        self.touched, self._sums, self._theirs, self._began = Touched(bits), Sums(bits), None, now
        self._put(DigestAsk(self._number, bits))
        self.reason = "digest"

    # --- listings ---------------------------------------------------------------------------------------------------

    @property
    def wants_listing(self) -> bool:
        """Whether a listing has to begin."""
        return bool(self.reason) and not self.reading

    def listing_began(self) -> None:
        """A listing begins; it serves what is wanted now."""
        self.reading = bool(self.reason)

    @property
    def summing(self) -> Sums | None:
        """The sums that the listing under way is for."""
        return self._sums if self.reason == "digest" else None

    def names(self, key: bytes, message: bytes) -> bool:
        """Whether the peer is to be told of this listed state."""
        if self.reason == "bulk":
            return True
        if self.reason == "part":
            bits, buckets = self._part
            return bucket(key, bits) in buckets
        return has_turn(message, key, self.round)

    def listing_ended(self, waiting: int) -> None:
        """The dump is complete; `waiting` states have to go out before the peer knows all of it."""
        if not self.reading:
            return
        if self.reason in ("bulk", "part"):
            self._left = waiting
        self.reason, self.reading = "", False

    def listing_failed(self, now: float) -> None:
        """The dump broke off: once more from the start, as a bulk if the peer has been told of a beginning."""
        if not self.reading:
            return
        if self.reason in ("bulk", "part"):
            self.owe(now, self._why)
        self.reason, self.reading, self.touched = "", False, None

    def abandon(self, now: float) -> None:
        """What waited was dropped; only the whole table helps."""
        self.reason, self.reading, self._left, self.touched = "", False, None, None
        self.owe(now, "more waited for the peer than may")

    def flushed(self, number: int, waiting: int, now: float, scope: int | None) -> None:
        """So many states have gone out. Ends a bulk or part whose last one was among them; `scope` replaces its own."""
        if self._left is None:
            return
        self._left -= number
        if self._left > 0 and waiting:
            return
        self._left = None
        ended = self._scope if scope is None else scope
        self._put(BulkEnd(self.bulks if self._scope != PART else self.parts, self.count, ended))
        if self._scope != PART:
            self.bulk_done = True
        if self._why and ended != NOTHING:
            self.repaired = Repaired(now, self._why, self.count)

    # --- the comparison ---------------------------------------------------------------------------------------------

    def digest(self, theirs: Digest) -> None:
        """The peer's sums."""
        if theirs.number == self._number and self.touched and theirs.bits == self.touched.bits:
            self._theirs = theirs
            if not theirs.sums:
                self.touched = None

    @property
    def wants_comparison(self) -> bool:
        """Whether both sides' sums are here: read all events that wait, then `compare`."""
        return self.touched is not None and self._theirs is not None and self.reason != "digest"

    def compare(self, now: float) -> None:
        """Every event up to now has been noticed: what differs in untouched buckets, differs."""
        touched, theirs, mine = self.touched, self._theirs, self._sums
        self.touched = self._theirs = self._sums = None
        if not touched or not theirs or not mine:
            return
        wrong = touched.differing(mine, theirs.sums)
        self.comparisons += 1
        self.compared = Compared(now, touched.untouched(), 1 << touched.bits, len(wrong), mine.states, theirs.states)
        self._bits = suitable(touched.touches)
        # The kernel lists no state that has run out and tells of its end later, at leisure: some buckets differ for
        # that alone, others each time. What matters is one that goes on differing though it was told again.
        again = self._lasting & set(wrong) if touched.bits == self._lasting_bits else set()
        self._lasting, self._lasting_bits = again or set(wrong), touched.bits
        self.fruitless = self.fruitless + 1 if again else int(bool(wrong))
        patience = COMPARE * 2 ** max(0, self.fruitless - 2)  # a difference that no repair mends is no reason to hurry
        self._pause = min(LONGEST_PAUSE, max(patience, (now - self._began) / LISTING_SHARE))
        self._rested, self._hurried = now, self.fruitless == 1
        self._compare_at = now + (1.0 if self._hurried else self._pause)
        if len(wrong) > MOST_BUCKETS:
            self.owe(now, f"{len(wrong)} of {1 << touched.bits} parts of the table differed")
        elif wrong:
            self._wrong = touched.bits, wrong


def has_turn(m: bytes, key: bytes, number: int) -> bool:
    """Whether a live state is announced in this round: the kernel does not tell when a timeout is refreshed.

    Each time: all but TCP, and TCP states that have little time left and are not just waiting to end. Every
    long-lived TCP state about once an hour.
    """
    if m[52] != 6 or len(m) < 180 or key[4] != 20:
        return True
    if int.from_bytes(m[160:164], "big") < SHORT:
        return m[176] != TIME_WAIT
    return sum(key[40:52]) % HOURLY == number % HOURLY
