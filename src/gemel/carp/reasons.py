"""The reasons to stand back that a node knows of by itself: it has just come, it was held up, or a port is dead."""

from collections.abc import Mapping
from typing import Final

from gemel.carp.demotion import Demotion
from gemel.carp.events import AWAITING_READY, AWAITING_STATES
from gemel.carp.ledger import Ledger
from gemel.carp.port import Port
from gemel.carp.settings import Settings

WHOLE: Final = 240  # a demotion that no configured skew outbids
HELD_UP_FOR = 5.0  # seconds that a node which was late stands back: one stall often follows another
HELD_UP, HOLD_DOWN = "this node was held up", "this node has come back a moment ago"
MISSED_FOR = 300.0  # seconds that it is said after waiting was in vain
IN_VAIN = {
    AWAITING_STATES: "the peer's states did not come in time: connections through it may not survive a take-over",
    AWAITING_READY: "the agent did not say in time that configuration and services are up: this node takes part in "
    "CARP all the same. See `gemel status`",
}


class Reasons:
    """Puts them into the node's demotion. Times are monotonic seconds."""

    def __init__(self, demotion: Demotion, ledger: Ledger) -> None:
        self._demotion, self._ledger = demotion, ledger

    def begin(self, settings: Settings, now: float) -> bool:
        """This node gets its first VHIDs: until its peer's states are here, and its agent has put configuration and
        services in place. Whether states are waited for."""
        self.hold_down(settings, now)
        if settings.await_ready:
            self._demotion.add_until(AWAITING_READY, WHOLE, now + settings.await_ready)
        if not settings.await_states:
            return False
        self._demotion.add_until(AWAITING_STATES, WHOLE, now + settings.await_states)
        return True

    def hold_down(self, settings: Settings, now: float) -> None:
        """Who comes back may go again: it shows first that it stays. As the only one it serves all the same, since the
        master-down time ignores demotion."""
        if settings.hold_down:
            self._demotion.add_until(HOLD_DOWN, WHOLE, now + settings.hold_down)

    def held_up(self, now: float) -> None:
        """This node's loop was late."""
        self._demotion.add_until(HELD_UP, WHOLE, now + HELD_UP_FOR)

    def ready(self) -> bool:
        """The agent has put everything in place; whether that was waited for."""
        was_awaited = self._demotion.holds(AWAITING_READY)
        self._demotion.remove(AWAITING_READY)
        return was_awaited

    def derive(self, settings: Settings, ports: Mapping[str, Port]) -> None:
        """Those that follow from settings and ports; a device that is not among `ports` counts as well."""
        derived = {}
        for one in settings.vhids:
            port = ports.get(one.device) or Port()
            if port.up is False:
                derived[f"{one.interface} has no link"] = WHOLE
            elif port.deaf:
                derived[f"{one.interface} cannot send"] = WHOLE
        self._demotion.set_standing(settings.demotion)
        self._demotion.derive(derived)

    def pass_time(self, now: float) -> bool:
        """Whether one has ended by itself; what was waited for in vain is said for a while."""
        ended = self._demotion.ended(now)
        for awaited in filter(ended.__contains__, IN_VAIN):
            self._ledger.counters[f"gave up waiting: {awaited}"] += 1
            self._ledger.complain(awaited, IN_VAIN[awaited], now, now + MISSED_FOR)
        return bool(ended)
