"""Taking a demotion out of the count, as an operator asks for it."""

import time

from gemel.control.carpd import ResetDemotion
from gemel.control.door import Refused, Unreachable, ask
from gemel.control.paths import CARPD_DOOR
from gemel.core.event import CONFIG, Event
from gemel.daemons.agent.observer import Observer

PATIENCE = 6.0  # seconds


def reset(observer: Observer, who: str, reason: str) -> dict[str, int]:
    """Reset one reason, or (empty) all; returns what counted until now, and has it remembered who did that.

    Raises:
        Refused: carpd does not answer, or there is no such reason.
    """
    try:
        counted = ask(CARPD_DOOR, ResetDemotion(reason), timeout=PATIENCE)
    except Unreachable:
        raise Refused("carpd does not answer: there is no demotion to reset") from None
    if counted:
        observer.record(Event(time.time(), CONFIG, who, f"the demotion was reset by hand: {', '.join(counted)}"))
        observer.look_now()
    return counted
