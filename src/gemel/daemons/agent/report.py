"""The node's status, gathered from the daemons' doors and the agent's own parts."""

from typing import Any, TypeVar

from gemel.areas.high_availability import HIGH_AVAILABILITY, boxes
from gemel.areas.interfaces import INTERFACES
from gemel.areas.system import SYSTEM
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.control import paths
from gemel.control.carpd import CarpStatus
from gemel.control.door import Question, Refused, Unreachable, ask
from gemel.control.flowd import FlowStatus
from gemel.core.codec import encode
from gemel.daemons.agent.desk import Desk
from gemel.daemons.agent.peer import ThisNode
from gemel.daemons.agent.transaction import Transaction
from gemel.facts.status import Sources, status
from gemel.sync.pusher import Pusher
from gemel.sync.server import PeerServer

PATIENCE = 1.0  # seconds for a daemon next door

A = TypeVar("A")


def gathered(
    desk: Desk, transaction: Transaction, node: ThisNode, pusher: Pusher, server: PeerServer
) -> dict[str, Any]:
    """The status as JSON values."""
    config = desk.config
    ha = config[HIGH_AVAILABILITY]
    problems = desk.schema.check(config)
    sources = Sources(
        node=config[SYSTEM].hostname,
        revision=desk.number,
        maintenance=desk.node.maintenance,
        carp=_answer(paths.CARPD_DOOR, CarpStatus()),
        flows=_answer(paths.FLOWD_DOOR, FlowStatus()),
        push=encode(pusher.status()),
        received=encode(server.status()),
        pinned=node.pinned() is not None,
        has_target=bool(ha.synchronize_config_to),
        has_carp_vips=any(v.type == "carp" for v in config[VIRTUAL_IPS].items),
        synchronizes_states=ha.synchronize_states,
        pending=len(desk.pending.models),
        shut_out=node.shut_out(),
        areas=boxes(ha),
        faults=transaction.faults,
        warnings=tuple(str(p) for p in problems),
        notices=desk.notices,
        words={i.id: i.title for i in config[INTERFACES].items},
    )
    return status(sources)


def _answer(door: str, question: Question[A]) -> Any:
    try:
        return encode(ask(door, question, PATIENCE))
    except (Refused, Unreachable):
        return None
