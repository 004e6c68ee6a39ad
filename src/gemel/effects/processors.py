"""carpd keeps to one processor, and whoever holds up a kernel keeps off it.

A kernel without preemption runs nobody else on a processor while it commits ten thousand rules there, a quarter of a
second, and does not move a process that wakes up to another one, real-time or not. So carpd stays on the last of the
processors that it may use; where there is only one, all this does nothing.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager


def keep_to_carpds() -> None:
    """From now on this thread, and threads and processes that it starts, run on carpd's processor only."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})


@contextmanager
def off_carpds() -> Iterator[None]:
    """Inside, this thread and the processes that it starts run on the other processors."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, allowed - {max(allowed)} or allowed)
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
