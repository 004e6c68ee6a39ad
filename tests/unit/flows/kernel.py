"""A conntrack table in memory that takes and refuses what the kernel does (reference section 4.4), and two nodes."""

import struct
from collections import deque
from dataclasses import dataclass, field, replace

from gemel.flows.attributes import attribute, nest, table
from gemel.flows.conversation import EBUSY, EEXIST, ENOENT, EOPNOTSUPP, Reply
from gemel.flows.ctnetlink import CREATE, DELETE, EXPECT, GET, NEW, UNEXPECT, get
from gemel.flows.ledger import Ledger
from gemel.flows.local import Local
from gemel.flows.receiver import Receiver
from gemel.flows.sender import Sender

BE32 = struct.Struct("!I")
TCP, UDP = 6, 17


def ip(text: str) -> bytes:
    return bytes(map(int, text.split(".")))


@dataclass(frozen=True)
class Tuple:
    src: bytes
    dst: bytes
    sport: int
    dport: int
    proto: int = TCP

    def inverse(self) -> "Tuple":
        return Tuple(self.dst, self.src, self.dport, self.sport, self.proto)

    def encode(self, kind: int) -> bytes:
        v6 = len(self.src) == 16
        return nest(kind, nest(1, attribute(3 if v6 else 1, self.src), attribute(4 if v6 else 2, self.dst)),
                    nest(2, attribute(1, bytes((self.proto,))), attribute(2, struct.pack("!H", self.sport)),
                         attribute(3, struct.pack("!H", self.dport))))

    @staticmethod
    def decode(value: bytes) -> "Tuple":
        parts = table(value, 0, len(value))
        addresses, proto = table(parts[1], 0, len(parts[1])), table(parts[2], 0, len(parts[2]))
        return Tuple(addresses.get(1) or addresses[3], addresses.get(2) or addresses[4],
                     int.from_bytes(proto[2], "big"), int.from_bytes(proto[3], "big"), proto[1][0])


@dataclass(frozen=True)
class State:
    orig: Tuple
    reply: Tuple
    status: int = 0x8
    timeout: int = 120
    tcp: int | None = 1
    flags: int = 0x3
    mark: int = 0

    @property
    def natted(self) -> bool:
        return bool(self.status & 0x30)


def tcp_info(state: State) -> bytes:
    return nest(4, nest(1, attribute(1, bytes((state.tcp or 0,))), attribute(2, b"\7"), attribute(3, b"\7"),
                        attribute(4, bytes((state.flags, 0))), attribute(5, bytes((state.flags, 0)))))


def message(state: State, flags: int = 0, kind: int = NEW, info: bool = True, port: int = 0) -> bytes:
    """An event, in the kernel's order of attributes."""
    body = [b"\x0a\0\0\0" if len(state.orig.src) == 16 else b"\2\0\0\0", state.orig.encode(1), state.reply.encode(2),
            attribute(12, b"\1\2\3\4"), attribute(3, BE32.pack(state.status)), attribute(7, BE32.pack(state.timeout))]
    if state.tcp is not None and info:
        body.append(tcp_info(state))
    if state.mark:
        body.append(attribute(8, BE32.pack(state.mark)))
    data = b"".join(body)
    return struct.pack("=IHHII", len(data) + 16, kind, flags, 0, port) + data


def listing(state: State) -> bytes:
    """The same state as a dump has it."""
    body = [b"\x0a\0\0\0" if len(state.orig.src) == 16 else b"\2\0\0\0", state.orig.encode(1), state.reply.encode(2),
            attribute(3, BE32.pack(state.status)), attribute(8, BE32.pack(state.mark)), attribute(12, b"\1\2\3\4"),
            attribute(11, BE32.pack(1)), attribute(7, BE32.pack(state.timeout))]
    if state.tcp is not None:
        body.append(tcp_info(state))
    data = b"".join(body)
    return struct.pack("=IHHII", len(data) + 16, NEW, 2, 1, 77) + data


