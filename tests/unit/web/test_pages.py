"""Lists and forms in front of a real agent: what is shown, what is saved, what is said about what is wrong."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gemel.areas.every import AREAS
from gemel.areas.high_availability import HIGH_AVAILABILITY
from gemel.areas.interfaces import INTERFACES
from gemel.areas.links import BRIDGES
from gemel.areas.nat import OUTBOUND_NAT
from gemel.areas.rules import RULES
from gemel.areas.users import USERS
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.control.agent import Change, EditOrder
from gemel.core.area import Area
from gemel.core.model import is_marked
from gemel.web.form import NEVER
from gemel.web.menu import place
from tests.unit.daemons.agent import Agent
from tests.unit.web.browser import Browser, logged_in, node

LAN = "/firewall/rules?if=lan"
NEW_RULE = "/firewall/rules/new?if=lan"
XSS = '<script>alert(1)</script>"\'><b>'


@pytest.fixture
def there(tmp_path: Path) -> Iterator[tuple[Agent, Browser]]:
    agent, application = node(tmp_path)
    yield agent, logged_in(application)


def rule(**fields: str) -> dict[str, str]:
    return {"interface": "lan", "action": "pass", "family": "inet", "protocol": "tcp", "source": "any",
            "destination": "any", **fields}  # fmt: skip


def test_every_area_has_its_page_and_form(there: tuple[Agent, Browser]) -> None:
    for area in (a for a in AREAS if not a.own_faces):
        page = there[1].get(place(area.name))
        assert page.status == 200, area.name
        if area.item is not None:
            assert there[1].get(f"{place(area.name)}/new").status == 200, area.name


def test_a_bridge_is_made_of_ports_and_what_is_wrong_stands_beside_its_field(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    page = browser.get("/bridges/new")
    assert "Member Interfaces" in page.words and "Not assigned: " in page.words
    page = browser.post("/bridges/new", name="br0", members="eth7\nlan", stp="on")
    assert "lan is assigned to LAN: free it there first" in page.wrong("members")
    page = browser.post("/bridges/new", name="br0", members="eth7\neth8", stp="on")
    assert page.address == "/bridges" and agent.desk.candidate[BRIDGES].items[0].members == ("eth7", "eth8")
    assert "br0" in browser.get("/interfaces").choices("device")


def test_a_rule_is_saved_as_the_recipe_says_it_and_applied(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    page = browser.get("/firewall/rules/new?if=opt1&to=top")
    assert page.chosen("interface") == "SYNC"
    assert {"SYNC Net", "SYNC Address", "any", "Network", "This Firewall (self)"} <= set(page.choices("source"))
    assert "HTTPS (443)" in page.choices("destination_port")
    said = rule(interface="opt1", source="net:opt1", destination="address:opt1", destination_port="443",
                description="Allow configuration synchronization")  # fmt: skip
    page = browser.post("/firewall/rules/new?if=opt1&to=top", **said)
    assert page.address == "/firewall/rules?if=opt1"
    assert "The changes must be applied for them to take effect." in page.words
    first = next(r for r in agent.desk.candidate[RULES].items if r.interface == "opt1")
    assert (first.source, first.destination, first.destination_port) == ("net:opt1", "address:opt1", "443")
    assert first not in agent.desk.config[RULES].items
    assert "Allow configuration synchronization" in browser.get("/changes").words
    page = browser.post("/changes?back=/firewall/rules", do="apply")
    assert "have been applied" in page.words and "must be applied" not in page.words
    assert first in agent.desk.config[RULES].items


def test_discard_forgets_what_is_pending(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    browser.post(NEW_RULE, **rule())
    browser.post("/changes", do="discard")
    assert agent.desk.candidate == agent.desk.config


def test_what_is_wrong_stands_beside_its_field_and_the_input_stays(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    said = rule(source="address", source__text="nix", destination_port="other", destination_port__text="99999")
    page = browser.post(NEW_RULE, **said, description="still here")
    assert page.status == 200
    assert "'nix' is neither" in page.wrong("source") and "no port" in page.wrong("destination_port")
    assert page.value("source-text") == "nix" and page.value("description") == "still here"
    assert page.value("destination_port-text") == "99999"
    assert agent.desk.candidate == agent.desk.config


def test_a_choice_that_needs_text_says_so(there: tuple[Agent, Browser]) -> None:
    page = there[1].post(NEW_RULE, **rule(source="network"))
    assert "enter an address" in page.wrong("source") and page.chosen("source") == "Network"


def test_ports_left_over_from_another_protocol_are_not_meant(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    browser.post(NEW_RULE, **rule(protocol="pfsync", destination_port="443", description="left over"))
    found = next(r for r in agent.desk.candidate[RULES].items if r.description == "left over")
    assert (found.protocol, found.destination_port) == ("pfsync", "")


def test_inverted_sources_and_custom_ports_come_back_as_they_were(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    said = rule(source="network", source__text="10.0.0.0/8", source__not="on", destination_port__text="8000-8010")
    browser.post(NEW_RULE, **said, description="inverted")
    found = next(r for r in agent.desk.candidate[RULES].items if r.description == "inverted")
    assert (found.source, found.destination_port) == ("!10.0.0.0/8", "8000-8010")
    page = browser.get(f"/firewall/rules/{found.id}")
    assert page.chosen("source") == "Network" and page.value("source-text") == "10.0.0.0/8"
    assert page.chosen("destination_port") == "(other)" and page.value("destination_port-text") == "8000-8010"
    assert 'name="source-not" checked' in page.text


def test_somebody_elses_change_is_not_overwritten_unseen(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    key = agent.desk.config[RULES].items[0].id
    page = browser.get(f"/firewall/rules/{key}")
    agent(Change((EditOrder("rules", "set", key, {"description": "theirs"}),)))
    answer = browser.post(f"/firewall/rules/{key}", **rule(description="mine"), etag=page.value("etag"))
    assert "somebody else has changed this" in answer.words
    assert agent.desk.candidate[RULES].items[0].description == "theirs"


def test_toggle_copy_move_and_delete(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    for name in ("one", "two", "three"):
        browser.post(f"{NEW_RULE}&to=bottom", **rule(description=name))

    def lan() -> dict[str, Any]:
        return {r.description: r for r in agent.desk.candidate[RULES].items if r.interface == "lan"}

    def names() -> list[str]:
        return [n for n in lan() if n in ("one", "two", "three", "copied")]

    browser.post(LAN, do=f"toggle:{lan()['one'].id}")
    assert lan()["one"].disabled
    browser.post(LAN, do=f"move:{lan()['three'].id}", position=f"before:{lan()['one'].id}")
    assert names() == ["three", "one", "two"]
    page = browser.get(f"/firewall/rules/new?copy={lan()['three'].id}")
    assert page.value("description") == "three"
    browser.post(f"/firewall/rules/new?copy={lan()['three'].id}", **rule(description="copied"))
    assert names() == ["three", "copied", "one", "two"]
    browser.post(LAN, do="delete", id=[lan()["one"].id, lan()["two"].id])
    assert names() == ["three", "copied"]
    assert "Select something" in browser.post(LAN, do="delete").words


def test_a_list_is_searched_sorted_and_cut_on_the_server(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    items = [{"interface": "lan", "source": f"10.0.{n}.0/24", "description": f"host {n}"} for n in range(250)]
    agent(Change(tuple(EditOrder("rules", "add", "", i) for i in items)))
    page = browser.get(LAN)
    assert page.text.count("<tr data-id") == 100 and "251 in this list" in page.words
    assert browser.get(f"{LAN}&page=3").text.count("<tr data-id") == 51
    page = browser.get(f"{LAN}&q=HOST+10.0.24")
    assert page.text.count("<tr data-id") == 11 and "data-order" not in page.text
    page = browser.get(f"{LAN}&q=host&sort=-source")
    assert page.words.index("10.0.249.0/24") < page.words.index("10.0.248.0/24")
    assert "has “<nix>” in it" in browser.get(f"{LAN}&q=%3Cnix%3E").words


def test_text_is_text_everywhere(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    browser.post(NEW_RULE, **rule(description=XSS))
    browser.post("/firewall/aliases/new", name=XSS, type="host", entries=XSS, description=XSS)
    browser.post("/system/routing/gateways/new", name="A", interface="wan", address=XSS, description=XSS)
    agent.change("interfaces", "set", "opt1", description="<b>SYNC")
    agent.change("aliases", "add", name="A_1", entries=["10.1.1.1"], description=XSS)
    key = next(r.id for r in agent.desk.candidate[RULES].items if r.description == XSS)
    alias = browser.post("/firewall/aliases/new", name=XSS, type="host", entries=XSS, description=XSS)
    for page in (alias, *map(browser.get, (LAN, f"/firewall/rules/{key}", "/changes", "/firewall/aliases",
                                          f"{LAN}&q={XSS}", "/firewall/virtual-ips/new", "/interfaces"))):  # fmt: skip
        assert "<script>alert" not in page.text and "<b>" not in page.text, page.address


def test_a_virtual_ip_has_the_next_free_vhid_and_keeps_its_password(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    there_already = max(v.vhid or 0 for v in agent.desk.config[VIRTUAL_IPS].items)
    page = browser.get("/firewall/virtual-ips/new")
    assert page.chosen("vhid") == str(there_already + 1)
    said = {"type": "carp", "interface": "wan", "address": "198.51.100.77", "address-mask": "24", "vhid": "77",
            "base": "1", "skew": "1", "description": "third"}  # fmt: skip
    page = browser.post("/firewall/virtual-ips/new", **said, password="one", password__again="two")
    assert "the two entries differ" in page.wrong("password")
    browser.post("/firewall/virtual-ips/new", **said, password="one", password__again="one")
    vip = next(v for v in agent.desk.candidate[VIRTUAL_IPS].items if v.vhid == 77)
    assert (vip.address, vip.password, vip.skew) == ("198.51.100.77/24", "one", 1)
    assert "one" not in browser.get(f"/firewall/virtual-ips/{vip.id}").value("password")
    changed = said | {"description": "renamed"}
    browser.post(f"/firewall/virtual-ips/{vip.id}", **changed, password="", password__again="")
    vip = next(v for v in agent.desk.candidate[VIRTUAL_IPS].items if v.vhid == 77)
    assert (vip.password, vip.description) == ("one", "renamed")


def test_what_is_wrong_with_the_form_does_not_hide_what_is_wrong_with_a_field(there: tuple[Agent, Browser]) -> None:
    browser = there[1]
    place = "/system/high-availability"
    browser.get(place)
    page = browser.post(place, peer_ip="172.16.1", filter_host_id="xyz", password="one", password__again="two")
    assert "the two entries differ" in page.wrong("password")
    assert "172.16.1" in page.wrong("peer_ip") and page.wrong("filter_host_id")
    page = browser.post(NEW_RULE, **rule(source="network", action="maybe"))
    assert "enter an address" in page.wrong("source") and page.wrong("action")
    page = browser.post(NEW_RULE, **rule(source="network", destination="address", **{"destination-text": "nobody"}))
    assert "enter an address" in page.wrong("source") and not page.wrong("destination"), "the agent knows all names"


def test_the_outbound_mode_is_applied_at_save_and_nothing_else_with_it(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    browser.post(NEW_RULE, **rule(description="waits"))
    assert "Saved and applied" in browser.post("/firewall/nat/outbound", mode="manual").words
    assert agent.desk.config[OUTBOUND_NAT].mode == "manual"
    assert "waits" not in [r.description for r in agent.desk.config[RULES].items]


def test_an_outbound_mapping_by_the_recipes_words(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    page = browser.get("/firewall/nat/outbound/new?to=top")
    assert page.chosen("source") == "Network" and "Any" in page.choices("destination")
    vip = next(v for v in agent.desk.config[VIRTUAL_IPS].items if v.ip == "198.51.100.200")
    assert any(w.startswith("198.51.100.200") for w in page.choices("translation"))
    browser.post(
        "/firewall/nat/outbound/new?to=top", interface="wan", family="inet", protocol="any", source="network",
        source__text="192.168.1.0/24", destination="any", destination_port__text="500",
        translation=f"vip:{vip.id}", static_port="on", description="ISAKMP by hand",
    )  # fmt: skip
    first = agent.desk.candidate[OUTBOUND_NAT].items[0]
    assert (first.description, first.destination_port, first.static_port) == ("ISAKMP by hand", "500", True)
    assert first.translation == f"vip:{vip.id}"


def test_an_interface_without_static_type_has_no_address(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    page = browser.get("/interfaces/opt1")
    assert page.value("ipv4") == "172.16.1.2" and page.chosen("ipv4-mask") == "24"
    assert page.chosen("ipv4-type") == "Static IPv4" and page.chosen("ipv6-type") == "None"
    said = {"device": page.chosen("device"), "description": "SYNC", "ipv4": "172.16.1.9", "ipv4-mask": "25",
            "enabled": "on", "ipv6-type": "none"}  # fmt: skip
    browser.post("/interfaces/opt1", **said, **{"ipv4-type": "static"})
    changed = agent.desk.candidate[INTERFACES].get("opt1")
    assert changed and changed.ipv4 == "172.16.1.9/25" and changed.enabled
    browser.post("/changes", do="discard")
    page = browser.post("/interfaces/opt1", **said, **{"ipv4-type": "none"})
    assert "has no address" in page.words or "needs" in page.words, "other areas need it: they say so"


def test_high_availability_is_applied_at_save(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    page = browser.get("/system/high-availability")
    for words in ("Synchronize States", "Synchronize Interface", "Filter Host ID", "pfsync Synchronize Peer IP",
                  "Synchronize Config to IP", "Remote System Username", "Remote System Password"):  # fmt: skip
        assert words in page.words
    before = agent.desk.config[HIGH_AVAILABILITY]
    said = {"synchronize_interface": "opt1", "filter_host_id": "7", "peer_ip": "172.16.1.3", "username": "admin",
            "synchronize_states": "on", "synchronize_config_to": before.synchronize_config_to,
            "password": "", "password-again": "", "areas": ["rules", "nat"]}  # fmt: skip
    assert "Saved and applied" in browser.post("/system/high-availability", **said).words
    after = agent.desk.config[HIGH_AVAILABILITY]
    assert (after.filter_host_id, after.areas, after.password) == ("7", ("rules", "nat"), before.password)
    page = browser.post("/system/high-availability", **(said | {"filter_host_id": "0"}))
    assert "not 0" in page.wrong("filter_host_id")


def test_an_account_is_made_with_a_password_that_nobody_sees(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    said = {"name": "ann", "description": "Ann", "privileges": ["read-only"]}
    page = browser.post("/system/users/new", **said, password="long enough 1", password__again="long enough 2")
    assert "differ" in page.wrong("password")
    browser.post("/system/users/new", **said, password="long enough 1", password__again="long enough 1")
    made = next(u for u in agent.desk.candidate[USERS].items if u.name == "ann")
    assert made.password_hash.startswith("$argon2")
    assert "$argon2" not in browser.get("/system/users").text + browser.get(f"/system/users/{made.id}").text


def test_history_shows_what_changed_and_restores_it(there: tuple[Agent, Browser]) -> None:
    agent, browser = there
    number, config = agent.desk.number, agent.desk.config
    browser.post(NEW_RULE, **rule(description="a mistake"))
    browser.post("/changes", do="apply")
    assert "a mistake" in browser.get(f"/system/history/compare?before={number}&after={number + 1}").words
    assert str(number + 1) in browser.get("/system/history").words
    assert f"Revision {number} has been restored" in browser.post("/system/history", number=str(number)).words
    assert agent.desk.config == config


@pytest.mark.parametrize("area", [a for a in AREAS if not a.own_faces], ids=lambda area: area.name)
def test_no_form_leaves_a_field_of_its_model_out(there: tuple[Agent, Browser], area: Area[Any]) -> None:
    """A box that is not on the page would count as unchecked when the page is saved."""
    forms = [(area.model, place(area.name) if area.item is None else f"{place(area.name)}/settings")]
    forms += [(area.item, f"{place(area.name)}/new")] if area.item else []
    for model, address in forms:
        names = {n for n, info in model.model_fields.items() if n not in NEVER and not is_marked(info, "sealed")}
        names = {"password" if n == "password_hash" else n for n in names}
        if not names or (area is OUTBOUND_NAT and model is area.model):  # its mode stands above its list
            continue
        text = there[1].get(address).text
        there_is = {n for n in names if f'name="{n}"' in text or f'name="{n}-text"' in text}
        assert there_is == names, address


@pytest.mark.parametrize(
    ("address", "menu", "tab"),
    [
        ("/services/dhcp-mappings?if=lan", "DHCP Server", "Static Mappings"),
        ("/services/dhcp-mappings/new?if=lan", "DHCP Server", "Static Mappings"),
        ("/system/high-availability/health", "High Avail. Sync", "Health"),
        ("/services/dns-resolver/hosts/new", "DNS Resolver", "Host Overrides"),
        ("/firewall/nat/outbound/new", "NAT", "Outbound"),
        ("/system/api-keys", "User Manager", "API Keys"),
    ],
)
def test_one_tab_and_one_menu_entry_say_where_one_is(
    there: tuple[Agent, Browser], address: str, menu: str, tab: str
) -> None:
    text = there[1].get(address).text
    bar, _, rest = text.partition('<main id="main"')
    tabs = re.search(r'<nav aria-label="Tabs">.*?</nav>', rest, re.DOTALL)
    assert tabs and re.findall(r'aria-current="page">([^<]*)<', tabs[0]) == [tab]
    assert re.findall(r'aria-current="page">([^<]*)<', bar) == [menu]
    assert bar.count("nav-item dropdown active") == 1
