"""What one VHID says on the wire, and whose adverts it takes for those of its own group.

Adverts go out in each family of the VHID's addresses, to the group or to a peer's address. They come from the virtual
MAC, which keeps it open here (see `rules.virtual_mac`) and known to the switch; a farewell does not.

A change of addresses or password reaches the two nodes one after the other. Until the other has it, or for a minute if
nobody can tell, adverts go out with both digests, and both are taken: nobody takes over because of a change.
"""

from typing import Final, NamedTuple

from gemel.carp import wire
from gemel.carp.events import Action, Send, SendTo
from gemel.carp.neighbour import announcement
from gemel.carp.replay import Counters
from gemel.carp.settings import Vhid

NEVER: Final = float("inf")
COUNTER_MASK = 0xFFFF_FFFF_FFFF_FFFF
OWN_MAC = bytes(6)
CHANGE_WITHIN = 60.0  # seconds that the peer has for the same change of addresses or password, if it does not tell
CHANGE_SHOULD_TAKE = 10.0  # seconds
MOST_FORMER = 3  # earlier digests that are kept; more changes within a minute forget the oldest


class Former(NamedTuple):
    """What adverts were like before a change: their seal and families, and until when that may count."""

    seal: wire.Seal
    families: tuple[int, ...]
    until: float


class Speech:
    """The adverts and announcements of one VHID. `counter`: any 64 bits, new at each start of the process."""

    def __init__(self, config: Vhid, counter: int) -> None:
        self.mac = OWN_MAC
        """What the addresses are at: the virtual MAC or, without one, the port's own."""
        self.peer_mark: str | None = None
        """The mark of the seal that the peer has for this VHID; None if it does not tell."""
        self._counter, self._adverts = counter & COUNTER_MASK, 0
        self._port_mac = OWN_MAC
        self._former: list[Former] = []
        self._heard = Counters()
        self._prepare(config)

    def _prepare(self, config: Vhid) -> None:
        self._config = config
        self.families = config.families
        self.seal = wire.Seal(config.password, config.vhid, config.addresses)
        self._sources = {6: wire.link_local(self._port_mac)}
        if config.source:
            self._sources[4] = config.source
        self._peers = {4: (config.source, config.peer), 6: (config.source6, config.peer6)}
        self.mac = wire.virtual_mac(config.vhid) if config.virtual_mac else self._port_mac
        self.announcements: list[Action] = [
            Send(config.device, announcement(address, self.mac)) for address in config.addresses
        ]
        self._farewells = {f: wire.advert_head(source, OWN_MAC) for f, source in self._sources.items()}
        self._heads = {f: wire.advert_head(source, self.mac) for f, source in self._sources.items()}

    def attach(self, mac: bytes) -> None:
        """The port's own MAC, 6 bytes; nothing if it is not known."""
        if mac and mac != self._port_mac:
            self._port_mac = mac
            self._prepare(self._config)

    def change(self, config: Vhid, now: float) -> None:
        """Go on with another configuration of the same VHID."""
        was = Former(self.seal, self.families, now + CHANGE_WITHIN)
        self._prepare(config)
        if self.seal.mark != was.seal.mark:
            self._former = [*self._former[1 - MOST_FORMER :], was]

    # -------------------------------------------------------------------------------------------------------- hearing

    def accepts(self, advert: wire.Advert, now: float) -> bool:
        """Whether its sender has this VHID's password and addresses, or had them before the last change."""
        return self.seal.fits(advert) or any(former.seal.fits(advert) for former in self.former(now))

    def former(self, now: float) -> list[Former]:
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

    def is_own(self, received: wire.Received) -> bool:
        """Whether this is an advert of ours that came back, mirrored by a switch or recorded: any since the start."""
        age = (self._counter - received.advert.counter) & COUNTER_MASK
        return self.is_from_own_address(received) and age < self._adverts

    def is_replayed(self, counter: int) -> bool:
        """Whether an advert with this counter was heard before, of a sender that is known to count up (`replay`)."""
        return self._heard.has_passed(counter)

    def is_from_own_address(self, received: wire.Received) -> bool:
        """Whether its sender uses an address that is this port's own."""
        return received.source in self._sources.values() or received.source == self._config.source6 != ""

    # ------------------------------------------------------------------------------------------------------- speaking

    def adverts(self, advbase: int, advskew: int, now: float) -> list[Action]:
        """One for each family, and again for each seal that the peer may have."""
        adverts = self._made(advbase, advskew, self._heads, now)
        if self._config.virtual_mac and any(type(one) is SendTo for one in adverts):
            # Those come from the port's own MAC, which neither keeps the virtual one open here nor known to the switch.
            adverts.append(self.announcements[0])
        return adverts

    def farewell(self, now: float) -> list[Action]:
        """The last adverts, from the port's own MAC: one more frame from the virtual MAC would pull the switch's entry
        back here.
        """
        return self._made(wire.BOW_OUT, wire.BOW_OUT, self._farewells, now)

    def _made(self, advbase: int, advskew: int, heads: dict[int, bytes], now: float) -> list[Action]:
        config, actions = self._config, list[Action]()
        for seal, families, _ in (Former(self.seal, self.families, NEVER), *self.former(now)):
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
