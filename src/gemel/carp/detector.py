"""Is the peer dead? Five conditions, all of them, or CARP's own timers decide as ever.

    LEARNING ──1 s of good heartbeats──► ARMED ──1.5 intervals of silence──► SUSPECTING ──all five hold──► DEAD
        ▲                                  ▲                                   │ ▲ │ │                       │
        │                                  │      the peer answers: begin anew ╰─╯ │ │                       │
        │                                  └─────────── a heartbeat ───────────────┘ │                       │
        └───── it cannot be told: the peer goes on answering, or nobody else does ───┴───────────────────────┘

A peer that answers a probe is alive, but its silence is not explained: it is only held up, as a kernel is by ten
thousand rules, or SYNC is cut. So the suspicion begins anew, at a slower pace, and notices its death all the same. One
suspicion is over within `ENOUGH`; it may end well without a second of good heartbeats before the next only as often
as there are `PARDONS`. So nothing that befalls SYNC starts a storm. What all the thresholds stand on is what was
measured: the sender's interval, the round trip with its deviation, and how late beats came lately.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

NEVER: Final = float("inf")
ARMED_AFTER = 1.0  # seconds of heartbeats with no gap
PROBES = 3  # of each segment, for one verdict
LATE = 0.01  # seconds; a loop that was later than this has not been listening
SLOWEST = 1.0  # seconds of silence: where it takes longer than this to be sure, CARP's timers are good enough
ENOUGH = 0.5  # seconds after which a suspicion that came to nothing is given up
SUSPECT_AFTER = 1.5  # intervals
ALIVE_FOR = 0.05  # seconds after an answer of the peer until it is probed again
PARDONS, PARDON_EVERY = 5.0, 1.0  # silences that count as if they had not been: at most so many, one more each second
LATENESS_FADES = 0.99  # per beat: half of it is forgotten after 70


class Phase(StrEnum):
    """Where the detector stands."""

    LEARNING = "learning"
    ARMED = "armed"
    SUSPECTING = "suspecting"
    DEAD = "peer dead"


@dataclass(frozen=True, slots=True)
class Probed:
    """What one CARP segment with carrier said. `unanswered`: probes since the peer's last answer; `usual`: it used to
    answer there; `witness`: somebody else who answered the last one, so this node is not cut off meanwhile."""

    interface: str
    unanswered: int
    usual: bool
    witness: str | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a verdict is made from; times in seconds."""

    armed: bool
    silence: float
    patience: float
    probed: tuple[Probed, ...]
    on_time: bool


class Condition(NamedTuple):
    """One of the five. `otherwise` says what it means that it does not hold."""

    name: str
    holds: Callable[[Evidence], bool]
    otherwise: str


def _unanswered(evidence: Evidence) -> bool:
    silent = all(p.unanswered >= PROBES for p in evidence.probed)
    return silent and any(p.usual for p in evidence.probed)


# fmt: off
CONDITIONS = (
    # Silence only means something where there was a voice.
    Condition("armed",      lambda e: e.armed,                   "there were no steady heartbeats before"),
    # The heartbeat has stopped, for longer than this SYNC has ever delayed one lately.
    Condition("silent",     lambda e: e.silence >= e.patience,   "the heartbeat may only be late"),
    # It is not SYNC that is cut: the peer is silent on every segment, and on one at least it would have answered.
    Condition("unanswered", _unanswered,                         "the peer answers probes, or would not have to"),
    # It is not we who are cut off: somebody answers us where the peer does not.
    Condition("witnessed",  lambda e: any(p.usual and p.witness for p in e.probed), "nobody else answers either"),
    # It is not we who slept.
    Condition("on time",    lambda e: e.on_time,                 "this node was late itself"),
)
# fmt: on


def missing(evidence: Evidence) -> tuple[Condition, ...]:
    """The conditions that do not hold; none of them missing means that the peer is dead."""
    return tuple(condition for condition in CONDITIONS if not condition.holds(evidence))


def in_words(evidence: Evidence) -> str:
    """The evidence of a verdict, for people."""
    probes = ", ".join(f"{p.unanswered} probes on {p.interface}" for p in evidence.probed)
    witnesses = ", ".join(f"{p.witness} on {p.interface}" for p in evidence.probed if p.witness)
    return (
        f"peer dead: no heartbeat for {evidence.silence * 1e3:.0f} ms, {probes} unanswered, "
        f"witness {witnesses} answered"
    )


class Rhythm:
    """How regularly beats come, and how long their silence may last. Everything in seconds."""

    def __init__(self, interval: float, misses: int) -> None:
        self.interval = interval
        self._misses = misses
        self.round_trip = self._deviation = self._lateness = 0.0
        self._measured = False

    def beat(self, gap: float, interval: float, round_trip: float | None) -> None:
        """One more beat: `gap` since the last, `interval` to the next as its sender says."""
        self._lateness = max(gap - self.interval, self._lateness * LATENESS_FADES, 0.0)
        self.interval = interval
        if round_trip is None:
            return
        if not self._measured:  # RFC 6298's way, without its floor
            self.round_trip, self._deviation, self._measured = round_trip, round_trip / 2, True
            return
        self._deviation += 0.25 * (abs(round_trip - self.round_trip) - self._deviation)
        self.round_trip += 0.125 * (round_trip - self.round_trip)

    @property
    def slack(self) -> float:
        """What is normal on this SYNC."""
        return min(SLOWEST, self.round_trip + 4 * self._deviation + self._lateness)

    @property
    def suspicion(self) -> float:
        """Silence after which the segments are probed."""
        return SUSPECT_AFTER * self.interval + self.slack

    @property
    def patience(self) -> float:
        """Silence after which the peer is dead, if all else agrees."""
        return max(self._misses * self.interval + self.slack, self.suspicion + PROBES * self.probe_every)

    @property
    def probe_every(self) -> float:
        """Between two rounds of probes."""
        return max(0.002, self.interval / 2)

    @property
    def is_too_slow(self) -> bool:
        """Whether a verdict would not come much before CARP's own."""
        return self.patience > SLOWEST


