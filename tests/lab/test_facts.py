"""What a person looks at, on a living cluster: both nodes on each page, role changes at once, what is remembered."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gemel.control.agent import AskFact, News, NewsReport
from gemel.control.door import Refused
from gemel.control.paths import AGENT_DOOR, ISSUE
from gemel.core.codec import decode
from gemel.facts.every import FACTS
from gemel.lab.lab import Lab
from gemel.lab.namespace import LabError
from tests.lab.stories import is_content, restart, status, typed, wait_for_roles
from tests.lab.terminal import Terminal

pytestmark = pytest.mark.lab


def ask(lab: Lab, node: str, name: str, **options: str) -> Any:
    return lab.ask(node, AGENT_DOOR, AskFact(name, options), timeout=20)


def news(lab: Lab, node: str, cursor: str, seconds: float) -> NewsReport:
    report: NewsReport = lab.ask(node, AGENT_DOOR, News(cursor, seconds), timeout=30)
    return report


def events(lab: Lab, node: str, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(lab, node, "events", kind=kind)["rows"]
    return found


def is_safe(lab: Lab, node: str) -> bool:
    """Not while its agent is being restarted, either."""
    try:
        return bool(status(lab, node)["safe_to_fail_over"]["verdict"] == "safe")
    except LabError:
        return False


@pytest.fixture(scope="module")
def pair(cluster: Lab) -> Lab:
    for node in ("fw1", "fw2"):
        cluster.wait(is_content(cluster, node), f"{node} to be content", 30)
        cluster.wait(lambda n=node: is_safe(cluster, n), f"{node} to say that it is safe to fail over", 30)
    return cluster


def test_every_view_answers_in_its_shape_on_both_nodes(pair: Lab) -> None:
    for node in ("fw1", "fw2"):
        for fact in FACTS:
            decode(fact.shape, ask(pair, node, fact.name))
    with pytest.raises(Refused):
        ask(pair, "fw1", "nonsense")
    with pytest.raises(Refused):
        ask(pair, "fw1", "log", log="../../etc/shadow")


def test_each_node_knows_the_other_at_least_once_a_second(pair: Lab) -> None:
    ages: dict[str, list[float]] = {"fw1": [], "fw2": []}
    for _ in range(10):
        for node in ages:
            peer = status(pair, node)["peer"]
            assert peer["reachable"] and peer["status"]["node"] != node
            ages[node].append(peer["age"])
    print(f"\n  age of the peer's status: {ages}")
    for node, seen in ages.items():
        assert sorted(seen)[len(seen) // 2] <= 1.0, f"{node}: {seen}"


def test_views_show_what_is_there(pair: Lab) -> None:
    pair.exec("lan", "ping", "-c", "2", "-W", "2", "198.51.100.1")
    rows = ask(pair, "fw1", "states", filter="icmp 192.168.1.50")["rows"]
    assert rows and rows[0]["translated"].startswith("198.51.100.200")
    gateway = ask(pair, "fw1", "gateways")["rows"][0]
    assert gateway["status"] == "online" and 0 < gateway["rtt_ms"] < 1000
    by_name = {i["name"]: i for i in ask(pair, "fw1", "interfaces")["rows"]}
    assert by_name["WAN"]["carrier"] and by_name["LAN"]["received"] > 0
    assert any(r["packets"] for r in ask(pair, "fw1", "rules", interface="LAN")["rows"])
    assert {s["name"] for s in ask(pair, "fw1", "services")["rows"]} >= {"carpd", "flowd", "agent", "webd"}
    assert any(n["address"] == "192.168.1.50" for n in ask(pair, "fw1", "neighbours")["rows"])
    assert ask(pair, "fw1", "log", log="carpd", filter="MASTER")["rows"]
    assert 'gemel_carp_state{interface="LAN",vhid="1",state="MASTER"} 1' in ask(pair, "fw1", "metrics")["text"]


def test_the_firewall_log_names_the_packet_that_was_dropped(pair: Lab) -> None:
    pair.exec("wan", "ping", "-c", "1", "-W", "1", "198.51.100.201", check=False)

    def logged() -> bool:
        return bool(ask(pair, "fw1", "firewall-log", filter="block icmp 198.51.100.1")["rows"])

    pair.wait(logged, "the dropped packet in the firewall's log", 5)


SERVER = """
import http.server, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(204); self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("198.51.100.1", 8099), Hook).serve_forever()
"""


def issue(lab: Lab, node: str) -> str:
    """What its text console shows above the log-in."""
    return lab.exec(node, "cat", ISSUE)


def test_somebody_stands_at_the_machine(pair: Lab) -> None:
    fingerprint = pair.cli_json("fw1", "peer", "show")["web"]
    with Terminal(pair.command("fw1", "agetty", "--show-issue", "--issue-file", ISSUE)) as terminal:
        shown = terminal.until("gemel console")
    for words in ("Gemel node fw1 (primary)", "198.51.100.201/24", status(pair, "fw1")["web_address"]):
        assert words in shown
    assert fingerprint[:47] in shown and fingerprint[48:] in shown

    wait_for_roles(pair, "fw1")
    prompt = "Number, or Enter to look again: "
    with Terminal(pair.command("fw1", "gemel", "console")) as terminal:
        shown = terminal.until(prompt)
        for words in ("WAN@200  MASTER  198.51.100.200", fingerprint[:47], fingerprint[48:]):
            assert words in shown, shown
        terminal.types("7")
        terminal.until("Address or name")
        terminal.types("172.16.1.3")
        assert "bytes from 172.16.1.3" in terminal.until(prompt)
        terminal.types("2")
        terminal.until("Which (Enter: none): ")
        terminal.types("SYNC")
        for answer in ("", "", "2001:db8:16::2/64", ""):
            terminal.until(": ")
            terminal.types(answer)
        terminal.until(" runs")
        assert "2001:db8:16::2/64" in terminal.until(prompt)
        assert "2001:db8:16::2" in pair.exec("fw1", "ip", "address", "show", "dev", "sync")
        terminal.types("8")
        terminal.until("leads back")
        terminal.types("echo $((6 * 7)) $(tty)")
        assert "not a tty" not in terminal.until("42 /dev/pts/")
        terminal.types("exit")
        terminal.until(prompt)
        terminal.types("15")
        terminal.until("Number of the revision")
        terminal.types(str(status(pair, "fw1")["config_sync"]["revision"] - 1))
        terminal.until("Restore it?")
        terminal.types("y")
        assert "2001:db8:16" not in terminal.until(prompt).partition(" runs")[2]
        terminal.types("0")
        assert terminal.ends() == 0
    assert "2001:db8:16::2" not in pair.exec("fw1", "ip", "address", "show", "dev", "sync")


@pytest.fixture
def told(pair: Lab) -> Iterator[list[dict[str, Any]]]:
    """What a web hook on the WAN hears."""
    process = pair.start("wan", "python3", "-c", SERVER, stdout=-1)
    heard: list[dict[str, Any]] = []

    def read() -> None:
        assert process.stdout
        heard.extend(json.loads(line) for line in process.stdout)

    threading.Thread(target=read, daemon=True).start()
    try:
        yield heard
    finally:
        process.kill()
        process.wait()


def test_a_role_change_wakes_whoever_waits_and_is_told_once(pair: Lab, told: list[dict[str, Any]]) -> None:
    typed(pair, "fw2", "gemel notifications set --webhook http://198.51.100.1:8099/hook --events role")
    cursor = news(pair, "fw2", "", 0).cursor
    woken: list[tuple[float, NewsReport]] = []

    def wait() -> None:
        seen = cursor
        while not any(e.data.get("after") == "MASTER" for _, r in woken for e in r.events):
            report = news(pair, "fw2", seen, 20)
            woken.append((time.time(), report))
            seen = report.cursor

    thread = threading.Thread(target=wait)
    thread.start()
    typed(pair, "fw1", "gemel carp maintenance on")
    thread.join(30)
    at, report = woken[-1]
    first = min(e.at for e in report.events if e.data.get("after") == "MASTER")
    print(f"\n  news after {(at - first) * 1000:.0f} ms")
    assert at - first < 0.5, "100 ms on a machine that has nothing else to do"
    wait_for_roles(pair, "fw2")
    pair.wait(lambda: "WAN@200  MASTER" in issue(pair, "fw2"), "the text console of fw2 to follow", 5)
    pair.wait(lambda: "WAN@200  BACKUP" in issue(pair, "fw1"), "the text console of fw1 to follow", 5)
    assert "! this node is in persistent CARP maintenance mode" in issue(pair, "fw1")

    pair.wait(lambda: not is_safe(pair, "fw2"), "fw2 to say that it is not safe", 5)
    verdict = status(pair, "fw2")["safe_to_fail_over"]
    assert verdict["standby"] == "fw1" and any("maintenance" in r for r in verdict["reasons"])

    pair.wait(lambda: bool(told), "the notification", 20)
    assert "MASTER" in told[0]["subject"] and "WAN@200" in told[0]["subject"] and "LAN@1" in told[0]["subject"]
    assert len(told) == 1

    typed(pair, "fw1", "gemel carp maintenance off")
    wait_for_roles(pair, "fw1")


def test_it_is_remembered_with_its_cause_also_by_the_next_agent(pair: Lab) -> None:
    before = [r for r in ask(pair, "fw2", "transitions")["rows"] if r["after"] == "MASTER"]
    assert before and before[0]["cause"] and before[0]["name"] in ("WAN@200", "LAN@1")
    entered = [e["text"] for e in events(pair, "fw1", "config")]
    assert any("maintenance mode was entered" in t for t in entered)
    assert any("maintenance mode was left" in t for t in entered)
    assert any("proven to run" in e["text"] for e in events(pair, "fw1", "sync"))
    count = len(ask(pair, "fw2", "transitions")["rows"])
    restart(pair, "fw2", "agent")
    pair.wait(lambda: is_safe(pair, "fw2"), "fw2 to say that it is safe to fail over", 30)
    assert len(ask(pair, "fw2", "transitions")["rows"]) == count


def test_a_dead_primary_is_seen_dated_and_explained(pair: Lab) -> None:
    pair.power_off("fw1")
    wait_for_roles(pair, "fw2")
    pair.wait(lambda: not status(pair, "fw2")["peer"]["reachable"], "fw2 to miss its peer", 10)
    seen = status(pair, "fw2")
    assert seen["peer"]["status"]["node"] == "fw1" and seen["peer"]["age"] > 1
    assert "nothing is heard" in seen["safe_to_fail_over"]["reasons"][0]
    newest = ask(pair, "fw2", "transitions")["rows"][0]
    print(f"\n  {newest['name']} {newest['after']}: {newest['cause']}, without a master {newest['outage']} s")
    assert newest["after"] == "MASTER" and newest["outage"] and 0 < newest["outage"] < 10
    pair.power_on("fw1")
    wait_for_roles(pair, "fw1")
    pair.wait(lambda: is_safe(pair, "fw2"), "all to be well again", 60)
    assert any("speaks to this node again" in e["text"] for e in events(pair, "fw2", "problem"))
