"""How the leases stand, for the door: made of what the keeper has seen. No I/O."""

from dataclasses import dataclass, field
from typing import Any

from gemel.control.leased import LeaseReport, PoolReport
from gemel.leases.dialect import DIALECTS
from gemel.leases.pool import DOWN, PATIENCE_AT_START, pool_state
from gemel.leases.settings import Scope, Settings

CLOCKS_APART = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class PeerSeen:
    """The stream to the peer, `linked` while there is one, and what the peer last said over it.

    `told` has ``serving`` (interfaces), ``kea`` (its server's own word) and ``level`` (it has compared the tables);
    `level` is the same of this node. `clock_offset` is its clock minus ours in seconds, None while it is not known;
    `failure` is why there is no stream.
    """

    linked: bool
    level: bool = False
    address: str = ""
    failure: str = ""
    clock_offset: float | None = None
    told: dict[str, Any] = field(default_factory=dict)


NOBODY = PeerSeen(False)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the keeper knows. `age` is the keeper's in seconds, `now` seconds since the epoch; `kea` is our server's own
    word, empty while it does not answer; `in_force`: it serves what it should; `peer` is None without failover."""

    settings: Settings
    now: float
    age: float
    kea: str
    serving: frozenset[str]
    in_force: bool
    peer: PeerSeen | None
    fault: str = ""


class Standing:
    """Reports; it remembers since when each pool is in its state."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], tuple[str, float]] = {}

    def report(self, seen: Seen, counters: dict[str, int]) -> LeaseReport:
        """All of it."""
        pools = tuple(self._pool(scope, seen) for scope in seen.settings.scopes)
        peer = seen.peer or NOBODY
        return LeaseReport(
            pools=pools, linked=peer.linked, peer_address=peer.address,
            clock_offset=peer.clock_offset if peer.linked else None, counters=counters,
            problems=(*_own_problems(seen), *_pool_problems(pools, seen.settings), *_peer_problems(seen)),
        )  # fmt: skip

    def _pool(self, scope: Scope, seen: Seen) -> PoolReport:
        peer = seen.peer or NOBODY
        told = peer.told if peer.linked else {}
        state = pool_state(bool(scope.peer), bool(seen.kea), peer.linked, peer.level, seen.age)
        peer_state = DOWN
        if peer.linked:
            peer_state = pool_state(True, bool(told.get("kea")), True, bool(told.get("level")), seen.age)
        return PoolReport(
            interface=scope.interface, state=state, since=self._began((scope.interface, "mine"), state, seen.now),
            peer_state=peer_state if scope.peer else "",
            peer_since=self._began((scope.interface, "peer"), peer_state, seen.now) if scope.peer else None,
            serving=scope.interface in seen.serving and seen.in_force,
            peer_serving=scope.interface in told.get("serving", ()), peer=scope.peer, kea=seen.kea,
            peer_kea=str(told.get("kea", "")), family=seen.settings.family,
        )  # fmt: skip

    def _began(self, pool: tuple[str, str], state: str, now: float) -> float:
        before = self._since.get(pool)
        if before is None or before[0] != state:
            self._since[pool] = before = state, now
        return before[1]


def _own_problems(seen: Seen) -> list[str]:
    found, words = [seen.fault] if seen.fault else [], DIALECTS[seen.settings.family]
    if not seen.kea and seen.age > PATIENCE_AT_START:
        found.append(f"the {words.protocol} server (Kea) does not answer: nobody gets a lease from this node; see "
                     f"`gemel log {words.server}`")  # fmt: skip
    return found


def _pool_problems(pools: tuple[PoolReport, ...], settings: Settings) -> list[str]:
    protocol = DIALECTS[settings.family].protocol
    return [
        f"both nodes serve {protocol} on {scope.title}: both are MASTER there, so they do not hear each other's CARP "
        "adverts; check that network's cables and switches"
        for pool, scope in zip(pools, settings.scopes, strict=True)
        if pool.serving and pool.peer_serving and scope.vip
    ]


def _peer_problems(seen: Seen) -> list[str]:
    peer, protocol = seen.peer, DIALECTS[seen.settings.family].protocol
    if peer is None:
        return []
    if not peer.linked:
        if seen.age <= PATIENCE_AT_START:
            return []
        return [f"{protocol} leases are not replicated: the peer does not answer ({peer.failure}); this node serves on "
                "alone where it is MASTER"]  # fmt: skip
    found = []
    if peer.told and not peer.told.get("kea"):
        found.append(f"the peer's {protocol} server (Kea) does not answer: it could not take over")
    offset = peer.clock_offset
    if offset is not None and abs(offset) > CLOCKS_APART:
        way = "ahead of" if offset > 0 else "behind"
        found.append(f"the peer's clock is {abs(offset):.0f} s {way} this node's: set the time on both (NTP). DHCP "
                     "leases travel by their age and are not harmed")  # fmt: skip
    return found
