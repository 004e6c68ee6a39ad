"""The node's status, gathered from the daemons' doors and the agent's own parts."""

import time
from dataclasses import replace
from typing import Any, TypeVar

from gemel import __version__
from gemel.areas.conntrack_helpers import lacking
from gemel.areas.high_availability import HIGH_AVAILABILITY, boxes
from gemel.areas.interfaces import INTERFACES
from gemel.areas.system import SYSTEM, web_address
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.control import paths
from gemel.control.carpd import CarpStatus
from gemel.control.door import Question, Refused, Unreachable, ask
from gemel.control.flowd import FlowStatus
from gemel.core.codec import encode
from gemel.core.config import Config
from gemel.core.problem import Problem
from gemel.daemons.agent.desk import Desk
from gemel.daemons.agent.dhcp import DhcpWatch
from gemel.daemons.agent.gateways import GatewayWatch
from gemel.daemons.agent.peer import ThisNode
from gemel.daemons.agent.transaction import Transaction
from gemel.facts.gateways import gateway_rows
from gemel.facts.peer import Sight, peer_section, safe_to_fail_over
from gemel.facts.status import Sources, status
from gemel.sync.meeting import TWO_TARGETS
from gemel.sync.pusher import Pusher, PushStatus
from gemel.sync.server import PeerServer, Received
from gemel.sync.watch import Memory

PATIENCE = 1.0  # seconds for a daemon next door
REFUSAL_LASTS = 30.0
"""Seconds that a node which pushes itself remembers whom it refused: a peer that means to push comes more often."""

A = TypeVar("A")


class Reporter:
    """Says how the node is. What carpd and flowd say is handed in, so that whoever is in a hurry asks one alone."""

    def __init__(
        self,
        desk: Desk,
        transaction: Transaction,
        node: ThisNode,
        pusher: Pusher,
        server: PeerServer,
        memory: Memory,
        gateways: GatewayWatch,
        dhcp: DhcpWatch,
    ) -> None:
        self._dhcp = dhcp
        self._desk = desk
        self._parts = transaction, node, pusher, server
        self._node = node
        self._memory = memory
        self._gateways = gateways
        self._checked: tuple[Config | None, tuple[Problem, ...]] = (None, ())

    def carp(self) -> Any:
        """What carpd says; None where it does not answer."""
        return _answer(paths.CARPD_DOOR, CarpStatus())

    def flows(self) -> Any:
        """What flowd says; None where it does not answer."""
        return _answer(paths.FLOWD_DOOR, FlowStatus())

    def peer(self) -> Sight:
        """What is known of the peer."""
        return self._memory.sight("")

    def now(self) -> dict[str, Any]:
        """The whole status, asked for now."""
        return self.status(self.carp(), self.flows())

    def status(self, carp: Any, flows: Any) -> dict[str, Any]:
        """The whole status as JSON values: this node, its gateways, its peer, and whether it is safe to fail over."""
        config = self._desk.config
        if self._checked[0] is not config:  # thousands of rules are not checked again for each look
            lacks = lacking(config, self._desk.node)
            self._checked = config, (*self._desk.schema.check(config), *lacks)
        mine = _gathered(self._desk, *self._parts, carp, flows, self._checked[1], self._dhcp)
        mine["gateways"] = encode(gateway_rows(self._gateways.sources(), time.time()))
        sight = None
        if self._node.pinned() is not None:
            caller = "this node has not called it yet" if self._node.around() else "it has not called this node"
            sight = self._memory.sight(caller)
        mine["peer"] = peer_section(sight)
        mine["safe_to_fail_over"] = safe_to_fail_over(mine, sight)
        return mine


def _gathered(
    desk: Desk, transaction: Transaction, node: ThisNode, pusher: Pusher, server: PeerServer, carp: Any, flows: Any,
    problems: tuple[Problem, ...], dhcp: DhcpWatch,
) -> dict[str, Any]:  # fmt: skip
    config = desk.config
    ha = config[HIGH_AVAILABILITY]
    push = pusher.status()
    received = _still_true(server.status(), push, bool(ha.synchronize_config_to))
    sources = Sources(
        node=config[SYSTEM].hostname,
        revision=desk.number,
        maintenance=desk.node.maintenance,
        carp=carp,
        flows=flows,
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
        unread=desk.unread,
        warnings=tuple(str(p) for p in problems),
        notices=desk.notices,
        words={i.id: i.title for i in config[INTERFACES].items},
        web_address=web_address(config),
        software=__version__,
        dhcp=dhcp.report(),
        serves_dhcp=dhcp.wanted,
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
