"""When to push: at every Apply and at start, bursts in one, and again and again while the peer is away.

`Schedule` decides, without clock or thread; `Pusher` is the thread around it. A push carries the configuration that
runs when it begins, so that ten Applies during one push make one more push, not ten.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from gemel.sync.client import push_now
from gemel.sync.node import Sender, Target
from gemel.sync.push import NotPushed, Pushed, Why

SETTLE = 0.03  # seconds: Applies that follow each other more closely make one push
RETRY_AFTER = {
    # What follows the n-th failure in a row, in seconds; the last repeats.
    Why.AWAY: (1.0, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0),
    Why.LOGIN: (10.0, 20.0, 30.0),  # the peer locks out whoever fails too often
    Why.REFUSED: (2.0, 3.0, 5.0, 10.0),  # mended by people, perhaps on the peer: nobody tells us
    Why.FAILED: (3.0, 5.0, 10.0),
}
STATUS_AFTER = {Why.AWAY: "waiting", Why.LOGIN: "refused", Why.REFUSED: "refused", Why.FAILED: "failed"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PushStatus:
    """How configuration synchronisation stands, seen from the sender.

    `status`: off (no target), never, in sync, pushing, waiting (the peer is away), refused, failed. `revision` is the
    last one of ours that is proven to run on the peer, as its `peer_revision`. `last_error` says cause and cure and is
    None once a push succeeded. `since`: when `status` came about, in the clock that the schedule is given.
    """

    status: str = "off"
    revision: int | None = None
    peer: str | None = None
    peer_revision: int | None = None
    areas: tuple[str, ...] = ()
    last_error: str | None = None
    notices: tuple[str, ...] = ()
    since: float = 0.0


class Schedule:
    """Events in (`wanted`, `began`, `succeeded`, `broke`, `has_no_target`), one `deadline` out: when to push next.

    At any time either a push runs, or one is due at `deadline`, or nothing is wanted.
    """

    def __init__(self, now: float) -> None:
        self.status = PushStatus(since=now)
        self.deadline: float | None = None
        self.running = False
        self._again = False
        self._failures = 0
        self._why: Why | None = None

    def wanted(self, now: float) -> None:
        """Somebody applied something, or asks for a push: the peer's last refusal counts no longer."""
        if self.running:
            self._again = True
        elif self._why is not None or self.deadline is None:
            self._why, self._failures = None, 0
            self.deadline = now + SETTLE
        if self.status.status == "off":
            self._become("never", now)

    def is_due(self, now: float) -> bool:
        """Whether to begin a push."""
        return not self.running and self.deadline is not None and now >= self.deadline

    def began(self, now: float) -> None:
        """A push is on its way. One that is tried again keeps the status that says why."""
        self.running, self._again, self.deadline = True, False, None
        if self._why is None:
            self._become("pushing", now)

    def succeeded(self, pushed: Pushed, now: float) -> None:
        """The peer runs what was meant."""
        self._ended(now)
        self._why, self._failures = None, 0
        self.status = replace(
            self.status,
            revision=pushed.revision,
            peer=pushed.peer,
            peer_revision=pushed.peer_revision,
            areas=pushed.areas,
            notices=pushed.notices,
            last_error=None,
        )
        self._become("in sync", now)

    def broke(self, refusal: NotPushed, now: float) -> None:
        """It did not; try again after a while."""
        self._failures = self._failures + 1 if refusal.why is self._why else 1
        self._why = refusal.why
        pauses = RETRY_AFTER[refusal.why]
        pause = pauses[min(self._failures, len(pauses)) - 1]
        self._ended(now, pause)
        self.status = replace(self.status, last_error=str(refusal))
        self._become(STATUS_AFTER[refusal.why], now)

    def has_no_target(self, now: float) -> None:
        """This node does not push (any more): nothing is wanted until it has a target again."""
        self.running, self._again, self.deadline = False, False, None
        self._why, self._failures = None, 0
        if self.status.status != "off":
            self.status = PushStatus(since=now)

    def _ended(self, now: float, pause: float | None = None) -> None:
        self.running = False
        if self._again:
            self.deadline = now + SETTLE
        elif pause is not None:
            self.deadline = now + pause

    def _become(self, status: str, now: float) -> None:
        """`since` tells how long the peer has been behind: a retry of a push that keeps failing does not restart it."""
        if status != self.status.status:
            self.status = replace(self.status, status=status, since=now)


class Pusher:
    """The thread that pushes. The agent starts it, tells it of every Apply, and shows its status."""

    def __init__(
        self,
        node: Sender,
        push: Callable[[Sender, Target], Pushed] = push_now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._push = push
        self._clock = clock
        self._schedule = Schedule(clock())
        self._changed = threading.Condition()
        self._stopping = False
        self._last_said = ""
        self._thread = threading.Thread(target=self._run, name="pusher", daemon=True)

    def start(self) -> None:
        """Begin; the first push is due at once, if there is a target."""
        self.trigger()
        self._thread.start()

    def trigger(self) -> None:
        """The running configuration, or the target, has changed, or somebody wants a push. Returns at once."""
        target = self._node.target()  # outside the lock: whoever triggers may hold one that this needs
        with self._changed:
            if target is None and not self._schedule.running:
                self._schedule.has_no_target(self._clock())
            else:
                self._schedule.wanted(self._clock())
            self._changed.notify()

    def stop(self, timeout: float = 5.0) -> None:
        """Begin no further push, and wait at most `timeout` seconds for the one that is on its way."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def status(self) -> PushStatus:
        """How things stand; `since` in seconds since the epoch."""
        with self._changed:
            status, now = self._schedule.status, self._clock()
        return replace(status, since=time.time() - (now - status.since))

    def _run(self) -> None:
        while self._await_turn():
            target = self._node.target()
            with self._changed:
                if target is None:
                    self._schedule.has_no_target(self._clock())
                    continue
            outcome = self._attempt(target)
            with self._changed:
                if isinstance(outcome, Pushed):
                    self._last_said = ""
                    self._schedule.succeeded(outcome, self._clock())
                else:
                    self._schedule.broke(outcome, self._clock())

    def _await_turn(self) -> bool:
        """Wait until a push is due and mark it begun; False when it is time to stop."""
        with self._changed:
            while not self._stopping:
                now = self._clock()
                if self._schedule.is_due(now):
                    self._schedule.began(now)
                    return True
                deadline = self._schedule.deadline
                self._changed.wait(None if deadline is None else max(0.0, deadline - now))
        return False

    def _attempt(self, target: Target) -> Pushed | NotPushed:
        try:
            return self._push(self._node, target)
        except NotPushed as no:
            if str(no) != self._last_said:  # once, not at every try
                log.warning("not pushed to %s: %s", target.host, no)
            self._last_said = str(no)
            return no
        except Exception as error:
            # A mistake of ours must not end synchronisation for good, and must be seen.
            log.exception("push to %s", target.host)
            return NotPushed(Why.FAILED, f"the push failed here: {type(error).__name__}: {error}")
