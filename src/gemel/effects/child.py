"""A program that looks at the network for somebody: with no more rights than it needs, and with an end.

It runs as nobody, with one capability or none, cannot get others, and dies with the thread that started it.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from typing import IO

USER, GROUP = "nobody", "nogroup"
CHUNK = 1 << 16

RAW = "+net_raw"
"""Sockets that see packets as they are: what ping and tcpdump need."""


class NotStarted(Exception):
    """There is no such program, or it cannot be started; the text says which and what to install."""


class Child:
    """A running program. Start and read it in one thread: the kernel ends it with that thread.

    `stdin` is open if `fed`. What it says on stderr comes with stdout if `mixed`.
    """

    def __init__(self, argv: Sequence[str], capability: str = "", fed: bool = False, mixed: bool = False) -> None:
        kept = f"-all,{capability}" if capability else "-all"
        tamed = (
            "nice", "-n", "5", "setpriv", f"--reuid={USER}", f"--regid={GROUP}", "--clear-groups", "--no-new-privs",
            f"--inh-caps={kept}", f"--ambient-caps={kept}", f"--bounding-set={kept}", "--pdeathsig", "KILL",
        )  # fmt: skip
        try:
            self._process = subprocess.Popen(
                [*tamed, *argv], stdin=subprocess.PIPE if fed else subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if mixed else subprocess.PIPE, cwd="/", start_new_session=True, bufsize=0,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
            )  # fmt: skip
        except OSError as error:
            raise NotStarted(f"{argv[0]} cannot be started: {error.strerror}") from error

    @property
    def stdin(self) -> IO[bytes]:
        """Where it is fed from."""
        assert self._process.stdin is not None
        return self._process.stdin

    def chunks(self) -> Iterator[bytes]:
        """What it says, as it comes, until its end."""
        assert self._process.stdout is not None
        while piece := os.read(self._process.stdout.fileno(), CHUNK):
            yield piece

    def lines(self) -> Iterator[str]:
        """What it says, line by line; a line is cut at `CHUNK` bytes."""
        rest = b""
        for piece in self.chunks():
            *whole, rest = (rest + piece).split(b"\n")
            yield from (line.decode(errors="replace") for line in whole)
            if len(rest) > CHUNK:
                yield rest.decode(errors="replace")
                rest = b""
        if rest:
            yield rest.decode(errors="replace")

    def complaint(self) -> str:
        """The last line of its stderr, once it has ended."""
        if self._process.stderr is None:
            return ""
        said = self._process.stderr.read(CHUNK).decode(errors="replace").strip().splitlines()
        return said[-1] if said else ""

    def end(self, number: int = signal.SIGTERM) -> None:
        """Tell it to end; may be called from any thread, and more than once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._process.poll() is None:
                os.killpg(self._process.pid, number)

    def wait(self, patience: float = 2.0) -> int:
        """How it ended, killed if it does not; its pipes are closed."""
        try:
            code = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.end(signal.SIGKILL)
            code = self._process.wait()
        return code

    def close(self) -> None:
        """Let go of its pipes."""
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
