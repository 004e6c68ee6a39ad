"""The closed list of *wants*: what a machine can be asked to have.

Each want has a `key` (what it is about) and a value (the rest). Two wants with one key and different values mean a
change. `Service` is the generic one: files, a service, a command that checks the files before anything is touched, so
that a new service needs no new want.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias


class Program(Protocol):
    """A compiled ruleset as the wants see it: a text to load, and the shortest way from another one."""

    @property
    def fingerprint(self) -> str:
        """Equal fingerprints mean equal rulesets."""

    def text(self) -> str:
        """One idempotent nftables transaction that loads it whole."""

    def text_from(self, previous: Any) -> str:
        """The transaction that turns `previous` (of the same kind) into this one."""

    def text_without(self) -> str:
        """The transaction that takes it away; empty for what never is."""


@dataclass(frozen=True, slots=True)
class Hostname:
    """The node's host name and domain."""

    name: str
    domain: str

    @property
    def key(self) -> tuple[str, ...]:
        return ("hostname",)


@dataclass(frozen=True, slots=True)
class Sysctl:
    """A kernel setting, named with dots (``net.ipv4.ip_forward``); a device name may contain none."""

    name: str
    value: str

    @property
    def key(self) -> tuple[str, ...]:
        return ("sysctl", self.name)


LinkKind = Literal["", "vlan", "bond", "bridge"]


@dataclass(frozen=True, slots=True)
class Link:
    """A network device up, with this MTU in bytes (None: as it is).

    `kind` is empty for a port of the machine, which must be there; a device of another kind is made, and unmade when
    nobody wants it any more. `over` is the device that a VLAN is carried by, `master` the bond or bridge that this one
    is a part of (empty: it stands alone). `settings` are name and value of what the kind has:

        vlan    tag (1 to 4094), priority (0 to 7)
        bond    mode (802.3ad, active-backup), primary (a device), lacp_rate (slow, fast),
                hash (layer2, layer2+3, layer3+4)
        bridge  stp (yes, no)
    """

    device: str
    mtu: int | None = None
    kind: LinkKind = ""
    over: str = ""
    master: str = ""
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """Devices that must be there before this one can be as it is wanted."""
        return tuple(device for device in (self.over, self.master) if device)

    @property
    def key(self) -> tuple[str, ...]:
        return ("link", self.device)


@dataclass(frozen=True, slots=True)
class Address:
    """A permanent address with prefix length on a device. VIPs that follow CARP are carpd's, not wants."""

    device: str
    cidr: str

    @property
    def key(self) -> tuple[str, ...]:
        return ("address", self.device, self.cidr)


@dataclass(frozen=True, slots=True)
class Route:
    """A route in the main table: destination network, next hop, device."""

    destination: str
    gateway: str
    device: str

    @property
    def key(self) -> tuple[str, ...]:
        return ("route", self.destination)


@dataclass(frozen=True, slots=True)
class Ruleset:
    """A part of the node's nftables, loaded in one transaction. Equality is that of the fingerprint. `devices` are
    those that it hangs on: it goes with them."""

    name: str
    program: Program
    devices: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        return ("ruleset", self.name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ruleset):
            return NotImplemented
        return self.name == other.name and self.program.fingerprint == other.program.fingerprint

    def __hash__(self) -> int:
        return hash((self.name, self.program.fingerprint))


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """What one of Gemel's own daemons is told: a JSON text in its settings file, then a word at its door."""

    daemon: str
    text: str

    @property
    def key(self) -> tuple[str, ...]:
        return ("daemon", self.daemon)


@dataclass(frozen=True, slots=True)
class File:
    """A file that belongs to a service. `mode` as in chmod; `owner` is a user name."""

    path: str
    content: str
    mode: int = 0o644
    owner: str = "root"


@dataclass(frozen=True, slots=True)
class Service:
    """Files, the command that checks them, and the process that reads them.

    `argv` empty means that the files are all there is. `check` may name a file as ``{path}``: it is run on the new
    content before the old one is replaced. When only files have changed the process gets `signal` (0: is restarted).
    `devices` are those whose frames it takes itself: of one that went and came back it would hear nothing more.
    """

    name: str
    files: tuple[File, ...] = ()
    argv: tuple[str, ...] = ()
    check: tuple[str, ...] = ()
    user: str = "root"
    signal: int = 0
    devices: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        return ("service", self.name)


Want: TypeAlias = Hostname | Sysctl | Link | Address | Route | Ruleset | DaemonSettings | Service
"""Everything that can be wanted. The order of this list is not that of application: see `step`."""
