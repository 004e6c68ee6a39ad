"""The cluster's verbs: maintenance, CARP on and off, what is heard on a segment, a push, whom to trust."""

from dataclasses import dataclass

from gemel.control.door import Question


@dataclass(frozen=True, slots=True)
class Maintenance(Question[None]):
    """Enter or leave persistent CARP maintenance mode."""

    on: bool
    token: str = ""
    answer_shape = None


@dataclass(frozen=True, slots=True)
class EnableCarp(Question[None]):
    """Enable CARP, or disable it until it is enabled again or the node reboots."""

    on: bool
    token: str = ""
    answer_shape = None


@dataclass(frozen=True, slots=True)
class ResetDemotion(Question[dict[str, int]]):
    """No longer count this reason to stand back, or (empty) all that hold now, until each has gone and come again.

    The answer is what counted until now, reason -> amount. Maintenance mode has its own switch and stays.
    """

    reason: str = ""
    token: str = ""
    answer_shape = dict[str, int]


@dataclass(frozen=True, slots=True)
class Overheard:
    """Somebody who speaks for a VHID on an interface: CARP, VRRPv2 or VRRPv3. `whose` is "ours" for a VHID
    that is configured here, and empty for a stranger's."""

    interface: str
    vhid: int
    kind: str
    source: str
    says: str
    whose: str


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What was heard, and VHIDs that nobody uses, by interface."""

    heard: tuple[Overheard, ...]
    free: dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class CarpScan(Question[ScanReport]):
    """Listen for CARP and VRRP, `seconds` long (at most 60), on one interface (id or description) or on all."""

    interface: str = ""
    seconds: float = 4.0
    token: str = ""
    answer_shape = ScanReport


@dataclass(frozen=True, slots=True)
class MacReport:
    """`verdict`: works, fails, or unknown; `text` says what it means and what to change."""

    verdict: str
    text: str


@dataclass(frozen=True, slots=True)
class TestVirtualMac(Question[MacReport]):
    """Does the network of this interface deliver frames to and from a virtual MAC?"""

    interface: str
    token: str = ""
    answer_shape = MacReport


@dataclass(frozen=True, slots=True)
class SyncNow(Question[None]):
    """Push the configuration to the peer now; how it went is in the status."""

    token: str = ""
    answer_shape = None


@dataclass(frozen=True, slots=True)
class FailOver(Question[None]):
    """Hand all virtual IPs over to the other node, by entering persistent CARP maintenance mode here.

    Refused, with the reasons, where the other node might not take over, unless `force`.
    """

    force: bool = False
    token: str = ""
    answer_shape = None


@dataclass(frozen=True, slots=True)
class UpgradePeer(Question[None]):
    """Send the peer the package at this path, and have it begin to install it. Root only."""

    path: str
    answer_shape = None


@dataclass(frozen=True, slots=True)
class PeerInstall:
    """How the peer's installation stands: ``none``, ``running``, ``done``, ``failed``; `text` is what was said last."""

    state: str
    text: str


@dataclass(frozen=True, slots=True)
class AskPeerInstall(Question[PeerInstall]):
    """How does it stand? Root only."""

    answer_shape = PeerInstall


@dataclass(frozen=True, slots=True)
class ResyncStates(Question[None]):
    """Send the whole table of states to the peer again; how far it is stands in the status."""

    token: str = ""
    answer_shape = None


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Certificates' fingerprints: this node's, its GUI's, and the peer's if it is pinned."""

    node: str
    web: str
    peer: str | None
    expected: str | None


@dataclass(frozen=True, slots=True)
class AskFingerprints(Question[Fingerprints]):
    """For comparison by eye."""

    token: str = ""
    answer_shape = Fingerprints


@dataclass(frozen=True, slots=True)
class PinPeer(Question[None]):
    """Trust the peer with this fingerprint (empty: forget the pinned one)."""

    fingerprint: str
    token: str = ""
    answer_shape = None


@dataclass(frozen=True, slots=True)
class RolesChanged(Question[None]):
    """carpd says that a VHID changed its state: look now. Root only."""

    answer_shape = None
