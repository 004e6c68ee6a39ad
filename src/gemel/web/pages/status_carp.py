"""Status > CARP: both nodes side by side, why, whether a failover would go well, and the buttons that make one."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from gemel.control.agent import AskFact, EnableCarp, List, Maintenance, ResetDemotion, Status, SyncNow
from gemel.web.menu import CARP_TABS
from gemel.web.pages.nodes import standings
from gemel.web.pages.time_line import lasted, time_line
from gemel.web.visit import Page, Visit

SHOWN = 20  # role changes on the page
PLACE = "/status/carp"
NO_ANSWER = "NO ANSWER"
"""What stands where a node should say a state, and says none."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Role:
    """A virtual IP on one node; `since` is seconds since the epoch by that node's clock, None: nobody knows."""

    state: str
    skew: int | None = None
    since: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Vip:
    """A line of the table. `there` is None on a node without a peer."""

    name: str
    addresses: tuple[str, ...]
    description: str
    here: Role
    there: Role | None


@dataclass(frozen=True, slots=True)
class Creator:
    """States by the node where they began; `whose` says which one that is."""

    host_id: str
    states: int
    whose: str


def vips(status: Json, configured: Iterable[Json], words: Mapping[str, Json]) -> list[Vip]:
    """The CARP virtual IPs as they are configured, with the roles that both nodes say they have."""
    here, there = _roles(status), _peer_roles(status)
    enabled = status["carp_enabled"]
    lines = []
    items = list(configured)
    for item in items:
        if item.get("type") != "carp":
            continue
        key = str(item.get("interface")), int(item.get("vhid") or 0)
        stacked = [str(i["address"]) for i in items if i.get("interface") == f"vip:{item['id']}"]
        name = str(words.get(str(item["id"]), {}).get("interface", key[0]))
        mine = here.get(key, Role(NO_ANSWER)) if enabled else Role("DISABLED")
        theirs = None if there is None else there.get(key, Role(NO_ANSWER))
        lines.append(
            Vip(f"{name}@{key[1]}", (str(item["address"]), *stacked), str(item.get("description", "")), mine, theirs)
        )
    return lines


def _roles(status: Json) -> dict[tuple[str, int], Role]:
    return {
        (v["interface"], v["vhid"]): Role(v["state"], v.get("effective_skew"), v.get("since"), v.get("reason") or "")
        for v in status["carp"]
    }


def _peer_roles(status: Json) -> dict[tuple[str, int], Role] | None:
    peer = status.get("peer")
    if peer is None:
        return None
    if not peer["reachable"] or not peer["status"]:
        return {}
    roles = _roles(peer["status"])
    return roles if peer["status"]["carp_enabled"] else {key: Role("DISABLED") for key in roles}


def creators(status: Json) -> list[Creator]:
    """Who began the states in this node's table."""
    sync, peer = status["state_sync"], (status.get("peer") or {}).get("status") or {}
    known = {sync.get("peer_host_id"): peer.get("node") or "the peer", sync["host_id"]: "this node"}
    counted = dict.fromkeys(sorted(i for i in known if i), 0) | dict(sync["creators"])
    return [Creator(i, n, known.get(i, "gone: lingers until its states end")) for i, n in sorted(counted.items())]


def held(transitions: list[Json]) -> list[dict[str, Any]]:
    """The role changes (newest first), each with how long the state before it had lasted, as far as they say."""
    lines = []
    for index, one in enumerate(transitions):
        before = next((t for t in transitions[index + 1 :] if t["name"] == one["name"]), None)
        lines.append({**one, "held": lasted(one["at"] - before["at"]) if before else ""})
    return lines


def carp(visit: Visit) -> Response:
    """The page; a POST says which end state is wanted, so that a second click does no harm."""
    if visit.method == "POST":
        return _done(visit)
    status = visit.ask(Status())
    listed = visit.ask(List("virtual_ips", limit=1000, running=True))
    lines = vips(status, listed.items, listed.words)
    if not lines:
        return visit.show("carp_none.html", tabs=CARP_TABS)
    events = visit.ask(AskFact("transitions", {"limit": "100"}))["rows"]
    return visit.show(
        "carp.html", now=status, vips=lines, creators=creators(status), transitions=held(events)[:SHOWN],
        peer=status.get("peer"), safe=status["safe_to_fail_over"], nodes=standings(status),
        line=time_line(events, time.time()), tabs=CARP_TABS,
        said_below=[p for p in status["problems"] if p.startswith("this node stands back")],
        resettable=any(n and r != "maintenance" for r, n in status["demotion"].items()),
    )  # fmt: skip


def _done(visit: Visit) -> Response:
    wanted = visit.form.get("do")
    if wanted == "sync":
        visit.ask(SyncNow())
        return visit.go(PLACE, "The configuration is being sent to the peer; how it went stands below.")
    status = visit.ask(Status())
    match wanted:
        case "maintenance-on" | "maintenance-off":
            on = wanted == "maintenance-on"
            if status["maintenance"] is on:
                said = f"Persistent CARP maintenance mode was {'on' if on else 'off'} already."
            else:
                visit.ask(Maintenance(on))
                said = f"Persistent CARP maintenance mode has been {'entered' if on else 'left'}."
        case "carp-on" | "carp-off":
            on = wanted == "carp-on"
            if status["carp_enabled"] is on:
                said = f"CARP was {'enabled' if on else 'disabled'} already."
            else:
                visit.ask(EnableCarp(on))
                said = "CARP has been enabled." if on else "CARP is disabled until it is enabled, or the node reboots."
        case "reset-demotion":
            counted = visit.ask(ResetDemotion())
            said = (
                f"No longer counted: {', '.join(f'{r} ({n})' for r, n in counted.items())}. Each counts again when it "
                "has gone and comes back."
                if counted
                else "There was no demotion to reset."
            )
        case _:
            said = ""
    return visit.go(PLACE, said)


PAGES = (Page(PLACE, carp),)
