"""One VHID: the state machine of reference section 2.2.

FreeBSD's rules (`table`), with the points in which two nodes of ours do better marked *: they change nothing on the
wire that a peer of another make would notice.

What a heard advert means is decided first, by three intervals in seconds: `theirs` as sent, `mine` with demotion, and
`patience` = 3 x base + effective skew/256. Ties go to the other one in both states: a master yields to an equal, a
backup does not challenge one. Two masters that are equal both yield; each then waits a random part of an interval
longer*, or two demoted nodes with neighbouring skews would rise and yield together for ever.

A master that loses its link releases the addresses at once: they are of no use to anybody there. One that yields to a
better master lingers*: packets that are still on their way to it are forwarded, and nobody is without a master in
between. A master that hears a worse one says so again at once*, by advert and ARP: the switch has just learnt the
wrong port. A node that was held up falls back before anything else*: its peer has taken over meanwhile, and its own
addresses have lapsed (see `Take.lifetime`).

Adverts go out in each family of the VHID's addresses, and each family has a master-down time of its own; the first that
is over makes this node master.

What is said, and who belongs to the group, is `speech`.
"""

import math
from collections.abc import Callable
from random import Random
from typing import Final

from gemel.carp import wire
from gemel.carp.events import Action, Release, Report, State, Take
from gemel.carp.settings import Vhid
from gemel.carp.speech import Speech
from gemel.carp.table import TABLE, Happening, Step

NEVER: Final = math.inf
MOST_SKEW = 240  # what demotion can raise a skew to; a higher one is lowered to it when sent, as FreeBSD does
ANNOUNCE_AFTER = (1.0, 2.0, 4.0, 8.0)  # seconds after taking over; the first announcement is at once
ANNOUNCE_MOVED_AFTER = (0.1, 0.3, *ANNOUNCE_AFTER)  # a port that has just come up may pass nothing for a moment
LINGER = 0.2  # seconds that a node which has yielded goes on accepting packets
LONGEST_FAREWELL = 0.5  # seconds that a leaving node waits for its successor's first advert
TOGETHER = 0.01  # seconds that an advert may leave early, in one wake-up with others


