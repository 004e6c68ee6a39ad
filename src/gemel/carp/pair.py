"""The election and the other node: what its heartbeat says becomes happenings of the VHIDs, and words for people.

`Peer` knows the other node; this knows what follows from that for each VHID here: the master is dead, it has resigned,
or it was one of two masters and has yielded.
"""

from collections.abc import Mapping

from gemel.carp.events import Action, BeatHeard, NeighbourHeard
from gemel.carp.ledger import Ledger
from gemel.carp.machine import NEVER, Machine
from gemel.carp.peer import Peer, VhidKey
from gemel.carp.port import Port
from gemel.carp.settings import Settings
from gemel.carp.table import Happening
from gemel.carp.wire import link_local

Machines = Mapping[tuple[str, int], Machine]
"""By device and VHID; shared with the node, which adds and ends them."""


class Pair:
    """Two nodes, of which this is one. `peer` is None while there is no other."""

    def __init__(self, machines: Machines, ledger: Ledger) -> None:
        self.peer: Peer | None = None
        self._machines = machines
        self._ledger = ledger
        self._settings = Settings()
        self._roles_told = False
        self._marks: dict[VhidKey, str] = {}

    def deadline(self) -> float:
        """When `pass_time` is due; infinity if never."""
        return NEVER if self.peer is None else self.peer.deadline()

    # ----------------------------------------------------------------------------------------------------- this node

    def meet(self, settings: Settings, ports: Mapping[str, Port], session: bytes, now: float) -> None:
        """Begin anew with the peer if its settings or the ports have changed. `session`: 8 bytes, new each time."""
        self._settings = settings
        partner, before = settings.partner, self.peer
        if partner is None or not partner.key:
            self.peer = None
            self._learn_marks({})
            return
        vhids = settings.vhids
        if before is None or before.partner != partner or before.ports != Peer.ports_of(vhids):
            self.peer = Peer(partner, vhids, session, now)
        for device, port in ports.items():
            self.link(device, port)
        self._roles_told = False
        self._learn_marks(self.peer.marks if self.peer else {})

    def link(self, device: str, port: Port) -> None:
        """A port got or lost its carrier."""
        if self.peer is not None:
            there = [one for one in self._settings.vhids if one.device == device]
            addresses = dict.fromkeys(a for one in there for a in (one.source, one.source6))
            own6 = [link_local(port.mac)] if port.mac else []
            self.peer.link(device, bool(port.up), port.mac, (*filter(None, addresses), *own6))

    def tell_roles(self, changed: bool, now: float) -> None:
        """Let the peer know which VHIDs this node is master of, if that is news."""
        if self.peer is not None and (changed or not self._roles_told):
            self._roles_told = True
            roles = {(m.config.interface, m.config.vhid): m.state for m in self._machines.values()}
            marks = {(m.config.interface, m.config.vhid): m.speech.seal.mark for m in self._machines.values()}
            self.peer.own_roles(roles, marks, now)

    def is_peers(self, interface: str, source: str) -> bool:
        """Whether this is an address of the other node."""
        return self.peer is not None and source in self.peer.addresses.get(interface, ())

    def disarm(self, now: float) -> None:
        """This node was held up: its silence about the peer means nothing."""
        if self.peer is not None:
            self.peer.disarm(now)

    # ---------------------------------------------------------------------------------------------------- other node

    def hear(self, event: BeatHeard, now: float) -> list[Action]:
        """A heartbeat arrived."""
        if self.peer is None:
            return []
        refused = self.peer.hear(event.payload, now)
        if refused:
            self._ledger.counters[refused] += 1
        elif self.peer.marks is not self._marks:
            self._learn_marks(self.peer.marks)
        return self._resigned(self.peer, now) + self._healed(self.peer, now)

    def overhear(self, event: NeighbourHeard, now: float) -> None:
        """Somebody on a segment spoke ARP."""
        if self.peer is not None:
            self.peer.hear_arp(event.device, event.frame, now)

    def pass_time(self, now: float) -> tuple[list[Action], list[Action]]:
        """Do what is due with the peer. First what VHIDs do because it died just now, then everything else."""
        peer = self.peer
        if peer is None:
            return [], []
        before = peer.verdict
        actions = peer.pass_time(now) + self._healed(peer, now)
        if peer.verdict is None or peer.verdict == before:
            return [], actions
        self._ledger.counters["peer dead"] += 1
        self._learn_marks({})
        died: list[Action] = []
        for machine in self._machines.values():
            if _is_masters(machine, peer):
                died += machine.happen(Happening.PEER_DEAD, now, peer.verdict)
        return died, actions

    def _learn_marks(self, marks: dict[VhidKey, str]) -> None:
        """Which seal the peer has for each VHID: a change that it has too needs no former one any more."""
        self._marks = marks
        for machine in self._machines.values():
            machine.speech.peer_mark = marks.get((machine.config.interface, machine.config.vhid))

    def _resigned(self, peer: Peer, now: float) -> list[Action]:
        resigned = peer.take_resigned()
        why = f"{peer.partner.address} says that it is no longer master"
        return [
            action
            for machine in self._machines.values() if resigned
            if (machine.config.interface, machine.config.vhid) in resigned and _is_masters(machine, peer)
            and not machine.is_tied(now)
            for action in machine.happen(Happening.PEER_RESIGNED, now, why)
        ]

    def _healed(self, peer: Peer, now: float) -> list[Action]:
        """The one that is left of two masters says so again: hosts and switches may have believed the other."""
        healed = peer.take_healed()
        return [
            action
            for machine in self._machines.values() if healed
            if (machine.config.interface, machine.config.vhid) in healed
            for action in machine.happen(Happening.PEER_YIELDED, now)
        ]

    # --------------------------------------------------------------------------------------------------------- words

    def problems(self, now: float) -> tuple[str, ...]:
        """What is wrong between the two nodes, in words."""
        peer = self.peer
        if peer is None:
            return ()
        found = [peer.problem(now)]
        for (interface, vhid), answers in peer.split(now):
            devices = {one.device for one in self._settings.vhids if one.interface == interface}
            addresses = peer.addresses.get(interface, ())
            if any(self._ledger.knows((device, vhid, a), now) for device in devices for a in addresses):
                why = "their adverts do not authenticate: another password or address set"
            elif answers:
                why = f"they reach each other by ARP on {interface}, but adverts get lost: is multicast filtered?"
            else:
                why = f"they do not reach each other on {interface}: the segment is cut between them"
            found.append(f"split brain: both nodes are MASTER of vhid {vhid} on {interface}; {why}")
        for machine in self._machines.values():
            if machine.speech.is_ahead(now):
                whose = f"vhid {machine.config.vhid} on {machine.config.interface}"
                found.append(
                    f"{whose}: the peer still has the password and addresses from before the last change here. It gets "
                    "the new ones with the next configuration sync"
                )
        return tuple(text for text in found if text)


def _is_masters(machine: Machine, peer: Peer) -> bool:
    """Whether the peer is whose adverts this VHID follows. It may be a third node; then nothing has happened to it."""
    return machine.master in peer.addresses.get(machine.config.interface, ())
