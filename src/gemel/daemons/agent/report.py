"""The node's status, gathered from the daemons' doors and the agent's own parts."""

import time
from dataclasses import replace
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
from gemel.sync.meeting import TWO_TARGETS
from gemel.sync.pusher import Pusher, PushStatus
from gemel.sync.server import PeerServer, Received

PATIENCE = 1.0  # seconds for a daemon next door
REFUSAL_LASTS = 30.0
"""Seconds that a node which pushes itself remembers whom it refused: a peer that means to push comes more often."""

A = TypeVar("A")


def gathered(
    desk: Desk, transaction: Transaction, node: ThisNode, pusher: Pusher, server: PeerServer
) -> dict[str, Any]:
    """The status as JSON values."""
    config = desk.config
    ha = config[HIGH_AVAILABILITY]
    problems = desk.schema.check(config)
    push = pusher.status()
    received = _still_true(server.status(), push, bool(ha.synchronize_config_to))
    sources = Sources(
        node=config[SYSTEM].hostname,
        revision=desk.number,
        maintenance=desk.node.maintenance,
        carp=_answer(paths.CARPD_DOOR, CarpStatus()),
        flows=_answer(paths.FLOWD_DOOR, FlowStatus()),
        push=encode(push),
        received=encode(received),
        conflict=any(TWO_TARGETS in (text or "") for text in (push.last_error, received.problem)),
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


def _still_true(received: Received, push: PushStatus, pushes: bool) -> Received:
    """How it stands with a peer that pushes here. A node that pushes itself is never pushed to successfully, so its
    refusal is over when its own push has succeeded since, or the peer has given up."""
    if not pushes or received.problem is None or received.heard is None:
        return received
    ago = time.monotonic() - received.heard
    taken = push.status == "in sync" and push.since > time.time() - ago
    return replace(received, problem=None) if taken or ago > REFUSAL_LASTS else received


def _answer(door: str, question: Question[A]) -> Any:
    try:
        return encode(ask(door, question, PATIENCE))
    except (Refused, Unreachable):
        return None
