"""Which packets are adverts that count: whole, of a VHID that is here, sealed as that is, and no echo or recording.

What does not count is counted by cause; what a person should know of is kept as a problem.
"""

from collections.abc import Mapping

from gemel.carp.diagnosis import explain_digest
from gemel.carp.events import Heard
from gemel.carp.ledger import Ledger
from gemel.carp.machine import NEVER, Machine
from gemel.carp.pair import Pair
from gemel.carp.settings import Settings, Vhid
from gemel.carp.wire import Fault, Received, read_packet

PROBLEM_LASTS = 10.0  # seconds after it was last seen, at base 1 and 2


class Hearing:
    """What a node makes of the packets that it hears. `machines`, `ledger` and `pair` are the node's own."""

    def __init__(self, machines: Mapping[tuple[str, int], Machine], ledger: Ledger, pair: Pair) -> None:
        self._machines, self._ledger, self._pair = machines, ledger, pair
        self._vhids: tuple[Vhid, ...] = ()
        self._far: dict[str, frozenset[int]] = {}
        self._diagnosed_at = -NEVER

    def arrange(self, settings: Settings) -> None:
        """The VHIDs have changed."""
        self._vhids = settings.vhids
        self._far = {
            device: frozenset(o.vhid for o in settings.vhids if o.device == device and (o.peer or o.peer6))
            for device in {one.device for one in settings.vhids}
        }

    def take(self, event: Heard, now: float) -> tuple[Machine, Received] | None:
        """The advert, and whose it is; None if it does not count."""
        received = read_packet(event.packet, self._far.get(event.device, ()))
        if not isinstance(received, Received):
            self._ledger.counters[received] += 1
            return None
        machine = self._machines.get((event.device, received.advert.vhid))
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
        return Fault.REPLAYED if known and speech.is_replayed(received.advert) else None

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
