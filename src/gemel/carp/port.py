"""What a node knows of one port: has it carrier, and does the kernel take what is sent there?

Send errors are counted as FreeBSD does: three of them, without three successes in a row between, make a port deaf;
three successes in a row make it well again.
"""

from dataclasses import dataclass

TURNS = 3  # send errors until a port counts as deaf, and successes in a row until it counts as well again


@dataclass(slots=True)
class Port:
    """One network device. `up` is None until its link has been told; `mac` is its own, empty if not known."""

    up: bool | None = None
    mac: bytes = b""
    deaf: bool = False
    errors: int = 0
    _successes: int = 0

    def sent(self) -> bool:
        """A frame left. Whether the port is well again by that."""
        self._successes += 1
        if self._successes < TURNS:
            return False
        self.errors = 0
        healed, self.deaf = self.deaf, False
        return healed

    def failed(self) -> bool:
        """The kernel did not take a frame. Whether the port is deaf by that."""
        self._successes = 0
        self.errors += 1
        if self.deaf or self.errors < TURNS:
            return False
        self.deaf = True
        return True
