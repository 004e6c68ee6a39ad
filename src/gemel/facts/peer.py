"""The other node on our page: what it told us, whether it is still there, and whether it is safe to fail over.

Each node tells the other a part of its status (`told`), over the pinned channel, at least once a second.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from gemel.core.codec import Malformed, decode, encode

GONE_AFTER = 3.0  # seconds without a word: three that were missed
LATE = 1000.0  # ms of lag
MANY_WAITING = 5000  # states

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PeerVhid:
    """One VHID on the peer; `since` is by the peer's clock."""

    interface: str
    description: str
    vhid: int
    addresses: tuple[str, ...]
    state: str
    advbase: int
    advskew: int
    effective_skew: int
    since: float
    reason: str


@dataclass(frozen=True, slots=True)
class PeerStates:
    """The peer's side of the state synchronisation."""

    status: str
    states: int
    lag_ms: float | None
    in_sync: bool
    host_id: str | None
    agreement: str = "unknown"
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class PeerConfig:
    """The peer's side of the configuration synchronisation."""

    status: str
    revision: int
    proven_revision: int | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class PeerGateway:
    """A gateway as the peer sees it; `silent_for` is seconds since it last answered the peer, when that was told."""

    name: str
    status: str
    silent_for: float | None = None


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """What a node tells its peer about itself."""

    node: str
    role_config: str
    problems: tuple[str, ...]
    carp: tuple[PeerVhid, ...]
    demotion: dict[str, int]
    maintenance: bool
    carp_enabled: bool
    state_sync: PeerStates
    config_sync: PeerConfig
    gateways: tuple[PeerGateway, ...]
    web_address: str = ""
    software: str = ""


def told(status: Json) -> dict[str, Any]:
    """The part of a node's status that goes to its peer, as JSON values."""
    told: dict[str, Any] = encode(_read(PeerStatus, status))
    return told


def heard(said: Any) -> PeerStatus:
    """What the peer told. A newer peer may say more than we read.

    Raises:
        Malformed: it is not the status of a node.
    """
    return _read(PeerStatus, said)


_NESTED: dict[str, type[Any]] = {"state_sync": PeerStates, "config_sync": PeerConfig}
_LISTS: dict[str, type[Any]] = {"carp": PeerVhid, "gateways": PeerGateway}


def _read(shape: type[PeerStatus], said: Any) -> PeerStatus:
    kept = _known(shape, said)
    for name, part in _NESTED.items():
        kept[name] = _known(part, kept.get(name))
    for name, part in _LISTS.items():
        listed = kept.get(name)
        if not isinstance(listed, list | tuple):
            raise Malformed(f"{name}: list expected")
        kept[name] = [_known(part, one) for one in listed]
    return decode(shape, kept)


def _known(shape: type[Any], said: Any) -> dict[str, Any]:
    if not isinstance(said, Mapping):
        raise Malformed(f"{shape.__name__}: object expected")
    return {f.name: said[f.name] for f in fields(shape) if f.name in said}


@dataclass(frozen=True, slots=True)
class Sight:
    """What this node knows of its peer: its last status, how many seconds ago that was (None: never), and why nothing
    is heard, if so.
    """

    status: PeerStatus | None
    age: float | None
    why: str = ""

    @property
    def reachable(self) -> bool:
        """Whether the peer spoke lately."""
        return self.age is not None and self.age <= GONE_AFTER


def peer_section(sight: Sight | None) -> dict[str, Any] | None:
    """The key `peer` of the status: None on a node that has no peer."""
    if sight is None:
        return None
    return {
        "reachable": sight.reachable,
        "age": None if sight.age is None else round(sight.age, 2),
        "why": "" if sight.reachable else sight.why,
        "status": encode(sight.status),
    }


# ------------------------------------------------------------------------------------------------- safe to fail over


def safe_to_fail_over(mine: Json, sight: Sight | None) -> dict[str, Any]:
    """Would everything go on if the node that is MASTER went away now? JSON values:

    `verdict` is ``safe`` or ``not safe``; `standby` the node that would take over (None: nobody is known to); `reasons`
    sentences against it, the gravest first; `holds` what speaks for it.
    """
    reasons = list(_alone(mine, sight))
    if reasons or sight is None or sight.status is None:
        return {"verdict": "not safe", "standby": None, "reasons": reasons, "holds": []}
    here, there = heard(mine), sight.status
    masters_here = sum(v.state == "MASTER" for v in here.carp)
    masters_there = sum(v.state == "MASTER" for v in there.carp)
    master, standby = (here, there) if masters_here >= masters_there else (there, here)
    holds: list[str] = []
    reasons += _roles(master, standby, holds)
    reasons += _stands_back(standby)
    reasons += _states(master, standby, holds)
    reasons += _configuration(here, there, holds)
    reasons += _ways_out(master, standby, holds)
    reasons += _troubles(standby, reasons, holds)
    return {"verdict": "not safe" if reasons else "safe", "standby": standby.node, "reasons": reasons, "holds": holds}


