"""Configuration synchronisation over real TLS: two webd in namespaces, joined by a wire.

pfw1 172.16.1.2 ──── 172.16.1.3 pfw2        (and fd16::2, fd16::3)
"""

import functools
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TAG = f"p{os.getpid() % 100000}"
OWN_ROOMS = "mkdir -p /run/gemel /var/lib/gemel; for d in /run/gemel /var/lib/gemel; do mount -t tmpfs tmpfs $d; done"
RULES = [{"id": f"{n:08x}", "action": "pass", "source": f"10.{n >> 8}.{n & 255}.0/24"} for n in range(1000)]

pytestmark = [pytest.mark.lab, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]


def shell(*argv: str, check: bool = True) -> str:
    return subprocess.run(argv, check=check, capture_output=True, text=True, timeout=20).stdout


class Machine:
    """A namespace with a `peer_node` in it."""

    def __init__(self, name: str, last: int) -> None:
        self.name = name
        self.namespace = f"{TAG}{name}"
        self.address = f"172.16.1.{last}"
        shell("ip", "netns", "add", self.namespace)
        shell("ip", "-n", self.namespace, "link", "set", "lo", "up")
        self.process: subprocess.Popen[str] | None = None

    def connect(self, device: str, last: int) -> None:
        shell("ip", "-n", self.namespace, "link", "set", device, "name", "sync", "up")
        shell("ip", "-n", self.namespace, "addr", "add", f"{self.address}/24", "dev", "sync")
        shell("ip", "-n", self.namespace, "addr", "add", f"fd16::{last}/64", "dev", "sync", "nodad")

    def start(self) -> None:
        argv = [
            "ip",
            "netns",
            "exec",
            self.namespace,
            "unshare",
            "--mount",
            "sh",
            "-c",
            f'{OWN_ROOMS}; exec "$@"',
            "sh",
        ]
        argv += [sys.executable, "-m", "tests.lab.peer_node", self.name]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env
        )
        assert self._answer() == "ready"
        self.ask("webd", up=True)

    def ask(self, what: str, **given: Any) -> Any:
        assert self.process is not None and self.process.stdin is not None
        self.process.stdin.write(json.dumps({"what": what, **given}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self.process is not None and self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"{self.name} has ended"
        return json.loads(line)

    def status(self) -> Any:
        return self.ask("status")["push"]

    def nft(self, rules: str) -> None:
        argv = ["ip", "netns", "exec", self.namespace, "nft", "-f", "-"]
        subprocess.run(argv, input=rules, text=True, check=True, timeout=20)

    def stop(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)
            assert self.process.stdout is not None
            self.process.stdout.close()
        shell("ip", "netns", "delete", self.namespace, check=False)


@pytest.fixture
def nodes() -> Iterator[tuple[Machine, Machine]]:
    made: list[Machine] = []
    try:
        for last, name in ((2, "fw1"), (3, "fw2")):
            made.append(Machine(name, last))
        ends = [f"{TAG}a", f"{TAG}b"]
        shell("ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for machine, end, last in zip(made, ends, (2, 3), strict=True):
            shell("ip", "link", "set", end, "netns", machine.namespace)
            machine.connect(end, last)
        for machine in made:
            machine.start()
        yield made[0], made[1]
    finally:
        for machine in made:
            machine.stop()


def until(true: Callable[[], Any], seconds: float, what: str) -> float:
    """Wait for it; how long it took."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        if true():
            return time.monotonic() - begun
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


def in_sync(machine: Machine, revision: int | None = None) -> bool:
    status = machine.status()
    return status["status"] == "in sync" and (revision is None or status["revision"] == revision)


def is_refused(machine: Machine) -> bool:
    return bool(machine.status()["status"] == "refused")


def certificate_shown(from_: Machine, to: str, server_name: str) -> str:
    """SHA-256 of what a TLS client that asks for `server_name` gets to see, as hex."""
    asks = (
        f"import ssl,socket,sys,hashlib;c=ssl._create_unverified_context();s=socket.create_connection(('{to}',443),5);"
    )
    asks += f"print(hashlib.sha256(c.wrap_socket(s,server_hostname='{server_name}').getpeercert(True)).hexdigest())"
    return shell("ip", "netns", "exec", from_.namespace, sys.executable, "-c", asks).strip()


def test_first_contact_and_a_push_of_a_thousand_rules(nodes: tuple[Machine, Machine]) -> None:
    primary, secondary = nodes
    primary.ask("configure", host=secondary.address, rules=["first"], nat={"mode": "hybrid"})
    until(lambda: in_sync(primary), 15, primary.status()["last_error"])
    assert secondary.ask("areas") == {"rules": ["first"], "nat": {"mode": "hybrid"}}
    fingerprint = secondary.ask("fingerprint").replace(":", "").lower()
    assert certificate_shown(primary, secondary.address, "node.gemel") == fingerprint
    assert certificate_shown(primary, secondary.address, "fw2.example") != fingerprint
    primary.ask("configure", host=secondary.address, rules=RULES)
    took = until(lambda: in_sync(primary, 3), 5, "the second push")
    print(f"1,000 rules, Apply to proven: {took * 1000:.0f} ms; webd {secondary.ask('memory') / 1024:.1f} MiB")
    assert secondary.ask("areas")["rules"] == RULES and took < 1.0
    assert secondary.ask("memory") < 80 << 10
    received = secondary.ask("status")["received"]
    assert (received["peer"], received["address"]) == ("fw1", primary.address)


def test_over_ipv6(nodes: tuple[Machine, Machine]) -> None:
    primary, secondary = nodes
    primary.ask("configure", host="fd16::3", rules=["six"])
    until(lambda: in_sync(primary), 15, "in sync")
    assert secondary.ask("status")["received"]["address"] == "fd16::2"


def test_without_the_peers_rule_nothing_arrives_and_with_it_everything_by_itself(
    nodes: tuple[Machine, Machine],
) -> None:
    primary, secondary = nodes
    secondary.nft("table inet t { chain c { type filter hook input priority 0; tcp dport 443 drop; }; }")
    primary.ask("configure", host=secondary.address, rules=["late"])
    until(lambda: primary.status()["status"] == "waiting", 15, "waiting")
    assert "needs a rule that passes TCP from this node to port 443" in primary.status()["last_error"]
    assert secondary.ask("areas") == {}
    secondary.nft("delete table inet t")
    until(lambda: in_sync(primary), 15, "caught up")
    assert secondary.ask("areas") == {"rules": ["late"]}


def test_webd_away_is_not_blamed_on_the_rules_and_is_waited_for(nodes: tuple[Machine, Machine]) -> None:
    primary, secondary = nodes
    secondary.ask("webd", up=False)
    primary.ask("configure", host=secondary.address, rules=["queued"])
    until(lambda: primary.status()["last_error"], 15, "an error")
    assert "lets us in but does not answer" in primary.status()["last_error"]
    secondary.ask("webd", up=True)
    until(lambda: in_sync(primary), 25, "caught up")
    secondary.ask("webd", up=False)
    secondary.ask("close_sockets")
    primary.ask("configure", host=secondary.address, rules=["refused"])
    until(lambda: "refuses connections" in (primary.status()["last_error"] or ""), 15, "refused")


def test_webd_waits_for_keys_that_are_still_being_made(nodes: tuple[Machine, Machine]) -> None:
    primary, secondary = nodes
    secondary.ask("webd", up=False)
    secondary.ask("hide_keys", hidden=True)
    secondary.ask("webd", up=True)
    time.sleep(1.5)
    secondary.ask("hide_keys", hidden=False)
    primary.ask("configure", host=secondary.address, rules=["x"])
    until(lambda: in_sync(primary), 15, "in sync")


def test_a_wrong_password_then_the_right_one(nodes: tuple[Machine, Machine]) -> None:
    primary, secondary = nodes
    primary.ask("configure", host=secondary.address, password="guess", rules=["x"])
    until(lambda: primary.status()["status"] == "refused", 15, "refused")
    assert "does not accept user admin" in primary.status()["last_error"]
    assert secondary.ask("areas") == {}
    primary.ask("configure", host=secondary.address, rules=["x"])
    until(lambda: in_sync(primary), 5, "in sync")


def test_a_new_key_on_the_peer_stops_everything_until_it_is_forgotten(nodes: tuple[Machine, Machine]) -> None:
    primary, secondary = nodes
    primary.ask("configure", host=secondary.address, rules=["one"])
    until(lambda: in_sync(primary), 15, "in sync")
    old = secondary.ask("fingerprint")
    new = secondary.ask("new_key")
    time.sleep(2.5)  # webd looks every two seconds
    primary.ask("configure", host=secondary.address, rules=["two"])
    until(lambda: primary.status()["status"] == "refused", 15, "refused")
    assert old in primary.status()["last_error"] and new in primary.status()["last_error"]
    assert secondary.ask("areas") == {"rules": ["one"]}
    primary.ask("forget")
    primary.ask("configure", host=secondary.address, rules=["three"])
    until(lambda: in_sync(primary), 15, "in sync")


def test_a_new_gui_certificate_is_shown_without_a_restart_and_changes_nothing_for_the_peer(
    nodes: tuple[Machine, Machine],
) -> None:
    primary, secondary = nodes
    primary.ask("configure", host=secondary.address, rules=["one"])
    until(lambda: in_sync(primary), 15, "in sync")
    new = secondary.ask("new_web_key").replace(":", "").lower()
    secondary.ask("hangup")
    until(lambda: certificate_shown(primary, secondary.address, "fw2") == new, 1.5, "the new certificate")
    primary.ask("configure", host=secondary.address, rules=["two"])
    until(lambda: in_sync(primary, 3), 5, "in sync again")


def test_both_with_a_target_are_refused_on_both(nodes: tuple[Machine, Machine]) -> None:
    primary, secondary = nodes
    primary.ask("configure", host=secondary.address, rules=["a"])
    until(lambda: in_sync(primary), 15, "in sync")
    secondary.ask("configure", host=primary.address, rules=["b"])
    primary.ask("configure", host=secondary.address, rules=["c"])
    for machine in nodes:
        until(functools.partial(is_refused, machine), 15, f"{machine.name} refused")
        assert "Synchronize Config to IP" in machine.status()["last_error"]
    secondary.ask("configure", rules=["b"])
    until(lambda: in_sync(primary), 15, "mended by itself")
    assert secondary.ask("areas") == {"rules": ["c"]}


def test_port_80_redirects_and_webd_has_no_rights(nodes: tuple[Machine, Machine]) -> None:
    primary, secondary = nodes
    pid = secondary.ask("webd", up=True)
    status = Path(f"/proc/{pid}/status")
    started = Path(f"/proc/{pid}/cmdline")
    until(lambda: started.read_text().split("\0")[1:3] == ["-m", "gemel.daemons.webd"], 5, "webd runs")
    facts = dict(line.split(":\t") for line in status.read_text().splitlines() if ":\t" in line)
    assert facts["Uid"].split() == ["65534"] * 4 and int(facts["CapEff"], 16) == int(facts["CapBnd"], 16) == 0
    asks = "import http.client as h;c=h.HTTPConnection('172.16.1.3',80,timeout=10);c.request('GET','/x?y=1');"
    asks += "r=c.getresponse();print(r.status,r.headers['Location'])"
    answer = shell("ip", "netns", "exec", primary.namespace, sys.executable, "-c", asks).split()
    assert answer == [str(http.client.TEMPORARY_REDIRECT), "https://172.16.1.3/x?y=1"]
