"""carpd: CARP on this machine. `python -m gemel.daemons.carpd [--run-dir DIR] [--stop-step]`

One thread speaks the protocol: it waits for packets, links, questions and its one deadline, and makes no call that
could wait for the kernel's big network lock or for a disk. `carpd_hands` has the threads that may wait: addresses and
memberships, the talk with flowd, and the log.
"""

import argparse
import ctypes
import gc
import json
import logging
import math
import os
import queue
import secrets
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gemel.carp.events import (
    Action,
    AwaitStates,
    Demoted,
    Event,
    Flush,
    Heard,
    LinkChanged,
    Promoted,
    Quit,
    Release,
    Renew,
    Report,
    Send,
    SendFailed,
    Sent,
    SettingsChanged,
    Started,
    Stopped,
    Take,
    TellRole,
    TimePassed,
)
from gemel.carp.node import Node
from gemel.carp.settings import Settings, complaints
from gemel.carp.wire import virtual_mac
from gemel.control.carpd import QUESTIONS, CarpStatus, Demote, Promote, ReloadCarp
from gemel.control.door import Caller, Door, Refused
from gemel.control.paths import RUN
from gemel.core.codec import Malformed, decode
from gemel.daemons.carpd_hands import AddressHand, FlowdHand, LogHand
from gemel.daemons.carpd_report import carp_report
from gemel.daemons.carpd_stop import stop_step
from gemel.effects.link_watch import LinkWatch
from gemel.effects.packet import CarpPort

log = logging.getLogger("carpd")

PRIORITY, PRIORITY_OF_THREADS = 50, 40  # SCHED_FIFO; threads that hold the interpreter must not be starved either
MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4
PACKETS_AT_ONCE = 64  # from one port, before timers and the other ports have their turn


