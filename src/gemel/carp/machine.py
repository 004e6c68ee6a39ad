"""One VHID: the state machine of reference section 2.2.

FreeBSD's rules (`table`), with the points in which two nodes of ours do better marked *: they change nothing on the
wire that a peer of another make would notice.

What a heard advert means is decided first, by three intervals in seconds: `theirs` as sent, `mine` with demotion, and
`patience` = 3 x base + effective skew/256. Ties go to the other one in both states: a master yields to an equal, a
backup does not challenge one. Two masters that are equal both yield, and the master-down time, which ignores
demotion, then lets one of them go first; configured skews should differ for that.

A master that loses its link releases the addresses at once: they are of no use to anybody there. One that yields to a
better master lingers*: packets that are still on their way to it are forwarded, and nobody is without a master in
between. A master that hears a worse one says so again at once*, by advert and ARP: the switch has just learnt the
wrong port. A node that was held up falls back before anything else*: its peer has taken over meanwhile, and its own
addresses have lapsed (see `Take.lifetime`).
"""

import math
from collections.abc import Callable
from typing import Final

from gemel.carp import wire
from gemel.carp.events import Action, Release, Report, Send, State, Take
from gemel.carp.settings import Vhid
from gemel.carp.table import TABLE, Happening, Step

NEVER: Final = math.inf
MOST_SKEW = 240  # what demotion can raise a skew to; a higher one is lowered to it when sent, as FreeBSD does
ANNOUNCE_AFTER = (1.0, 2.0, 4.0, 8.0)  # seconds after taking over; the first announcement is at once
LINGER = 0.2  # seconds that a node which has yielded goes on accepting packets
LONGEST_FAREWELL = 0.5  # seconds that a leaving node waits for its successor's first advert
OWN_WINDOW = 64  # adverts: one from our address with such a recent counter is our own, mirrored by a switch
COUNTER_MASK = 0xFFFF_FFFF_FFFF_FFFF
OWN_MAC = bytes(6)


