"""The whole recipe in two browsers, by visible labels only; then a power cut, seen on the other node's open page.

Each test goes on where the one before it ended. With SCREENSHOTS=docs/images in the environment it takes the pictures
of docs/recipe.md.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from gemel.lab.lab import Lab
from gemel.lab.probes import ISAKMP, UDP_PORT
from gemel.lab.recipe import SYNC_RULES
from gemel.lab.topology import WAN_VIP
from gemel.lab.traffic import Server
from tests.lab.browser import Admin, chromium
from tests.lab.stories import status

pytestmark = pytest.mark.lab


@dataclass
class Desk:
    """Two browsers side by side, and the machines that they talk to."""

    lab: Lab
    primary: Admin
    secondary: Admin

    @property
    def both(self) -> dict[str, Admin]:
        return {"172.16.1.2": self.primary, "172.16.1.3": self.secondary}


@pytest.fixture(scope="module")
def desk(blank_lab: Lab) -> Iterator[Desk]:
    with chromium() as browser:
        admins = [Admin(browser, blank_lab.web(node)).log_in(blank_lab.password) for node in ("fw1", "fw2")]
        yield Desk(blank_lab, *admins)


# The recipe, step by step ---------------------------------------------------------------------------------------------


def test_setup_sync_interface(desk: Desk) -> None:
    for address, admin in desk.both.items():
        admin.go("Interfaces", "Assignments")
        admin.choose("Available network ports", "sync")
        admin.press("Add")
        admin.sees("Interface has been added")
        admin.go("Interfaces", "OPT1")
        admin.check("Enable Interface")
        admin.enter("Description", "SYNC")
        admin.choose("IPv4 Configuration Type", "Static IPv4")
        admin.enter("IPv4 address", address)
        admin.choose("IPv4 address subnet mask", "24")
        assert not admin.field("Block private networks").is_checked()
        assert not admin.field("Block bogon networks").is_checked()
        if admin is desk.primary:
            admin.screenshot("interface")
        admin.save()
        admin.apply()
        admin.go("Interfaces", "Assignments")
        assert admin.column("Description") == ["WAN", "LAN", "SYNC"]


def test_add_firewall_rules_for_synchronization(desk: Desk) -> None:
    admin = desk.primary.go("Firewall", "Rules", "SYNC")
    admin.sees("everything that comes in here is blocked")
    rules = (
        ("TCP", "SYNC Net", "SYNC Address", "HTTPS (443)"),
        ("pfsync", "SYNC Net", "any", ""),
        ("ICMP", "SYNC Net", "SYNC Net", ""),
    )
    for (protocol, source, destination, port), description in zip(rules, reversed(SYNC_RULES), strict=True):
        admin.press("Add to the top of the list")
        admin.choose("Action", "Pass")
        admin.choose("Protocol", protocol)
        admin.choose("Source", source)
        admin.choose("Destination", destination)
        if port:
            admin.choose("Destination port range", port)
        admin.enter("Description", description)
        admin.save()
    assert admin.column("Description") == list(SYNC_RULES)
    admin.screenshot("rules-pending")
    admin.apply()

    admin = desk.secondary.go("Firewall", "Rules", "SYNC")
    admin.press("Add to the top of the list")
    admin.choose("Action", "Pass")
    admin.choose("Protocol", "any")
    admin.choose("Source", "SYNC Net")
    admin.choose("Destination", "any")
    admin.enter("Description", "Temp rule for sync")
    admin.save()
    admin.apply()
    assert admin.column("Description") == ["Temp rule for sync"]


def test_configure_pfsync(desk: Desk) -> None:
    for number, (address, admin) in enumerate(desk.both.items(), 1):
        admin.go("System", "High Avail. Sync")
        admin.check("Synchronize States")
        admin.choose("Synchronize Interface", "SYNC")
        admin.enter("Filter Host ID", str(number))
        admin.enter("pfsync Synchronize Peer IP", next(a for a in desk.both if a != address))
        admin.press("Save")
        admin.sees("Saved and applied")


def test_configure_xmlrpc(desk: Desk) -> None:
    admin = desk.primary.go("System", "High Avail. Sync")
    admin.enter("Synchronize Config to IP", "172.16.1.3")
    admin.enter("Remote System Username", "admin")
    admin.enter("Remote System Password", desk.lab.password)
    admin.enter("Remote System Password Confirm", desk.lab.password)
    admin.press("Toggle All")
    boxes = admin.page.get_by_role("group", name="Select options to sync").get_by_role("checkbox")
    assert boxes.count() > 5 and all(box.is_checked() for box in boxes.all())
    admin.screenshot("high-availability")
    admin.press("Save")
    admin.sees("Saved and applied")

    there = desk.secondary.go("Firewall", "Rules", "SYNC")
    there.wait(lambda: _again(there).column("Description") == list(SYNC_RULES), "the primary's three rules")
    there.sees("This is the secondary node")


def test_add_carp_vips(desk: Desk) -> None:
    admin = desk.primary
    for interface, address, vhid in (("WAN", "198.51.100.200", "200"), ("LAN", "192.168.1.1", "1")):
        admin.go("Firewall", "Virtual IPs")
        admin.press("Add")
        admin.choose("Type", "CARP")
        admin.choose("Interface", interface)
        admin.enter("Address(es)", address)
        admin.choose("Address(es) subnet mask", "24")
        admin.press("Random password")
        admin.choose("VHID Group", vhid)
        admin.choose("Base", "1")
        admin.choose("Skew", "1")
        admin.enter("Description", f"{interface} CARP VIP")
        if interface == "WAN":
            admin.screenshot("vip")
        admin.save()
        admin.apply()
    there = desk.secondary.go("Firewall", "Virtual IPs")
    names = ["WAN CARP VIP", "LAN CARP VIP"]
    there.wait(lambda: _again(there).column("Description") == names, "the synchronized VIPs")


def test_check_carp_and_state_synchronization_status(desk: Desk) -> None:
    for node, admin, role in (("fw1", desk.primary, "MASTER"), ("fw2", desk.secondary, "BACKUP")):
        admin.go("Status", "CARP")
        admin.wait(lambda admin=admin, node=node, role=role: _roles(admin, node) == [role] * 2, f"{role} on {node}")
        admin.wait(lambda admin=admin: _creators(admin) == ["1", "2"], "the Filter Host IDs of both")
    desk.primary.wait(lambda: "safe" in _card(desk.primary, "Safe to Fail Over").split(), "safe to fail over")
    desk.primary.wait(lambda: "not safe" not in _card(desk.primary, "Safe to Fail Over"), "safe to fail over")
    desk.primary.screenshot("status-carp-primary")


def test_setup_outbound_nat(desk: Desk) -> None:
    admin = desk.primary.go("Firewall", "NAT", "Outbound")
    admin.check("Hybrid Outbound NAT")
    admin.press("Save")
    admin.sees("Saved and applied")
    for where, port, description in (("bottom", "", "LAN to WAN"), ("top", "500", "ISAKMP - LAN to WAN")):
        admin.press(f"Add to the {where} of the list")
        admin.choose("Interface", "WAN")
        admin.choose("Address Family", "IPv4")
        admin.choose("Source", "Network")
        admin.enter("Source address, network or alias", "192.168.1.0/24")
        if port:
            admin.choose("Type", "Any")
            admin.enter("Port custom", port)
            admin.check("Static Port")
        admin.choose("Address", "198.51.100.200 (WAN CARP VIP)")
        admin.enter("Description", description)
        admin.save()
    admin.apply()
    assert admin.column("Description") == ["ISAKMP - LAN to WAN", "LAN to WAN"]
    admin.screenshot("nat-outbound")
    there = desk.secondary.go("Firewall", "NAT", "Outbound")
    there.wait(lambda: _again(there).column("Description") == ["ISAKMP - LAN to WAN", "LAN to WAN"], "the mappings")
    assert there.field("Hybrid Outbound NAT").is_checked()


def test_setup_dhcp(desk: Desk) -> None:
    admin = desk.primary.go("Services", "DHCP Server", "LAN")
    admin.check("Enable DHCP server")
    for label, text in (
        ("Range from", "192.168.1.100"), ("Range to", "192.168.1.199"), ("DNS Server", "192.168.1.1"),
        ("Gateway", "192.168.1.1"), ("Failover Peer IP", "192.168.1.3"),
    ):  # fmt: skip
        admin.enter(label, text)
    admin.press("Save")
    admin.sees("Saved and applied")
    for page in (desk.primary, desk.secondary):
        page.go("Status", "DHCP Leases")
        page.wait(lambda page=page: _again(page).table()[0][1:4:2] == ["normal", "normal"], "normal, and normal")
    desk.primary.screenshot("status-dhcp-leases")


def test_the_lan_client_leaves_by_the_wan_vip(desk: Desk) -> None:
    with Server(desk.lab, seconds=60) as server:
        assert server.source_of(UDP_PORT, 40_000).startswith(f"{WAN_VIP}:")
        assert server.source_of(ISAKMP, ISAKMP) == f"{WAN_VIP}:{ISAKMP}"


def test_no_page_complained_and_none_left_its_node(desk: Desk) -> None:
    assert {address: admin.complaints for address, admin in desk.both.items()} == {a: [] for a in desk.both}


# What the recipe is for -----------------------------------------------------------------------------------------------

WATCH = """() => {
    window.turned = null;
    const cells = () => [...document.querySelector("main table").tBodies[0].rows].map((row) => row.cells[3].innerText);
    new MutationObserver(() => {
        if (!window.turned && cells().length && cells().every((text) => text.startsWith("MASTER"))) {
            window.turned = Date.now() / 1000;
        }
    }).observe(document.body, { subtree: true, childList: true });
}"""


def test_the_open_page_turns_master_within_a_second_of_its_node(desk: Desk) -> None:
    lab, page = desk.lab, desk.secondary
    desk.primary.go("Status", "CARP")
    page.go("Status", "CARP")
    page.wait(lambda: _roles(page, "fw2") == ["BACKUP"] * 2, "BACKUP")
    before = len(page.loads)
    page.page.evaluate(WATCH)
    lab.power_off("fw1")
    page.wait(lambda: page.page.evaluate("window.turned"), "MASTER on the open page")
    turned = page.page.evaluate("window.turned")
    since = [vip["since"] for vip in status(lab, "fw2")["carp"]]
    assert len(page.loads) == before, "the page was not loaded again"
    assert all(-0.05 < turned - moment < 1.0 for moment in since), (turned, since)
    desk.primary.sees("No news from fw1 since")
    page.wait(lambda: page.column("fw1") == ["NO ANSWER"] * 2, "fw1's silence")
    page.screenshot("power-cut")


def test_a_page_finds_its_node_again_without_being_touched(desk: Desk) -> None:
    page = desk.secondary
    desk.lab.kill("fw2", "webd", hold=True)
    page.sees("No news from fw2 since")
    desk.lab.release("fw2", "webd")
    page.page.get_by_text("No news from fw2").wait_for(state="hidden")
    assert _roles(page, "fw2") == ["MASTER"] * 2


def test_an_open_page_says_that_its_session_has_ended(desk: Desk) -> None:
    desk.secondary.another_page().go("admin", "Log Out")
    desk.lab.power_on("fw1")  # sessions end with the machine
    for page in (desk.secondary, desk.primary):
        page.sees("This session has ended")
        assert page.page.get_by_role("link", name="Log in").is_visible()


def _again(admin: Admin) -> Admin:
    admin.page.reload()
    return admin


def _roles(admin: Admin, node: str) -> list[str]:
    """The states of the node's VIPs as its page shows them, without what stands below them."""
    return [cell.split()[0] for cell in admin.column(f"{node} (this node)")]


def _creators(admin: Admin) -> list[str]:
    """The host IDs that stand in the State Synchronization Status area, each with whose it is."""
    return re.findall(r"^(\w+) \(", _card(admin, "State Synchronization Status"), re.MULTILINE)


def _card(admin: Admin, heading: str) -> str:
    cards = admin.page.locator("section", has=admin.page.get_by_role("heading", name=heading, exact=True))
    return str(cards.first.inner_text())
