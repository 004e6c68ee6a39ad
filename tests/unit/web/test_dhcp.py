"""Services > DHCP Server and Status > DHCP Leases in front of a real agent."""

from pathlib import Path
from typing import Any

import pytest

from gemel.areas.dhcp import DHCP
from gemel.areas.dhcp_relay import DHCP_RELAY
from gemel.web.pages.dhcp import _mapping_of
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
    page = browser.get("/services/dhcp?if=lan")
    kept = {name: page.value(name) for name in ("default_lease", "max_lease", "etag")}
    return browser.post("/services/dhcp?if=lan", **{**kept, "deny_unknown": "allow", **FORM, **values})


def test_the_lan_tab_is_the_form_with_the_recipes_labels_before_there_is_a_server(there: tuple[Agent, Browser]) -> None:
    page = there[1].get("/services/dhcp?if=lan")
    assert "DHCP Server on LAN" in page.words and "Add" not in page.words.split()
    for label in ("Enable DHCP server", "Range from", "DNS Server", "Gateway", "Failover Peer IP"):
        assert label in page.words
    assert page.choices("deny_unknown")[0] == "Allow all clients"


def test_the_page_opens_where_a_server_is_or_would_be(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    assert "DHCP Server on LAN" in browser.get("/services/dhcp").words, "the local network, not WAN"
    agent.change("dhcp", "add", apply=True, interface="opt1")
    assert "DHCP Server on SYNC" in browser.get("/services/dhcp").words
    assert browser.get("/services/dhcp/opt1").address == "/services/dhcp?if=opt1"
    assert "Router Advertisements on" in browser.get("/services/router-advertisements").words


def test_the_settings_of_an_interface_can_be_changed_and_deleted(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    assert "Delete these settings" not in browser.get("/services/dhcp?if=lan").words
    new_server(browser)
    new_server(browser, range_from="192.168.1.110")
    [server] = agent.desk.config[DHCP].items
    assert server.range_from == "192.168.1.110"
    assert "Delete these settings" in browser.get("/services/dhcp?if=lan").words
    browser.post("/services/dhcp?if=lan", do="delete")
    assert not agent.desk.config[DHCP].items


def test_two_administrators_do_not_overwrite_each_other(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    new_server(browser)
    old = browser.get("/services/dhcp?if=lan").value("etag")
    new_server(browser, range_from="192.168.1.110")
    page = new_server(browser, etag=old, range_from="192.168.1.120")
    assert agent.desk.config[DHCP].items[0].range_from == "192.168.1.110" and "Saved and applied" not in page.words


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


def test_an_ipv6_lease_made_static_begins_with_its_duid(there: tuple[Agent, Browser]) -> None:
    row = {"address": "2001:db8:1::1000", "client_id": "00:03:00:01", "mac": "", "hostname": "", "interface_id": "lan"}
    address = _mapping_of(row)
    assert address == "/services/dhcp6-mappings/new?if=lan&duid=00%3A03%3A00%3A01"
    assert there[1].get(address).value("duid") == "00:03:00:01"


@pytest.mark.parametrize(
    ("address", "labels"),
    [
        ("/services/dhcp6?if=lan", ("Enable DHCPv6 server", "Range from", "Failover Peer IP")),
        ("/services/dhcp-relay", ("Interface(s)", "Upstream Servers", "Append circuit ID")),
        ("/services/dhcp6-relay", ("Interface(s)", "Upstream Servers")),
    ],
)
def test_the_other_pages_of_dhcp_have_their_fields(
    there: tuple[Agent, Browser], address: str, labels: tuple[str, ...]
) -> None:
    page = there[1].get(address)
    assert all(label in page.words for label in labels)


def test_a_relay_is_saved_and_applied_at_once(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    page = browser.post("/services/dhcp-relay", enabled="on", interfaces="LAN", servers="192.168.1.77")
    assert "is reached through LAN" in page.wrong("servers")
    page = browser.post("/services/dhcp-relay", enabled="on", interfaces="LAN", servers="198.51.100.1")
    assert "applied" in page.words and agent.desk.config[DHCP_RELAY].interfaces == ("lan",)
