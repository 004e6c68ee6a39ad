"""What can be asked of leased."""

from dataclasses import dataclass
from typing import Any

from gemel.control.door import Question


@dataclass(frozen=True, slots=True)
class PoolReport:
    """One interface with a DHCP server.

    States are the failover's (leases.pool); `kea` and `peer_kea` are the servers' own words. Times are seconds since
    the epoch. `serving`: this node answers there now; `peer_serving`: the other one says that it does.
    """

    interface: str
    state: str
    since: float
    peer_state: str
    peer_since: float | None
    serving: bool
    peer_serving: bool
    peer: str
    kea: str
    peer_kea: str
    family: int = 4


@dataclass(frozen=True, slots=True)
class LeaseReport:
    """How leases and their replication stand. `clock_offset` is the peer's clock minus ours in seconds, None while it
    is not known; `counters` is cause -> number; `problems` are sentences for people, the gravest first."""

    pools: tuple[PoolReport, ...]
    linked: bool
    peer_address: str
    clock_offset: float | None
    counters: dict[str, int]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeaseStatus(Question[LeaseReport]):
    """How things stand; quick, as no other process is asked."""

    answer_shape = LeaseReport


@dataclass(frozen=True, slots=True)
class ListLeases(Question[list[dict[str, Any]]]):
    """Every lease of this node's Kea, of both families, in Kea's own JSON; refused when Kea does not answer."""

    answer_shape = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class DeleteLease(Question[None]):
    """Forget the lease of an address, on both nodes."""

    address: str
    answer_shape = None


QUESTIONS = (LeaseStatus, ListLeases, DeleteLease)
