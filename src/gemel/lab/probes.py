"""What the LAN client and the WAN server see: a TCP connection and a UDP flow, of 1 kHz as a rule, from outside.

    probes.py serve ADDRESS SECONDS            echo server: answers each message with the source that it saw
    probes.py ask   ADDRESS PORT SOURCE        one UDP packet from source port SOURCE; prints what source was seen
    probes.py flow  ADDRESS SECONDS [PORT [STEP]]   UDP, one packet per millisecond (from source port PORT; per STEP s)
    probes.py talk  ADDRESS SECONDS            TCP, one connection, one message every 10 ms

They print "ready" when they are. `flow` and `talk` then print one JSON line for each line that they read: what happened
since the last one. Every one ends after SECONDS whatever happens. Standard library only: they run inside the hosts.
"""

import json
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Protocol

UDP_PORT = 7000
TCP_PORT = 7001
ISAKMP = 500
FLOW_STEP = 0.001  # seconds between packets
TALK_STEP = 0.01
ROOM = 8 << 20  # bytes: what arrives while a busy machine lets a probe wait is not lost
SO_RCVBUFFORCE = 33  # socket(7); the module does not name it
GRACE = 0.5  # seconds that a packet may be under way before it counts as lost
MESSAGE = struct.Struct("!I")
ANSWER = struct.Struct("!I4sH")  # number, and the source address and port that the server saw


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the flow. `outage_ms`: from the first packet of a loss to the next that was answered, the longest.

    `sources` are the addresses and ports from which packets came to the server, in order, each run of the same once.
    `doubled` packets were answered more than once.
    """

    sent: int
    lost: int
    outage_ms: float
    slowest_ms: float
    sources: tuple[str, ...]
    doubled: int = 0


@dataclass(frozen=True, slots=True)
class Talk:
    """A stretch of the connection: whether a message sent at its end was still answered, and the longest wait."""

    alive: bool
    stall_ms: float
    echoes: int
    source: str | None


@dataclass(slots=True)
class Ledger:
    """Which packets went out when, and came back when. Pure; packets are numbered from 0."""

    sent: list[float] = field(default_factory=list)
    back: dict[int, tuple[float, str]] = field(default_factory=dict)
    doubles: set[int] = field(default_factory=set)
    begun: int = 0

    def came_back(self, number: int, now: float, source: str) -> None:
        """An answer; the first one counts."""
        if number in self.back:
            self.doubles.add(number)
        self.back.setdefault(number, (now, source))

    def window(self, end: int) -> Window:
        """Sum up from the end of the last window to the packet before number `end`, and begin the next there."""
        numbers = range(self.begun, end)
        self.begun = end
        answered = [n for n in numbers if n in self.back]
        sources: list[str] = []
        for n in answered:
            if self.back[n][1] not in sources[-1:]:
                sources.append(self.back[n][1])
        return Window(
            sent=len(numbers),
            lost=len(numbers) - len(answered),
            outage_ms=round(1e3 * max(self._outages(numbers), default=0.0), 1),
            slowest_ms=round(1e3 * max((self.back[n][0] - self.sent[n] for n in answered), default=0.0), 1),
            sources=tuple(sources),
            doubled=sum(n in self.doubles for n in numbers),
        )

    def _outages(self, numbers: range) -> Iterator[float]:
        first_lost: float | None = None
        for n in numbers:
            if n not in self.back and first_lost is None:
                first_lost = self.sent[n]
            elif n in self.back and first_lost is not None:
                yield self.sent[n] - first_lost
                first_lost = None
        if first_lost is not None:
            yield self.sent[numbers[-1]] - first_lost


class Probe(Protocol):
    """Both kinds: due at a time, with a socket to be read, and something to say about a stretch."""

    socket: socket.socket
    due: float
    grace: float  # seconds between the end of a stretch and the account of it

    def mark(self) -> None: ...
    def send(self, now: float) -> None: ...
    def read(self, now: float) -> None: ...
    def sum_up(self) -> "Window | Talk": ...


class Flow:
    """The UDP probe. It goes on while a stretch is summed up."""

    grace = GRACE

    def __init__(self, address: str, port: int, step: float = FLOW_STEP) -> None:
        self._step = step
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
        self.socket.bind(("", port))
        self.socket.connect((address, UDP_PORT))
        self.socket.setblocking(False)
        self.due = 0.0
        self._ledger = Ledger()
        self._end = 0

    def mark(self) -> None:
        self._end = len(self._ledger.sent)

    def send(self, now: float) -> None:
        self.due += self._step
        number = len(self._ledger.sent)
        self._ledger.sent.append(now)
        try:
            self.socket.send(MESSAGE.pack(number))
        except OSError:
            return  # unreachable for the moment: lost like any other

    def read(self, now: float) -> None:
        try:
            while answer := self.socket.recv(64):
                number, source = _open(answer)
                self._ledger.came_back(number, now, source)
        except OSError:
            return

    def sum_up(self) -> Window:
        return self._ledger.window(self._end)


class Conversation:
    """The TCP probe: a message goes out when the last one has been answered."""

    grace = 0.0

    def __init__(self, address: str) -> None:
        self.socket = socket.create_connection((address, TCP_PORT), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.due = 0.0
        self._number = 0
        self._asked: float | None = None
        self._inbox = b""
        self._dead = False
        self._begin()

    def mark(self) -> None:
        """Nothing is under way but the message that is waited for, and that belongs to this stretch."""

    def _begin(self) -> None:
        self._stall, self._echoes, self._source = 0.0, 0, None  # type: float, int, str | None

    def send(self, now: float) -> None:
        self.due = now + TALK_STEP
        if self._asked is None and not self._dead:
            self._asked = now
            self._attempt(lambda: self.socket.sendall(MESSAGE.pack(self._number)))

    def read(self, now: float) -> None:
        self._attempt(self._receive)
        if len(self._inbox) >= ANSWER.size and self._asked is not None:
            number, self._source = _open(self._inbox[: ANSWER.size])
            self._inbox = self._inbox[ANSWER.size :]
            self._dead = self._dead or number != self._number
            self._stall = max(self._stall, now - self._asked)
            self._number, self._echoes, self._asked = self._number + 1, self._echoes + 1, None

    def sum_up(self) -> Talk:
        now = time.monotonic()
        waiting = now - self._asked if self._asked is not None else 0.0
        alive = not self._dead and waiting < GRACE and self._echoes > 0
        talk = Talk(alive, round(1e3 * max(self._stall, waiting), 1), self._echoes, self._source if alive else None)
        self._begin()
        return talk

    def _receive(self) -> None:
        received = self.socket.recv(4096)
        if not received:
            raise ConnectionResetError
        self._inbox += received

    def _attempt(self, step: "Step") -> None:
        try:
            step()
        except BlockingIOError:
            return
        except OSError:
            self._dead = True
            self.due = float("inf")


class Step(Protocol):
    def __call__(self) -> None: ...


def measure(probe: Probe, seconds: float) -> None:
    """Send when due, read what comes, and answer every line on standard input with a stretch, for `seconds`."""
    print("ready", flush=True)
    probe.due = time.monotonic()
    end = probe.due + seconds
    account_due = float("inf")
    while (now := time.monotonic()) < end:
        if now >= probe.due:
            probe.send(now)
        # A dead connection is readable for ever, and has nothing more to say.
        readable = [sys.stdin] if probe.due == float("inf") else [probe.socket, sys.stdin]
        ready = select.select(readable, [], [], max(0.0, min(probe.due, account_due, end) - time.monotonic()))[0]
        now = time.monotonic()
        if probe.socket in ready:
            probe.read(now)
        if sys.stdin in ready:
            if not sys.stdin.readline():
                return
            probe.mark()
            account_due = now + probe.grace
        if now >= account_due:
            print(json.dumps(asdict(probe.sum_up())), flush=True)
            account_due = float("inf")


def serve(address: str, seconds: float) -> None:
    """Answer on every port until `seconds` are over."""
    for port in (UDP_PORT, ISAKMP):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
        udp.bind((address, port))
        threading.Thread(target=_serve_udp, args=(udp,), daemon=True).start()
    tcp = socket.create_server((address, TCP_PORT))
    threading.Thread(target=_serve_tcp, args=(tcp,), daemon=True).start()
    print("ready", flush=True)
    time.sleep(seconds)


def ask(address: str, port: int, source_port: int) -> str:
    """The source, as the server saw it, of a packet from `source_port`; three are tried, for a second each.

    Raises:
        TimeoutError: none was answered.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("", source_port))
        s.connect((address, port))
        s.settimeout(1.0)
        for attempt in range(3):
            s.send(MESSAGE.pack(attempt))
            try:
                return _open(s.recv(64))[1]
            except OSError:
                continue
    raise TimeoutError(f"no answer from {address} port {port}")


