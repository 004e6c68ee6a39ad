"""What can be asked of carpd."""

from dataclasses import dataclass, field

from gemel.control.door import Question


@dataclass(frozen=True, slots=True)
class VhidReport:
    """One VHID on one interface. Times are seconds since the epoch; skews 0..254."""

    interface: str
    device: str
    vhid: int
    addresses: tuple[str, ...]
    state: str  # MASTER, BACKUP, INIT, DISABLED
    advbase: int
    advskew: int
    effective_skew: int
    since: float
    reason: str
    master: str | None  # source address of the last accepted advert


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step of a role change, and how long it took in milliseconds."""

    name: str
    ms: float


@dataclass(frozen=True, slots=True)
class TransitionReport:
    """One role change that happened, newest last; `steps` in the order in which they were done."""

    at: float
    interface: str
    vhid: int
    before: str
    after: str
    reason: str
    steps: tuple[StepReport, ...] = ()


@dataclass(frozen=True, slots=True)
class FindingReport:
    """What fast failure detection found out: that the peer is dead (and this node took over), is back, or that a
    silence meant something else."""

    at: float
    dead: bool
    text: str


@dataclass(frozen=True, slots=True)
class DetectorReport:
    """Fast failure detection. `phase`: learning, armed, suspecting, peer dead, off. Milliseconds: between two
    heartbeats of the peer, silence that is borne, round trip. `answers_on`: interfaces where the peer answers ARP;
    `witnesses`: interface -> addresses of others who do."""

    phase: str
    peer: str
    heartbeat_ms: float
    patience_ms: float
    round_trip_ms: float
    answers_on: tuple[str, ...]
    witnesses: dict[str, tuple[str, ...]]
    findings: tuple[FindingReport, ...]


@dataclass(frozen=True, slots=True)
class CarpReport:
    """Everything that carpd knows. `counters` is cause -> number; `problems` are sentences for people."""

    vhids: tuple[VhidReport, ...]
    demotion: dict[str, int]
    allowed: bool
    transitions: tuple[TransitionReport, ...]
    counters: dict[str, int]
    problems: tuple[str, ...]
    detector: DetectorReport | None = None
    waived: dict[str, int] = field(default_factory=dict)
    """Reasons to stand back that hold, and which an operator has taken out of the count."""


@dataclass(frozen=True, slots=True)
class CarpStatus(Question[CarpReport]):
    """How things stand."""

    answer_shape = CarpReport


@dataclass(frozen=True, slots=True)
class ReloadCarp(Question[None]):
    """Read the settings file again and carry on from where each VHID is."""

    answer_shape = None


@dataclass(frozen=True, slots=True)
class Demote(Question[None]):
    """Add (or change) a named reason to stand back. `amount` 1..240; setting it twice is the same as once."""

    reason: str
    amount: int
    answer_shape = None


@dataclass(frozen=True, slots=True)
class Promote(Question[None]):
    """Take a named reason away; unknown ones are no error."""

    reason: str
    answer_shape = None


@dataclass(frozen=True, slots=True)
class TellHealth(Question[None]):
    """All reasons to stand back that follow from this node's health, reason -> 1..240; what was told before and is not
    among them is over. `ready`: configuration and services are up."""

    reasons: dict[str, int]
    ready: bool = True
    answer_shape = None


@dataclass(frozen=True, slots=True)
class ResetDemotion(Question[dict[str, int]]):
    """No longer count this reason, or (empty) all that hold now, until each has gone; returns what counted until now.
    Maintenance mode has a switch of its own and stays."""

    reason: str = ""
    answer_shape = dict[str, int]


QUESTIONS = (CarpStatus, ReloadCarp, Demote, Promote, TellHealth, ResetDemotion)
