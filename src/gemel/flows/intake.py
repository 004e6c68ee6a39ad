"""What becomes of the kernel's events: which of them wait for the peer, and what else follows from them."""

import struct
from collections.abc import Sequence

from gemel.flows.attributes import Malformed
from gemel.flows.ctnetlink import ASSURED, MARK_HEAD, NO_SYNC, expectation_key, expecting_key, parts
from gemel.flows.ledger import Ledger
from gemel.flows.local import Local
from gemel.flows.outbox import CREATES, ENDED, Outbox
from gemel.flows.rounds import Rounds
from gemel.flows.wire import WITH_DIGESTS, Welcome

COALESCE = 0.002  # s an event waits for others; also the least distance of two flushes
MANY = 16  # events that came together need not wait for more
NEVER = float("inf")

_ID_HEAD = struct.pack("=HH", 8, 12)
_U16 = struct.Struct("=H").unpack_from


class Intake:
    """Sorts events into the outbox; `role` says whose word counts, as the table in `sender` has it."""

    def __init__(self, ledger: Ledger, local: Local, outbox: Outbox, rounds: Rounds) -> None:
        self.ledger, self.local, self.outbox, self.rounds = ledger, local, outbox, rounds
        self.role: bool | None = None
        self.counters = {"local": 0, "ends kept back": 0, "not understood": 0, "expectations": 0}
        self._lookups: dict[bytes, None] = {}
        self.lookup_at = NEVER

    def reset(self) -> None:
        """Nothing is to be looked up."""
        self._lookups.clear()
        self.lookup_at = NEVER

    def noticed(self, messages: Sequence[bytes], peer: Welcome | None, now: float) -> bool:
        """Events of this kernel, in their order; whether one should not wait. Without a peer nothing is kept."""
        entries, local, waiting = self.ledger.entries, self.local, self.outbox.waiting
        online = peer is not None
        watched = self.ledger.fresh is not None or self.rounds.touched is not None
        soon = len(messages) >= MANY
        for m in messages:
            try:
                key, source, destination, _ = parts(m)
            except Malformed:
                self.odd(m, peer, now)
                continue
            if local[source] or local[destination] or (m[-4] & NO_SYNC and m[-8:-4] == MARK_HEAD):
                self.counters["local"] += 1
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
                self.outbox.changed(key, m)
            else:
                waiting[key] = m
            if not soon and _assured(m):
                soon = True
        return soon

    def _began(self, key: bytes) -> None:
        if self.ledger.fresh is not None and key not in self.ledger.entries:
            self.ledger.fresh.add(key)
        if self.rounds.touched:
            self.rounds.touched.touch(key)

    def odd(self, m: bytes, peer: Welcome | None, now: float) -> None:
        """A message that is not about a state."""
        try:
            self._expected(m, peer, now)
        except Malformed:
            self.counters["not understood"] += 1

    def _ended(self, key: bytes, m: bytes, online: bool) -> None:
        if self.rounds.touched:
            self.rounds.touched.touch(key)
        owned = self.role is True or (self.role is None and self.ledger.ours(key))
        self.ledger.entries.pop(key, None)
        if not owned:
            self.counters["ends kept back"] += 1
        self.outbox.ended(key, m, owned and online)

    def _expected(self, m: bytes, peer: Welcome | None, now: float) -> None:
        """A helper (FTP, SIP) expects a connection, or does so no longer; the peer has to expect it, too."""
        key = expectation_key(m)
        if peer is None or peer.version < WITH_DIGESTS:
            return
        self.counters["expectations"] += 1
        if m[4] == ENDED:
            self.outbox.ended(key, m, self.role is not False)
        else:
            self.outbox.changed(key, m)
            self._lookups[expecting_key(m)] = None
            self.lookup_at = now + COALESCE

    def lookups(self, now: float) -> list[bytes]:
        """Keys of states to ask the kernel for and hand to `looked_up`: where a helper has changed the length of what
        was said, sequence numbers are adjusted from then on, and the kernel has no event for that."""
        if not self._lookups or now < self.lookup_at:
            return []
        keys = list(self._lookups)
        self.reset()
        return keys


def _assured(event: bytes) -> bool:
    """Whether an event says that both ends have answered: the moment from which a flow would be missed."""
    at = 20 + _U16(event, 20)[0]
    at += _U16(event, at)[0]
    return event[at:at + 4] == _ID_HEAD and bool(event[at + 15] & ASSURED)
