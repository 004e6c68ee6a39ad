"""The protocol thread: packets, links, questions and one deadline in; frames and orders to the hands out."""

import logging
import math
import os
import queue
import secrets
import time
from collections.abc import Callable
from typing import Any

from gemel.carp.events import (
    Action,
    AwaitStates,
    Demoted,
    Event,
    Flush,
    HandOverReady,
    HealthTold,
    LinkChanged,
    PortMoved,
    Promoted,
    Quit,
    Release,
    Renew,
    Report,
    Send,
    SendBeat,
    SendFailed,
    SendTo,
    Sent,
    SettingsChanged,
    Started,
    Take,
    TellRole,
    TimePassed,
    Waived,
)
from gemel.carp.node import Node
from gemel.carp.settings import Settings
from gemel.carp.wire import PROTOCOL
from gemel.control.carpd import QUESTIONS, CarpStatus, Demote, Promote, ReloadCarp, ResetDemotion, TellHealth
from gemel.control.door import Caller, Door, Refused
from gemel.daemons.carpd.hands import AddressHand, FlowdHand
from gemel.daemons.carpd.journal import ADVERT, ANNOUNCED, FLUSHED, RELEASED, TAKEN, TOLD, Journal
from gemel.daemons.carpd.news import AgentHand
from gemel.daemons.carpd.ports import Ports, needs, unicast_sources
from gemel.daemons.carpd.report import Epoch, carp_report
from gemel.daemons.carpd.settings import read_settings
from gemel.daemons.carpd.waiting import Waiting
from gemel.daemons.readiness import Watchdog, notify
from gemel.effects.link_watch import LinkWatch

log = logging.getLogger("carpd")

RETRY = 1.0  # seconds between two attempts to open the heartbeat, while its address is not there


