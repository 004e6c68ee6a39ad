"""What happened between two looks at a node: events made of differences. No clock: `now` is seconds since the epoch."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from gemel.core.event import CONFIG, PROBLEM, ROLE, STATES, SYNC, Event
from gemel.facts.transitions import measured

LASTING = 2.0
"""Seconds that a problem must be there, or gone, to be remembered: a daemon that is restarted is no event."""
REMEMBERED = 400
"""Role changes that carpd no longer lists."""
BAD_SYNC = ("waiting", "refused", "failed")

Json = Mapping[str, Any]


# ------------------------------------------------------------------------------------------------------ role changes


class RoleWatch:
    """Finds what is new in carpd's list of transitions.

    The list comes whole each time. A change is known by what it was and by when it was, which carpd says as the clock
    stood then, however it is set later; `known` are the ones that an earlier agent has remembered.
    """

    def __init__(self, known: Iterable[Event] = ()) -> None:
        self._known = dict.fromkeys(_identity(e.at, e.data) for e in known)

    def new(self, transitions: Sequence[Json], words: Mapping[str, str]) -> list[Event]:
        """Events for what was not reported before, oldest first."""
        events = []
        listed: dict[tuple[Any, ...], None] = {}
        last: dict[tuple[Any, Any], float] = {}
        for one in transitions:
            at, vhid, identity = one["at"], (one["interface"], one["vhid"]), _identity(one["at"], one)
            held = last.get(vhid)
            last[vhid] = at
            listed[identity] = None
            if identity not in self._known:
                events.append(_role_event(one, words, None if held is None else at - held))
        # What carpd no longer lists cannot come again; after its restart the old ones stay known while there is room.
        others = [identity for identity in self._known if identity not in listed]
        self._known = {**dict.fromkeys(others[-REMEMBERED:]), **listed}
        return events


def _identity(at: float, change: Json) -> tuple[Any, ...]:
    return (round(at, 3), *(change.get(key) for key in ("interface", "vhid", "before", "after")))


def _role_event(one: Json, words: Mapping[str, str], held: float | None) -> Event:
    name = f"{words.get(one['interface'], one['interface'])}@{one['vhid']}"
    outage = measured(one["reason"], one["after"], held)
    data = {
        "interface": one["interface"],
        "vhid": one["vhid"],
        "before": one["before"],
        "after": one["after"],
        "reason": one["reason"],
        "outage": outage,
        "steps": list(one.get("steps", ())),
    }
    without = f", {outage:.2f} s without a master" if outage else ""
    text = f"{one['before']} → {one['after']}: {one['reason']}{without}"
    return Event(one["at"], ROLE, name, text, None, data)


# ---------------------------------------------------------------------------------------------------------- problems


class ProblemWatch:
    """Problems that came and went, once each, however their figures change meanwhile."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, str, bool]] = {}  # since when, text, remembered
        self._gone: dict[str, tuple[float, str]] = {}

    def look(self, problems: Iterable[str], now: float) -> list[Event]:
        """Events for what has come, or gone, for long enough."""
        events = []
        there = {_key(text): text for text in problems}
        for key, text in there.items():
            self._gone.pop(key, None)
            since, _, remembered = self._seen.get(key, (now, text, False))
            if not remembered and now - since >= LASTING:
                events.append(Event(since, PROBLEM, "this node", text, False))
                remembered = True
            self._seen[key] = since, text, remembered
        for key in [k for k in self._seen if k not in there]:
            since, text, remembered = self._seen[key]
            left, _ = self._gone.setdefault(key, (now, text))
            if not remembered or now - left >= LASTING:
                del self._seen[key], self._gone[key]
                if remembered:
                    data = {"lasted": round(left - since, 1)}
                    events.append(Event(left, PROBLEM, "this node", f"no longer: {text}", True, data))
        return events


def _key(text: str) -> str:
    return re.sub(r"\d+", "#", text)


# -------------------------------------------------------------------------------------------------- everything else


