"""A few nodes on a fake wire in simulated time: what is sent on a segment arrives at the others, later, or not at all.

    fw1 ──wan──┬── fw2        Nothing here sleeps; `run` jumps from one deadline to the next.
        ──lan──┼──            A gateway on each of `World.gateways` answers ARP, as do kernels of hosts that are alive.
        ──sync─┘              `World.silent` has ports whose frames vanish while the carrier stays.
"""

import heapq
import itertools
import struct
from collections.abc import Callable
from ipaddress import IPv4Address

from gemel.carp.events import (
    Action,
    BeatHeard,
    Event,
    Flush,
    HandOverReady,
    Heard,
    LinkChanged,
    NeighbourHeard,
    Release,
    Renew,
    Report,
    Send,
    SendBeat,
    Sent,
    Started,
    State,
    Take,
    TimePassed,
)
from gemel.carp.node import Node
from gemel.carp.settings import Partner, Settings, Vhid

PASSWORD = "secret"
GATEWAY_MAC = bytes.fromhex("02ffffffffff")
ARP = struct.Struct("!HHBBH6s4s6s4s")


def vhid(number=1, device="wan", skew=0, base=1, source="10.0.0.1", addresses=("10.0.0.100",), password=PASSWORD,
         **more):
    """One VHID with everything that a test does not care about filled in."""
    return Vhid(device, device, number, base, skew, password, tuple(addresses), source, **more)


class Host:
    """A node with its wires. `owned`: address -> when the kernel drops it."""

    def __init__(self, world: "World", name: str, settings: Settings) -> None:
        self.world, self.name, self.settings = world, name, settings
        self.alive, self.frozen, self.boots = False, False, 0
        self.links = {one.device: True for one in settings.vhids}
        number = len(world.hosts) + 1
        self.macs = {device: bytes((2, 0, 0, 0, n, number)) for n, device in enumerate(self.links)}
        self.own = {one.device: IPv4Address(one.source).packed for one in settings.vhids}
        self.owned: dict[tuple[str, str], float] = {}
        self.lifetimes: dict[tuple[str, str], int] = {}
        self.backlog: list[Event] = []
        self.done: list[Action] = []
        self.boot()

    def boot(self) -> None:
        """The process starts; what it knew before is gone."""
        self.alive, self.frozen, self.backlog = True, False, []
        self.lifetimes = {}
        self.boots += 1
        self.node = Node(self.settings, self.world.now, (hash(self.name) & 0xFFFF_FFFF) + (self.boots << 48))
        self.tell(Started())
        for device, up in self.links.items():
            self.tell(LinkChanged(device, up, self.macs[device]))

    def die(self) -> None:
        """Power off: the addresses go with it."""
        self.alive = False
        self.owned.clear()

    def thaw(self) -> None:
        """Go on where the process was stopped, with everything that piled up."""
        self.frozen = False
        backlog, self.backlog = self.backlog, []
        for event in [*backlog, TimePassed()]:
            self.tell(event)

    def tell(self, event: Event) -> None:
        """Something happened to this host."""
        if not self.alive:
            return
        if self.frozen:
            self.backlog.append(event)
            return
        for action in self.node.handle(event, self.world.now):
            self._do(action)

    def _do(self, action: Action) -> None:
        now = self.world.now
        self.done.append(action)
        match action:
            case Send(device, frame):
                self.world.carry(self, device, frame)
                self.tell(Sent(device))
            case SendBeat(payload):
                self.world.beat(self, payload)
            case Take(device, addresses, lifetime):
                for address in addresses:
                    self.lifetimes[device, address] = lifetime
                    self.owned[device, address] = now + lifetime
            case Release(device, addresses):
                for address in addresses:
                    self.lifetimes.pop((device, address), None)
                    self.owned.pop((device, address), None)
            case Renew():
                for key, lifetime in self.lifetimes.items():
                    self.owned[key] = now + lifetime
            case Flush():
                self.world.after(self.world.flush_takes, lambda: self.tell(HandOverReady()))

    def state(self, device: str = "wan", number: int = 1) -> State:
        """Where a VHID stands here."""
        return self.node.machines[device, number].state

    def is_master(self, device: str = "wan", number: int = 1) -> bool:
        """Whether this host is alive and master."""
        return self.alive and not self.frozen and self.state(device, number) is State.MASTER

    def reports(self) -> list[Report]:
        """Every role change so far."""
        return [action for action in self.done if isinstance(action, Report)]