def clock() -> float:
    """Seconds, monotonic, and going on while the machine is suspended: then its addresses are the peer's."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def read_settings(path: str) -> Settings:
    """Read and check the settings file; one that is not there yet asks for nothing.

    Raises:
        Refused: it cannot be worked with; the text says why.
    """
    try:
        settings = decode(Settings, json.loads(Path(path).read_text()))
    except FileNotFoundError:
        return Settings()
    except (OSError, Malformed, ValueError) as error:
        raise Refused(f"{path}: {error}") from error
    wrong = complaints(settings)
    if wrong:
        raise Refused("; ".join(wrong))
    return settings


class Carpd:
    """The process: a protocol core between sockets, hands and a door."""

    def __init__(self, run_dir: str) -> None:
        self._settings_path = f"{run_dir}/carpd.json"
        self._inbox: queue.SimpleQueue[Callable[[float], None]] = queue.SimpleQueue()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._links = LinkWatch()
        self._ports: dict[str, tuple[int, CarpPort]] = {}
        self._up: dict[str, bool] = {}
        self._addresses = AddressHand(clock)
        self._flowd = FlowdHand(f"{run_dir}/flowd.sock", self.post)
        self._poll = select.epoll()
        self._poll.register(self._wake, select.EPOLLIN)
        self._poll.register(self._links, select.EPOLLIN)
        self._quit = self._sent = False
        self._doing: dict[type, Callable[[Any], None]] = {
            Send: self._send,
            Take: lambda do: self._addresses.take(do.device, do.addresses, do.lifetime),
            Release: lambda do: self._addresses.release(do.device, do.addresses),
            Renew: lambda do: self._addresses.renew(),
            Flush: lambda do: self._flowd.flush(do.seconds),
            AwaitStates: lambda do: self._flowd.await_states(),
            TellRole: lambda do: self._flowd.tell_role(do.master),
            Report: lambda do: log.info(
                "%s vhid %d: %s -> %s: %s", do.interface, do.vhid, do.before, do.after, do.reason
            ),
            Quit: lambda do: setattr(self, "_quit", True),
        }
        self.node = self._first_node()
        self._door = Door(f"{run_dir}/carpd.sock", QUESTIONS, self._answer)

    def _first_node(self) -> Node:
        """With settings that cannot be worked with, carpd takes part in nothing and says why, until it gets others."""
        try:
            return Node(read_settings(self._settings_path), clock(), secrets.randbits(64))
        except Refused as error:
            log.error("%s", error)
            node = Node(Settings(), clock(), secrets.randbits(64))
            node.ledger.complain("settings", f"CARP is off: {error}", clock(), math.inf)
            return node

    # ------------------------------------------------------------------------------------------------ protocol thread

    def run(self) -> None:
        """Speak CARP until `Stopped` is through."""
        self._look_at_links()
        self._handle(Started(), clock())
        ports = self._ports
        while not self._quit:
            due = self.node.deadline()
            ready = self._poll.poll(None if due == math.inf else max(0.0, due - clock()))
            now = clock()
            descriptors = {fd for fd, _ in ready}
            for device, (_, port) in list(ports.items()):
                if port.fileno() in descriptors:
                    self._hear(device, port, now)
            if self._links.fileno() in descriptors:
                self._links.read()
                self._look_at_links()
            if self._wake in descriptors:
                os.eventfd_read(self._wake)
                while not self._inbox.empty():
                    self._inbox.get()(now)
            if self.node.deadline() <= now:
                self._handle(TimePassed(), now)
        self._door.close()
        self._addresses.finish()

    def _hear(self, device: str, port: CarpPort, now: float) -> None:
        for _ in range(PACKETS_AT_ONCE):
            packet = port.receive()
            if packet is None:
                return
            self._handle(Heard(device, packet), now)

    def _handle(self, event: Event, now: float) -> None:
        self._perform(self.node.handle(event, now), now)

    def _perform(self, actions: list[Action], now: float) -> None:
        for action in actions:
            self._doing[type(action)](action)
            if type(action) is Send:
                outcome = Sent if self._sent else SendFailed
                self._perform(self.node.handle(outcome(action.device), now), now)

    def _send(self, do: Send) -> None:
        there = self._ports.get(do.device)
        self._sent = there is not None and there[1].send(do.frame)

    def _look_at_links(self) -> None:
        """Compare the links with what the node was told; open what is new, also when it came back under the same
        name.
        """
        macs: dict[str, list[bytes]] = {}
        for one in self.node.settings.vhids:
            macs.setdefault(one.device, []).append(virtual_mac(one.vhid))
        for device in [device for device in self._ports if device not in macs]:
            self._close(device)
            self._up.pop(device, None)
        for device, its_macs in macs.items():
            link = self._links.links.get(device)
            if device in self._ports and (link is None or link.index != self._ports[device][0]):
                self._close(device)
            if link is not None and device not in self._ports:
                self._open(device, link.index)
            if link is not None:
                self._addresses.join(device, link.index, tuple(its_macs))
            up = link is not None and link.up and device in self._ports
            if self._up.get(device) is not up:
                self._up[device] = up
                log.info("%s: %s", device, "link up" if up else "no link" if link else "no such device")
                self._handle(LinkChanged(device, up), clock())

    def _open(self, device: str, index: int) -> None:
        try:
            port = CarpPort(device)
        except OSError as error:
            log.warning("%s: %s", device, error.strerror)
            return
        self._ports[device] = (index, port)
        self._poll.register(port, select.EPOLLIN)

    def _close(self, device: str) -> None:
        _, port = self._ports.pop(device)
        self._poll.unregister(port)
        port.close()
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
                return self._and_wait(lambda now: carp_report(self.node, now, time.time()))
            case ReloadCarp():
                settings = read_settings(self._settings_path)
                return self._and_wait(lambda now: self._reload(settings, now))
            case Demote(reason, amount):
                if not 1 <= amount <= 240:
                    raise Refused("the amount must be 1 to 240")
                log.info("demoted by %d: %s", amount, reason)
                return self._and_wait(lambda now: self._handle(Demoted(reason, amount), now))
            case Promote(reason):
                log.info("no longer demoted: %s", reason)
                return self._and_wait(lambda now: self._handle(Promoted(reason), now))

    def _reload(self, settings: Settings, now: float) -> None:
        self._handle(SettingsChanged(settings), now)
        self._look_at_links()


def become_urgent() -> None:
    """Ask for real-time scheduling, memory that is never paged out, and no long garbage collections."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY_OF_THREADS))
    except OSError as error:
        log.warning("no real-time scheduling: %s; a busy machine can delay adverts", error.strerror)
    sys.setswitchinterval(0.0005)
    threading.stack_size(256 << 10)
    libc = ctypes.CDLL(None, use_errno=True)
    # What is mapped now is brought in; what comes later is kept once it was touched, or each thread's whole stack
    # would count.
    if libc.mlockall(MCL_CURRENT) or libc.mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT):
        log.warning("memory cannot be locked: %s", os.strerror(ctypes.get_errno()))


def main() -> int:
    """Run the daemon, or what has to be done after it."""
    parser = argparse.ArgumentParser(prog="carpd", description=__doc__)
    parser.add_argument("--run-dir", default=RUN, help="where settings, doors and sockets are")
    parser.add_argument("--stop-step", action="store_true", help="give up what a dead carpd has left behind, and end")
    arguments = parser.parse_args()
    if arguments.stop_step:
        logging.basicConfig(format="%(message)s", level=logging.INFO)
        stop_step(f"{arguments.run_dir}/carpd.json")
        return 0
    become_urgent()
    logging.basicConfig(level=logging.INFO, handlers=[LogHand(sys.stderr)], force=True)
    carpd = Carpd(arguments.run_dir)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: carpd.post(Stopped()))
    if os.sched_getscheduler(0) == os.SCHED_FIFO:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    gc.collect()
    gc.freeze()
    log.info("carpd runs: %d VHIDs", len(carpd.node.settings.vhids))
    carpd.run()
    log.info("carpd ends")
    LogHand.finish_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
