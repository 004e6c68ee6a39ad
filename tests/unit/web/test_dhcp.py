"""Services > DHCP Server and Status > DHCP Leases in front of a real agent."""

import re
from pathlib import Path
from typing import Any

import pytest

from gemel.areas.dhcp import DHCP
from tests.unit.daemons.agent import Agent
from tests.unit.web.browser import Browser, logged_in, node

FORM = {
    "enabled": "on", "range_from": "192.168.1.100", "range_to": "192.168.1.199", "dns_servers": "192.168.1.1",
    "gateway": "192.168.1.1",
}  # fmt: skip


@pytest.fixture
def there(tmp_path: Path) -> tuple[Agent, Browser]:
    agent, application = node(tmp_path)
    return agent, logged_in(application)


def new_server(browser: Browser, **values: Any) -> Any:
    page = browser.get("/services/dhcp/new?if=lan")
    found = re.findall(r'<option value="([^"]*)" selected', page.text)
    kept = {name: page.value(name) for name in ("default_lease", "max_lease")}
    return browser.post("/services/dhcp/new?if=lan", interface=found[0], deny_unknown="allow", **kept, **FORM, **values)


def test_add_on_the_lan_tab_is_a_form_for_lan_with_the_recipes_labels(there: tuple[Agent, Browser]) -> None:
    listed = there[1].get("/services/dhcp?if=lan")
    assert 'href="/services/dhcp/new?if=lan"' in listed.text
    page = there[1].get("/services/dhcp/new?if=lan")
    assert page.chosen("interface") == "LAN"
    for label in ("Enable DHCP server", "Range from", "DNS servers", "Gateway", "Failover Peer IP"):
        assert label in page.words


def test_save_applies_at_once(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    page = new_server(browser)
    assert "Saved and applied" in page.words
    [server] = agent.desk.config[DHCP].items
    assert server.interface == "lan" and server.enabled and server.dns_servers == ("192.168.1.1",)


def test_what_is_wrong_stands_beside_its_field(there: tuple[Agent, Browser]) -> None:
    page = new_server(there[1], failover_peer_ip="192.168.1.1x")
    assert "is no IP address" in page.wrong("failover_peer_ip")
    assert not there[0].desk.config[DHCP].items


def test_making_a_lease_static_begins_with_what_is_known(there: tuple[Agent, Browser]) -> None:
    page = there[1].get("/services/dhcp-mappings/new?if=lan&mac=00%3A1b%3A44%3A11%3A3a%3Ab7&hostname=desk")
    assert page.value("mac") == "00:1b:44:11:3a:b7" and page.value("hostname") == "desk"
    assert page.chosen("interface") == "LAN"
