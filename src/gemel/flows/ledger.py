"""Who began each state that the peer told us of, in one small number per state.

The number fits into a byte, so that Python shares it: 250,000 states cost the keys and the dict, no more.

    bits 0-3   creator, an index into `hosts` (0 is this node)
    bit 4      adopted: our own packets have changed the state since; its end is ours to tell
    bit 5      parity of the last bulk that named the state
    bit 6      parity of the last listing that showed it in our table

A parity is flipped when a bulk (or listing) begins; whatever still has the old one when it ends was not in it.
"""

from collections import Counter
from collections.abc import Iterable

from gemel.flows.attributes import Malformed
from gemel.flows.ctnetlink import key_of

HOSTS = 16
CREATOR, ADOPTED, BULK, LISTED = 0x0F, 0x10, 0x20, 0x40


class Ledger:
    """Key -> creator of every state that the peer told us of. A key that is missing means: began here."""

    def __init__(self, host: int) -> None:
        self.hosts = [host]
        self.entries: dict[bytes, int] = {}
        self.fresh: set[bytes] | None = None  # keys begun here while a bulk comes in: not for its sweep
        self._bulk = 0
        self._listed = 0

    def mark(self, host: int) -> int:
        """The number to enter for a state created by `host` that is being told of now.

        More hosts than the ledger has room for are all entered as the last one.
        """
        if host not in self.hosts:
            if len(self.hosts) < HOSTS:
                self.hosts.append(host)
            else:
                self.hosts[-1] = host
        return self.hosts.index(host) | self._bulk | self._listed

    def creator(self, key: bytes) -> int:
        """Host id of the node on which the state began."""
        return self.hosts[self.entries.get(key, 0) & CREATOR]

    def ours(self, key: bytes) -> bool:
        """Whether the state began here, or our own packets have moved it since the peer told us of it."""
        value = self.entries.get(key)
        return value is None or bool(value & ADOPTED)

    def adopt(self, key: bytes) -> None:
        """Our own packets changed this state."""
        value = self.entries.get(key)
        if value is not None:
            self.entries[key] = value | ADOPTED

    def begin_bulk(self) -> None:
        """The peer begins to name all its states."""
        self._bulk ^= BULK
        self.fresh = set()

    def end_bulk(self, creator: int | None) -> list[bytes]:
        """Forget and return the states that the bulk did not name.

        Unless `creator` is None only those which that node began and which our packets have not moved since.
        """
        index = None if creator is None else self.mark(creator) & CREATOR
        gone = [key for key, value in self.entries.items()
                if value & BULK != self._bulk and (index is None or value & (CREATOR | ADOPTED) == index)]
        for key in gone:
            del self.entries[key]
        return gone

    def begin_listing(self) -> None:
        """A dump of our own table begins."""
        self._listed ^= LISTED

    def seen(self, listed: Iterable[bytes]) -> None:
        """A piece of the dump shows these states."""
        entries, now = self.entries, self._listed
        if not entries:
            return
        for m in listed:
            try:
                key = key_of(m)
            except Malformed:
                continue  # an expectation
            value = entries.get(key)
            if value is not None and value & LISTED != now:
                entries[key] = value ^ LISTED

    def end_listing(self) -> int:
        """Forget the states that our table does not hold any more; how many those were."""
        gone = [key for key, value in self.entries.items() if value & LISTED != self._listed]
        for key in gone:
            del self.entries[key]
        return len(gone)

    def by_creator(self, but: int) -> dict[int, list[bytes]]:
        """Host id -> keys of the states that it created, without those of one host."""
        found: dict[int, list[bytes]] = {}
        for key in self.entries:
            creator = self.creator(key)
            if creator != but and len(key) < 256:
                found.setdefault(creator, []).append(key)
        return found

    def count(self, states: int) -> dict[int, int]:
        """Host id -> number of states, of `states` in the kernel's table."""
        numbers = [0] * HOSTS
        for value, times in Counter(self.entries.values()).items():
            numbers[value & CREATOR] += times
        numbers[0] += max(0, states - len(self.entries))
        return {host: numbers[i] for i, host in enumerate(self.hosts) if numbers[i] or i == 0}
