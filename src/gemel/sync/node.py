"""What synchronisation needs of the node it runs in. The agent fulfils both protocols, with one object if it likes.

Methods may be called from any thread, never two at once from `sync` itself on the receiving side. None of them waits
for the peer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gemel.sync.identity import Identity
from gemel.sync.messages import Introduction, Report, Trouble

PRIVILEGE = "ha-sync"
"""The privilege *System - HA node sync*: all that the calls of a peer need."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where configuration is synchronised to: System > High Avail. Sync. `areas` are the ticked check boxes."""

    host: str
    port: int
    username: str
    password: str
    areas: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What the peer should have: `core.exchange.outgoing` of the running revision, and `section_hashes` of it."""

    revision: int
    sections: dict[str, Any]
    hashes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Origin:
    """Who sends: the node's name, its address, the account it uses, the number of the revision it sends, and the
    version of its configuration's format."""

    node: str
    address: str
    username: str
    revision: int
    config_version: int


class NotApplied(Exception):
    """The node could not take in what was prepared and is as it was before; the text says why, in words."""


class Known(Protocol):
    """The part that both sides need."""

    @property
    def identity(self) -> Identity:
        """This node's key and certificate (`control.paths.NODE_KEY`, `NODE_CERTIFICATE`)."""

    def introduction(self) -> Introduction:
        """What this node says of itself now."""

    def pinned(self) -> str | None:
        """The peer's certificate (PEM) that first contact or an admin's fingerprint pinned; None before that."""

    def expected_fingerprint(self) -> str | None:
        """The peer's fingerprint, if an admin typed it: pins without a password. Upper and lower case are the same."""

    def pin(self, certificate: str) -> None:
        """Keep the peer's certificate (PEM): `control.paths.PEER_CERTIFICATE`, and tell flowd to read it again."""


class Sender(Known, Protocol):
    """The node as the one that pushes."""

    def target(self) -> Target | None:
        """Where to, None if this node does not push."""

    def outgoing(self) -> Outgoing:
        """What the peer should have, from the running revision (never from pending changes), for `target().areas`.

        Raises:
            NotPushed: what runs is not what should, and is for no peer.
        """


class PackageRefused(Exception):
    """The package is not taken, or not installed; the text says why, in words."""


class Packages(Protocol):
    """Where a peer's package goes, and what installs it. Nothing here waits for the installation."""

    def take(self, offset: int, data: bytes) -> int:
        """Keep a part; returns how many bytes are there.

        Raises:
            PackageRefused: it is not the next part, or the package grows too large.
        """

    def install(self, sha256: str) -> None:
        """Begin to install what is there.

        Raises:
            PackageRefused: it is another file, no newer Gemel, or this node was not installed from a package.
        """

    def report(self) -> tuple[str, str]:
        """State and text of `messages.InstallReport`."""


class Receiver(Known, Protocol):
    """The node as the one that is pushed to."""

    def knows(self, username: str, password: str) -> bool:
        """Whether these are a user's credentials. May be slow (argon2); asked once per session."""

    def may(self, username: str, privilege: str) -> bool:
        """Whether that user holds the privilege, or every privilege. Asked at each call."""

    def scram_verifier(self, username: str) -> str | None:
        """What `trust.scram_verifier` made of the user's password; None for unknown or disabled users."""

    def prepare(self, sections: Mapping[str, Any], origin: Origin) -> tuple[Any, tuple[Trouble, ...]]:
        """Migrate and merge (`core.exchange.arrived`, `merged`), check, compile and dry-run; change nothing.

        Returns what `commit` is to make real, and every problem. With an error among them the first is not used.
        """

    def commit(self, prepared: Any, origin: Origin) -> int:
        """Apply it in one transaction, as a new revision, and return its number.

        Raises:
            NotApplied: it failed, or the running revision is no longer the one that `prepare` started from; the node is
                as it was.
        """

    def report(self, areas: tuple[str, ...]) -> Report:
        """What runs now: `core.exchange.area_hashes` for the areas named; unknown ones are left out. Where that is what
        an older peer's sections came to, their own hashes (`core.exchange.Taken`)."""
