"""Whether units that were started run: a target is started when its units have been, however that went."""

import time
from collections.abc import Sequence

from gemel.effects.commands import run

PATIENCE = 60.0  # seconds: a unit that ends is started again, and may come up at another try
BETWEEN = 1.0


def waited_for(units: Sequence[str]) -> tuple[str, ...]:
    """Those that do not run, after time enough.

    Raises:
        CommandFailed: systemd does not say.
    """
    until = time.monotonic() + PATIENCE
    while down := not_active(units, run("systemctl", "show", "--property=Id,ActiveState", *units)):
        if time.monotonic() > until:
            break
        time.sleep(BETWEEN)
    return down


def not_active(units: Sequence[str], shown: str) -> tuple[str, ...]:
    """Of what `systemctl show --property=Id,ActiveState` prints of these units: those that do not run."""
    states = [dict(line.split("=", 1) for line in block.splitlines()) for block in shown.strip().split("\n\n")]
    active = {state.get("Id") for state in states if state.get("ActiveState") == "active"}
    return tuple(unit for unit in units if unit not in active)
