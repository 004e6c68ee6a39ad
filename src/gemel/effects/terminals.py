"""The log-ins of this machine's text consoles."""

import contextlib
import subprocess

PATIENCE = 5  # seconds


def redraw() -> None:
    """Every agetty(8) at which nobody has begun to log in reads its texts again. Without agetty nothing happens."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(("agetty", "--reload"), capture_output=True, check=False, timeout=PATIENCE)
