"""Somebody at a terminal: a real pseudo-terminal, what it shows, and what is typed."""

import os
import pty
import re
import select
import subprocess
import time

PATIENCE = 20.0  # seconds for the next words
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A command with a terminal of its own; a context that ends with the command."""

    def __init__(self, argv: list[str]) -> None:
        self._argv = argv
        self._unread = ""

    def __enter__(self) -> "Terminal":
        self._own, theirs = pty.openpty()
        self._process = subprocess.Popen(
            self._argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, close_fds=True
        )
        os.close(theirs)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._own)

    def until(self, words: str) -> str:
        """What is shown up to these words, and with them.

        Raises:
            AssertionError: they do not come.
        """
        deadline = time.monotonic() + PATIENCE
        while words not in self._unread:
            ready, _, _ = select.select([self._own], [], [], max(0.0, deadline - time.monotonic()))
            try:
                data = os.read(self._own, 65536) if ready else b""
            except OSError:  # the other side is closed
                data = b""
            assert data, f"{words!r} never came; what came: {self._unread}"
            self._unread += _COLOURS.sub("", data.decode(errors="replace")).replace("\r", "")
        shown, _, self._unread = self._unread.partition(words)
        return shown + words

    def types(self, line: str) -> None:
        os.write(self._own, f"{line}\n".encode())

    def ends(self) -> int:
        """The command's exit status."""
        return self._process.wait(PATIENCE)