def _alone(mine: Json, sight: Sight | None) -> Iterator[str]:
    if not mine["carp"]:
        yield "there are no CARP virtual IPs: nothing can move to another node"
    elif sight is None:
        yield "this node has no peer: set up System > High Avail. Sync"
    elif sight.status is None or not sight.reachable:
        yield f"nothing is heard of the peer: {sight.why or 'it has not spoken yet'}"


def _roles(master: PeerStatus, standby: PeerStatus, holds: list[str]) -> Iterator[str]:
    theirs = {(v.interface, v.vhid): v for v in standby.carp}
    faults = []
    for vhid in master.carp:
        name, other = f"{vhid.description}@{vhid.vhid}", theirs.pop((vhid.interface, vhid.vhid), None)
        if other is None:
            faults.append(f"{standby.node} has no {name}")
        elif (vhid.state, other.state) != ("MASTER", "BACKUP"):
            faults.append(f"{name} is {vhid.state} on {master.node} and {other.state} on {standby.node}")
    faults += [f"{master.node} has no {v.description}@{v.vhid}" for v in theirs.values()]
    if not faults:
        holds.append(f"{master.node} is MASTER and {standby.node} BACKUP of every virtual IP")
    yield from faults


def _stands_back(standby: PeerStatus) -> Iterator[str]:
    if not standby.carp_enabled:
        yield f"CARP is disabled on {standby.node}"
    if standby.maintenance:
        yield f"{standby.node} is in persistent CARP maintenance mode"
    for reason, amount in standby.demotion.items():
        if amount and not (standby.maintenance and reason == "maintenance"):
            yield f"{standby.node} stands back: {reason} ({amount})"


def _states(master: PeerStatus, standby: PeerStatus, holds: list[str]) -> Iterator[str]:
    off = [n.node for n in (master, standby) if n.state_sync.status in ("off", "unknown")]
    if off:
        yield f"states are not synchronised (off on {' and '.join(off)}): connections would break"
    elif not master.state_sync.in_sync or not standby.state_sync.in_sync:
        first = standby if master.state_sync.in_sync else master
        yield f"states are not in sync: {first.node} says {first.state_sync.status!r}"
    elif master.state_sync.agreement == "differs":
        yield f"the state tables differ: {master.node} is telling {standby.node} again what does"
    elif (master.state_sync.lag_ms or 0.0) > LATE or master.state_sync.waiting > MANY_WAITING:
        late, waiting = (master.state_sync.lag_ms or 0.0) / 1000, master.state_sync.waiting
        yield f"states reach {standby.node} late: the last ones took {late:.1f} s, {waiting} wait"
    else:
        compared = ", and the tables are the same" if master.state_sync.agreement == "equal" else ""
        holds.append(f"states are in sync in both directions{compared}")


def _configuration(here: PeerStatus, there: PeerStatus, holds: list[str]) -> Iterator[str]:
    primary = next((n for n in (here, there) if n.role_config == "primary"), None)
    if primary is None:
        yield "the configuration is not synchronised: no node is the primary"
        return
    config = primary.config_sync
    if config.status == "in sync" and config.proven_revision == config.revision:
        holds.append(f"revision {config.revision} of {primary.node} is proven to run on the secondary")
    else:
        yield f"the configuration is not proven to be the same on both: {config.last_error or config.status}"


def _ways_out(master: PeerStatus, standby: PeerStatus, holds: list[str]) -> Iterator[str]:
    answering = {g.name for g in master.gateways if g.status != "offline"}
    down = [g.name for g in standby.gateways if g.status == "offline"]
    for name in down:
        also = "" if name in answering else f"; nor {master.node}"
        yield f"gateway {name} does not answer {standby.node}{also}"
    if standby.gateways and not down:
        holds.append(f"{standby.node}'s gateways answer")


def _troubles(standby: PeerStatus, known: Iterable[str], holds: list[str]) -> Iterator[str]:
    said = [p for p in standby.problems if not ("maintenance" in p or "stands back" in p)]
    if not said and not list(known):
        holds.append(f"{standby.node} has no problems")
    yield from (f"{standby.node}: {problem}" for problem in said[:5])
