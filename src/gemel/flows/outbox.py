"""What waits for the peer: one message for each state, so that a state that changes ten times while the peer is slow
costs one message. In the order in which the states came up; an expectation comes after its master for that reason.
"""

import struct
from itertools import islice

from gemel.flows.attributes import Malformed
from gemel.flows.ctnetlink import merge

ENDED = 2  # low byte of IPCTNL_MSG_CT_DELETE (and of ..._EXP_DELETE); something new or changed has 0
CREATES = 4  # in the flags' second byte: NLM_F_CREATE, the event says that the state is new
MOST = 120_000  # states

_U32 = struct.Struct("=I").unpack_from


class Outbox:
    """Key -> message. `waiting` may be read freely; it is changed by these methods."""

    def __init__(self) -> None:
        self.waiting: dict[bytes, bytes] = {}
        self.coalesced = 0

    def __len__(self) -> int:
        return len(self.waiting)

    def changed(self, key: bytes, event: bytes) -> None:
        """The state is new, or has changed."""
        before = self.waiting.get(key)
        if before is None:
            self.waiting[key] = event
            return
        self.coalesced += 1
        self.waiting[key] = self._joined(before, event)

    def ended(self, key: bytes, event: bytes, told: bool) -> None:
        """The state has ended; `told` says whether the peer is to know, unless it never heard of it."""
        before = self.waiting.pop(key, None)
        unheard = before is not None and before[4] != ENDED and before[7] & CREATES
        if told and not unheard:
            self.waiting[key] = event

    def listed(self, key: bytes, message: bytes) -> bool:
        """A listing shows the state; whether that put it here. An event that waits is newer, but may say only what has
        changed: the listing says the rest."""
        event = self.waiting.get(key)
        if event is None:
            self.waiting[key] = message
            return True
        if event[4] != ENDED and not event[7] & CREATES:
            self.waiting[key] = self._joined(message, event)
        return False

    def take(self, number: int) -> list[bytes]:
        """The keys of the first ones; `pop` each."""
        return list(islice(self.waiting, number))

    def clear(self) -> None:
        """Drop everything."""
        self.waiting.clear()

    def _joined(self, before: bytes, event: bytes) -> bytes:
        try:
            if before[4] == ENDED:  # the tuple was used again: the end of the old one goes first
                end = before[:_U32(before)[0]]
                return end + (merge(before[len(end):], event) if len(before) > len(end) else event)
            return merge(before, event)
        except Malformed:
            return event
