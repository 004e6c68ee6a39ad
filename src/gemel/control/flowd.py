"""What can be asked of flowd."""

from dataclasses import dataclass

from gemel.control.door import Question


@dataclass(frozen=True, slots=True)
class FlowReport:
    """How state synchronisation stands.

    `status`: off, waiting (no peer key yet), connecting, bulk, in sync, one way, refused. `sending` and `receiving`
    say it per direction, in words. `creators` is host id -> number of states in this node's table. `lag_ms` is the
    last measured time from a batch's sending to its acknowledgement.
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
class RoleChanged(Question[None]):
    """carpd says: this node is MASTER of at least one VHID (True), of none (False), or there is no VHID (None).

    Only a master's word that a flow ended counts; giving up mastership never ends flows.
    """

    master: bool | None
    answer_shape = None


QUESTIONS = (FlowStatus, ReloadFlows, FlushFlows, Resync, RoleChanged)
