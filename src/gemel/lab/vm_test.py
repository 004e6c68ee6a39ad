"""The story that scripts/vm-test tells: a package, two plain machines, the recipe by REST, and a power cut."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gemel.lab import image
from gemel.lab.commands import SOURCE
from gemel.lab.namespace import LabError
from gemel.lab.topology import NODES, WAN_VIP
from gemel.lab.traffic import Traffic
from gemel.lab.virtual import PASSWORD, VirtualLab

TOP = SOURCE.parent
FOLDER = TOP / "dist/vm"
PATIENCE = 300.0  # seconds for what takes one on a real machine

CARP = {"type": "carp", "base": 1, "skew": 1}


class Story:
    """What is done, in order, each with the time that it took."""

    def __init__(self, lab: VirtualLab, package: Path) -> None:
        self.lab = lab
        self.package = package
        self.table: list[tuple[str, str]] = []

    def timed(self, what: str, act: Callable[[], str | None]) -> None:
        """Do one thing; its line of the table has the seconds, and what `act` says."""
        begun = time.monotonic()
        print(f"… {what}", flush=True)
        said = act()
        line = f"{time.monotonic() - begun:.0f} s" + (f": {said}" if said else "")
        self.table.append((what, line))
        print(f"✓ {what}: {line}", flush=True)

    def tell(self) -> None:
        """The steps in order."""
        lab = self.lab
        for node in NODES:
            lab.power_on(node)
        self.timed("both boot to log-in", lambda: _each(lab.booted))
        self.timed("the package is installed on both", lambda: _each(self.install))
        for node in NODES:
            self.timed(f"gemel setup on {node}, over SSH that lives on", lambda node=node: self.set_up(node))  # type: ignore[misc]
        self.timed("the recipe, by REST", self.recipe)
        self.timed("roles", self.roles)
        with Traffic(lab, 3600) as traffic:
            traffic.window()
            self.timed("fw1 loses power", lambda: self.cut(traffic))
            self.timed("fw1 boots and serves again", lambda: self.back(traffic))

    def install(self, node: str) -> None:
        """By dpkg, as the dependencies are on the disk."""
        self.lab.copy(node, self.package, "/root/gemel.deb")
        self.lab.exec(node, "dpkg", "-i", "/root/gemel.deb", timeout=900)

    def set_up(self, node: str) -> str:
        """On trial, then confirmed from another session; a session from before lives through it."""
        watched = self.lab.start(
            node, "sh", "-c", "while echo alive; do sleep 1; done",
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        arguments = ("--yes", "--password-stdin", "--other", "eth2=SYNC", "--within", "1800")
        try:
            self.lab.cli(node, "setup", *arguments, text=f"{PASSWORD}\n", timeout=900)
            self.lab.cli(node, "setup", "--confirm", timeout=PATIENCE)
            if watched.poll() is not None:
                raise LabError(f"{node}: the SSH session from before did not live through gemel setup")
        finally:
            watched.kill()
            watched.communicate()
        return "confirmed from a second session, the first one lives"

    # -- REST --------------------------------------------------------------------------------------------------------

    def rest(self, node: str, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """One call from the LAN host."""
        address = NODES[node].lan.partition("/")[0]
        text = json.dumps(body) if body is not None else ""
        url = f"https://{address}/api/v1{path}"
        script = str(SOURCE / "gemel/lab/rest.py")
        said = self.lab.exec("lan", sys.executable, script, method, url, token, text=text, timeout=PATIENCE)
        return json.loads(said)

    def recipe(self) -> None:
        """The same steps as in a browser."""
        tokens = {
            node: self.rest(node, "POST", "/login", {"username": "admin", "password": PASSWORD})["token"]
            for node in NODES
        }

        def on(node: str, method: str, path: str, body: Any = None) -> Any:
            return self.rest(node, method, path, body, tokens[node])

        other = {"fw1": "fw2", "fw2": "fw1"}
        for number, (node, plan) in enumerate(NODES.items(), 1):
            on(node, "PATCH", "/interfaces/opt1", {"enabled": True, "description": "SYNC", "ipv4": plan.sync})
            for rule in _RULES[node]:
                on(node, "POST", "/rules?position=top", {"interface": "opt1", **rule})
            on(node, "POST", "/apply", {})
            peer = NODES[other[node]].sync.partition("/")[0]
            settings = {"synchronize_states": True, "synchronize_interface": "opt1", "filter_host_id": str(number)}
            on(node, "PATCH", "/high_availability", {**settings, "peer_ip": peer})
        sync = {"synchronize_config_to": "172.16.1.3", "username": "admin", "password": PASSWORD}
        on("fw1", "PATCH", "/high_availability", {**sync, "areas": "all"})
        for vip in _VIPS:
            on("fw1", "POST", "/virtual_ips", {**CARP, **vip})
        on("fw1", "PATCH", "/outbound_nat/settings", {"mode": "hybrid"})
        mapping = {"interface": "wan", "source": "192.168.1.0/24", "translation": WAN_VIP, "description": "LAN to WAN"}
        on("fw1", "POST", "/outbound_nat", mapping)
        on("fw1", "POST", "/apply", {})

    # -- what is seen ------------------------------------------------------------------------------------------------

    def _states(self, node: str) -> set[str]:
        try:
            return {vip["state"] for vip in self.lab.node_status(node)["carp"]}
        except LabError:
            return set()

    def roles(self) -> str:
        for node, role in (("fw1", "MASTER"), ("fw2", "BACKUP")):
            self.lab.wait(lambda node=node, role=role: self._states(node) == {role}, f"{node}: {role}", PATIENCE)  # type: ignore[misc]
        in_sync = lambda: self.lab.node_status("fw1")["state_sync"]["in_sync"]  # noqa: E731
        self.lab.wait(in_sync, "states in sync", PATIENCE)
        return "fw1 MASTER, fw2 BACKUP, states in sync"

    def cut(self, traffic: Traffic) -> str:
        time.sleep(5)
        self.lab.power_off("fw1")
        self.lab.wait(lambda: self._states("fw2") == {"MASTER"}, "fw2 MASTER", PATIENCE)
        time.sleep(5)
        seen = traffic.window()
        if not seen.talk.alive:
            raise LabError("the TCP connection did not live through the power cut")
        return f"outage {seen.flow.outage_ms:.0f} ms, {seen.flow.lost} packets lost, TCP alive from {seen.talk.source}"

    def back(self, traffic: Traffic) -> str:
        self.lab.power_on("fw1")
        self.lab.booted("fw1")
        self.roles()
        seen = traffic.window()
        if not seen.talk.alive:
            raise LabError("the TCP connection did not live through the return")
        return f"fw1 MASTER again, {seen.flow.lost} packets lost, longest gap {seen.flow.outage_ms:.0f} ms, TCP alive"


_RULES: dict[str, tuple[dict[str, Any], ...]] = {
    "fw1": (
        {
            "protocol": "tcp", "source": "SYNC net", "destination": "SYNC address", "destination_port": "443",
            "description": "Allow configuration synchronization",
        },
        {"protocol": "pfsync", "source": "SYNC net", "description": "Allow state synchronization"},
        {
            "protocol": "icmp", "source": "SYNC net", "destination": "SYNC net",
            "description": "Allow ICMP for diagnostics",
        },
    ),
    "fw2": ({"protocol": "any", "source": "SYNC net", "description": "Temp rule for sync"},),
}  # fmt: skip

_VIPS: tuple[dict[str, Any], ...] = (
    {
        "interface": "wan", "address": "198.51.100.200/24", "vhid": 200, "password": "wan-password-1",
        "description": "WAN CARP VIP",
    },
    {
        "interface": "lan", "address": "192.168.1.1/24", "vhid": 1, "password": "lan-password-1",
        "description": "LAN CARP VIP",
    },
)  # fmt: skip


def _each(act: Callable[[str], None]) -> None:
    for node in NODES:
        act(node)


def main() -> int:
    parser = argparse.ArgumentParser("scripts/vm-test", description=__doc__)
    parser.add_argument("--package", type=Path, help="a package that is built already")
    options = parser.parse_args()
    try:
        package = options.package or _built()
        root = image.base(FOLDER, image.depends(package), lambda what: print(f"… {what}", flush=True))
        with VirtualLab("vmtest", FOLDER / "run", root) as lab:
            story = Story(lab, package)
            try:
                story.tell()
            finally:
                _print(story.table)
    except LabError as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    return 0


def _built() -> Path:
    print("… scripts/package", flush=True)
    subprocess.run((TOP / "scripts/package", "--output", FOLDER), cwd=TOP, check=True, stdout=subprocess.DEVNULL)
    return max(FOLDER.glob("gemel_*.deb"), key=lambda p: p.stat().st_mtime)


def _print(table: list[tuple[str, str]]) -> None:
    width = max((len(what) for what, _ in table), default=0)
    print()
    for what, line in table:
        print(f"  {what:{width}}  {line}")


if __name__ == "__main__":
    sys.exit(main())
