"""The recipe, from two blank nodes to a cluster: what a person would type, and what one sees after each step.

A step's commands are carried out node by node; a command that reads a password is given the admin's.
"""

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from gemel.lab.commands import Commands
from gemel.lab.namespace import LabError
from gemel.lab.probes import ISAKMP, UDP_PORT
from gemel.lab.topology import NODES, WAN_VIP
from gemel.lab.traffic import Server

PATIENCE = 20.0  # seconds until what a step brings about has to be seen

SYNC_RULES = (
    "Allow ICMP for diagnostics",
    "Allow state synchronization",
    "Allow configuration synchronization",
)


@dataclass(frozen=True, slots=True)
class Step:
    """What is typed, by node, and how to see that it worked: `see` returns a sentence, or raises ``LabError``."""

    name: str
    typed: dict[str, str]
    see: Callable[[Commands], str]


@dataclass(frozen=True, slots=True)
class Seen:
    """How a step went: `saw` says in a line what was seen, or what went wrong."""

    name: str
    ok: bool
    saw: str
    seconds: float


def carry_out(lab: Commands, tell: Callable[[Seen], None] = lambda seen: None, services: bool = True) -> None:
    """Do every step in order, and tell of each when it has been seen to work; the last, DHCP and DNS, if `services`.

    Raises:
        LabError: a step failed; it has been told of, and the rest was not tried.
    """
    for step in STEPS if services else STEPS[:-1]:
        begun = time.monotonic()
        try:
            for node, commands in step.typed.items():
                for line in commands.strip().splitlines():
                    type_in(lab, node, line.strip())
            seen = Seen(step.name, True, step.see(lab), time.monotonic() - begun)
        except LabError as error:
            tell(Seen(step.name, False, str(error), time.monotonic() - begun))
            raise LabError(f"{step.name}: {error}") from error
        tell(seen)


def type_in(lab: Commands, node: str, line: str) -> str:
    """Carry out one line as a person would type it on `node`; returns what was printed."""
    program, *arguments = shlex.split(line)
    return lab.exec(node, program, *arguments, text=f"{lab.password}\n" if "--password-stdin" in arguments else None)


def vips(lab: Commands, node: str) -> list[dict[str, Any]]:
    """The node's CARP VIPs, as its `gemel status --json` tells of them."""
    reported: list[dict[str, Any]] = lab.node_status(node)["carp"]
    return reported


def is_in_role(lab: Commands, node: str, role: str) -> bool:
    """Whether it has VIPs, and all of them are in state `role`; a node that does not answer yet is in none."""
    try:
        return {vip["state"] for vip in vips(lab, node)} == {role}
    except LabError:
        return False


def rules(lab: Commands, node: str, interface: str) -> tuple[str, ...]:
    """The descriptions of the interface's rules that are in force, from the top."""
    shown = lab.cli_json(node, "rule", "list", interface, "--running")
    return tuple(rule["description"] for rule in shown["values"]["items"])


def _sync_addresses(lab: Commands) -> str:
    seen = []
    for node, plan in NODES.items():
        lab.wait(partial(_has_address, lab, node, plan.sync), f"{plan.sync} on {node}", PATIENCE)
        seen.append(f"{node} has {plan.sync}")
    return ", ".join(seen) + " on sync"


def _has_address(lab: Commands, node: str, address: str) -> bool:
    return address in lab.exec(node, "ip", "-br", "address", "show", "sync")


def _primary_rules(lab: Commands) -> str:
    lab.wait(lambda: rules(lab, "fw1", "opt1") == SYNC_RULES, "fw1's three rules in their order", PATIENCE)
    return "fw1, from the top: " + "; ".join(SYNC_RULES)


def _temporary_rule(lab: Commands) -> str:
    lab.wait(lambda: rules(lab, "fw2", "opt1") == ("Temp rule for sync",), "fw2's temporary rule", PATIENCE)
    return "fw2 has one rule on SYNC, the temporary one"


def _state_sync(lab: Commands) -> str:
    return ", ".join(
        f"{node} is host {sync['host_id']}, {sync['status']}"
        for node in NODES
        if (sync := lab.node_status(node)["state_sync"])
    )


def _configuration_sync(lab: Commands) -> str:
    lab.wait(lambda: rules(lab, "fw2", "opt1") == SYNC_RULES, "the primary's rules on fw2", PATIENCE)
    for node in NODES:
        lab.wait(partial(_in_sync, lab, node), f"{node}'s states", PATIENCE)
    return "fw2's temporary rule is gone, the primary's three stand there; states flow both ways"


def _in_sync(lab: Commands, node: str) -> bool:
    return bool(lab.node_status(node)["state_sync"]["in_sync"])


def _roles(lab: Commands) -> str:
    lab.wait(lambda: is_in_role(lab, "fw1", "MASTER"), "fw1 to be MASTER of all VIPs", PATIENCE)
    lab.wait(lambda: is_in_role(lab, "fw2", "BACKUP"), "fw2 to be BACKUP of all VIPs", PATIENCE)
    timing = {(v["advbase"], v["advskew"]) for v in vips(lab, "fw2")}
    if timing != {(1, 101)}:
        raise LabError(f"fw2's VIPs have base and skew {sorted(timing)}, not 1 and 101")
    return f"fw1 MASTER of {len(vips(lab, 'fw1'))} VIPs, fw2 BACKUP with base 1, skew 101"