def _serve_udp(s: socket.socket) -> None:
    while True:
        message, source = s.recvfrom(64)
        s.sendto(_answer(message, source), source)


def _serve_tcp(listener: socket.socket) -> None:
    while True:
        connection, source = listener.accept()
        threading.Thread(target=_attend, args=(connection, source), daemon=True).start()


def _attend(connection: socket.socket, source: tuple[str, int]) -> None:
    try:
        while message := connection.recv(MESSAGE.size, socket.MSG_WAITALL):
            connection.sendall(_answer(message, source))
    except OSError:
        return


def _answer(message: bytes, source: tuple[str, int]) -> bytes:
    return ANSWER.pack(*MESSAGE.unpack(message), socket.inet_aton(source[0]), source[1])


def _open(answer: bytes) -> tuple[int, str]:
    number, address, port = ANSWER.unpack(answer)
    return number, f"{socket.inet_ntoa(address)}:{port}"


def main(what: str, address: str, *rest: str) -> None:
    match what:
        case "serve":
            serve(address, float(rest[0]))
        case "ask":
            print(ask(address, int(rest[0]), int(rest[1])))
        case "flow":
            port, step = int(rest[1]) if rest[1:] else 0, float(rest[2]) if rest[2:] else FLOW_STEP
            measure(Flow(address, port, step), float(rest[0]))
        case "talk":
            measure(Conversation(address), float(rest[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
