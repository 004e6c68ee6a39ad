"""The vocabulary of the room: events say what happened, actions say what to do.

`Node.handle(event, now)` answers each event with actions, in the order in which they must be started.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from gemel.carp.settings import Settings


class State(StrEnum):
    """Where one VHID stands."""

    INIT = "INIT"
    BACKUP = "BACKUP"
    MASTER = "MASTER"


# ---------------------------------------------------------------------------------------------------------- events


@dataclass(frozen=True, slots=True)
class Started:
    """The daemon is up; the state of every link has been told or will be."""


class Heard(NamedTuple):
    """IPv4 or IPv6 packets of protocol 112 arrived on `device`, in this order; each begins with its IP header."""

    device: str
    packets: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """`device` got or lost its link. One that is not there has none. `mac` is its own, 6 bytes, if known."""

    device: str
    up: bool
    mac: bytes = b""


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame left on `device`."""

    device: str


@dataclass(frozen=True, slots=True)
class SendFailed:
    """The kernel did not take a frame for `device`."""

    device: str


@dataclass(frozen=True, slots=True)
class PortMoved:
    """A device that stayed up is at another place of its network, and no switch knows: a bond goes by another of its
    ports, a virtual machine runs on another host."""

    device: str


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    """Carry on with these, from where each VHID is."""

    settings: Settings


@dataclass(frozen=True, slots=True)
class Demoted:
    """Somebody gave a reason to stand back, or changed its weight (1..240)."""

    reason: str
    amount: int


@dataclass(frozen=True, slots=True)
class Promoted:
    """A reason to stand back is gone."""

    reason: str


@dataclass(frozen=True, slots=True)
class HealthTold:
    """How this node is beside CARP: all reasons to stand back that follow from it, and whether configuration and
    services are up. Told again and again; what is told replaces what was."""

    reasons: dict[str, int]
    ready: bool = True


@dataclass(frozen=True, slots=True)
class Waived:
    """An operator does not want this reason, or (empty) any that holds now, to count until it has gone."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Forced:
    """An operator puts one VHID into a state; the election goes on from there."""

    device: str
    vhid: int
    state: State


@dataclass(frozen=True, slots=True)
class HandOverReady:
    """The answer to `Flush`: the peer has every state, or cannot be asked."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The daemon shall end; `Quit` says when it may."""


@dataclass(frozen=True, slots=True)
class BeatHeard:
    """A datagram of the peer's heartbeat arrived over SYNC."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class NeighbourHeard:
    """A whole Ethernet frame with ARP, or with a neighbour solicitation or advertisement, arrived on `device`."""

    device: str
    frame: bytes


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The deadline is due. Hand in what was heard before this, so that a late loop does not miss a master."""


Event: TypeAlias = (
    Started | Heard | LinkChanged | PortMoved | Sent | SendFailed | SettingsChanged | Demoted | Promoted | HealthTold
    | Waived | Forced | HandOverReady | Stopped | BeatHeard | NeighbourHeard | TimePassed
)

# --------------------------------------------------------------------------------------------------------- actions


@dataclass(frozen=True, slots=True)
class Send:
    """Send a whole Ethernet frame. A source MAC of zeroes stands for the device's own."""

    device: str
    frame: bytes


@dataclass(frozen=True, slots=True)
class SendTo:
    """Send `message` in an IP packet of protocol 112 and hop limit 255 from `source` to `to`, wherever that is."""

    device: str
    source: str
    to: str
    message: bytes


@dataclass(frozen=True, slots=True)
class SendBeat:
    """Send this datagram to the peer over SYNC. One that gets lost is no error."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Take:
    """Put these addresses on the device, for `lifetime` seconds unless renewed."""

    device: str
    addresses: tuple[str, ...]
    lifetime: int


@dataclass(frozen=True, slots=True)
class Release:
    """Take these addresses off the device; those that are not there are no error."""

    device: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Renew:
    """Give every address that is held its whole lifetime again."""


@dataclass(frozen=True, slots=True)
class Flush:
    """Have the peer get every state, wait at most `seconds`; then `HandOverReady`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class AwaitStates:
    """Watch the state synchronisation; once in sync, `Promoted(AWAITING_STATES)`."""


@dataclass(frozen=True, slots=True)
class TellRole:
    """This node is master of at least one VHID (True), of none (False), or there is none (None)."""

    master: bool | None


@dataclass(frozen=True, slots=True)
class Report:
    """A VHID changed its state."""

    interface: str
    vhid: int
    before: State
    after: State
    reason: str


@dataclass(frozen=True, slots=True)
class Quit:
    """All is handed over: the process may end."""


Action: TypeAlias = Send | SendTo | SendBeat | Take | Release | Renew | Flush | AwaitStates | TellRole | Report | Quit

AWAITING_STATES = "states not received yet"
AWAITING_READY = "configuration and services not up yet"
