"""Whether what was started runs: a target is started when its units have been, however that went."""

import time
from collections.abc import Sequence

from gemel.daemons import systemd

PATIENCE = 60.0  # seconds: a unit that ends is started again, and may come up at another try
BETWEEN = 1.0


def waited_for(services: Sequence[str]) -> tuple[str, ...]:
    """Those of these services that do not run, after time enough.

    Raises:
        Refused: systemd does not say.
    """
    until = time.monotonic() + PATIENCE
    while down := tuple(one.name for one in systemd.service_reports(services) if one.state != "running"):
        if time.monotonic() > until:
            break
        time.sleep(BETWEEN)
    return down
