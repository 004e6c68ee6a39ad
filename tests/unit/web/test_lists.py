"""Lists in front of a real agent: places, separators, many at once, and what travels of long fields."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemel.areas.aliases import ALIASES
from gemel.areas.rules import RULES
from gemel.control.agent import Apply, Discard
from tests.unit.daemons.agent import Agent
from tests.unit.web.browser import Browser, logged_in, node

LAN = "/firewall/rules?if=lan"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[tuple[Agent, Browser]]:
    agent, application = node(tmp_path)
    for item in agent.desk.candidate[RULES].items:
        if item.interface == "lan":
            agent.change("rules", "delete", item.id)
    for number in range(1, 6):
        agent.change("rules", "add", id=f"r{number}", interface="lan", description=f"rule {number}")
    yield agent, logged_in(application)


def order(agent: Agent) -> str:
    return " ".join(r.id for r in agent.desk.candidate[RULES].items if r.interface == "lan")


def rows(browser: Browser, address: str = LAN) -> list[str]:
    return re.findall(r'<tr data-id="([^"]+)"', browser.get(address).text)


@pytest.mark.parametrize(
    ("do", "number", "after"),
    [
        ("move-to:top", "", "r2 r4 r1 r3 r5"),
        ("move-to:bottom", "", "r1 r3 r5 r2 r4"),
        ("move-to:number", "3", "r1 r3 r2 r4 r5"),
        ("move-to:number", "99", "r1 r3 r5 r2 r4"),
    ],
)
def test_what_is_selected_moves_together(there: tuple[Agent, Browser], do: str, number: str, after: str) -> None:
    agent, browser = there
    browser.get(LAN)
    browser.post(LAN, do=do, id=["r2", "r4"], number=number)
    assert order(agent) == after


def test_a_place_that_is_no_number_is_said(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    browser.get(LAN)
    page = browser.post(LAN, do="move-to:number", id=["r2"], number="three")
    assert page.status == 200 and "at:NUMBER" in page.words
    assert order(agent) == "r1 r2 r3 r4 r5"


def test_many_are_switched_off_and_on_and_those_that_are_so_already_are_left_alone(
    there: tuple[Agent, Browser],
) -> None:
    agent, browser = there
    browser.get(LAN)
    browser.post(LAN, do="disable", id=["r1", "r2"])
    browser.post(LAN, do="disable", id=["r2", "r3"])
    assert [r.id for r in agent.desk.candidate[RULES].items if r.disabled] == ["r1", "r2", "r3"]
    browser.post(LAN, do="enable", id=["r1", "r3", "r4"])
    assert [r.id for r in agent.desk.candidate[RULES].items if r.disabled] == ["r2"]


def test_a_separator_is_added_moved_changed_and_deleted(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    browser.get("/firewall/rules/separators/new?if=lan")
    page = browser.post("/firewall/rules/separators/new?if=lan", title="Mail <servers>", color="green")
    assert page.address == LAN and "Mail <servers>" in page.words
    (line,) = agent.desk.candidate[RULES].separators
    assert rows(browser) == ["r1", "r2", "r3", "r4", "r5", line.id]
    browser.post(LAN, do=f"move:{line.id}", position="before:r2")
    assert rows(browser) == ["r1", line.id, "r2", "r3", "r4", "r5"]
    assert "Mail" not in "".join(rows(browser, f"{LAN}&q=rule")), "a search shows rules only"
    assert browser.get(f"/firewall/rules/separators/{line.id}?if=lan").value("title") == "Mail <servers>"
    browser.post(f"/firewall/rules/separators/{line.id}?if=lan", title="Web", color="red")
    assert "Separator" in browser.get("/changes").words and "Web" in browser.get("/changes").words
    browser.post("/changes", do="apply")
    assert [(s.title, s.color) for s in agent.desk.config[RULES].separators] == [("Web", "red")]
    browser.post(LAN, do=f"delete:{line.id}")
    assert rows(browser) == ["r1", "r2", "r3", "r4", "r5"]


def test_what_is_wrong_with_a_separator_stands_beside_its_field(there: tuple[Agent, Browser]) -> None:
    _, browser = there
    browser.get("/firewall/rules/separators/new?if=lan")
    page = browser.post("/firewall/rules/separators/new?if=lan", title="x" * 500, color="blue")
    assert page.status == 200 and "120" in page.wrong("title")
    assert page.value("title") == "x" * 500


def test_only_the_beginning_of_a_long_alias_is_in_the_list(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    entries = [f"10.0.{i}.0/24" for i in range(99)]
    agent.change("aliases", "add", id="many", name="many", type="network", entries=entries)
    entries = ["many # all of them", "10.1.0.0/24"]
    agent.change("aliases", "add", id="nest", name="nest", type="network", entries=entries)
    page = browser.get("/firewall/aliases")
    assert "10.0.4.0/24 … (99)" in page.words and "10.0.5.0/24" not in page.words
    assert "many # all of them" in page.words
    assert len(re.findall("10[.]0[.]", browser.get("/firewall/aliases/many").text)) == 99
    form = browser.get("/firewall/aliases/nest")
    assert "alias:" not in form.text and "many # all of them" in form.text
    nest = agent.desk.candidate[ALIASES].get("nest")
    assert nest and nest.entries[0] == "alias:many # all of them", "it is stored by its id"


def test_names_of_aliases_complete_what_is_typed(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    for number in range(300):
        agent.change("aliases", "add", id=f"h{number}", name=f"hosts_{number}", entries=["10.0.0.1"])
    agent.change("aliases", "add", id="p", name="other_hosts_ports", type="port", entries=["80"])
    found = browser.get("/complete/aliases?q=HOSTS_29").json()
    assert found == ["hosts_29", *(f"hosts_{n}" for n in range(290, 300))]
    assert len(browser.get("/complete/aliases?q=o").json()) == 20
    assert browser.get("/complete/aliases?q=hosts&ports=1").json() == ["other_hosts_ports"]
    assert browser.get("/complete/aliases?q=").json() == []


def test_where_aliases_are_many_a_form_shows_the_chosen_one_by_its_name(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    for number in range(300):
        agent.change("aliases", "add", id=f"h{number}", name=f"hosts_{number}", entries=["10.0.0.1"])
    agent.change("rules", "set", "r1", source="!alias:h7")
    form = browser.get("/firewall/rules/r1")
    assert (form.chosen("source"), form.value("source-text")) == ("Address or Alias", "hosts_7")
    assert "hosts_8" not in form.text
    browser.post("/firewall/rules/r1", interface="lan", action="block", source="address", source__text="hosts_8",
                 source__not="on", destination="any")  # fmt: skip
    assert next(r for r in agent.desk.candidate[RULES].items if r.id == "r1").source == "!alias:h8"


def test_the_preview_says_what_the_other_node_gets(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    agent(Apply())
    agent.change("rules", "set", "r1", log=True)
    assert "All of this goes to" in browser.get("/changes").words
    agent.change("rules", "set", "r2", no_sync=True)
    agent.change("system", "set", domain="corp.example")
    words = browser.get("/changes").words
    assert "1 of these go to" in words
    line = next(li for li in browser.get("/changes").text.split("<li") if "r1" in li)
    assert "→" in line.split("badge")[-1]
    agent(Discard())
    agent.change("system", "set", domain="corp.example")
    assert "Nothing of this goes to" in browser.get("/changes").words
