"""The status of a node on one page: roles, demotion, state and configuration synchronisation, and first of all what is
wrong.

`problems` are sentences with cause and cure, the gravest first, so that the first line is the one to read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gemel.core.codec import encode
from gemel.facts.dhcp import NO_LEASED, pools

Json = Mapping[str, Any]

NO_CARPD = "carpd does not answer: no virtual IP is taken or given. See `journalctl -u gemel-carpd`"
NO_FLOWD = "flowd does not answer: states are not synchronised. See `journalctl -u gemel-flowd`"


@dataclass(frozen=True, slots=True)
class Sources:
    """What is known: JSON values of the doors' answers (None: no answer) and of the agent's own parts.

    `push` and `received` are how configuration synchronisation stands as sender and receiver; `faults` what the last
    start could not carry out, `unread` what it could not read of the stored configuration; `shut_out` says that this
    node's own rules keep the peer's pushes out; `conflict`: both nodes mean to push; `warnings` are the running
    configuration's; `words` turns interface ids to descriptions.
    """

    node: str
    revision: int
    maintenance: bool
    carp: Json | None
    flows: Json | None
    push: Json
    received: Json
    pinned: bool
    has_target: bool
    has_carp_vips: bool
    synchronizes_states: bool
    pending: int
    shut_out: str = ""
    conflict: bool = False
    areas: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    web_address: str = ""
    software: str = ""
    dhcp: Json | None = None
    serves_dhcp: bool = False


def status(sources: Sources) -> dict[str, Any]:
    """The status as JSON values; the keys are promised to scripts (``gemel status --json``)."""
    carp = sources.carp or {}
    return {
        "node": sources.node,
        "web_address": sources.web_address,
        "software": sources.software,
        "role_config": role_config(sources),
        "problems": list(problems(sources)),
        "carp": [_vhid(v, sources.words) for v in carp.get("vhids", ())],
        "demotion": carp.get("demotion", {}),
        "waived": carp.get("waived", {}),
        "maintenance": sources.maintenance,
        "carp_enabled": bool(carp.get("allowed", True)),
        "state_sync": _state_sync(sources.flows or {}),
        "config_sync": _config_sync(sources),
        "fast_detection": carp.get("detector"),
        "transitions": [_transition(t, sources.words) for t in carp.get("transitions", ())],
        "counters": {"carp": carp.get("counters", {}), "state_sync": (sources.flows or {}).get("counters", {})},
        "dhcp": _dhcp(sources),
        "pending": sources.pending,
        "warnings": list(sources.warnings),
        "notices": list(sources.notices),
    }


def role_config(sources: Sources) -> str:
    """primary pushes; secondary is pushed to; conflict: both mean to push; standalone: neither."""
    if sources.has_target and sources.conflict:
        return "conflict"
    if sources.has_target:
        return "primary"
    return "secondary" if sources.pinned else "standalone"


def problems(sources: Sources) -> Iterable[str]:
    """What is wrong, the gravest first."""
    yield from sources.unread
    yield from (f"not in place on this machine: {fault}" for fault in sources.faults)
    if sources.carp is None and sources.has_carp_vips:
        yield NO_CARPD
    yield from (sources.carp or {}).get("problems", ())
    if sources.flows is None and sources.synchronizes_states:
        yield NO_FLOWD
    yield from (sources.flows or {}).get("problems", ())
    if sources.serves_dhcp:
        yield from (NO_LEASED,) if sources.dhcp is None else sources.dhcp.get("problems", ())
    if sources.synchronizes_states and not sources.pinned:
        yield (
            "the nodes do not know each other's keys yet, so no states flow: set up configuration synchronisation "
            "on the primary, or pin the peer's fingerprint with `gemel peer pin`"
        )
    error = sources.push.get("last_error")
    if error:
        yield f"configuration synchronisation: {error}"
    if sources.shut_out:
        yield f"configuration synchronisation from the peer: {sources.shut_out}"
    refusal = sources.received.get("problem")
    if refusal:
        yield f"configuration synchronisation from the peer: {refusal}"
    yield from _demotion(sources)


def _demotion(sources: Sources) -> Iterable[str]:
    reasons = {k: v for k, v in ((sources.carp or {}).get("demotion") or {}).items() if v}
    if sources.maintenance:
        yield "this node is in persistent CARP maintenance mode: leave it with `gemel carp maintenance off`"
        reasons.pop("maintenance", None)
    if reasons:
        said = ", ".join(f"{reason} ({amount})" for reason, amount in reasons.items())
        yield f"this node stands back (demotion): {said}"
    waived = (sources.carp or {}).get("waived") or {}
    if waived:
        said = ", ".join(waived)
        yield f"the demotion was reset by hand and does not count until this has gone and come again: {said}"


def _dhcp(sources: Sources) -> dict[str, Any] | None:
    """How DHCP failover stands; None where no interface has a DHCP server."""
    if not sources.serves_dhcp:
        return None
    report = sources.dhcp or {}
    return {
        "pools": encode(pools(sources.dhcp, sources.words)),
        "replicating": bool(report.get("linked")),
        "clock_offset": report.get("clock_offset"),
        "counters": report.get("counters", {}),
    }


def _vhid(vhid: Json, words: Mapping[str, str]) -> dict[str, Any]:
    keys = ("vhid", "addresses", "state", "advbase", "advskew", "effective_skew", "since", "reason", "master")
    interface = vhid.get("interface", "")
    return {"interface": interface, "description": words.get(interface, interface), **{k: vhid.get(k) for k in keys}}


def _transition(transition: Json, words: Mapping[str, str]) -> dict[str, Any]:
    return {**transition, "description": words.get(transition.get("interface", ""), "")}


def _state_sync(flows: Json) -> dict[str, Any]:
    creators = flows.get("creators", {})
    return {
        "status": flows.get("status", "unknown"),
        "sending": flows.get("sending", ""),
        "receiving": flows.get("receiving", ""),
        "peer": flows.get("peer"),
        "host_id": flows.get("host_id"),
        "peer_host_id": flows.get("peer_host_id"),
        "creator_ids": sorted(creators),
        "creators": creators,
        "states": flows.get("states", 0),
        "lag_ms": flows.get("lag_ms"),
        "in_sync": bool(flows.get("in_sync", False)) and flows.get("status") in ("in sync", "off"),
        "agreement": flows.get("agreement", "unknown"),
        "waiting": flows.get("waiting", 0),
    }


def _config_sync(sources: Sources) -> dict[str, Any]:
    push, received = sources.push, sources.received
    if sources.has_target:
        return {
            "status": push.get("status", "never"),
            "revision": sources.revision,
            "proven_revision": push.get("revision"),
            "peer": push.get("peer"),
            "peer_revision": push.get("peer_revision"),
            "areas": list(push.get("areas") or sources.areas),
            "last_error": push.get("last_error"),
            "notices": list(push.get("notices") or ()),
            "since": push.get("since"),
        }
    return {
        "status": "receiving" if sources.pinned else "off",
        "revision": sources.revision,
        "proven_revision": None,
        "peer": received.get("peer"),
        "peer_revision": received.get("peer_revision"),
        "areas": [],
        "last_error": sources.shut_out or received.get("problem"),
        "notices": list(received.get("notices") or ()),
        "since": None,
    }
