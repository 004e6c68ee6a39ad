"""What an area is: everything that the rails (list, form, REST, CLI, sync, diff, roll-back) need to know of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from gemel.core.model import Item, Model
from gemel.core.problem import Problem
from gemel.core.want import Want

if TYPE_CHECKING:
    from gemel.core.config import Config

M = TypeVar("M", bound=Model)

Availability = Literal["runs on both", "follows a VIP", "local"]


@dataclass(frozen=True, slots=True)
class NodeState:
    """What a node is beside its configuration, and which its wants depend on. Never synchronised.

    `maintenance` is persistent; `carp_disabled` is forgotten at a reboot; `lacks` names the conntrack helpers that its
    kernel does not have, and is looked up at each start.
    """

    maintenance: bool = False
    carp_disabled: bool = False
    lacks: tuple[str, ...] = ()


def _nothing_wrong(_config: "Config") -> Iterable[Problem]:
    return ()


def _nothing_wanted(_config: "Config", _node: NodeState) -> Iterable[Want]:
    return ()


def _same(model: Any, _config: "Config") -> Any:
    return model


@dataclass(frozen=True, eq=False)
class Area(Generic[M]):
    """One area of the configuration.

    `items` says whether the model has a list ``items`` of `item`. `noun` is the command's word (``gemel rule add``).
    `sync` names the check box of System > High Avail. Sync that carries it to the peer, None keeps it on this node.
    `shared(model, config)` is the part of it that both nodes have in common; `for_peer(shared, config)` turns the
    sender's into what the peer should have; `merged(theirs, mine, config)` puts back what stays local. `ordered` lists
    are evaluated from the top, within `grouped_by` if given. `at_save` areas are applied when saved, as their page
    only says *Save*: their own fields, and with `items_at_save` items, too. Page, REST and commands of an area
    with `own_faces` are made by hand, and none of its model.
    """

    name: str
    label: str
    noun: str
    model: type[M]
    help: str
    availability: Availability
    item: type[Item] | None = None
    ordered: bool = False
    grouped_by: str | None = None
    at_save: bool = False
    items_at_save: bool = False
    own_faces: bool = False
    sync: str | None = None
    check: Callable[["Config"], Iterable[Problem]] = _nothing_wrong
    compile: Callable[["Config", NodeState], Iterable[Want]] = _nothing_wanted
    shared: Callable[[Any, "Config"], Any] = _same
    for_peer: Callable[[Any, "Config"], Any] = _same
    columns: tuple[str, ...] = field(default=())
