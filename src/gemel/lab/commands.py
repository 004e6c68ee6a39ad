"""Commands on the machines of a lab, whatever the machines are: namespaces on this one, or virtual machines."""

import json
import shlex
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gemel
from gemel.lab import namespace
from gemel.lab.namespace import LabError
from gemel.lab.topology import NODES

SOURCE = Path(gemel.__file__).resolve().parents[1]
POLL = 0.05  # seconds


class Commands(ABC):
    """Two nodes and some hosts, and what can be typed on them."""

    @property
    @abstractmethod
    def password(self) -> str:
        """The admin's, on both nodes."""

    @abstractmethod
    def command(self, machine: str, *argv: str) -> list[str]:
        """The command on this machine that runs `argv` on a node or host."""

    def exec(self, machine: str, *argv: str, text: str | None = None, check: bool = True, timeout: float = 60) -> str:
        """Run a command on a node or host to its end; returns what it printed."""
        shown = f"{machine}: {shlex.join(argv)}"
        return namespace.run(*self.command(machine, *argv), text=text, check=check, timeout=timeout, shown=shown)

    def start(self, machine: str, *argv: str, **how: Any) -> subprocess.Popen[str]:
        """Start a command on a node or host and do not wait for it; `how` as for ``subprocess.Popen``."""
        return subprocess.Popen(self.command(machine, *argv), text=True, **how)

    def cli(self, node: str, *argv: str, text: str | None = None, check: bool = True, timeout: float = 60) -> str:
        """The node's own `gemel`."""
        if node not in NODES:
            raise LabError(f"{node!r} is no node: {' or '.join(NODES)}")
        return self.exec(node, "gemel", *argv, text=text, check=check, timeout=timeout)

    def cli_json(self, node: str, *argv: str) -> Any:
        """What the node's `gemel ARGV --json` says."""
        return json.loads(self.cli(node, *argv, "--json"))

    def node_status(self, node: str) -> dict[str, Any]:
        """What the node's `gemel status --json` says.

        Raises:
            LabError: the node does not answer.
        """
        said: dict[str, Any] = self.cli_json(node, "status")
        return said

    def wait(self, until: Callable[[], object], what: str, patience: float = 15.0, poll: float = POLL) -> None:
        """Return as soon as `until()` is true, which is asked every `poll` seconds.

        Raises:
            LabError: it was not, for `patience` seconds.
        """
        deadline = time.monotonic() + patience
        while not until():
            if time.monotonic() > deadline:
                raise LabError(f"waited {patience:.0f} s in vain for {what}")
            time.sleep(poll)
