"""Things that run for a while for one person and say what they see: ping and packet capture."""

from dataclasses import dataclass

from gemel.control.door import Question


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """An interface or a virtual IP: its key, what people call it, and why it cannot be spoken from now, if so."""

    key: str
    title: str
    absent: str


@dataclass(frozen=True, slots=True)
class AskSources(Question[tuple[SourceChoice, ...]]):
    """Where a ping can be sent from; interfaces (keys without ``vip:``) are also what can be captured on."""

    token: str = ""
    answer_shape = tuple[SourceChoice, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How telling somebody went. `way` is mail or webhook, `to` whom; `error` says what is wrong, empty: it went."""

    way: str
    to: str
    error: str


@dataclass(frozen=True, slots=True)
class TestNotification(Question[tuple[Delivery, ...]]):
    """Send a notification now, by every way that is set up; the answer has one line for each, none: nothing is set."""

    token: str = ""
    answer_shape = tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Something that was started, and how it stands. Only the session that started it may ask for it.

    `kind`: ping or capture. `lines` are what it said after the first `after` ones of the question, `next` counts all
    so far; `dropped` of them were more than are kept. `ended` says in words how it ended, empty while it runs.
    `packets` and `octets` are what a capture's file holds, `seconds` how long it runs or ran.
    """

    id: str
    kind: str
    title: str
    running: bool
    seconds: float
    lines: tuple[str, ...]
    next: int
    dropped: int
    packets: int
    octets: int
    ended: str


@dataclass(frozen=True, slots=True)
class Ping(Question[Run]):
    """Send `count` echo requests (at most 100), one a second. `source`: an interface or VIP by key, title or address;
    empty: as the route has it. `family`: any, ipv4, ipv6. It goes on after the answer: ask `AskRun`."""

    host: str
    source: str = ""
    family: str = "any"
    count: int = 3
    token: str = ""
    answer_shape = Run


@dataclass(frozen=True, slots=True)
class Capture(Question[Run]):
    """Capture packets on an interface until there are `packets` (at most 100,000), `seconds` (600) have passed, or the
    file is full (16 MiB). `protocol`: any, icmp, tcp, udp, arp, carp, pfsync, esp, ah; `host`: address, network or MAC;
    `port`: 443 or 80-90; `snap`: bytes kept of each packet, 0 all. It goes on after the answer: ask `AskRun`."""

    interface: str
    family: str = "any"
    protocol: str = "any"
    host: str = ""
    port: str = ""
    packets: int = 1000
    seconds: int = 60
    snap: int = 0
    promiscuous: bool = False
    token: str = ""
    answer_shape = Run


@dataclass(frozen=True, slots=True)
class AskRun(Question[Run]):
    """How one stands, with what it said since line `after`. Waits, at most `seconds` (5), until there is more."""

    id: str
    after: int = 0
    seconds: float = 0.0
    token: str = ""
    answer_shape = Run


@dataclass(frozen=True, slots=True)
class AskRuns(Question[tuple[Run, ...]]):
    """The session's last ones of a kind, newest first, without their lines."""

    kind: str
    token: str = ""
    answer_shape = tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class StopRun(Question[Run]):
    """End it now; what it has seen so far is kept."""

    id: str
    token: str = ""
    answer_shape = Run


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file: its bytes in base64, and how large the file is now."""

    data: str
    total: int


@dataclass(frozen=True, slots=True)
class ReadCapture(Question[Piece]):
    """A capture's pcap file from byte `offset` on, at most 256 KiB at a time; no bytes: that was all."""

    id: str
    offset: int = 0
    token: str = ""
    answer_shape = Piece