def changes(before: Json | None, after: Json, now: float) -> list[Event]:
    """What differs between two statuses, beside roles and problems. The first look is compared with nothing."""
    if before is None:
        return []
    return [
        *_sync(before, after, now),
        *_states(before, after, now),
        *_switches(before, after, now),
        *_peer(before, after, now),
    ]


def _sync(before: Json, after: Json, now: float) -> Iterator[Event]:
    was, is_now = before["config_sync"], after["config_sync"]
    peer = is_now.get("peer") or "the peer"
    if is_now["status"] == "in sync" and (
        was["status"] in BAD_SYNC or was["proven_revision"] != is_now["proven_revision"]
    ):
        text = f"revision {is_now['proven_revision']} is proven to run on {peer}"
        yield Event(now, SYNC, peer, text, True, {"revision": is_now["proven_revision"]})
    error = is_now.get("last_error")
    if error and _key(error) != _key(was.get("last_error") or ""):
        yield Event(now, SYNC, peer, error, False, {"status": is_now["status"]})


def _states(before: Json, after: Json, now: float) -> Iterator[Event]:
    was, is_now = before["state_sync"], after["state_sync"]
    if was["in_sync"] != is_now["in_sync"]:
        good = is_now["in_sync"]
        text = "states are in sync" if good else f"states are not in sync: {is_now['status']}"
        yield Event(now, STATES, is_now.get("peer") or "the peer", text, good)


def _switches(before: Json, after: Json, now: float) -> Iterator[Event]:
    if before["maintenance"] != after["maintenance"]:
        verb = "entered" if after["maintenance"] else "left"
        yield Event(now, CONFIG, "CARP", f"persistent CARP maintenance mode was {verb}")
    if before["carp_enabled"] != after["carp_enabled"]:
        yield Event(now, CONFIG, "CARP", f"CARP was {'enabled' if after['carp_enabled'] else 'temporarily disabled'}")


def _peer(before: Json, after: Json, now: float) -> Iterator[Event]:
    was, is_now = before.get("peer"), after.get("peer")
    if not was or not is_now or was["reachable"] == is_now["reachable"]:
        return
    name = (is_now["status"] or was["status"] or {}).get("node", "the peer")
    if is_now["reachable"]:
        yield Event(now, PROBLEM, name, f"{name} speaks to this node again", True)
    else:
        yield Event(now, PROBLEM, name, f"nothing is heard of {name} any more: {is_now['why']}", False)


# -------------------------------------------------------------------------------------------- what a page must redraw

_STEADY = (
    "node", "role_config", "problems", "demotion", "waived", "maintenance", "carp_enabled", "pending", "warnings",
    "notices", "safe_to_fail_over",
)  # fmt: skip


_STEADY_OF_PEER = (
    "problems", "demotion", "maintenance", "carp_enabled", "role_config", "web_address", "config_sync",
)  # fmt: skip


def significant(status: Json) -> tuple[Any, ...]:
    """What of a status is worth waking a page for; not the figures that change all the time."""
    config = {k: v for k, v in status["config_sync"].items() if k != "since"}
    gateways = [(g["name"], g["status"]) for g in status.get("gateways", ())]
    return (
        *(repr(status.get(key)) for key in _STEADY),
        *_roles(status),
        repr(config),
        repr(gateways),
        *_of_peer(status),
    )


def _roles(status: Json) -> tuple[Any, ...]:
    carp = [(v["interface"], v["vhid"], v["state"], v["effective_skew"], v["advskew"]) for v in status["carp"]]
    sync = status["state_sync"]
    return repr(carp), sync["status"], sync["in_sync"]


def _of_peer(status: Json) -> tuple[Any, ...]:
    peer = status.get("peer")
    if not peer:
        return ()
    said = peer["status"]
    if not said:
        return (peer["reachable"],)
    gateways = [(g["name"], g["status"]) for g in said.get("gateways", ())]
    steady = [said.get(k) for k in _STEADY_OF_PEER]
    return (peer["reachable"], repr(steady), repr(gateways), *_roles(said))