def flow(number: int, proto: int = TCP, port: int | None = None) -> State:
    """SNAT to 198.51.100.200, as a LAN client makes it. Flows with the same `port` fight for it."""
    orig = Tuple(ip(f"192.168.1.{number % 200 + 1}"), ip("198.51.100.1"), 1024 + number, 80, proto)
    reply = replace(orig.inverse(), dst=ip("198.51.100.200"), dport=20000 + number if port is None else port)
    return State(orig, reply, 0x198, tcp=1 if proto == TCP else None)


@dataclass
class Table:
    """The kernel's side of ctnetlink, for TCP and UDP."""

    states: dict[Tuple, State] = field(default_factory=dict)
    events: deque[bytes] = field(default_factory=deque)
    written: set[Tuple] = field(default_factory=set)  # what requests have created or updated
    expectations: list[tuple[int, dict[int, bytes]]] = field(default_factory=list)  # what was asked about them

    # what packets do

    def new(self, state: State) -> None:
        if state.orig in self.states or any(s.reply == state.reply for s in self.states.values()):
            return
        self.states[state.orig] = state
        self.events.append(message(state, flags=CREATE | 0x200))

    def change(self, orig: Tuple, info: bool = True, **fields: int) -> None:
        state = self.states[orig]
        state = replace(state, **{**fields, "status": state.status | fields.get("status", 0)})
        self.states[orig] = state
        self.events.append(message(state, info=info))

    def end(self, orig: Tuple) -> None:
        self.events.append(message(self.states.pop(orig), kind=DELETE))

    # what requests do

    def exchange(self, requests: list[bytes]) -> list[Reply]:
        replies = []
        for request in requests:
            _, kind, flags, number, _ = struct.unpack_from("=IHHII", request)
            assert not flags & 0x4, "no acknowledgement is asked for: silence is success"
            found = self._do(kind, flags, table(request, 20, len(request)))
            if found:
                replies.append(Reply(number, found) if isinstance(found, int) else Reply(number, 0, found))
        return replies

    def _do(self, kind: int, flags: int, given: dict[int, bytes]) -> int | bytes:
        if kind in (EXPECT, UNEXPECT):
            self.expectations.append((kind, given))
            return 0
        state = self._find(given)
        if kind == GET:
            return listing(state) if state else ENOENT
        if kind == DELETE:
            if state is None:
                return ENOENT
            del self.states[state.orig]
            return 0
        if flags & CREATE:
            return EEXIST if state else self._create(given)
        if state is None:
            return ENOENT
        if 6 in given or 13 in given:
            return EOPNOTSUPP
        status = BE32.unpack(given[3])[0]
        if (state.status & 0xE) & ~status:
            return EBUSY
        self.states[state.orig] = self._filled(replace(state, status=state.status | status & 0xE), given)
        return 0

    def _find(self, given: dict[int, bytes]) -> State | None:
        if 1 in given:
            return self.states.get(Tuple.decode(given[1]))
        wanted = Tuple.decode(given[2])
        return next((s for s in self.states.values() if s.reply == wanted), None)

    def _create(self, given: dict[int, bytes]) -> int:
        orig, reply = Tuple.decode(given[1]), Tuple.decode(given[2])
        status = BE32.unpack(given[3])[0]
        if not status & 0x8 or status & 0x201 or 7 not in given:
            return EBUSY
        assert reply == orig.inverse(), "NAT trap: the reply tuple has to be the plain inverse"
        for kind, bit in ((6, 0x10), (13, 0x20)):
            if kind in given:
                nat = table(given[kind], 0, len(given[kind]))
                ports = table(nat[3], 0, len(nat[3]))
                assert nat.get(1, nat.get(4)) == nat.get(2, nat.get(5)) and ports[1] == ports[2]
                address, port = nat.get(1, nat.get(4, b"")), int.from_bytes(ports[1], "big")
                reply = (replace(reply, dst=address, dport=port) if kind == 6 else
                         replace(reply, src=address, sport=port))
                status |= bit | 0x180
        if any(s.reply == reply for s in self.states.values()):
            return EEXIST
        self.states[orig] = self._filled(State(orig, reply, status, tcp=0 if orig.proto == TCP else None), given)
        return 0

    def _filled(self, state: State, given: dict[int, bytes]) -> State:
        self.written.add(state.orig)
        state = replace(state, timeout=BE32.unpack(given[7])[0])
        if 8 in given:
            state = replace(state, mark=BE32.unpack(given[8])[0])
        if 4 in given and state.tcp is not None:
            inner = table(given[4], 0, len(given[4]))[1]
            tcp = table(inner, 0, len(inner))
            assert tcp[4][0] & 8 and tcp[5][1] & 8, "liberal in both directions"
            state = replace(state, tcp=tcp.get(1, bytes((state.tcp,)))[0], flags=tcp[4][0])
        return state

    def facts(self) -> dict[Tuple, tuple[Tuple, bool, int | None, int, int]]:
        """What has to be the same on both nodes."""
        return {s.orig: (s.reply, s.natted, s.tcp, s.status & 6, s.mark) for s in self.states.values()}


