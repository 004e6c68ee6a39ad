"""One lease: how it travels, who holds it, and which of two versions is right.

A lease is Kea's JSON: ip-address, hw-address, client-id, hostname, state (0 active, 1 declined, 2 reclaimed),
subnet-id, valid-lft in seconds, and cltt, the time of the client's last transaction; for IPv6 duid, iaid and type
instead of client-id. On the wire `age` stands for cltt.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

Lease = Mapping[str, Any]

ACTIVE = 0
_KEPT = (
    "ip-address", "hw-address", "client-id", "hostname", "state", "subnet-id", "valid-lft", "fqdn-fwd", "fqdn-rev",
    "duid", "iaid", "type", "preferred-lft",
)  # fmt: skip
SAME_MOMENT = 2.0
"""Seconds: Kea counts whole ones, and two nodes round at different moments."""


class Verdict(Enum):
    """What a node does with a lease that it hears of."""

    TAKE = "take"
    KNOWN = "known"
    CONFLICT = "conflict"
    """Its own is younger, and another client's."""


def on_the_wire(lease: Lease, now: float) -> dict[str, Any]:
    """The lease with its age instead of a time."""
    return {**_kept(lease), "age": round(max(0.0, now - last_heard(lease)), 1)}


def for_kea(told: Lease, now: float) -> dict[str, Any]:
    """Arguments of `lease4-update` for a lease that came over the wire."""
    cltt = int(now - float(told["age"]))
    return {**_kept(told), "expire": cltt + int(told["valid-lft"]), "force-create": True}


def _kept(lease: Lease) -> dict[str, Any]:
    return {k: lease[k] for k in _KEPT if lease.get(k) not in (None, "")}


def last_heard(lease: Lease) -> float:
    """When its client was heard last; Kea's updates say when it runs out instead."""
    if "cltt" in lease:
        return float(lease["cltt"])
    return float(lease["expire"]) - float(lease["valid-lft"])


def holder(lease: Lease) -> str:
    """Who has it: the client identifier if there is one, else the MAC; for IPv6 the host's DUID and which of its
    addresses it is (IAID)."""
    if "duid" in lease:
        return f"{lease['duid']}/{lease.get('iaid', 0)}"
    return str(lease.get("client-id") or lease.get("hw-address") or "")


def is_live(lease: Lease, now: float) -> bool:
    """Whether a client may be using it."""
    return lease.get("state", ACTIVE) == ACTIVE and last_heard(lease) + float(lease["valid-lft"]) > now


def verdict(mine: Lease | None, told: Lease, now: float) -> Verdict:
    """What to do with `told`, which came over the wire, when `mine` is what is known of its address.

    The younger wins: a client that was heard later is the one that has the address now.
    """
    if mine is None:
        return Verdict.TAKE
    younger = (now - last_heard(mine)) - float(told["age"])  # > 0: theirs is younger
    if holder(mine) != holder(told) and is_live(mine, now):
        return Verdict.TAKE if younger > 0 else Verdict.CONFLICT
    if younger <= -SAME_MOMENT:
        return Verdict.KNOWN
    same = all(mine.get(k) == told.get(k) for k in ("state", "valid-lft")) and holder(mine) == holder(told)
    return Verdict.KNOWN if same and younger < SAME_MOMENT else Verdict.TAKE
