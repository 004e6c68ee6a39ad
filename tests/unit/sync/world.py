"""Two nodes and the wire between them, in memory: everything is real but the sockets and what the nodes are made of."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gemel.control.peer import PeerAnswer, PeerCall
from gemel.core.certificate import der
from gemel.core.codec import decode, encode
from gemel.core.config import digest
from gemel.effects.keys import self_signed
from gemel.sync.identity import Identity
from gemel.sync.messages import Introduction, Network, Report, Trouble
from gemel.sync.node import NotApplied, Origin, Outgoing, Target
from gemel.sync.push import NotPushed, Why
from gemel.sync.server import PeerServer
from gemel.sync.transport import Judge, Reply
from gemel.sync.trust import scram_verifier
from gemel.web.xmlrpc import Endpoint, Post

PASSWORD = "correct horse: @/%"
PRIMARY, SECONDARY = "172.16.1.2", "172.16.1.3"


@functools.cache
def identity(name: str) -> Identity:
    """A node's own; the same for one name throughout a test run."""
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return Identity(pem.decode(), self_signed(key, name, "node.gemel").decode())


verifier = functools.cache(scram_verifier)

NETWORKS = {
    "wan": Network("WAN", "198.51.100.0/24"),
    "lan": Network("LAN", "192.168.1.0/24"),
    "opt1": Network("SYNC", "172.16.1.0/24"),
}


@dataclass
class Node:
    """What the agent will be: a `Sender` and a `Receiver` whose areas are plain values."""

    name: str
    areas: dict[str, Any] = field(default_factory=dict)
    users: dict[str, tuple[str, str]] = field(default_factory=lambda: {"admin": (PASSWORD, "all")})
    sends_to: Target | None = None
    networks: dict[str, Network] = field(default_factory=lambda: dict(NETWORKS))
    host_id: str | None = None
    config_version: int = 1
    revision: int = 1
    peer_certificate: str | None = None
    typed_fingerprint: str | None = None
    breaks_at_commit: str | None = None
    applies_something_else: bool = False
    logins_checked: int = 0
    commits: int = 0

    @property
    def identity(self) -> Identity:
        return identity(self.name)

    def introduction(self) -> Introduction:
        target = self.sends_to is not None
        networks = self.networks
        return Introduction(self.name, "0.1", self.config_version, self.revision, target, self.host_id, networks)

    def pinned(self) -> str | None:
        return self.peer_certificate

    def expected_fingerprint(self) -> str | None:
        return self.typed_fingerprint

    def pin(self, certificate: str) -> None:
        self.peer_certificate = certificate

    def target(self) -> Target | None:
        return self.sends_to

    def outgoing(self) -> Outgoing:
        return Outgoing(self.revision, dict(self.areas), {name: digest(value) for name, value in self.areas.items()})

    def knows(self, username: str, password: str) -> bool:
        self.logins_checked += 1
        return username in self.users and self.users[username][0] == password

    def may(self, username: str, privilege: str) -> bool:
        return username in self.users and self.users[username][1] in ("all", privilege)

    def scram_verifier(self, username: str) -> str | None:
        return verifier(self.users[username][0]) if username in self.users else None

    def prepare(self, sections: Mapping[str, Any], origin: Origin) -> tuple[Any, tuple[Trouble, ...]]:
        troubles = []
        for name, section in sections.items():
            if "wrong" in section:
                troubles.append(Trouble(f"{name}[3fa9c2d1].port", "70000 is no port"))
            if "odd" in section:
                troubles.append(Trouble(f"{name}.description", "is odd", "warning"))
        return dict(sections), tuple(troubles)

    def commit(self, prepared: Any, origin: Origin) -> int:
        if self.breaks_at_commit:
            raise NotApplied(self.breaks_at_commit)
        self.commits += 1
        self.areas.update({"rules": ["something else"]} if self.applies_something_else else prepared)
        self.revision += 1
        return self.revision

    def report(self, areas: tuple[str, ...]) -> Report:
        return Report(self.revision, {name: digest(self.areas[name]) for name in areas if name in self.areas})


Tamper = Callable[[bytes, dict[str, str]], tuple[bytes, dict[str, str]]]


@dataclass
class Wire:
    """The way from one node to the other: webd's reading and writing, the agent's door, and whoever sits in between."""

    receiver: Node
    remote: str = PRIMARY
    shows: bytes = b""
    down: bool = False
    tamper: Tamper = lambda body, headers: (body, headers)
    loses_answer_to: str | None = None
    hangs_up: bool = False
    calls: list[PeerCall] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    now: float = 100.0

    def __post_init__(self) -> None:
        self.shows = self.shows or self.receiver.identity.der
        self.server = PeerServer(self.receiver)
        self.endpoint = Endpoint(self.ask)

    def ask(self, call: PeerCall) -> PeerAnswer:
        """Through the door's codec and back, as between two processes."""
        self.calls.append(call)
        answer = self.server.answer(decode(PeerCall, encode(call)), self.now)
        if call.method == self.loses_answer_to:
            raise NotPushed(Why.AWAY, "the power went")
        return decode(PeerAnswer, encode(answer))

    def dial(self, host: str, port: int, judge: Judge) -> "Line":
        return Line(self, judge)

    def methods(self) -> list[str]:
        """What was called, in order, without the prefix."""
        return [call.method.removeprefix("gemel.") for call in self.calls]


class Line:
    """One connection over a `Wire`."""

    def __init__(self, wire: Wire, judge: Judge) -> None:
        self._wire = wire
        self._judge = judge
        self._up = False

    def connect(self) -> None:
        if self._wire.down:
            raise NotPushed(Why.AWAY, "no answer")
        if not self._up:
            self._judge(self._wire.shows)
            self._up = True

    def post(self, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        self.connect()
        self._wire.bodies.append(body)
        sent, sent_headers = self._wire.tamper(body, {k.lower(): v for k, v in headers.items()})
        post = Post(sent, sent_headers, self._wire.remote, SECONDARY)
        self._up = not self._wire.hangs_up
        return Reply(200, self._wire.endpoint.answer(post, self._wire.now))

    def close(self) -> None:
        self._up = False


TARGET = Target(SECONDARY, 443, "admin", PASSWORD, ("rules", "nat"))


def pair() -> tuple[Node, Node]:
    """A primary with something to give, and a secondary that has something else; they have not met."""
    primary = Node(
        "fw1", {"rules": ["icmp", "pfsync", "https"], "nat": {"mode": "hybrid"}}, sends_to=TARGET, revision=7
    )
    secondary = Node("fw2", {"rules": ["temporary"], "dns": "local"}, revision=3)
    return primary, secondary


def with_password(target: Target, password: str) -> Target:
    """The same with another password."""
    return replace(target, password=password)


def paired() -> tuple[Node, Node]:
    """The same two after first contact."""
    primary, secondary = pair()
    primary.peer_certificate = secondary.identity.certificate
    secondary.peer_certificate = primary.identity.certificate
    assert der(primary.peer_certificate) == secondary.identity.der
    return primary, secondary
