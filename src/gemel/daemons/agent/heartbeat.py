"""The key of the pair's heartbeat: derived from both nodes' keys, never stored, given to carpd in the run folder."""

import logging
from collections.abc import Callable
from pathlib import Path

from gemel.effects.disk import Disk
from gemel.sync.identity import Identity

PURPOSE = "gemel heartbeat, version 1"

log = logging.getLogger(__name__)


def hand_over_key(identity: Identity, pinned: str | None, path: Path, tell: Callable[[], None]) -> None:
    """Write the key for the pinned peer (PEM) to `path`, or take it away; `tell` carpd if that changes anything."""
    key = ""
    if pinned:
        try:
            key = identity.shared_key(pinned, PURPOSE).hex()
        except ValueError as error:
            log.warning("no heartbeat with the peer: %s", error)
    before = path.read_text() if path.exists() else ""
    if key == before:
        return
    if key:
        Disk().write(path, key.encode(), 0o600)
    else:
        Disk().remove(path)
    tell()
