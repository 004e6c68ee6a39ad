"""Sending all states to the peer again, as an operator asks for it."""

from gemel.areas.high_availability import HIGH_AVAILABILITY
from gemel.control.door import Refused, Unreachable, ask
from gemel.control.flowd import Resync
from gemel.control.paths import FLOWD_DOOR
from gemel.core.config import Config

PATIENCE = 6.0  # seconds


def resync(config: Config) -> None:
    """Have flowd send its whole table again.

    Raises:
        Refused: states are not synchronised here, or flowd does not answer.
    """
    if not config[HIGH_AVAILABILITY].synchronize_states:
        raise Refused("states are not synchronised: switch it on under System > High Avail. Sync")
    try:
        ask(FLOWD_DOOR, Resync(), timeout=PATIENCE)
    except Unreachable:
        raise Refused("flowd does not answer: it is being started, or has stopped") from None
