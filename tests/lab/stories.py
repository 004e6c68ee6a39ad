"""What the lab's stories are told with: who owns the virtual IPs, what a node says, what became of the traffic."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gemel.control import supervisor as doors
from gemel.control.paths import SUPERVISOR_DOOR
from gemel.lab import namespace, recipe
from gemel.lab.commands import SOURCE
from gemel.lab.lab import Lab
from gemel.lab.namespace import LabError
from gemel.lab.topology import SWITCH, WAN_VIP, other
from gemel.lab.traffic import Measured, Traffic
from gemel.lab.wiring import Wiring

TESTS = Path(__file__).parent
LOST_AT_MOST = 5
"""Packets of the 1 kHz flow, when nothing is broken: a planned hand-over, or the primary's return."""
OUTAGE_AT_MOST = 3500.0
"""ms without power at the recipe's timings: three adverts of one second, and the skew."""
RETURN = 60.0
"""Seconds for a node to start, fetch the states and take over."""


# -- what a node says -------------------------------------------------------------------------------------------------


def status(lab: Lab, node: str) -> dict[str, Any]:
    """`gemel status --json`."""
    said: dict[str, Any] = lab.node_status(node)
    return said


def problems(lab: Lab, node: str) -> str:
    """Everything that the node complains of, in one text."""
    return "\n".join(status(lab, node)["problems"])


def complains(lab: Lab, node: str, *words: str) -> Callable[[], bool]:
    """A condition: one of the node's problems has all these words."""
    return lambda: any(all(w in line for w in words) for line in status(lab, node)["problems"])


def wait_for_complaint(lab: Lab, node: str, *words: str, patience: float = 20) -> None:
    """Until one of the node's problems has all these words."""
    try:
        lab.wait(complains(lab, node, *words), f"{node} to say {' … '.join(words)}", patience)
    except LabError as error:
        raise LabError(f"{error}; it says: {problems(lab, node) or 'nothing'}") from None


def is_content(lab: Lab, node: str) -> Callable[[], bool]:
    """A condition: it has no problems."""
    return lambda: not status(lab, node)["problems"]


def in_sync(lab: Lab, node: str, revision: int | None = None) -> bool:
    """Whether the peer is proven to run this node's configuration (of `revision`, by default the one that runs)."""
    config = status(lab, node)["config_sync"]
    wanted = config["revision"] if revision is None else revision
    return bool(config["status"] == "in sync" and (config["proven_revision"] or 0) >= wanted)


def wait_for_push(lab: Lab, primary: str = "fw1", patience: float = 20) -> None:
    """Until what runs on the primary is proven to run on the secondary."""
    lab.wait(lambda: in_sync(lab, primary), f"{primary}'s configuration to be applied on {other(primary)}", patience)


