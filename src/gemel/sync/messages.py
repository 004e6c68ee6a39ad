"""What the two nodes say to each other: one dataclass for each question and each answer.

On the wire every ``gemel.*`` method takes one string and returns one, both JSON: XML-RPC has no null, no integer above
2³¹ and no control characters, and a rule set as XML elements would cost ten times as long to read. `Request` pairs
a question with its method and the shape of its answer.
"""

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from gemel.core.codec import Malformed, decode, encode

A = TypeVar("A")
T = TypeVar("T")

PROTOCOL = 1
"""Version of these messages; both nodes must speak the same."""


@dataclass(frozen=True, slots=True)
class Network:
    """What an interface id means on a node: its description, and the networks it is in (CIDR, None where unknown)."""

    description: str
    ipv4: str | None = None
    ipv6: str | None = None


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a node says of itself.

    `software` is Gemel's version, `config_version` that of the configuration's format; `revision` the number of the
    one that runs (0: none); `has_target` says that it pushes itself; `host_id` is its Filter Host ID (hex, None: no
    state synchronisation); `interfaces` maps ids (``wan``, ``opt1``) to networks, for the assigned ones.
    """

    name: str
    software: str
    config_version: int
    revision: int
    has_target: bool
    host_id: str | None
    interfaces: dict[str, Network]
    protocol: int = PROTOCOL


class Request(Generic[A]):
    """One question to the peer. Subclasses are frozen dataclasses and name their method and their answer's shape."""

    method: ClassVar[str]
    answer_shape: ClassVar[Any]


@dataclass(frozen=True, slots=True)
class PairingChallenge:
    """The peer's half of the first SCRAM exchange (RFC 5802 server-first-message)."""

    pairing: str
    server_first: str


@dataclass(frozen=True, slots=True)
class PairBegin(Request[PairingChallenge]):
    """First contact: who asks, with which certificate (PEM), and SCRAM's client-first-message."""

    name: str
    certificate: str
    client_first: str
    method = "gemel.pair_begin"
    answer_shape = PairingChallenge


@dataclass(frozen=True, slots=True)
class PairingProof:
    """The peer's proof that it knows the password's verifier (RFC 5802 server-final-message)."""

    server_final: str


@dataclass(frozen=True, slots=True)
class PairFinish(Request[PairingProof]):
    """The proof of the password, bound to both certificates (RFC 5802 client-final-message)."""

    pairing: str
    client_final: str
    method = "gemel.pair_finish"
    answer_shape = PairingProof


@dataclass(frozen=True, slots=True)
class Welcome:
    """The peer's introduction, and the session that the following calls are numbered in."""

    introduction: Introduction
    session: str


@dataclass(frozen=True, slots=True)
class Hello(Request[Welcome]):
    """The start of a push. `certificate` (PEM) lets a peer recognise a key that was only given it as a fingerprint."""

    introduction: Introduction
    certificate: str
    method = "gemel.hello"
    answer_shape = Welcome


@dataclass(frozen=True, slots=True)
class Report:
    """What runs on a node: its revision, and area by area the hash of what it has in common with its peer."""

    revision: int
    hashes: dict[str, str]


@dataclass(frozen=True, slots=True)
class AskReport(Request[Report]):
    """What do you run in these areas?"""

    areas: tuple[str, ...]
    method = "gemel.report"
    answer_shape = Report


@dataclass(frozen=True, slots=True)
class Trouble:
    """A problem on the peer, tied to the path of a field; `level` is error or warning."""

    path: str
    text: str
    level: str = "error"

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


@dataclass(frozen=True, slots=True)
class Prepared:
    """The peer's verdict on an offer. With an error among `problems` there is nothing to commit (`token` is empty)."""

    token: str
    problems: tuple[Trouble, ...]


@dataclass(frozen=True, slots=True)
class Prepare(Request[Prepared]):
    """An offer: the sender's `revision`, and what the peer should have in each area (`core.exchange.Sections`)."""

    revision: int
    sections: dict[str, Any]
    method = "gemel.prepare"
    answer_shape = Prepared


@dataclass(frozen=True, slots=True)
class Committed:
    """It is applied, as this revision of the peer."""

    revision: int


@dataclass(frozen=True, slots=True)
class Commit(Request[Committed]):
    """Make real what was prepared."""

    token: str
    method = "gemel.commit"
    answer_shape = Committed


@dataclass(frozen=True, slots=True)
class Kept:
    """How many bytes of the package are there."""

    size: int


@dataclass(frozen=True, slots=True)
class PackagePart(Request[Kept]):
    """A part of a new version's package, in base64; parts come in order, the one at `offset` 0 begins anew."""

    offset: int
    data: str
    method = "gemel.package_part"
    answer_shape = Kept


@dataclass(frozen=True, slots=True)
class InstallReport:
    """How an installation stands: ``none``, ``running``, ``done``, ``failed``; `text` is the last that was said."""

    state: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Install(Request[InstallReport]):
    """Begin to install the package whose parts were sent, if this is its SHA-256 (hexadecimal)."""

    sha256: str
    method = "gemel.install"
    answer_shape = InstallReport


@dataclass(frozen=True, slots=True)
class AskInstall(Request[InstallReport]):
    """How does it stand?"""

    method = "gemel.install_report"
    answer_shape = InstallReport


@dataclass(frozen=True, slots=True)
class Watching:
    """The session that statuses are exchanged in."""

    session: str


@dataclass(frozen=True, slots=True)
class Watch(Request[Watching]):
    """The start of an exchange of statuses, between nodes that know each other's keys."""

    certificate: str
    method = "gemel.watch"
    answer_shape = Watching


@dataclass(frozen=True, slots=True)
class Told(Request["Told"]):
    """A node's status (`facts.peer.PeerStatus`), as question and as answer: both tell, both hear."""

    status: dict[str, Any]
    method = "gemel.told"


Told.answer_shape = Told


def pack(message: Any) -> str:
    """The one string that goes over the wire."""
    return json.dumps(encode(message), separators=(",", ":"))


def unpack(shape: type[T], text: Any) -> T:
    """The message in that string.

    Raises:
        Malformed: it holds none of this shape.
    """
    if not isinstance(text, str):
        raise Malformed("one string of JSON is needed")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise Malformed("the string is not JSON") from None
    return decode(shape, value)
