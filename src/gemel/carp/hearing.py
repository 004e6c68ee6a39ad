"""Which packets are adverts that count: whole, of a VHID that is here, sealed as that is, and no echo or recording.

What does not count is counted by cause; what a person should know of is kept as a problem.

Nearly every advert says what the one before it said, byte for byte up to checksum, counter and digest. What stands
before these was looked at then, so only they are looked at now (`take_again`). What is not exactly so goes the long
way.
"""

from collections.abc import Mapping
from typing import NamedTuple

from gemel.carp.diagnosis import explain_digest
from gemel.carp.ledger import Ledger
from gemel.carp.machine import NEVER, Machine
from gemel.carp.pair import Pair
from gemel.carp.settings import Settings, Vhid
from gemel.carp.wire import Fault, Received, Seal, ends_with_advert, read_packet

PROBLEM_LASTS = 10.0  # seconds after it was last seen, at base 1 and 2
VARIES = 30  # bytes at the end of an advert that are new each time: checksum, counter, digest
MOST_KNOWN = 2048  # beginnings, of all devices; some makes number their packets, so that none comes twice


class _Known(NamedTuple):
    """Whose advert it is that begins so, and what it said to that VHID."""

    machine: Machine
    seal: Seal
    """Of the VHID, as it was then: a new one comes with each change of what its adverts are held to."""
    received: Received
    family: int


class Hearing:
    """What a node makes of the packets that it hears. `machines`, `ledger` and `pair` are the node's own."""

    def __init__(self, machines: Mapping[tuple[str, int], Machine], ledger: Ledger, pair: Pair) -> None:
        self._machines, self._ledger, self._pair = machines, ledger, pair
        self._vhids: tuple[Vhid, ...] = ()
        self._far: dict[str, frozenset[int]] = {}
        self._known: dict[tuple[str, bytes], _Known] = {}
        self._diagnosed_at = -NEVER

    def arrange(self, settings: Settings) -> None:
        """The VHIDs have changed."""
        self._vhids = settings.vhids
        self._known.clear()
        self._far = {
            device: frozenset(o.vhid for o in settings.vhids if o.device == device and (o.peer or o.peer6))
            for device in {one.device for one in settings.vhids}
        }

    def take_again(self, device: str, packet: bytes, now: float) -> float | None:
        """What is due then, if this was one more advert of the kind that a backup waits for, and it has been heard by
        now. If None, nothing is known of it yet.
        """
        known = self._known.get((device, packet[:-VARIES]))
        if known is None:
            return None
        machine, seal, received, family = known
        if seal is not machine.speech.seal or not machine.waits_for(received, family) or not seal.closes(packet):
            return None
        if self._pair.peer is not None and self._pair.is_peers(machine.config.interface, received.source):
            counter = int.from_bytes(packet[-28:-20], "big")
            if machine.speech.is_replayed(counter):
                return None
        self._ledger.counters["adverts accepted"] += 1
        return machine.hear_again(received, family, now)

    def remember(self, device: str, packet: bytes, machine: Machine, received: Received) -> None:
        """This was `take`n and heard. If the VHID waits for more of the kind, they need not be looked at as closely."""
        family = received.family
        if not machine.waits_for(received, family) or not ends_with_advert(packet):
            return
        if machine.speech.is_from_own_address(received):
            return
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[device, packet[:-VARIES]] = _Known(machine, machine.speech.seal, received, family)

    def take(self, device: str, packet: bytes, now: float) -> tuple[Machine, Received] | None:
        """The advert, and whose it is; None if it does not count."""
        received = read_packet(packet, self._far.get(device, ()))
        if not isinstance(received, Received):
            self._ledger.counters[received] += 1
            return None
        machine = self._machines.get((device, received.advert.vhid))
        if machine is None:
            self._ledger.counters[Fault.UNKNOWN_VHID] += 1
            return None
        if not machine.speech.accepts(received.advert, now):
            self._ledger.counters[Fault.DIGEST] += 1
            self._unauthenticated(machine.config, received, now)
            return None
        if refused := self._not_the_masters(machine, received, now):
            self._ledger.counters[refused] += 1
            return None
        self._ledger.counters["adverts accepted"] += 1
        return machine, received

    def _not_the_masters(self, machine: Machine, received: Received, now: float) -> Fault | None:
        """Authentic, and still nothing that a master has said just now: an echo or a recording."""
        speech, source = machine.speech, received.source
        known = self._pair.is_peers(machine.config.interface, source)
        if speech.is_from_own_address(received):
            if speech.is_own(received):
                return Fault.REFLECTED
            self._twin(machine.config, source, now)
            # The other one of a pair says that it has other addresses: a recording of a former life of this node.
            return Fault.REFLECTED if self._pair.peer is not None and not known else None
        return Fault.REPLAYED if known and speech.is_replayed(received.advert.counter) else None

    def _unauthenticated(self, config: Vhid, received: Received, now: float) -> None:
        key = (config.device, config.vhid, received.source)
        until = now + max(PROBLEM_LASTS, 4.0 * config.advbase)
        if self._ledger.knows(key, now):
            self._ledger.keep(key, until)
        elif now - self._diagnosed_at >= 1.0:  # the search costs milliseconds, and anybody can send a wrong digest
            self._diagnosed_at = now
            elsewhere = [a for one in self._vhids if one.device == config.device for a in one.addresses]
            why = explain_digest(config, received.advert, elsewhere)
            whose = f"vhid {config.vhid} on {config.interface}: adverts from {received.source}"
            self._ledger.complain(key, f"{whose} do not authenticate: {why}", now, until)

    def _twin(self, config: Vhid, source: str, now: float) -> None:
        text = f"vhid {config.vhid} on {config.interface}: another node sends from this node's own {source}"
        self._ledger.complain((config.device, config.vhid, "twin"), text, now, now + PROBLEM_LASTS)