class Machine:
    """One VHID. `counter` is where its adverts' counter starts: any 64 bits, new at each start of the process."""

    def __init__(self, config: Vhid, counter: int, now: float) -> None:
        self.config = config
        self.speech = Speech(config, counter)
        self.preempt = True
        self.demotion = 0
        self.state = State.INIT
        self.since = now
        self.reason = "not started"
        self.master: str | None = None
        """Source address of the last advert that was accepted."""
        self._chance = Random(counter)
        self._longer = 0.0
        self._tied_at = -NEVER
        self._down_at: dict[int, float] = {}
        self._hearing: wire.Received | None = None
        self._awaited: dict[int, wire.Received] = {}
        self._advert_at = self._announce_at = self._release_at = NEVER
        self._announced_at = self._reasserted_at = -NEVER
        self._announce_after: tuple[float, ...] = ANNOUNCE_AFTER
        self._steps: dict[Step, Callable[[float], list[Action]]] = {
            Step.LISTEN: self._listen,
            Step.TAKE: self._take,
            Step.ADVERTISE: self._advertise,
            Step.ANNOUNCE: self._announce,
            Step.ANNOUNCE_MOVED: self._announce_moved,
            Step.REPEAT: self._repeat,
            Step.REASSERT: self._reassert,
            Step.LINGER: self._linger,
            Step.RELEASE: self._release,
            Step.BOW_OUT: self._bow_out,
        }
        self._measure()

    # ------------------------------------------------------------------------------------------------- quantities

    def _measure(self) -> None:
        """What follows from settings and demotion, and is asked for with every advert."""
        base, skew = self.config.advbase, min(MOST_SKEW, max(0, self.config.advskew + self.demotion))
        self.effective_skew = skew
        """The skew that is sent: with demotion, at most 240."""
        self.interval = base + (skew if base else max(skew, 1)) / 256
        """Seconds between two adverts of mine; what elections compare."""
        own = self.config.advskew
        self.master_down = 3 * base + own / 256 if base else 3 * max(own, 1) / 256
        """Seconds without an advert after which a backup takes over. Demotion does not lengthen it."""
        self._silence = self.master_down
        self.patience = 3 * base + skew / 256 if base else self.master_down
        """A peer whose interval is longer than this will be timed out anyway."""
        self._awaited = {}

    @property
    def holds(self) -> bool:
        """Whether this node has the addresses: as master, or a moment longer."""
        return self.state is State.MASTER or self._release_at != NEVER

    @property
    def lifetime(self) -> int:
        """Seconds after which the kernel drops addresses that nobody renews."""
        return 2 if self.config.advbase else 1

    def is_tied(self, now: float) -> bool:
        """Whether this node has just yielded to its equal, which may have yielded as well: word that the other is no
        longer master must then not make both rise at once, and again for ever.
        """
        return now - self._tied_at < self.interval

    def deadline(self) -> float:
        """When `pass_time` is due; infinity if never."""
        return min(self._advert_at, self._announce_at, self._release_at, *self._down_at.values())

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
        self._hearing = received
        tied = self.state is State.MASTER and advert.interval == self.interval
        if tied:
            self._tied_at, self._longer = now, self._chance.uniform(0, self.interval)
        actions = self.happen(happening, now)
        self._hearing = None
        awaited = happening is Happening.PEER_LEADS and received.family in self._down_at
        if self.state is State.BACKUP and awaited and not self.is_tied(now):
            self._awaited[received.family] = received
        return actions

    def waits_for(self, received: wire.Received, family: int) -> bool:
        """Whether this node is backup, and this is what the master said last time in that family."""
        return self._awaited.get(family) is received

    def hear_again(self, received: wire.Received, family: int, now: float) -> float:
        """What `hear` comes to if this node `waits_for` it; returns when the master-down time is over."""
        self.master = received.source
        self._down_at[family] = at = now + self._silence
        return at

    def _why(self, received: wire.Received) -> str:
        advert, source = received
        if advert.interval > self.patience and advert.advbase == wire.BOW_OUT:
            return f"{source} bowed out"
        return (
            f"{source} advertises base {advert.advbase} skew {advert.advskew}, "
            f"this node base {self.config.advbase} skew {self.effective_skew}"
        )

    def _meaning(self, advert: wire.Advert) -> Happening:
        theirs = advert.interval
        if theirs <= self.interval:
            return Happening.PEER_LEADS
        if theirs > self.patience:
            return Happening.PEER_LEAVES
        if self.preempt or self.state is State.MASTER:
            return Happening.PEER_TRAILS
        return Happening.PEER_TOLERATED

    def happen(self, happening: Happening, now: float, why: str = "") -> list[Action]:
        """Look the happening up in the table and do what stands there; what does not stand there does nothing."""
        row = TABLE.get((self.state, happening))
        if row is None:
            return []
        after, steps = row
        actions: list[Action] = []
        if after is not self.state:
            why = why or (self._why(self._hearing) if self._hearing else str(happening))
            actions.append(Report(self.config.interface, self.config.vhid, self.state, after, why))
            self.state, self.since, self.reason = after, now, why
            self._advert_at = self._announce_at = NEVER
            self._down_at = {}
            self._awaited = {}
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
            actions += self.happen(Happening.SILENCE, now, f"no {what} for {self._silence:.2f} s")
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
        self.config = config
        self.speech.change(config, now)
        self._measure()
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
        changing = bool(self.speech.former(now))
        families = (0,) if changing else self.speech.families
        self._silence = self._bearable()
        # Not for one advert only: an equal that speaks for both families has sent two before it yielded as well.
        at = now + self._silence + (self._longer if self.is_tied(now) else 0.0)
        if len(families) == 1:  # nearly always, and for every advert
            self._down_at = {families[0]: at}
            return []
        heard = self._hearing.family if self._hearing else 0
        goes_on = heard in self._down_at and set(families) == self._down_at.keys()
        for family in (heard,) if goes_on else families:
            self._down_at[family] = at
        self._down_at = {family: due for family, due in self._down_at.items() if family in families}
        return []

    def _bearable(self) -> float:
        """The master-down time after what was just heard. At base 0 three of the *master's* intervals and what this
        node's is longer: three of its own, as OpenBSD waits, are half as long again at the fastest setting."""
        if self._hearing is None or self.config.advbase or self._hearing.advert.advbase:
            return self.master_down
        own, theirs = (max(skew, 1) / 256 for skew in (self.config.advskew, self._hearing.advert.advskew))
        return min(self.master_down, 2 * theirs + own)

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
        return self.speech.adverts(self.config.advbase, self.effective_skew, now)

    def _bow_out(self, now: float) -> list[Action]:
        return self.speech.farewell(now)

    def _announce(self, now: float, after: tuple[float, ...] = ANNOUNCE_AFTER) -> list[Action]:
        self._announced_at, self._announce_after = now, after
        self._announce_at = now + after[0]
        return list(self.speech.announcements)

    def _announce_moved(self, now: float) -> list[Action]:
        return self._announce(now, ANNOUNCE_MOVED_AFTER)

    def _repeat(self, now: float) -> list[Action]:
        later = (self._announced_at + after for after in self._announce_after)
        self._announce_at = min((at for at in later if at > now), default=NEVER)
        return list(self.speech.announcements)

    def _reassert(self, now: float) -> list[Action]:
        # Two nodes of which one is deaf must not answer each other without pause.
        if now - self._reasserted_at < self.interval:
            return []
        self._reasserted_at = now
        return [*self._advertise(now), *self.speech.announcements]