def clock() -> float:
    """Seconds, monotonic, and going on while the machine is suspended: then its addresses are the peer's."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _purpose(do: Send | SendTo) -> str:
    """Adverts are of protocol 112, in either family; all else that is sent at a change announces addresses."""
    if isinstance(do, SendTo):
        return ADVERT
    kind = do.frame[12:14]
    is_advert = kind == b"\x08\x00" or (kind == b"\x86\xdd" and do.frame[20] == PROTOCOL)
    return ADVERT if is_advert else ANNOUNCED


class Carpd:
    """The process: a protocol core between sockets, hands and a door."""

    def __init__(self, run_dir: str) -> None:
        self._run_dir = run_dir
        self._inbox: queue.SimpleQueue[Callable[[float], None]] = queue.SimpleQueue()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._links = LinkWatch()
        self._up: dict[str, bool] = {}
        self._addresses = AddressHand(clock)
        self._flowd = FlowdHand(f"{run_dir}/flowd.sock", self.post)
        self._agent = AgentHand(f"{run_dir}/agent.sock")
        self._waiting = Waiting(clock)
        self._ports = Ports(self._waiting)
        self._retry_at = math.inf
        self._waiting.add(self._wake)
        self._waiting.add(self._links)
        self._quit = self._sent = False
        self._journal = Journal(time.time)
        self._epoch = Epoch(time.time)
        self._flush_began = math.inf
        self._doing: dict[type, Callable[[Any], None]] = {
            Send: self._send,
            SendTo: self._send_to,
            SendBeat: lambda do: self._ports.beat(do.payload),
            Take: self._take,
            Release: self._release,
            Renew: lambda do: self._addresses.renew(),
            Flush: self._flush,
            AwaitStates: lambda do: self._flowd.await_states(),
            TellRole: lambda do: self._flowd.tell_role(do.master, self._journal.all_hands(TOLD)),
            Report: self._tell,
            Quit: lambda do: setattr(self, "_quit", True),
        }
        self.node = self._first_node()
        self._door = Door(f"{run_dir}/carpd.sock", QUESTIONS, self._answer)

    def _first_node(self) -> Node:
        """With settings that cannot be worked with, carpd takes part in nothing and says why, until it gets others."""
        try:
            return Node(read_settings(self._run_dir), clock(), secrets.randbits(64))
        except Refused as error:
            log.error("%s", error)
            node = Node(Settings(), clock(), secrets.randbits(64))
            node.ledger.complain("settings", f"CARP is off: {error}", clock(), math.inf)
            return node

    # ------------------------------------------------------------------------------------------------ protocol thread

    def run(self) -> None:
        """Speak CARP until `Stopped` is through."""
        self._look_at_links()
        self._meet_partner(clock())
        self._handle(Started(), clock())
        notify("READY=1")
        watchdog = Watchdog(clock())
        while not self._quit:
            watchdog.turn(clock())
            due = min(self.node.deadline(), self._retry_at, watchdog.deadline)
            descriptors, now = self._waiting.until(due)
            for event in self._ports.heard(descriptors):
                self._handle(event, now)
            if self._links.fileno() in descriptors:
                moved = self._links.read()
                self._look_at_links()
                self._follow(moved, now)
            if self._wake in descriptors:
                os.eventfd_read(self._wake)
                while not self._inbox.empty():
                    self._inbox.get()(now)
            if self.node.deadline() <= now:
                self._handle(TimePassed(), now)
            if self._retry_at <= now:
                self._meet_partner(now)
        self._door.close()
        self._addresses.finish()

    def _handle(self, event: Event, now: float) -> None:
        if type(event) is HandOverReady and self._flush_began != math.inf:
            self._journal.ahead(FLUSHED, now - self._flush_began)
            self._flush_began = math.inf
        self._perform(self.node.handle(event, now), now)
        if self._journal.is_open:
            self._journal.close()
            self._agent.roles_changed()

    def _perform(self, actions: list[Action], now: float) -> None:
        for action in actions:
            began = time.monotonic() if self._journal.is_open else 0.0
            self._doing[type(action)](action)
            if type(action) is Send or type(action) is SendTo:
                if began:
                    self._journal.step(_purpose(action), time.monotonic() - began)
                outcome = Sent if self._sent else SendFailed
                self._perform(self.node.handle(outcome(action.device), now), now)

    def _tell(self, do: Report) -> None:
        log.info("%s vhid %d: %s -> %s: %s", do.interface, do.vhid, do.before, do.after, do.reason)
        self._journal.begin(do)

    def _take(self, do: Take) -> None:
        done = self._journal.hand(TAKEN)

        def taken(seconds: float) -> None:
            done(seconds)
            self._agent.roles_changed()

        self._addresses.take(do.device, do.addresses, do.lifetime, taken)

    def _release(self, do: Release) -> None:
        whose = next((m.config for m in self.node.machines.values() if m.config.addresses == do.addresses), None)
        done = self._journal.late(whose.interface, whose.vhid, RELEASED) if whose else lambda _: None
        self._addresses.release(do.device, do.addresses, done)

    def _flush(self, do: Flush) -> None:
        self._flush_began = clock()
        self._flowd.flush(do.seconds)

    def _send(self, do: Send) -> None:
        self._sent = self._ports.send(do.device, do.frame)

    def _send_to(self, do: SendTo) -> None:
        self._sent = self._ports.send_to(do.source, do.to, do.message)

    def _meet_partner(self, now: float) -> None:
        self._ports.meet(self.node.settings.partner)
        self._retry_at = now + RETRY if self._ports.misses_heartbeat else math.inf

    def _look_at_links(self) -> None:
        """Compare the links with what the node was told; open what is new, also when it came back under the same
        name.
        """
        wanted = needs(self.node.settings)
        self._ports.speak_from(unicast_sources(self.node.settings))
        for device in [device for device in self._ports.devices() if device not in wanted]:
            self._close(device)
            self._up.pop(device, None)
        for device, (macs, groups6) in wanted.items():
            link = self._links.links.get(device)
            if device in self._ports and (link is None or link.index != self._ports.index(device)):
                self._close(device)
            if link is not None and device not in self._ports:
                self._ports.open(device, link.index)
            if link is not None:
                self._addresses.join(device, link.index, macs, groups6)
            up = link is not None and link.up and device in self._ports
            if self._up.get(device) is not up:
                self._up[device] = up
                log.info("%s: %s", device, "link up" if up else "no link" if link else "no such device")
                self._handle(LinkChanged(device, up, self._ports.mac(device)), clock())

    def _follow(self, moved: set[str], now: float) -> None:
        """Devices that are at another place of their network, as the kernel says."""
        for device in sorted(moved.intersection(self._ports.devices())):
            log.info("%s goes by another port now: the virtual MACs of which this node is MASTER are announced", device)
            self._handle(PortMoved(device), now)

    def _close(self, device: str) -> None:
        self._ports.close(device)
        self._addresses.leave(device)

    # -------------------------------------------------------------------------------------------------- other threads

    def post(self, event: Event) -> None:
        """Hand an event to the protocol thread, from any thread or signal handler."""
        self._in_protocol(lambda now: self._handle(event, now))

    def _in_protocol(self, work: Callable[[float], None]) -> None:
        self._inbox.put(work)
        os.eventfd_write(self._wake, 1)

    def _and_wait(self, work: Callable[[float], Any]) -> Any:
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._in_protocol(lambda now: answers.put(work(now)))
        try:
            return answers.get(timeout=5.0)
        except queue.Empty:
            raise Refused("carpd's protocol loop does not answer") from None

    def _answer(self, question: Any, caller: Caller) -> Any:
        match question:
            case CarpStatus():
                return self._and_wait(lambda now: carp_report(self.node, self._journal, now, self._epoch(now)))
            case ReloadCarp():
                settings = read_settings(self._run_dir)
                return self._and_wait(lambda now: self._reload(settings, now))
            case Demote(reason, amount):
                if not 1 <= amount <= 240:
                    raise Refused("the amount must be 1 to 240")
                log.info("demoted by %d: %s", amount, reason)
                return self._and_wait(lambda now: self._handle(Demoted(reason, amount), now))
            case Promote(reason):
                log.info("no longer demoted: %s", reason)
                return self._and_wait(lambda now: self._handle(Promoted(reason), now))
            case TellHealth(reasons, ready):
                if not all(1 <= amount <= 240 for amount in reasons.values()):
                    raise Refused("amounts must be 1 to 240")
                return self._and_wait(lambda now: self._handle(HealthTold(reasons, ready), now))
            case ResetDemotion(reason):
                counted = self._and_wait(lambda now: self._reset(reason, now))
                if reason and not counted:
                    raise Refused(f"no such reason to stand back counts now: {reason}")
                log.info("demotion reset: %s", ", ".join(counted) or "there was none")
                return counted

    def _reset(self, reason: str, now: float) -> dict[str, int]:
        before = self.node.reasons()
        self._handle(Waived(reason), now)
        after = self.node.reasons()
        return {reason: amount for reason, amount in before.items() if reason not in after}

    def _reload(self, settings: Settings, now: float) -> None:
        self._handle(SettingsChanged(settings), now)
        self._look_at_links()
        self._meet_partner(now)
