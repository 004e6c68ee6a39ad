"""`python -m gemel.daemons.agent`: wires the parts together, opens the door, and waits."""

import contextlib
import grp
import logging
import os
import signal
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gemel.areas.conntrack_helpers import HELPERS
from gemel.areas.every import SCHEMA
from gemel.areas.high_availability import HIGH_AVAILABILITY
from gemel.areas.interfaces import INTERFACES
from gemel.areas.system import SYSTEM
from gemel.areas.vhid_clash import clashes
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.control import agent as agent_questions
from gemel.control import carpd, flowd, paths, peer
from gemel.control.door import Door, Question, Refused, Unreachable, ask
from gemel.core.config import Config
from gemel.core.problem import Problem
from gemel.daemons.agent.access import Access
from gemel.daemons.agent.answers import Answers
from gemel.daemons.agent.desk import Desk
from gemel.daemons.agent.diagnostics import Diagnostics
from gemel.daemons.agent.heartbeat import hand_over_key
from gemel.daemons.agent.late_ports import LatePorts, ports, present
from gemel.daemons.agent.memory import Memory
from gemel.daemons.agent.packages import PeersPackages
from gemel.daemons.agent.peer import ThisNode
from gemel.daemons.agent.remembered import Remembered
from gemel.daemons.agent.segments import overheard
from gemel.daemons.agent.services import end_service, have_run, run_service
from gemel.daemons.agent.sight import Sight
from gemel.daemons.agent.transaction import Transaction
from gemel.daemons.logs import log_to_stderr
from gemel.daemons.readiness import notify
from gemel.effects.ear import Ear
from gemel.effects.helpers import lacking_helpers
from gemel.effects.keys import KeyPair, make_keys
from gemel.effects.machine import Failed, Machine
from gemel.effects.packages import Packages
from gemel.effects.store import Store
from gemel.sync.pusher import Pusher
from gemel.sync.server import PeerServer

WEB_GROUP = "gemel-web"
DAEMONS: dict[str, tuple[str, Question[Any]]] = {
    "carpd": (paths.CARPD_DOOR, carpd.ReloadCarp()),
    "flowd": (paths.FLOWD_DOOR, flowd.ReloadFlows()),
}

log = logging.getLogger("gemel.agent")


def tell(daemon: str) -> None:
    """Say to a daemon that its settings changed. One that does not run reads them when it starts."""
    door, question = DAEMONS[daemon]
    with contextlib.suppress(Unreachable):
        try:
            ask(door, question, timeout=5.0)
        except Refused as error:
            raise Failed(f"{daemon} does not take its settings: {error}") from error


def give_key(node: ThisNode) -> None:
    """Let carpd have the heartbeat's key, if it has not."""
    hand_over_key(node.identity, node.pinned(), Path(paths.HEARTBEAT_KEY), lambda: tell("carpd"))


def peer_changed(node: ThisNode) -> None:
    """The peer's key was pinned, or forgotten: both daemons have to know."""
    tell("flowd")
    give_key(node)


def web_group() -> int:
    """The group of the unprivileged web server, -1 where there is none."""
    try:
        return grp.getgrnam(WEB_GROUP).gr_gid
    except KeyError:
        return -1


def main() -> None:
    """Run until SIGTERM."""
    log_to_stderr("agent")
    group = web_group()
    run = Path(paths.RUN)
    run.mkdir(mode=0o755, parents=True, exist_ok=True)
    machine = Machine(run, tell, run_service, end_service)
    transaction = Transaction(machine, run / "have.json")
    changed = Changes()
    ear = changed.ear = Ear()

    def witnessed(before: Config, after: Config) -> Iterable[Problem]:
        return clashes(before, after, overheard(after, ear)) if _vips_changed(before, after) else ()

    desk = Desk(SCHEMA, Store(Path(paths.STATE) / "config", SCHEMA), transaction, changed, witnessed,
                lambda: lacking_helpers(HELPERS))  # fmt: skip
    there = present()
    desk.start()
    transaction.faults += have_run(transaction.have)
    late = LatePorts(lambda: ports(SCHEMA.compile(desk.config, desk.node)), desk.again, there)
    late.start()
    ear.listen_on(_devices(desk.config))
    ear.start()
    node_pair = KeyPair(Path(paths.NODE_KEY), Path(paths.NODE_CERTIFICATE))
    web_pair = KeyPair(Path(paths.WEB_KEY), Path(paths.WEB_CERTIFICATE))
    make_keys(desk.config[SYSTEM].hostname, node_pair, web_pair, group)
    node = ThisNode(desk, time.time, lambda: peer_changed(node))
    give_key(node)
    pusher = Pusher(node)
    changed.pusher = pusher
    packages = Packages(Path(paths.UPGRADE))
    server = PeerServer(node, PeersPackages(packages))
    sight = Sight(desk, transaction, node, pusher, server)
    changed.sight = sight
    remembered = Remembered(run / "sessions.json", Path(paths.STATE) / "logins.json")
    access = Access(lambda: desk.config, time.monotonic, sight.logged_in, remembered=remembered)
    diagnostics = Diagnostics(lambda: desk.config, run / "captures", access.alive)
    answers = Answers(desk, transaction, node, pusher, server, access, sight, diagnostics, packages)
    questions = (*agent_questions.QUESTIONS, *peer.QUESTIONS)
    Door(paths.AGENT_DOOR, questions, answers, mode=0o660 if group >= 0 else 0o600, gid=group)
    pusher.start()
    sight.start()
    changed.memory.tidy()
    log.info("ready (revision %d)", desk.number)
    notify("READY=1")
    _until_told()
    late.stop()
    pusher.stop()
    sight.stop()
    ear.stop()
    changed.memory.stop()


class Changes:
    """What follows a new revision: it is remembered, and the peer gets it, if this node pushes."""

    pusher: Pusher | None = None
    sight: Sight | None = None
    ear: Ear | None = None

    def __init__(self) -> None:
        self.memory = Memory()

    def __call__(self, before: Config, after: Config) -> None:
        self.memory.revised()
        if self.ear is not None:
            self.ear.listen_on(_devices(after))
        if self.sight is not None:
            self.sight.revised()
        if self.pusher is not None:
            self.pusher.trigger()
        elif after[HIGH_AVAILABILITY].synchronize_config_to:
            log.info("the peer gets this once the agent is ready")


def _devices(config: Config) -> list[str]:
    return [i.device for i in config[INTERFACES].items if i.enabled]


def _vips_changed(before: Config, after: Config) -> bool:
    return before[VIRTUAL_IPS] is not after[VIRTUAL_IPS]


def _until_told() -> None:
    """Wait for SIGTERM or SIGINT."""
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    os.umask(0o077)
    told.wait()
    notify("STOPPING=1")


if __name__ == "__main__":
    main()
