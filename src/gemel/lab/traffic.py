"""Live traffic from the LAN client to the WAN server, and what became of it."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from gemel.core.codec import decode
from gemel.lab.commands import SOURCE, Commands
from gemel.lab.namespace import LabError
from gemel.lab.probes import FLOW_STEP, Talk, Window
from gemel.lab.topology import WAN_SERVER

PROBES = (sys.executable, "-m", "gemel.lab.probes")


@dataclass(frozen=True, slots=True)
class Measured:
    """A stretch of both: the 1 kHz flow and the long connection."""

    flow: Window
    talk: Talk


class Server:
    """The WAN server, as a context; `seconds` bounds its life."""

    def __init__(self, lab: Commands, seconds: float) -> None:
        self._lab = lab
        self._process = _start(lab, "wan", "serve", WAN_SERVER, str(seconds))
        _line(self._process, "the WAN server")

    def source_of(self, port: int, source_port: int) -> str:
        """ADDRESS:PORT that the server sees when the LAN client sends it a UDP packet from `source_port`."""
        return self._lab.exec("lan", *PROBES, "ask", WAN_SERVER, str(port), str(source_port)).strip()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._process)


class Traffic:
    """A server, a flow and a connection, as a context; they end with it, and at the latest after `seconds`. They come
    from the host `client`; of the flow's packets one goes out every `step` seconds.
    """

    def __init__(self, lab: Commands, seconds: float = 300, client: str = "lan", step: float = FLOW_STEP) -> None:
        with contextlib.ExitStack() as undo:
            self.server = undo.enter_context(Server(lab, seconds))
            self._flow = _start(lab, client, "flow", WAN_SERVER, str(seconds), "0", str(step))
            undo.callback(_end, self._flow)
            self._talk = _start(lab, client, "talk", WAN_SERVER, str(seconds))
            undo.callback(_end, self._talk)
            _line(self._flow, "the UDP flow")
            _line(self._talk, "the TCP connection")
            self._undo = undo.pop_all()

    def window(self) -> Measured:
        """What happened since the last call (or the beginning)."""
        for probe in (self._flow, self._talk):
            assert probe.stdin
            with contextlib.suppress(BrokenPipeError):
                probe.stdin.write("\n")
                probe.stdin.flush()
        flow = decode(Window, json.loads(_line(self._flow, "the UDP flow")))
        return Measured(flow, decode(Talk, json.loads(_line(self._talk, "the TCP connection"))))

    def __enter__(self) -> "Traffic":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._undo.close()


def _start(lab: Commands, machine: str, *argv: str) -> "subprocess.Popen[str]":
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return lab.start(machine, *PROBES, *argv, env={**os.environ, "PYTHONPATH": str(SOURCE)}, **pipes)


def _line(process: "subprocess.Popen[str]", whose: str) -> str:
    assert process.stdout and process.stderr
    if not (line := process.stdout.readline()):
        said = process.stderr.read().strip().splitlines()
        raise LabError(f"{whose} ended: {said[-1] if said else 'without a word'}")
    return line


def _end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()