class Detector:
    """The phases. Whoever has the wires asks it when to probe, and hands it the evidence."""

    def __init__(self, interval: float, misses: int) -> None:
        self.phase = Phase.LEARNING
        self.rhythm = Rhythm(interval, misses)
        self.last_beat = -NEVER
        self.rounds = 0
        self.undecided = ""
        """Why the last suspicion came to nothing."""
        self._steady_since = NEVER
        self._due = NEVER
        self.probed_at = NEVER
        """When the last round of probes left."""
        self._doubted_at = self._answered_at = NEVER
        self._answered: list[str] = []  # interfaces, since the doubt began
        self._pardons, self._pardons_at = PARDONS, -NEVER

    def deadline(self) -> float:
        """When `pass_time` is due."""
        return self._due

    def beat(self, interval: float, round_trip: float | None, now: float) -> None:
        """A good heartbeat has come."""
        gap, self.last_beat = now - self.last_beat, now
        pardoned = self._pardon(now)
        if self.phase is Phase.DEAD or (gap > self.rhythm.patience and not pardoned) or self.rhythm.is_too_slow:
            self.disarm(now)
        if gap <= SLOWEST:
            self.rhythm.beat(self.rhythm.interval if pardoned else gap, interval, round_trip)
        if self.phase is Phase.SUSPECTING or (self.phase is Phase.LEARNING and self.is_steady):
            self.phase, self.undecided = Phase.ARMED, ""
        self._answered = []
        self._due = now + self.rhythm.suspicion if self.phase is Phase.ARMED else NEVER

    def answer(self, interface: str, now: float) -> None:
        """The peer answered a probe there: its machine lives, and what is to be noticed is its death from here on."""
        if self.phase is not Phase.SUSPECTING:
            return
        if interface not in self._answered:
            self._answered.append(interface)
        self._answered_at, self.rounds, self._due = now, 0, now + max(ALIVE_FOR, self.rhythm.probe_every)

    def _pardon(self, now: float) -> bool:
        """Whether the silence that ends was none of SYNC's making, since the peer answered meanwhile: it was held up
        itself. Its next silence is as suspect as ever."""
        if self.phase is not Phase.SUSPECTING or not self._answered:
            return False
        self._pardons = min(PARDONS, self._pardons + (now - self._pardons_at) / PARDON_EVERY)
        self._pardons_at = now
        if self._pardons < 1:
            return False
        self._pardons -= 1
        return True

    @property
    def patience(self) -> float:
        """Silence after which the peer is dead, if all else agrees: the usual time, from its last sign of life."""
        since = max(self._answered_at - self.last_beat, 0.0) if self._answered else 0.0
        return since + self.rhythm.patience

    @property
    def is_steady(self) -> bool:
        """Whether beats came without a gap for long enough."""
        return self.last_beat - self._steady_since >= ARMED_AFTER

    def excuse(self, now: float) -> None:
        """This node was not listening: what is silence begins now. Before the first beat there is none to excuse, and
        that beat must still be seen to follow nothing, since what is steady counts from there."""
        if self.last_beat == -NEVER:
            return
        self.last_beat = max(self.last_beat, now)
        if self.phase is Phase.SUSPECTING:
            self.phase = Phase.ARMED
        self._due = now + self.rhythm.suspicion if self.phase is Phase.ARMED else NEVER

    def disarm(self, now: float) -> None:
        """This node was held up for long, or what it has learnt is not true any more: learn again from now."""
        self._answered = []
        self.phase, self._steady_since, self._due = Phase.LEARNING, now, NEVER

    def wants_probes(self, now: float, answers_take: float) -> bool:
        """Whether a round of probes is to leave now. Arms the deadline of the next, or of the verdict, which waits
        for the last one's answers: `answers_take` seconds at the slowest segment."""
        if self.phase is Phase.ARMED and now >= self._due:
            self.phase, self.rounds = Phase.SUSPECTING, 0
            self._doubted_at, self._answered = now, []
        if self.phase is not Phase.SUSPECTING or now < self._due:
            return False
        self.rounds += 1
        self.probed_at = now
        every = self.rhythm.probe_every
        self._due = now + every
        if self.rounds >= PROBES:
            patient = self.last_beat + self.patience + 1e-6  # sums of floats must not miss it by a hair
            self._due = max(patient, now + max(every, 2 * answers_take))
        return self.rounds <= 2 * PROBES

    def judge(self, evidence: Evidence, now: float) -> bool:
        """Whether the peer is dead. What cannot be told is given up after a while."""
        if self.phase is not Phase.SUSPECTING:
            return False
        lacking = missing(evidence)
        if not lacking:
            self.phase, self._due = Phase.DEAD, NEVER
            return True
        if now - self._doubted_at >= ENOUGH:
            alive = f"the peer answers on {', '.join(self._answered)}"
            why = alive if self._answered else "; ".join(c.otherwise for c in lacking)
            self.undecided = f"no heartbeat for {evidence.silence * 1e3:.0f} ms, but {why}"
            self.disarm(now)
        return False
