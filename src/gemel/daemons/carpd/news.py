"""Tells the agent that a role changed, so that pages show it at once. Where there is no agent, nobody waits for it."""

import contextlib
import queue
import threading

from gemel.control.agent import RolesChanged
from gemel.control.door import Refused, Unreachable, ask

PATIENCE = 0.5  # seconds


class AgentHand:
    """The word to the agent, from a thread of its own. Several changes at once make one word."""

    def __init__(self, door: str) -> None:
        self._door = door
        self._words: queue.SimpleQueue[None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="agent", daemon=True).start()

    def roles_changed(self) -> None:
        """Say it. Returns at once."""
        self._words.put(None)

    def _work(self) -> None:
        while True:
            self._words.get()
            with contextlib.suppress(queue.Empty):
                while True:
                    self._words.get_nowait()
            with contextlib.suppress(Refused, Unreachable):
                ask(self._door, RolesChanged(), timeout=PATIENCE)