def typed(lab: Lab, node: str, lines: str) -> None:
    """Type these lines on the node, one after the other."""
    for line in lines.strip().splitlines():
        recipe.type_in(lab, node, line.strip())


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended."""

    exit_status: int
    out: str
    err: str


def try_typing(lab: Lab, node: str, *argv: str, text: str | None = None) -> Answer:
    """The node's `gemel`, however it ends."""
    done = subprocess.run(
        lab.command(node, "gemel", *argv), input=text, capture_output=True, text=True, timeout=60, check=False
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def in_force(lab: Lab, node: str) -> tuple[str, str]:
    """The configuration and the kernel's rules, without their counters: what a refused change must leave as it is."""
    ruleset = json.loads(lab.exec(node, "nft", "--json", "--stateless", "list", "ruleset"))
    # What adverts keep open in the netdev table comes and goes by itself.
    kept = [o for o in ruleset["nftables"] if "netdev" not in json.dumps(o) and "metainfo" not in o]
    return json.dumps(lab.cli_json(node, "export"), sort_keys=True), json.dumps(kept, sort_keys=True)


# -- roles ------------------------------------------------------------------------------------------------------------


def wait_for_roles(lab: Lab, master: str, patience: float = RETURN) -> None:
    """Until `master` is MASTER of everything, and the other node, if it is on, BACKUP of everything."""
    lab.wait(partial(recipe.is_in_role, lab, master, "MASTER"), f"{master} to be MASTER", patience)
    if lab.is_on(other(master)):
        lab.wait(partial(recipe.is_in_role, lab, other(master), "BACKUP"), f"{other(master)} to be BACKUP", patience)


def transitions(lab: Lab, node: str) -> list[tuple[str, int, str, str, str]]:
    """The role changes that the node remembers: interface, VHID, from, to and why."""
    return [
        (t["interface"], t["vhid"], t["before"], t["after"], t["reason"]) for t in status(lab, node)["transitions"]
    ]


def became(lab: Lab, node: str, state: str, since: float) -> float | None:
    """When the node's first VHID changed to `state` after `since` (seconds since the epoch), None if it has not."""
    try:
        found = status(lab, node)["transitions"]
    except LabError:
        return None
    return min((t["at"] for t in found if t["after"] == state and t["at"] >= since), default=None)


def holds_address(lab: Lab, node: str, address: str = WAN_VIP) -> bool:
    """Whether the node's kernel has the address."""
    return f" {address}/" in lab.exec(node, "ip", "-o", "address")


def take_card(lab: Lab, node: str, device: str) -> None:
    """Take a network card away, as when its driver is unloaded: with it goes all that stood on it."""
    namespace.run("ip", "-n", f"{lab.name}-{node}", "link", "delete", device)


def put_card(lab: Lab, node: str, device: str) -> None:
    """A card of that name is there again: another device for the kernel, down and bare."""
    Wiring(lab.name).connect(node, device, device)


def hears_virtual_mac(lab: Lab, node: str) -> bool:
    """Whether the node's kernel accepts frames for a virtual MAC."""
    return "elements" in lab.exec(node, "nft", "list", "set", "netdev", "gemel_carp", "open")


def restart(lab: Lab, node: str, process: str) -> None:
    """Restart a daemon in order, and wait until the new one runs."""
    def pid() -> int | None:
        report = lab.ask(node, SUPERVISOR_DOOR, doors.ServiceStatus(process))
        return report.pid if report.state == "running" else None

    before = pid()
    lab.ask(node, SUPERVISOR_DOOR, doors.RestartService(process))
    lab.wait(lambda: pid() not in (None, before), f"{process} to run again on {node}")


def forget_ports(lab: Lab) -> None:
    """The switch forgets behind which port each hardware address is: for a moment every frame goes everywhere."""
    for port in ("fw1-wan", "fw2-wan", "fw1-lan", "fw2-lan", "lan-eth0", "wan-eth0"):
        namespace.run("bridge", "-n", f"{lab.name}-{SWITCH}", "fdb", "flush", "dev", port, "master", check=False)


# -- traffic ----------------------------------------------------------------------------------------------------------


def tcp_flows_again(lab: Lab) -> bool:
    """Whether neither end of the long connection still repeats what it said to a dead firewall."""
    ends = (("lan", "dport"), ("wan", "sport"))
    shown = [lab.exec(host, "ss", "-Htino", "state", "established", port, "=", ":7001") for host, port in ends]
    return all(text.strip() and "backoff:" not in text for text in shown)


def after_recovery(lab: Lab, traffic: Traffic) -> Measured:
    """What the traffic saw since it was last asked, once the long connection has got over it."""
    lab.wait(lambda: tcp_flows_again(lab), "the long TCP connection to go on", 30)
    return traffic.window()


def tell(what: str, seen: Measured) -> None:
    """The figures of a story."""
    print(
        f"  {what}: {seen.flow.lost} of {seen.flow.sent} packets lost, outage {seen.flow.outage_ms:.0f} ms, "
        f"TCP waited {seen.talk.stall_ms:.0f} ms, the server sees {seen.talk.source}"
    )


def has_state(lab: Lab, node: str, protocol: str, port: int | str) -> bool:
    """Whether a connection to the WAN that leaves from this port of the VIP is among the node's states."""
    mine = ("-p", protocol, "--reply-dst", WAN_VIP, "--reply-port-dst", str(port))
    return protocol in lab.exec(node, "conntrack", "-L", *mine, check=False)


class Script:
    """A program of this folder, run on a host: answers each line it is sent with one line of JSON."""

    def __init__(self, lab: Lab, host: str, program: str, *argv: str) -> None:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = lab.start(
            host, sys.executable, str(TESTS / program), *argv, env={**os.environ, "PYTHONPATH": str(SOURCE)}, **pipes
        )
        self.read()

    def read(self) -> Any:
        """The next line."""
        assert self._process.stdout
        if not (line := self._process.stdout.readline()):
            raise LabError(f"{self._process.args!r} ended with {self._process.wait()}")
        return json.loads(line)

    def ask(self, line: str = "") -> Any:
        """Send a line; what is the answer?"""
        assert self._process.stdin
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self.read()

    def end(self) -> None:
        """Stop it."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def running(lab: Lab, host: str, program: str, *argv: str) -> Iterator[Script]:
    """A script for as long as the context lasts."""
    script = Script(lab, host, program, *argv)
    try:
        yield script
    finally:
        script.end()