class World:
    """Time, wires and hosts."""

    def __init__(self, delay: float = 0.001) -> None:
        self.now = 1000.0
        self.delay = delay
        self.flush_takes = 0.01
        self.loses: Callable[[Host, Host, str], bool] = lambda sender, receiver, device: False
        self.watch: Callable[[], None] = lambda: None
        self.hosts: list[Host] = []
        self.gateways: dict[str, str] = {}
        self.silent: set[tuple[str, str]] = set()
        self.sync_delay: Callable[[], float | None] = lambda: 0.0003
        self.frames: list[tuple[float, str, str, bytes]] = []
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def add(self, name: str, *vhids: Vhid, **settings) -> Host:
        """One more host."""
        host = Host(self, name, Settings(vhids, **settings))
        self.hosts.append(host)
        return host

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Do something later."""
        heapq.heappush(self._later, (self.now + seconds, next(self._count), what))

    def carry(self, sender: Host, device: str, frame: bytes) -> None:
        """A frame is on the wire."""
        self.frames.append((self.now, sender.name, device, frame))
        if (sender.name, device) in self.silent:
            return
        if frame[12:14] == b"\x08\x06" and sender.links[device]:
            self.ask(sender, device, frame)
        if frame[12:14] not in (b"\x08\x00", b"\x86\xdd") or not sender.links[device]:
            return
        if frame[12:14] == b"\x86\xdd" and frame[20] != 112:
            return
        for host in self.hosts:
            hears = (host.name, device) not in self.silent
            if host is not sender and hears and not self.loses(sender, host, device):
                self.after(self.delay, lambda host=host: host.links[device] and host.tell(Heard(device, (frame[14:],))))

    def ask(self, sender: "Host", device: str, frame: bytes) -> None:
        """An ARP request is on the wire; kernels answer it, whatever becomes of the daemons."""
        *_, operation, mac, asker, _, target = ARP.unpack_from(frame, 14)
        if operation != 1:
            return
        answers = [
            host.macs[device] for host in self.hosts
            if host is not sender and host.alive and host.links.get(device) and host.own.get(device) == target
            and (host.name, device) not in self.silent
        ]
        if str(IPv4Address(target)) == self.gateways.get(device):
            answers.append(GATEWAY_MAC)
        for answer in answers:
            reply = mac + answer + b"\x08\x06" + ARP.pack(1, 0x800, 6, 4, 2, answer, target, mac, asker)
            self.after(2 * self.delay, lambda reply=reply: sender.tell(NeighbourHeard(device, reply)))

    def beat(self, sender: "Host", payload: bytes) -> None:
        """A heartbeat leaves for the other node."""
        delay = self.sync_delay()
        if delay is None or (sender.name, "sync") in self.silent:
            return
        for host in self.hosts:
            if host is not sender and (host.name, "sync") not in self.silent:
                self.after(delay, lambda host=host: host.tell(BeatHeard(payload)))

    def run(self, seconds: float) -> None:
        """Let this much time pass."""
        end = self.now + seconds
        while True:
            awake = [host for host in self.hosts if host.alive and not host.frozen]
            due = min((host.node.deadline() for host in awake), default=end)
            first = min(due, self._later[0][0] if self._later else end)
            if first > end:
                break
            self.now = max(self.now, first)
            if self._later and self._later[0][0] <= self.now:
                heapq.heappop(self._later)[2]()
            else:
                for host in awake:
                    if host.node.deadline() <= self.now:
                        host.tell(TimePassed())
            self.watch()
            if self.now >= end and due >= end and not (self._later and self._later[0][0] <= end):
                break
        self.now = end

    def masters(self, device: str = "wan", number: int = 1) -> list[Host]:
        """Who is master now."""
        return [host for host in self.hosts if host.is_master(device, number)]


def pair(skews=(0, 100), devices=("wan",), base=1, delay=0.001, partner=None, **settings) -> tuple[World, Host, Host]:
    """Two hosts on the same segments. `partner`: with a heartbeat, of these settings."""
    world = World(delay)
    hosts = []
    for n, skew in enumerate(skews, 1):
        vhids = (vhid(1, device, skew, base, f"10.0.0.{n}") for device in devices)
        if partner is not None:
            there = f"172.16.1.{len(skews) + 1 - n}"
            settings["partner"] = Partner(f"172.16.1.{n}", there, key=bytes(32).hex(), **partner)
        hosts.append(world.add(f"fw{n}", *vhids, **settings))
    return world, hosts[0], hosts[1]