class Node:
    """Sender, receiver and a table."""

    def __init__(self, host: int, master: bool | None) -> None:
        self.table = Table()
        self.ledger = Ledger(host)
        local = Local(["172.16.1.0/24", "192.168.1.254/32"])
        self.sender, self.receiver = Sender(host, host, self.ledger, local), Receiver(host, host, self.ledger, local)
        self.role(master)
        self._dump: list[bytes] | None = None

    def role(self, master: bool | None) -> None:
        self.sender.role = self.receiver.role = master

    def work(self, now: float) -> None:
        if self.table.events:
            self.sender.noticed(list(self.table.events), now)
            self.table.events.clear()
        wanted = self.sender.wants_listing or self.receiver.wants_listing
        if wanted and self._dump is None:
            self.ledger.begin_listing()
            self.sender.listing_began()
            self.receiver.listing_began()
            self._dump = [listing(state) for state in self.table.states.values()]
        elif self._dump is not None:
            piece, self._dump = self._dump[:3], self._dump[3:]
            self.sender.listed(piece, now)
            self.receiver.listed(piece)
            if not self._dump:
                self._dump = None
                self.ledger.end_listing()
                self.sender.listing_ended(now)
                self.receiver.listing_ended()
        self.inject()
        if keys := self.sender.intake.lookups(now):
            answers = self.table.exchange([get(key, i) for i, key in enumerate(keys)])
            self.sender.looked_up([answer.message for answer in answers if answer.message], now)
        if self.sender.rounds.wants_comparison:
            self.sender.compare(now)
        self.sender.handle_timer(now)

    def inject(self) -> None:
        while requests := self.receiver.requests():
            self.receiver.answered(self.table.exchange(requests))


class Pair:
    """Two nodes and the two streams between them."""

    def __init__(self, first: bool | None = True, second: bool | None = False) -> None:
        self.a, self.b = Node(1, first), Node(2, second)
        self.now = 100.0
        self.up = False

    def connect(self) -> None:
        self.up = True
        for source, sink in ((self.a, self.b), (self.b, self.a)):
            sink.receiver.connected()
            source.sender.connected(b"n" * 16)

    def cut(self) -> None:
        self.up = False
        for node in (self.a, self.b):
            node.sender.lost()
            node.receiver.lost()

    def step(self, seconds: float = 0.005) -> None:
        self.now += seconds
        for node in (self.a, self.b):
            node.work(self.now)
        if not self.up:
            return
        for source, sink in ((self.a, self.b), (self.b, self.a)):
            data = source.sender.data_to_send()
            for i in range(0, len(data), 97):  # a stream has no edges
                sink.receiver.heard(data[i:i + 97])
                sink.inject()
            answer = sink.receiver.data_to_send()
            if answer:
                source.sender.heard(answer, self.now)

    def settle(self, steps: int = 40) -> None:
        for _ in range(steps):
            self.step()
