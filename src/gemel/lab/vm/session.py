"""An SSH session that has to live on: what is typed comes back."""

import select
import subprocess

from gemel.lab.commands import Commands
from gemel.lab.namespace import LabError

ANSWERS = 60.0  # seconds


class Session:
    """As a context; a `cat` on a node."""

    def __init__(self, lab: Commands, node: str) -> None:
        self._node = node
        self._count = 0
        self._process = lab.start(
            node, "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=1
        )
        self.lives()

    def lives(self) -> str:
        """Type a line and read it again.

        Raises:
            LabError: nothing came back.
        """
        assert self._process.stdin and self._process.stdout
        self._count += 1
        line = f"line {self._count}\n"
        dead = LabError(f"{self._node}: the SSH session from before has not lived through it")
        try:
            self._process.stdin.write(line)
        except OSError:
            raise dead from None
        if not select.select([self._process.stdout], [], [], ANSWERS)[0] or self._process.stdout.readline() != line:
            raise dead
        return "the SSH session from before lives"

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
