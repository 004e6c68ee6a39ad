"""What can be asked of the supervisor (in the lab and in containers; on a machine the same wishes go to systemd)."""

from dataclasses import dataclass

from gemel.control.door import Question


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """One process that is looked after: a daemon of Gemel's or a service that the agent wants.

    `state`: running, waiting (for its next start), stopping, stopped, held (gone, not started again until released).
    `pid` is as seen inside the node; `since` is when the state began, in seconds since the epoch; `restarts` counts
    starts after the first; `last_exit` says in words how it ended last.
    """

    name: str
    state: str
    pid: int | None
    since: float
    restarts: int
    last_exit: str | None


@dataclass(frozen=True, slots=True)
class SupervisorReport:
    """Everything that is looked after, in the order of starting."""

    processes: tuple[ServiceReport, ...]


@dataclass(frozen=True, slots=True)
class SupervisorStatus(Question[SupervisorReport]):
    """How things stand."""

    answer_shape = SupervisorReport


@dataclass(frozen=True, slots=True)
class ServiceStatus(Question[ServiceReport]):
    """How one process stands; refused when nobody has started one of that name."""

    name: str
    answer_shape = ServiceReport


@dataclass(frozen=True, slots=True)
class StartService(Question[ServiceReport]):
    """Have `argv` run under `name`, as `user` (None: root), and start it again whenever it ends.

    The same order twice is the same as once; another `argv` or `user` replaces the running process.
    """

    name: str
    argv: tuple[str, ...]
    user: str | None = None
    answer_shape = ServiceReport


@dataclass(frozen=True, slots=True)
class StopService(Question[None]):
    """Stop the service and forget it; an unknown one is no error. The daemons themselves cannot be stopped by this."""

    name: str
    answer_shape = None


@dataclass(frozen=True, slots=True)
class RestartService(Question[None]):
    """Stop the process in order and start it again at once."""

    name: str
    answer_shape = None


@dataclass(frozen=True, slots=True)
class SignalService(Question[None]):
    """Send a signal by number, such as 1 (SIGHUP: read your files again)."""

    name: str
    signal: int
    answer_shape = None


@dataclass(frozen=True, slots=True)
class Hold(Question[None]):
    """Do nothing more for this process, whatever becomes of it: neither a restart nor its stop step."""

    name: str
    answer_shape = None


@dataclass(frozen=True, slots=True)
class Release(Question[None]):
    """Look after it again; one that has gone is started at once."""

    name: str
    answer_shape = None


QUESTIONS = (
    SupervisorStatus, ServiceStatus, StartService, StopService, RestartService, SignalService, Hold, Release,
)
