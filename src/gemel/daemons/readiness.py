"""What a daemon tells systemd, sd_notify(3): that it is ready, and that it still turns. Standard library only.

Where nobody listens (the lab, a container) all of it does nothing.
"""

import contextlib
import math
import os
import socket


def notify(text: str) -> None:
    """Send lines like ``READY=1`` or ``WATCHDOG=1``."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.sendto(text.encode(), address)


class Watchdog:
    """Says that a loop still turns, three times as often as systemd asks for it (WATCHDOG_USEC).

    `deadline` is when to come again, in the clock of `fed`'s `now`; without a watchdog it is infinite.
    """

    def __init__(self, now: float) -> None:
        asked = int(os.environ.get("WATCHDOG_USEC", "0"))
        mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._every = asked / 3e6 if asked and mine else math.inf
        self.deadline = now + self._every

    def turn(self, now: float) -> None:
        """Called once per turn of the loop; sends only what is due."""
        if now >= self.deadline:
            notify("WATCHDOG=1")
            self.deadline = now + self._every
