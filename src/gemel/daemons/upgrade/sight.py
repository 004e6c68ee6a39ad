"""Both nodes as the primary's ``gemel status --json`` shows them, as far as an upgrade is concerned. Pure.

The status may be that of a newer version than this code: only promised keys are read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Node:
    """One of the two. `roles` is VIP -> state; `hindered` says why it would not be MASTER, maintenance mode apart."""

    name: str
    version: str
    roles: Mapping[str, str]
    maintenance: bool
    hindered: tuple[str, ...]
    problems: tuple[str, ...]

    def not_all(self, state: str) -> Iterator[str]:
        """A sentence for each VIP that has another state here."""
        if not self.roles:
            yield f"{self.name} has no CARP virtual IPs"
        yield from (f"{vip} is {now} on {self.name}" for vip, now in self.roles.items() if now != state)


@dataclass(frozen=True, slots=True)
class Pair:
    """What is seen from the primary. `there` is what the peer told last, `silent` why it is not heard now (empty: it
    is); `unsafe` why no node should go away now; `behind` what is not right with the synchronisation of states."""

    role: str
    here: Node
    there: Node | None
    silent: str
    unsafe: tuple[str, ...]
    behind: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Installation:
    """How the last one stands on a node: ``none``, ``running``, ``done``, ``failed`` (what was there before is whole),
    ``broken`` (left half done), ``unknown`` (nobody says). `text` is the last that was said, or why nobody says."""

    state: str = "none"
    text: str = ""


def pair_of(status: Json) -> Pair:
    """Read it.

    Raises:
        KeyError, TypeError: it is not the status of a node.
    """
    peer = status["peer"]
    said = peer["status"] if peer else None
    verdict = status["safe_to_fail_over"]
    silent = "" if said and peer["reachable"] else (peer["why"] if peer else "this node has no peer") or "it is silent"
    unsafe = tuple(verdict["reasons"]) if verdict["verdict"] != "safe" else ()
    here, there = _node(status), _node(said) if said else None
    return Pair(status["role_config"], here, there, silent, unsafe, tuple(_behind(status, said)))


def _node(status: Json) -> Node:
    roles = {f"{v['description']}@{v['vhid']}": str(v["state"]) for v in status["carp"]}
    hindered = [f"{status['node']} stands back: {r} ({n})" for r, n in status["demotion"].items()
                if n and r != "maintenance"]  # fmt: skip
    if not status["carp_enabled"]:
        hindered.append(f"CARP is disabled on {status['node']}")
    return Node(
        str(status["node"]), str(status.get("software", "")), roles, bool(status["maintenance"]), tuple(hindered),
        tuple(map(str, status["problems"])),
    )  # fmt: skip


def _behind(mine: Json, said: Json | None) -> Iterator[str]:
    for status in (mine, said) if said else (mine,):
        state = status["state_sync"]
        if state["status"] != "in sync" or not state["in_sync"]:
            yield f"states are not in sync: {status['node']} says {state['status']!r}"
