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

Adverts go out in each family of the VHID's addresses, and each family has a master-down time of its own; the first that
is over makes this node master.

A change of addresses or password reaches the two nodes one after the other. Until the other has it, or for a minute if
nobody can tell, adverts go out with both digests*, and both are taken: nobody takes over because of a change.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from gemel.carp import wire
from gemel.carp.events import Action, Release, Report, Send, SendTo, State, Take
from gemel.carp.neighbour import announcement
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
TOGETHER = 0.01  # seconds that an advert may leave early, in one wake-up with others
CHANGE_WITHIN = 60.0  # seconds that the peer has for the same change of addresses or password, if it does not tell
CHANGE_SHOULD_TAKE = 10.0  # seconds
MOST_FORMER = 3  # earlier digests that are kept; more changes within a minute forget the oldest


class Former(NamedTuple):
    """What adverts were like before a change: their seal and families, and until when that may count."""

    seal: wire.Seal
    families: tuple[int, ...]
    until: float


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
        self.mac = b""
        """What the addresses are at: the virtual MAC or, without one, the port's own."""
        self.peer_mark: str | None = None
        """The mark of the seal that the peer has for this VHID; None if it does not tell."""
        self._counter, self._adverts = counter & COUNTER_MASK, 0
        self._port_mac = OWN_MAC
        self._former: list[Former] = []
        self._down_at: dict[int, float] = {}
        self._hearing: int | None = None
        self._advert_at = self._announce_at = self._release_at = NEVER
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
        self._sources = {6: wire.link_local(self._port_mac)}
        if config.source:
            self._sources[4] = config.source
        self._families = config.families
        self._measure()
        self._peers = {4: (config.source, config.peer), 6: (config.source6, config.peer6)}
        self.mac = wire.virtual_mac(config.vhid) if config.virtual_mac else self._port_mac
        self._announcements = [
            Send(config.device, announcement(address, self.mac)) for address in config.addresses
        ]
        self._farewells = {f: wire.advert_head(source, OWN_MAC) for f, source in self._sources.items()}
        self._heads = {f: wire.advert_head(source, self.mac) for f, source in self._sources.items()}

    def attach(self, mac: bytes) -> None:
        """The port's own MAC, 6 bytes."""
        if mac and mac != self._port_mac:
            self._port_mac = mac
            self._prepare(self.config)

    # ------------------------------------------------------------------------------------------------- quantities

    def _measure(self) -> None:
        """What follows from settings and demotion, and is asked for with every advert."""
        base, skew = self.config.advbase, min(MOST_SKEW, max(0, self.config.advskew + self.demotion))
        self.effective_skew = skew
        """The skew that is sent: with demotion, at most 240."""
        self.interval = base + (skew if base else max(skew, 1)) / 256
        """Seconds between two adverts of mine; what elections compare."""

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
        down_at = min(self._down_at.values()) if self._down_at else NEVER
        return min(down_at, self._advert_at, self._announce_at, self._release_at)

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
        self._hearing = received.family
        after, _ = TABLE.get((self.state, happening), (self.state, ()))
        actions = self.happen(happening, now, "" if after is self.state else self._why(received))
        self._hearing = None
        return actions

    def _why(self, received: wire.Received) -> str:
        advert, source = received
        if advert.interval > self.patience and advert.advbase == wire.BOW_OUT:
            return f"{source} bowed out"
        return (
            f"{source} advertises base {advert.advbase} skew {advert.advskew}, "
            f"this node base {self.config.advbase} skew {self.effective_skew}"
        )

    def accepts(self, advert: wire.Advert, now: float) -> bool:
        """Whether its sender has this VHID's password and addresses, or had them before the last change."""
        return self.seal.fits(advert) or any(former.seal.fits(advert) for former in self._still_former(now))

    def _still_former(self, now: float) -> list[Former]:
        """How it was before a change, as the peer may still have it."""
        if not self._former:
            return []
        if self.peer_mark == self.seal.mark:
            self._former = []
        self._former = [one for one in self._former if one.until > now or one.seal.mark == self.peer_mark]
        return [one for one in self._former if one.seal.mark == self.peer_mark] or self._former

    def is_ahead(self, now: float) -> bool:
        """Whether the peer has not followed the last change for longer than that should take."""
        changed = [one.until - CHANGE_WITHIN for one in self._former if one.seal.mark == self.peer_mark]
        return bool(changed) and now - changed[-1] > CHANGE_SHOULD_TAKE

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
        return self._is_own_source(received.source) and age < min(OWN_WINDOW, self._adverts)

    def _is_own_source(self, source: str) -> bool:
        return source in self._sources.values() or source == self.config.source6 != ""

    def is_twin(self, received: wire.Received) -> bool:
        """Whether somebody else uses an address of this port's own."""
        return self._is_own_source(received.source)

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
            self._advert_at = self._announce_at = NEVER
            self._down_at = {}
        for step in steps:
            actions += self._steps[step](now)
        return actions

    def pass_time(self, now: float) -> list[Action]:
        """Do whatever is due."""
        actions: list[Action] = []
        if now >= self._release_at:
            actions += self._release(now)
        over = [family for family, at in self._down_at.items() if now >= at]
        if over:
            what = f"IPv{over[0]} advert" if len(self._down_at) > len(over) else "advert"
            actions += self.happen(Happening.SILENCE, now, f"no {what} for {self.master_down:.2f} s")
        if now + min(TOGETHER, self.interval / 16) >= self._advert_at:
            actions += self.happen(Happening.ADVERT_DUE, now)
        if now >= self._announce_at:
            actions += self.happen(Happening.ANNOUNCE_DUE, now)
        return actions

    def demote(self, amount: int, now: float) -> list[Action]:
        """Set the sum of all reasons to stand back; a master tells its peers at once."""
        if amount == self.demotion:
            return []
        self.demotion = amount
        self._measure()
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
        was = Former(self.seal, before.families, now + CHANGE_WITHIN)
        self._prepare(config)
        if self.seal.mark != was.seal.mark:
            self._former = [*self._former[1 - MOST_FORMER :], was]
        if self.state is State.MASTER:
            if set(config.addresses) - set(before.addresses) or config.virtual_mac != before.virtual_mac:
                actions += self._take(now) + self._announce(now)
            actions += self._advertise(now)
        elif self.state is State.BACKUP:
            self._down_at = {}
            self._listen(now)
        return actions

    # ------------------------------------------------------------------------------------------------------- steps

    def _listen(self, now: float) -> list[Action]:
        """Each family is awaited; during a change any advert will do, since the peer may have other families."""
        if not self._former and len(self._families) == 1:  # nearly always, and for every advert
            self._down_at = {self._families[0]: now + self.master_down}
            return []
        changing = bool(self._still_former(now))
        families = (0,) if changing else self.config.families
        hearing = 0 if changing else self._hearing
        goes_on = hearing in self._down_at and set(families) == self._down_at.keys()
        for family in (hearing,) if goes_on and hearing is not None else families:
            self._down_at[family] = now + self.master_down
        self._down_at = {family: at for family, at in self._down_at.items() if family in families}
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
        adverts = self._adverts_of(self.config.advbase, self.effective_skew, self._heads, now)
        if self.config.virtual_mac and any(type(one) is SendTo for one in adverts):
            # Those come from the port's own MAC, which neither keeps the virtual one open here nor known to the switch.
            adverts.append(self._announcements[0])
        return adverts

    def _bow_out(self, now: float) -> list[Action]:
        """From the port's own MAC: one more frame from the virtual MAC would pull the switch's entry back here."""
        return self._adverts_of(wire.BOW_OUT, wire.BOW_OUT, self._farewells, now)

    def _adverts_of(self, advbase: int, advskew: int, heads: dict[int, bytes], now: float) -> list[Action]:
        """One for each family, and again for each seal that the peer may have."""
        config, actions = self.config, list[Action]()
        for seal, families, _ in (Former(self.seal, config.families, NEVER), *self._still_former(now)):
            for family in families:
                self._adverts += 1
                self._counter = (self._counter + 1) & COUNTER_MASK
                message = wire.encode(config.vhid, advbase, advskew, self._counter, seal.digest(self._counter))
                source, peer = self._peers[family]
                if peer:
                    actions.append(SendTo(config.device, source, peer, message))
                elif family in heads:
                    actions.append(Send(config.device, heads[family] + message))
        return actions

    def _announce(self, now: float) -> list[Action]:
        self._rose_at = now
        self._announce_at = now + ANNOUNCE_AFTER[0]
        return list(self._announcements)

    def _repeat(self, now: float) -> list[Action]:
        later = (self._rose_at + after for after in ANNOUNCE_AFTER)
        self._announce_at = min((at for at in later if at > now), default=NEVER)
        return list(self._announcements)

    def _reassert(self, now: float) -> list[Action]:
        # Two nodes of which one is deaf must not answer each other without pause.
        if now - self._reasserted_at < self.interval:
            return []
        self._reasserted_at = now
        return [*self._advertise(now), *self._announcements]