class Machine:
    """One VHID. `counter` is where its adverts' counter starts: any 64 bits, new at each start of the process."""

    def __init__(self, config: Vhid, counter: int, now: float) -> None:
        self.config = config
        self.preempt = True
        self.demotion = 0
        self.state = State.INIT
        self.since = now
        self.reason = "not started"
        self.master: str | None = None
        """Source address of the last advert that was accepted."""
        self._counter, self._adverts = counter & COUNTER_MASK, 0
        self._master_down_at = self._advert_at = self._announce_at = self._release_at = NEVER
        self._rose_at = self._reasserted_at = -NEVER
        self._steps: dict[Step, Callable[[float], list[Action]]] = {
            Step.LISTEN: self._listen,
            Step.TAKE: self._take,
            Step.ADVERTISE: self._advertise,
            Step.ANNOUNCE: self._announce,
            Step.REPEAT: self._repeat,
            Step.REASSERT: self._reassert,
            Step.LINGER: self._linger,
            Step.RELEASE: self._release,
            Step.BOW_OUT: self._bow_out,
        }
        self._prepare(config)

    def _prepare(self, config: Vhid) -> None:
        self.config = config
        self.seal = wire.Seal(config.password, config.vhid, config.addresses)
        mac = wire.virtual_mac(config.vhid)
        self._arp = [
            Send(config.device, wire.arp_announcement(address, config.vhid)) for address in config.addresses
        ]
        self._farewell_head = wire.advert_head(config.source, OWN_MAC)
        self._head = wire.advert_head(config.source, mac)

    # ------------------------------------------------------------------------------------------------- quantities

    @property
    def effective_skew(self) -> int:
        """The skew that is sent: with demotion, at most 240."""
        return min(MOST_SKEW, max(0, self.config.advskew + self.demotion))

    @property
    def interval(self) -> float:
        """Seconds between two adverts of mine; what elections compare."""
        skew = self.effective_skew
        return self.config.advbase + (skew if self.config.advbase else max(skew, 1)) / 256

    @property
    def patience(self) -> float:
        """A peer whose interval is longer than this will be timed out anyway."""
        if not self.config.advbase:
            return self.master_down
        return 3 * self.config.advbase + self.effective_skew / 256

    @property
    def master_down(self) -> float:
        """Seconds without an advert after which a backup takes over. Demotion does not lengthen it."""
        base, skew = self.config.advbase, self.config.advskew
        return 3 * base + skew / 256 if base else 3 * max(skew, 1) / 256

    @property
    def holds(self) -> bool:
        """Whether this node has the addresses: as master, or a moment longer."""
        return self.state is State.MASTER or self._release_at != NEVER

    @property
    def lifetime(self) -> int:
        """Seconds after which the kernel drops addresses that nobody renews."""
        return 2 if self.config.advbase else 1

    def deadline(self) -> float:
        """When `pass_time` is due; infinity if never."""
        return min(self._master_down_at, self._advert_at, self._announce_at, self._release_at)

    # -------------------------------------------------------------------------------------------------- happenings

    def hear(self, received: wire.Received, now: float) -> list[Action]:
        """An advert whose digest fits arrived."""
        advert, source = received
        if self.state is State.INIT:
            if self.holds:  # the successor is there; those who have not seen it yet get a moment more
                self._release_at = min(self._release_at, now + LINGER)
            return []
        self.master = source
        happening = self._meaning(advert)
        if happening is Happening.PEER_LEAVES and advert.advbase == wire.BOW_OUT:
            why = f"{source} bowed out"
        else:
            why = (
                f"{source} advertises base {advert.advbase} skew {advert.advskew}, "
                f"this node base {self.config.advbase} skew {self.effective_skew}"
            )
        return self.happen(happening, now, why)

    def _meaning(self, advert: wire.Advert) -> Happening:
        theirs = advert.interval
        if theirs <= self.interval:
            return Happening.PEER_LEADS
        if theirs > self.patience:
            return Happening.PEER_LEAVES
        if self.preempt or self.state is State.MASTER:
            return Happening.PEER_TRAILS
        return Happening.PEER_TOLERATED

    def is_own(self, received: wire.Received) -> bool:
        """Whether this is an advert of ours that came back."""
        age = (self._counter - received.advert.counter) & COUNTER_MASK
        return received.source == self.config.source and age < min(OWN_WINDOW, self._adverts)

    def happen(self, happening: Happening, now: float, why: str = "") -> list[Action]:
        """Look the happening up in the table and do what stands there; what does not stand there does nothing."""
        row = TABLE.get((self.state, happening))
        if row is None:
            return []
        after, steps = row
        actions: list[Action] = []
        if after is not self.state:
            actions.append(
                Report(self.config.interface, self.config.vhid, self.state, after, why or str(happening))
            )
            self.state, self.since, self.reason = after, now, why or str(happening)
            self._master_down_at = self._advert_at = self._announce_at = NEVER
        for step in steps:
            actions += self._steps[step](now)
        return actions

    def pass_time(self, now: float) -> list[Action]:
        """Do whatever is due."""
        actions: list[Action] = []
        if now >= self._release_at:
            actions += self._release(now)
        if now >= self._master_down_at:
            actions += self.happen(Happening.SILENCE, now, f"no advert for {self.master_down:.2f} s")
        if now >= self._advert_at:
            actions += self.happen(Happening.ADVERT_DUE, now)
        if now >= self._announce_at:
            actions += self.happen(Happening.ANNOUNCE_DUE, now)
        return actions

    def demote(self, amount: int, now: float) -> list[Action]:
        """Set the sum of all reasons to stand back; a master tells its peers at once."""
        if amount == self.demotion:
            return []
        self.demotion = amount
        return self.happen(Happening.DEMOTION_CHANGED, now)

    def reconfigure(self, config: Vhid, now: float) -> list[Action]:
        """Go on with another configuration of the same VHID, from the state in which it is."""
        before = self.config
        if config == before:
            return []
        actions: list[Action] = []
        lost = tuple(address for address in before.addresses if address not in config.addresses)
        if lost and self.holds:
            actions.append(Release(before.device, lost))
        self._prepare(config)
        if self.state is State.MASTER:
            if set(config.addresses) - set(before.addresses):
                actions += self._take(now) + self._announce(now)
            actions += self._advertise(now)
        elif self.state is State.BACKUP:
            self._listen(now)
        return actions

    # ------------------------------------------------------------------------------------------------------- steps

    def _listen(self, now: float) -> list[Action]:
        self._master_down_at = now + self.master_down
        return []

    def _take(self, now: float) -> list[Action]:
        self._release_at = NEVER
        return [Take(self.config.device, self.config.addresses, self.lifetime)]

    def _release(self, now: float) -> list[Action]:
        self._release_at = NEVER
        return [Release(self.config.device, self.config.addresses)]

    def _linger(self, now: float) -> list[Action]:
        """After yielding the successor has been heard already; after a bow-out it has not."""
        self._release_at = now + (LONGEST_FAREWELL if self.state is State.INIT else LINGER)
        return []

    def _advertise(self, now: float) -> list[Action]:
        self._advert_at = now + self.interval
        return [self._advert(self.config.advbase, self.effective_skew, self._head)]

    def _bow_out(self, now: float) -> list[Action]:
        """From the port's own MAC: one more frame from the virtual MAC would pull the switch's entry back here."""
        return [self._advert(wire.BOW_OUT, wire.BOW_OUT, self._farewell_head)]

    def _advert(self, advbase: int, advskew: int, head: bytes) -> Send:
        self._adverts += 1
        self._counter = (self._counter + 1) & COUNTER_MASK
        digest = self.seal.digest(self._counter)
        return Send(
            self.config.device, head + wire.encode(self.config.vhid, advbase, advskew, self._counter, digest)
        )

    def _announce(self, now: float) -> list[Action]:
        self._rose_at = now
        self._announce_at = now + ANNOUNCE_AFTER[0]
        return list(self._arp)

    def _repeat(self, now: float) -> list[Action]:
        later = (self._rose_at + after for after in ANNOUNCE_AFTER)
        self._announce_at = min((at for at in later if at > now), default=NEVER)
        return list(self._arp)

    def _reassert(self, now: float) -> list[Action]:
        # Two nodes of which one is deaf must not answer each other without pause.
        if now - self._reasserted_at < self.interval:
            return []
        self._reasserted_at = now
        return [*self._advertise(now), *self._arp]
