"""Garbage collection where it disturbs nobody.

The configuration is hundreds of thousands of objects that live long (10,000 rules and an alias of 100,000 entries:
400,000). Each full collection looks at all of them, for 0.1 to 0.2 seconds during which no page is answered, whenever
it happens to come. So they are frozen: set aside as they are, at once, when a revision runs. What was garbage in a ring
at that moment is frozen too, which is why a while after the last revision all is looked through once.
"""

import gc
import threading

QUIET = 30.0  # seconds after the last revision


class Memory:
    """The agent's. `quiet` is how long after the last revision all memory is looked through."""

    def __init__(self, quiet: float = QUIET) -> None:
        self._quiet = quiet
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def revised(self) -> None:
        """Another configuration runs: set it aside now, look through all of it later."""
        gc.freeze()
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(self._quiet, self.tidy)
            self._timer.daemon = True
            self._timer.start()

    def tidy(self) -> None:
        """Throw away what nothing leads to, set aside what is left."""
        gc.unfreeze()
        gc.collect()
        gc.freeze()

    def stop(self) -> None:
        """No more of it."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
