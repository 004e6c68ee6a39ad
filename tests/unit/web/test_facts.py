"""What a person looks at: dashboard, Status > CARP, the page of every fact, backup and metrics."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.control import agent as ask
from gemel.control.door import Refused
from gemel.facts.every import FACTS
from gemel.facts.metrics import metrics
from gemel.facts.peer import Sight, heard, peer_section, told
from gemel.web.app import app
from gemel.web.menu import addresses, fact_place
from gemel.web.pages.facts import cell, sized
from tests.unit.daemons.agent import Agent
from tests.unit.facts.node import node_status, vhid
from tests.unit.web.browser import WEB, Browser, logged_in, node

XSS = '<script>alert("1")</script>'
PEER = node_status("fw2", "BACKUP")


@dataclass
class Watched:
    """The real agent, but for what it would see on a machine: that is given here."""

    agent: Agent
    status: dict[str, Any]
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)
    has_vips: bool = True

    def __call__(self, question: Any, /) -> Any:
        self.asked.append(question)
        match question:
            case ask.Status():
                return self.status
            case ask.AskFact("metrics"):
                if not question.token.strip():
                    raise Refused("log in first", [{"path": ask.NO_SESSION, "text": "log in first", "level": "error"}])
                return {"text": metrics(self.status)}
            case ask.AskFact():
                return self.facts.get(question.name, {"rows": []})
            case ask.List() if not self.has_vips:
                return replace(self.agent(question, WEB), items=())
            case ask.Maintenance():
                self.status["maintenance"] = question.on
                return None
            case ask.EnableCarp():
                self.status["carp_enabled"] = question.on
                return None
        return self.agent(question, WEB)


def with_peer(status: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The status of a node that hears its peer."""
    return status | {"peer": peer_section(Sight(heard(told(node_status("fw2", "BACKUP", **changes))), 0.2))}


@pytest.fixture
def there(tmp_path: Path) -> Iterator[tuple[Watched, Browser]]:
    agent, _ = node(tmp_path)
    watched = Watched(agent, with_peer(node_status()))
    yield watched, logged_in(app(watched))


def test_every_menu_entry_has_a_page(there: tuple[Watched, Browser]) -> None:
    for address in {*addresses(), *(fact_place(f) for f in FACTS if f.menu)}:
        page = there[1].get(address)
        assert page.status == 200, address
        assert "style=" not in page.text and "onclick" not in page.text, address


def test_both_nodes_stand_side_by_side(there: tuple[Watched, Browser]) -> None:
    words = there[1].get("/status/carp").words
    assert "WAN@200" in words and "198.51.100.200/24" in words
    row = words[words.index("WAN@200") :]
    assert row.index("MASTER") < row.index("BACKUP") < row.index("LAN@1")
    assert "fw1 (this node)" in words and "fw2 would take over" in words
    assert "1 (this node): 3 states" in words


def test_a_silent_peer_and_a_silent_carpd_are_said(there: tuple[Watched, Browser]) -> None:
    watched, browser = there
    seen = heard(told(PEER))
    watched.status = node_status(carp=[vhid("wan", 200, "INIT")]) | {"peer": peer_section(Sight(seen, 60, "no route"))}
    words = browser.get("/status/carp").words
    assert "INIT" in words and words.count("NO ANSWER") == 4  # of this node's LAN, of both on the peer, and it itself
    assert "nothing is heard of it for 60 s: no route" in words and words.count("unknown") == 6
    assert "no route" in browser.get("/").words


def test_demotion_is_named_and_problems_come_first(there: tuple[Watched, Browser]) -> None:
    watched, browser = there
    watched.status |= {"demotion": {"link wan": 240, "state sync": 0}, "problems": [f"the cable {XSS}"]}
    for address in ("/", "/status/carp"):
        page = browser.get(address)
        assert XSS not in page.text
        assert page.words.index("The cable <script>") < page.words.index("WAN@200")
    assert "link wan 240" in browser.get("/status/carp").words


def test_buttons_ask_for_an_end_state_and_a_second_click_does_nothing(there: tuple[Watched, Browser]) -> None:
    watched, browser = there
    orders = (("maintenance-on", "entered"), ("maintenance-off", "left"), ("carp-off", "is disabled"),
              ("carp-on", "enabled"))  # fmt: skip
    for order, said in orders:
        browser.get("/status/carp")
        assert said in browser.post("/status/carp", do=order).words
        count = sum(isinstance(q, ask.Maintenance | ask.EnableCarp) for q in watched.asked)
        assert "already" in browser.post("/status/carp", do=order).words
        assert count == sum(isinstance(q, ask.Maintenance | ask.EnableCarp) for q in watched.asked)
    watched.status["carp_enabled"] = False
    page = browser.get("/status/carp")
    assert "DISABLED" in page.words and "Enable CARP" in page.words and "Temporarily Disable" not in page.words


def test_without_a_virtual_ip_the_page_says_what_to_do(there: tuple[Watched, Browser]) -> None:
    watched, browser = there
    watched.has_vips = False
    page = browser.get("/status/carp")
    assert "No CARP virtual IP is set up here" in page.words and "Maintenance Mode" not in page.words


