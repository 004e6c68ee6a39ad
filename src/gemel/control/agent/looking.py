"""What people and pages look at: the status, facts, news, and what stands around a page."""

from dataclasses import dataclass, field
from typing import Any

from gemel.control.door import Question
from gemel.core.event import Event


@dataclass(frozen=True, slots=True)
class Status(Question[dict[str, Any]]):
    """The status of this node, as ``gemel status --json`` prints it (facts.status)."""

    token: str = ""
    answer_shape = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page shows around its own matter.

    `pending` is area -> who saved it last. `overwritten` are the areas that the primary's next push replaces here.
    `interfaces` are id, name and whether it is enabled, in their order. `news` is the cursor of `News` without what
    follows its last dot: how the status stood. `peer_node` and `peer_web` are the peer's own name and
    the address of its pages (``https://…``), empty until it has said them.
    """

    node: str
    role: str
    username: str
    privileges: tuple[str, ...]
    revision: int
    pending: dict[str, str]
    overwritten: tuple[str, ...]
    peer: str
    interfaces: tuple[tuple[str, str, bool], ...]
    news: str = ""
    peer_node: str = ""
    peer_web: str = ""


@dataclass(frozen=True, slots=True)
class AskFrame(Question[Frame]):
    """For the frame of a page; quick, as no other process is asked."""

    token: str = ""
    answer_shape = Frame


@dataclass(frozen=True, slots=True)
class Choices:
    """What references can lead to, each a list of stored id and people's words, pending changes included.

    `vips` are followed by their type, interface (stored) and description; `vhids` are those in use, by interface id;
    `devices` are the machine's network devices that no interface has.
    """

    interfaces: tuple[tuple[str, str], ...]
    gateways: tuple[tuple[str, str], ...]
    vips: tuple[tuple[str, str, str, str, str], ...]
    aliases: tuple[tuple[str, str], ...]
    port_aliases: tuple[tuple[str, str], ...]
    vhids: dict[str, tuple[int, ...]]
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AskChoices(Question[Choices]):
    """For the drop-downs of a form."""

    token: str = ""
    answer_shape = Choices


@dataclass(frozen=True, slots=True)
class AskFact(Question[dict[str, Any]]):
    """One view of `facts.every.FACTS`, by name; `options` by the names of its `Fact.options`, as texts.

    The answer is its typed one as JSON values: `core.codec.decode(fact.shape, answer)` gives it back. Refused: there is
    no such fact, or an option means nothing.
    """

    name: str
    options: dict[str, str] = field(default_factory=dict)
    token: str = ""
    answer_shape = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewsReport:
    """The status now, the events since, oldest first, and the cursor to ask with next time.

    `missed`: more happened than is told here; ask the fact *events*. `figures` is the fact *graphs* of the last second.
    The cursor without what follows its last dot is the same as long as the status is.
    """

    cursor: str
    status: dict[str, Any]
    events: tuple[Event, ...]
    missed: bool = False
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class News(Question[NewsReport]):
    """Wait for the next change of the status, or event, after `cursor`, at most `seconds` (25 at most): a long poll.

    An empty cursor is answered at once. When nothing happens within `seconds` the answer is how things stand then, so
    that asking with 1 gives figures every second. It does not keep a session from running out. Ask once for all who
    watch: a bounded number may wait.
    """

    cursor: str = ""
    seconds: float = 25.0
    token: str = ""
    answer_shape = NewsReport
