"""Everything of the agent that only looks, wired together: reporter, observer, views, the peer's status, notifications.

None of it is needed for an Apply, a push or a role change; all of it may fail and the node goes on.
"""

import time
from collections.abc import Callable
from pathlib import Path

from gemel.areas import router_advertisements
from gemel.control import paths
from gemel.core.config import Config
from gemel.core.event import CONFIG, LOGIN, Event
from gemel.daemons.agent.board import Board, web_fingerprint
from gemel.daemons.agent.desk import Desk
from gemel.daemons.agent.dhcp import DhcpWatch
from gemel.daemons.agent.gateways import GatewayWatch
from gemel.daemons.agent.health import HealthWatch
from gemel.daemons.agent.hooks import Change, Hooks
from gemel.daemons.agent.notifier import Notifier
from gemel.daemons.agent.observer import Eyes, Observer
from gemel.daemons.agent.peer import ThisNode
from gemel.daemons.agent.report import Reporter
from gemel.daemons.agent.services import signal_service
from gemel.daemons.agent.states import creators
from gemel.daemons.agent.transaction import Transaction
from gemel.daemons.agent.views import Views, assigned
from gemel.effects.events import EventStore
from gemel.effects.packet_log import PacketLog
from gemel.facts.gateways import gateway_rows
from gemel.facts.peer import told
from gemel.rules.ir import LOG_GROUP
from gemel.sync.pusher import Pusher
from gemel.sync.server import PeerServer
from gemel.sync.watch import Memory, Watcher, WatchServer

EVENTS = Path(paths.STATE) / "events.db"


class Sight:
    """The parts, by name; `start` sets them going, `stop` lets the store write what waits."""

    def __init__(
        self, desk: Desk, transaction: Transaction, node: ThisNode, pusher: Pusher, server: PeerServer
    ) -> None:
        def config() -> Config:
            return desk.config

        self._desk = desk
        memory = Memory()
        self.store = EventStore(EVENTS)
        self.gateways = GatewayWatch(config)
        self.dhcp = DhcpWatch(config)
        self.reporter = Reporter(desk, transaction, node, pusher, server, memory, self.gateways, self.dhcp)
        self.health = HealthWatch(
            config,
            lambda: gateway_rows(self.gateways.sources(), time.time()),
            lambda: memory.sight("") if node.pinned() is not None else None,
        )
        self.notifier = Notifier(config, lambda event: self.observer.record(event))
        self.hooks = Hooks(lambda event: self.observer.record(event), [self._advertise])
        self.observer = Observer(
            Eyes(self.reporter.carp, self.reporter.flows, self.reporter.status),
            self.store,
            told=self._told,
            moved=lambda: self.watcher.hurry(),
            seen=lambda status: self.board.show(status),
        )
        self.board = Board(lambda: assigned(desk.config), Path(paths.ISSUE))
        mine: Callable[[], dict[str, object]] = lambda: told(self.observer.last or self.reporter.now())  # noqa: E731
        self.peer = WatchServer(node, memory, mine)
        self.watcher = Watcher(node, memory, node.around, mine)
        self.views = Views(
            config,
            self.store,
            PacketLog(LOG_GROUP),
            {
                "now": lambda _: time.time(),
                "status": lambda _: self.reporter.now(),
                "flows": lambda _: self.reporter.flows(),
                "creators": lambda _: creators,
                "samples": lambda _: self.observer.samples,
                "gateways": lambda _: self.gateways.sources(),
                "leases": lambda _: self.dhcp.leases(),
                "fingerprint": lambda _: web_fingerprint(),
            },
        )

    def _told(self, events: list[Event]) -> None:
        self.notifier(events)
        self.hooks(events)

    def _advertise(self, change: Change) -> None:
        """radvd does not begin by itself where its source address has come: it looks a second after the last change
        of addresses, and carpd renews its own twice a second.
        """
        if change.after == "MASTER" and router_advertisements.active(self._desk.config):
            signal_service(router_advertisements.SERVICE, router_advertisements.SIGHUP)

    def start(self) -> None:
        """Begin to look."""
        self.hooks.start()
        self.gateways.start()
        self.health.start()
        self.notifier.start()
        self.observer.start()
        self.watcher.start()

    def stop(self) -> None:
        """Write down what waits."""
        self.watcher.stop()
        self.board.take_down()
        self.store.close()

    def revised(self) -> None:
        """A revision was made."""
        revision = self._desk.last
        if revision is None:
            return
        by = revision.origin
        text = f"revision {revision.number} runs: {revision.message} ({by.where})"
        self.observer.record(Event(by.when, CONFIG, by.who, text, None, {"revision": revision.number}))

    def logged_in(self, username: str, remote: str, worked: bool) -> None:
        """Somebody logged in, or tried to."""
        where = remote or "this machine"
        text = f"logged in from {where}" if worked else f"failed to log in from {where}"
        self.observer.record(Event(time.time(), LOGIN, username, text, worked or False))
