"""The notice board: what the text console shows above its log-in, in a file that agetty reads, and beside it what a
shell's prompt says of the node.

The package leads /etc/issue.d there by a link, so nothing of it stays on a disk: not after a reboot, nor a removal.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gemel.control.paths import PROMPT, WEB_CERTIFICATE
from gemel.effects.disk import Disk
from gemel.effects.terminals import redraw
from gemel.facts.console import CONSOLE, ConsoleView, differs, prompt, text_for_getty
from gemel.sync.identity import pem_fingerprint

log = logging.getLogger(__name__)


def web_fingerprint(certificate: Path = Path(WEB_CERTIFICATE)) -> str:
    """The GUI's certificate, as an admin compares it by eye; empty where there is none."""
    try:
        return pem_fingerprint(certificate.read_text())
    except (OSError, ValueError):
        return ""


class Board:
    """Shown anew when something differs. `interfaces` are the assigned ones as JSON values; the prompt's file is beside
    the console's, which is `path`."""

    def __init__(
        self,
        interfaces: Callable[[], list[dict[str, Any]]],
        path: Path,
        fingerprint: Callable[[], str] = web_fingerprint,
        redrawn: Callable[[], None] = redraw,
    ) -> None:
        self._interfaces = interfaces
        self._path = path
        self._prompt = path.with_name(Path(PROMPT).name)
        self._fingerprint = fingerprint
        self._redrawn = redrawn
        self._shown: ConsoleView | None = None
        self._failed = False

    def show(self, status: dict[str, Any]) -> None:
        """How the node stands now."""
        sources = {"status": status, "interfaces": self._interfaces(), "fingerprint": self._fingerprint()}
        view = CONSOLE.read(sources, {})
        if not differs(self._shown, view):
            return
        try:
            Disk().write(self._path, text_for_getty(view).encode(), 0o644)
            Disk().write(self._prompt, f"{prompt(view)}\n".encode(), 0o644)
        except OSError as error:
            if not self._failed:  # tried again at each look, said once
                log.warning("the console's text could not be written: %s", error)
            self._failed = True
            return
        self._shown, self._failed = view, False
        self._redrawn()

    def take_down(self) -> None:
        """Nobody looks any more, so it would not stay true."""
        self._path.unlink(missing_ok=True)
        self._prompt.unlink(missing_ok=True)
        self._redrawn()