def _translation(lab: Commands) -> str:
    with Server(lab, seconds=60) as server:
        usual, isakmp = server.source_of(UDP_PORT, 40_000), server.source_of(ISAKMP, ISAKMP)
    if not usual.startswith(f"{WAN_VIP}:") or isakmp != f"{WAN_VIP}:{ISAKMP}":
        raise LabError(f"the WAN server saw {usual}, and {isakmp} for a packet from port {ISAKMP} to port {ISAKMP}")
    return f"the WAN server sees the LAN client as {WAN_VIP}; port {ISAKMP} stays {ISAKMP}"


def pools(lab: Commands, node: str) -> list[dict[str, Any]]:
    """DHCP failover by interface, as the node's `gemel status --json` tells of it."""
    said = lab.node_status(node).get("dhcp") or {}
    found: list[dict[str, Any]] = said.get("pools", [])
    return found


def is_normal(lab: Commands, node: str) -> bool:
    """Whether DHCP failover stands on some interface, and is normal on both nodes, as this one sees it."""
    states = [(p["my_state"], p["peer_state"]) for p in pools(lab, node)]
    return bool(states) and set(states) == {("normal", "normal")}


def _dhcp(lab: Commands) -> str:
    for node in NODES:
        lab.wait(partial(is_normal, lab, node), f"DHCP failover to be normal on {node}", PATIENCE)
    answering = pools(lab, "fw1")[0]["serving"]
    return f"both nodes say normal and normal; {'fw1' if answering == 'this node' else answering} answers"


STEPS = (
    Step(
        "SYNC interface on both",
        {
            "fw1": """
                gemel interface assign sync
                gemel interface set opt1 --enable --description SYNC --ipv4 172.16.1.2/24
                gemel apply
            """,
            "fw2": """
                gemel interface assign sync
                gemel interface set opt1 --enable --description SYNC --ipv4 172.16.1.3/24
                gemel apply
            """,
        },
        _sync_addresses,
    ),
    Step(
        "SYNC rules on the primary",
        {
            "fw1": """
                gemel rule add opt1 --top --action pass --protocol tcp --source "SYNC net" \
                    --destination "SYNC address" --destination-port HTTPS \
                    --description "Allow configuration synchronization"
                gemel rule add opt1 --top --action pass --protocol pfsync --source "SYNC net" --destination any \
                    --description "Allow state synchronization"
                gemel rule add opt1 --top --action pass --protocol icmp --source "SYNC net" --destination "SYNC net" \
                    --description "Allow ICMP for diagnostics"
                gemel diff
                gemel apply
            """,
        },
        _primary_rules,
    ),
    Step(
        "temporary rule on the secondary",
        {
            "fw2": """
                gemel rule add opt1 --top --action pass --protocol any --source "SYNC net" --destination any \
                    --description "Temp rule for sync"
                gemel apply
            """,
        },
        _temporary_rule,
    ),
    Step(
        "state synchronization on both",
        {
            "fw1": """
                gemel ha set --synchronize-states --synchronize-interface opt1 --filter-host-id 1 --peer-ip 172.16.1.3
            """,
            "fw2": """
                gemel ha set --synchronize-states --synchronize-interface opt1 --filter-host-id 2 --peer-ip 172.16.1.2
            """,
        },
        _state_sync,
    ),
    Step(
        "configuration synchronization (XML-RPC) on the primary",
        {
            "fw1": """
                gemel ha set --synchronize-config-to 172.16.1.3 --username admin --password-stdin --areas all
            """,
        },
        _configuration_sync,
    ),
    Step(
        "CARP VIPs on WAN and LAN",
        {
            "fw1": """
                gemel vip add --type carp --interface wan --address 198.51.100.200/24 --vhid 200 --base 1 --skew 1 \
                    --random-password --description "WAN CARP VIP"
                gemel vip add --type carp --interface lan --address 192.168.1.1/24 --vhid 1 --base 1 --skew 1 \
                    --random-password --description "LAN CARP VIP"
                gemel apply
            """,
        },
        _roles,
    ),
    Step(
        "outbound NAT to the WAN VIP",
        {
            "fw1": """
                gemel nat outbound mode hybrid
                gemel nat outbound add --interface wan --source 192.168.1.0/24 --translation 198.51.100.200 \
                    --description "LAN to WAN"
                gemel nat outbound add --top --interface wan --source 192.168.1.0/24 --destination-port 500 \
                    --translation 198.51.100.200 --static-port --description "ISAKMP - LAN to WAN"
                gemel apply
            """,
        },
        _translation,
    ),
    Step(
        "DHCP and DNS on the LAN VIP",
        {
            "fw1": """
                gemel dhcp add lan --enable --range-from 192.168.1.100 --range-to 192.168.1.199 \
                    --dns-servers 192.168.1.1 --gateway 192.168.1.1 --failover-peer-ip 192.168.1.3
                gemel dns set --enable
            """,
        },
        _dhcp,
    ),
)
