"""What can be asked of flowd."""

from dataclasses import dataclass

from gemel.control.door import Question


@dataclass(frozen=True, slots=True)
class Comparison:
    """The last comparison of both tables, made by the MASTER: `ago` seconds; `compared` of `parts` parts of the tables
    held still long enough, and `differing` of these were not the same; the states on both sides."""

    ago: float
    compared: int
    parts: int
    differing: int
    states: int
    peer_states: int


@dataclass(frozen=True, slots=True)
class Repair:
    """What was last told again: `ago` seconds, why, and how many states."""

    ago: float
    why: str
    states: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a whole table has come, by direction: `done` of about `states`; not `running`: it is through."""

    running: bool = False
    done: int = 0
    states: int = 0


@dataclass(frozen=True, slots=True)
class FlowReport:
    """How state synchronisation stands.

    `status`: off, waiting (no peer key yet), connecting, bulk, in sync, one way, refused. `sending` and `receiving`
    say it per direction, in words. `creators` is host id -> number of states in this node's table. `lag_ms` is the
    last measured time from a batch's sending to its acknowledgement. `in_sync`: the peer's whole table has come in
    since flowd was started. `agreement`: equal, repairing (what differed is
    being told again), differs (though it was), or unknown (only the MASTER compares). `waiting` states have
    not been sent yet. Rates are states per second.
    """

    status: str
    sending: str
    receiving: str
    peer: str | None
    host_id: str
    peer_host_id: str | None
    creators: dict[str, int]
    states: int
    sent: int
    received: int
    lag_ms: float | None
    in_sync: bool
    counters: dict[str, int]
    problems: tuple[str, ...]
    agreement: str = "unknown"
    comparison: Comparison | None = None
    repair: Repair | None = None
    bulk_out: Progress = Progress()
    bulk_in: Progress = Progress()
    waiting: int = 0
    sent_per_second: float = 0.0
    received_per_second: float = 0.0
    version: int = 0
    role: str = ""


@dataclass(frozen=True, slots=True)
class FlowStatus(Question[FlowReport]):
    """How things stand."""

    answer_shape = FlowReport


@dataclass(frozen=True, slots=True)
class ReloadFlows(Question[None]):
    """Read the settings file again; an unchanged one moves nothing."""

    answer_shape = None


@dataclass(frozen=True, slots=True)
class FlushFlows(Question[bool]):
    """Send what is pending and wait, at most `seconds`, until the peer acknowledged it. True if it did."""

    seconds: float
    answer_shape = bool


@dataclass(frozen=True, slots=True)
class Resync(Question[None]):
    """Send the whole table to the peer again."""

    answer_shape = None


@dataclass(frozen=True, slots=True)
class CompareTables(Question[None]):
    """Compare both tables now and not in a few seconds; what differs is repaired. The next reports say how it went."""

    answer_shape = None


@dataclass(frozen=True, slots=True)
class CreatorsOf(Question[tuple[str, ...]]):
    """The host ids of the nodes on which these states began; a state is named by its key (flows.ctnetlink.key_of)."""

    keys: tuple[bytes, ...]
    answer_shape = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoleChanged(Question[None]):
    """carpd says: this node is MASTER of at least one VHID (True), of none (False), or there is no VHID (None).

    Only a master's word that a flow ended counts; giving up mastership never ends flows.
    """

    master: bool | None
    answer_shape = None


QUESTIONS = (FlowStatus, ReloadFlows, FlushFlows, Resync, RoleChanged, CompareTables, CreatorsOf)