def test_figures_without_rows_are_cards_and_what_is_not_known_is_a_dash(there: tuple[Watched, Browser]) -> None:
    watched, browser = there
    counters = {f"sent: {i}": i for i in range(9)}
    watched.facts["state-sync"] = {"lag_ms": None, "host_id": "1", "counters": counters}
    words = browser.get("/status/state-synchronization").words
    assert "Lag (ms) –" in words and "Host ID 1" in words and "None" not in words
    assert "Counters What Count sent: 0 0 sent: 1 1" in words and "There is nothing to show" not in words


def test_a_facts_rows_options_and_the_rest_are_shown(there: tuple[Watched, Browser]) -> None:
    watched, browser = there
    watched.facts["states"] = {
        "rows": [{"protocol": "tcp", "source": XSS, "expires": 86400}], "total": 41,
        "protocols": {"tcp": 40, "udp": 1}, "sources": [{"address": "192.168.1.50", "states": 40, "this_node": True}],
    }  # fmt: skip
    page = browser.get("/diagnostics/states?filter=tcp+443")
    assert XSS in page.words and XSS not in page.text
    assert "86400 s" in page.words and "tcp: 40, udp: 1" in page.words
    assert "This node 192.168.1.50 40 yes" in page.words
    assert page.value("filter") == "tcp 443"
    assert watched.asked[-1] == ask.AskFact("states", {"filter": "tcp 443", "limit": "100"}, watched.asked[-1].token)
    line = {"at": 5.0, "process": "carpd", "level": "warning", "text": XSS}
    watched.facts["log"] = {"rows": [line, {**line, "at": None, "text": "another"}], "processes": ["agent", "carpd"]}
    page = browser.get("/status/system-logs?log=carpd")
    assert f"carpd WARNING {XSS}" in page.words and XSS not in page.text and page.chosen("log") == "carpd"
    assert page.choices("log") == ["All", "agent", "carpd"]


def test_cells_are_in_peoples_words() -> None:
    assert (sized(1), sized(1536), sized(3 << 30)) == ("1 B", "1.5 KiB", "3.0 GiB")
    assert [cell(k, v).text for k, v in (("share", 0.2), ("yes", False), ("rate", 2048), ("count", 12345))] == [
        "20%", "no", "2.0 KiB/s", "12,345"
    ]  # fmt: skip
    assert cell("state", "MASTER").state == "master" and cell("bytes", None).text == ""
    assert cell("time", 0.0).machine == "1970-01-01T00:00:00+00:00"


def test_a_backup_is_downloaded_and_restored(there: tuple[Watched, Browser]) -> None:
    watched, browser = there
    before = watched.agent.desk.config
    file = browser.post("/diagnostics/backup/download")
    assert file.headers["content-disposition"].startswith('attachment; filename="gemel-revision-')
    item = before[VIRTUAL_IPS].items[0]
    watched.agent.change("virtual_ips", "set", item.id, apply=True, description="something else")
    assert watched.agent.desk.config != before
    page = restore(browser, file.text)
    assert (page.status, page.headers["location"]) == (303, "/diagnostics/backup")
    assert watched.agent.desk.config == before


def test_a_file_that_is_no_configuration_changes_nothing(there: tuple[Watched, Browser]) -> None:
    watched, browser = there
    before = watched.agent.desk.config
    broken = json.loads(browser.post("/diagnostics/backup/download").text)
    broken["areas"]["virtual_ips"]["items"][0]["vhid"] = 999
    for text in ("", "{", "[1]", "[" * 100_000, '{"areas": 1}', json.dumps(broken)):
        page = restore(browser, text)
        assert page.status == 200 and "could not be done" in page.words, text[:20]
        assert watched.agent.desk.config == before


def restore(browser: Browser, text: str) -> Any:
    """Send a file as a browser does."""
    browser.get("/diagnostics/backup")
    body = (
        f'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{browser.csrf}\r\n'
        f'--x\r\nContent-Disposition: form-data; name="file"; filename="a.json"\r\n\r\n{text}\r\n--x--\r\n'
    )
    said = {"content-type": "multipart/form-data; boundary=x"}
    return browser.request("POST", "/diagnostics/backup", body.encode(), said)


def test_a_reader_gets_no_secrets_and_no_buttons(there: tuple[Watched, Browser]) -> None:
    reader = logged_in(there[1].application, "reader")
    assert "Maintenance Mode" not in reader.get("/status/carp").words
    assert "Download" not in reader.get("/diagnostics/backup").words
    assert reader.post("/diagnostics/backup/download").status == 403


def test_metrics_need_a_token_or_a_session(there: tuple[Watched, Browser]) -> None:
    _, browser = there
    page = browser.get("/metrics")
    assert page.status == 200 and page.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "\ngemel_safe_to_fail_over 1\n" in page.text
    stranger = Browser(browser.application)
    assert stranger.request("GET", "/metrics", b"", {}).status == 401
    token = next(iter(browser.cookies.values()))
    assert stranger.request("GET", "/metrics", b"", {"authorization": f"Bearer {token}"}).text == page.text
