"""The verbs of the state table: end states, compare both tables now. (Telling it again is `cluster.ResyncStates`.)"""

from dataclasses import dataclass, field

from gemel.control.door import Question


@dataclass(frozen=True, slots=True)
class EndedStates:
    """How many states were ended, and how many could not be (they had ended by themselves, as a rule)."""

    ended: int
    left: int


@dataclass(frozen=True, slots=True)
class EndStates(Question[EndedStates]):
    """End the states that fit all of these options of the view *states*: filter, protocol, address, port, creator.

    Without any of them nothing is ended, unless `everything` says so. On a BACKUP it is refused: the MASTER would tell
    it the states again; ended on the MASTER, they end on both nodes.
    """

    options: dict[str, str] = field(default_factory=dict)
    everything: bool = False
    token: str = ""
    answer_shape = EndedStates


@dataclass(frozen=True, slots=True)
class CompareStates(Question[None]):
    """Compare both tables now, and repair what differs; the view *state-sync* shows what was found.

    Refused: this node is not MASTER, or no peer is there.
    """

    token: str = ""
    answer_shape = None
