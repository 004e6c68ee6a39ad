"""One ping or capture that somebody has started: what it said so far, and how it ends."""

import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from gemel.control.agent import Run
from gemel.effects.child import Child

LINES_KEPT = 2000
LONGEST_LINE = 400  # characters
GRACE = 3.0  # seconds beyond its own end that a child gets
PCAP_HEAD, PACKET_HEAD = 24, 16  # bytes: the file's header, and each packet's


@dataclass
class Job:
    """One run. Guarded by `changed`, but for `child`, which only its own thread replaces."""

    id: str
    kind: str
    title: str
    owner: str
    began: float
    until: float
    file: Path | None = None
    child: Child | None = None
    lines: list[str] = field(default_factory=list)
    dropped: int = 0
    packets: int = 0
    octets: int = 0
    ended: str = ""
    took: float | None = None
    asked: float = 0.0
    why: str = ""  # somebody ended it
    changed: threading.Condition = field(default_factory=threading.Condition)

    def say(self, line: str) -> None:
        """A line of its output."""
        with self.changed:
            if len(self.lines) < LINES_KEPT:
                self.lines.append(line[:LONGEST_LINE])
            else:
                self.dropped += 1
            self.changed.notify_all()

    def with_child(self, child: Child) -> Child:
        """What runs for it; ended at once where somebody was quicker."""
        self.child = child
        if self.why:
            child.end()
        return child

    def grown(self, sent: int) -> bool:
        """Wait until the file has more than `sent` bytes; False if it will not get any."""
        with self.changed:
            self.changed.wait_for(lambda: self.octets > sent or self.took is not None, 700)
            return self.octets > sent

    def complete(self, now: float) -> float:
        """The file will not grow any more; how long that took."""
        with self.changed:
            took = self.took = now - self.began
            self.until = now + GRACE
            self.changed.notify_all()
        return took

    def close(self, how: str, now: float) -> None:
        """It is over."""
        with self.changed:
            self.ended, self.took = self.why or how, now - self.began
            self.changed.notify_all()

    def stop(self, why: str, number: int = signal.SIGINT) -> None:
        """End it from outside; SIGINT lets ping say its figures."""
        self.why = self.why or why
        if self.child is not None:
            self.child.end(number)


class Packets:
    """Counts the packets of a pcap stream as it passes."""

    def __init__(self) -> None:
        self.count = 0
        self._skip = PCAP_HEAD
        self._head = bytearray()

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        at = 0
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                at += step
                continue
            take = data[at : at + PACKET_HEAD - len(self._head)]
            self._head += take
            at += len(take)
            if len(self._head) == PACKET_HEAD:
                self._skip = int.from_bytes(self._head[8:12], "little")  # tcpdump writes as the machine does
                self._head.clear()
                self.count += 1


def told(job: Job, after: int) -> Run:
    """As whoever asks is told. Call with `changed` held, or before anybody else knows of it."""
    took = job.took if job.took is not None else time.monotonic() - job.began
    return Run(
        job.id, job.kind, job.title, not job.ended, round(took, 1), tuple(job.lines[max(0, after) :]), len(job.lines),
        job.dropped, job.packets, job.octets, job.ended,
    )  # fmt: skip
