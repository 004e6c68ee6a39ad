"""What people look at, in a browser on both nodes of a cluster: side by side, live, and what they try from there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gemel.lab.lab import Lab
from tests.lab.browser import Admin, chromium
from tests.lab.stories import in_sync, status

pytestmark = pytest.mark.lab

QUICK = 4.0  # seconds for news of the other node: three words of it may be missed before it counts as gone
PCAP = b"\xd4\xc3\xb2\xa1"


@pytest.fixture(scope="module")
def admins(cluster: Lab) -> Iterator[dict[str, Admin]]:
    """Somebody at each node."""
    cluster.wait(lambda: in_sync(cluster, "fw1"), "the cluster in sync")
    with chromium() as browser:
        yield {node: Admin(browser, cluster.web(node)).log_in(cluster.password) for node in ("fw1", "fw2")}


def both(admin: Admin, aspect: str) -> list[str]:
    """The two nodes' cells of an aspect, this node's first."""
    row = admin.page.locator("table.both tbody tr").filter(has=admin.page.get_by_role("rowheader", name=aspect))
    return [" ".join(text.split()) for text in row.locator("td").all_inner_texts()]


def running(lab: Lab, program: str) -> int:
    """How many processes of that name there are on the first node."""
    return int(lab.exec("fw1", "sh", "-c", f"ps -C {program} --no-headers | wc -l"))


def test_the_dashboards_show_both_nodes_and_a_maintenance_of_the_other_without_a_reload(
    cluster: Lab, admins: dict[str, Admin]
) -> None:
    first, second = admins["fw1"].go("Status", "Dashboard"), admins["fw2"].go("Status", "CARP")
    first.wait(lambda: both(first, "CARP") == ["MASTER × 2", "BACKUP × 2"], "both nodes' roles")
    assert "proven on the peer" in both(first, "Config sync")[0] and both(first, "Problems") == ["none", "none"]
    first.sees("fw2 would take over")
    loads = len(first.loads)
    second.press("Enter Persistent CARP Maintenance Mode")
    first.wait(lambda: "240" in both(first, "Demotion")[1], "fw2's demotion on fw1's page", QUICK)
    assert "maintenance" in both(first, "Demotion")[1]
    first.sees("fw2 is in persistent CARP maintenance mode")
    second.press("Leave Persistent CARP Maintenance Mode")
    first.wait(lambda: both(first, "Demotion") == ["0", "0"], "fw2's demotion gone from fw1's page", QUICK)
    assert len(first.loads) == loads, "the page was not loaded again"


def test_a_demotion_is_named_with_its_amount_and_can_be_reset(cluster: Lab, admins: dict[str, Admin]) -> None:
    second = admins["fw2"].go("Status", "CARP")
    cluster.unplug("fw2", "lan")
    second.sees("This node stands back")
    reason = both(second, "Demotion")[0]
    assert "240" in reason and "lan" in reason.lower()
    second.press("Reset Demotion")
    second.sees("No longer counted")
    second.wait(lambda: "not counted" in both(second, "Demotion")[0], "the reason, reset", QUICK)
    cluster.plug("fw2", "lan")
    second.wait(lambda: both(second, "Demotion")[0] == "0", "no reason left")


def test_the_secondary_says_so_and_leads_to_the_same_page_of_the_primary(admins: dict[str, Admin]) -> None:
    second = admins["fw2"].go("Firewall", "Rules")
    second.sees("This is the secondary node")
    link = second.page.get_by_role("link", name="Open this page on fw1").get_attribute("href")
    assert link == admins["fw1"].address + "/firewall/rules"
    assert second.page.get_by_title("The same page on fw1").get_attribute("href") == link


def test_live_graphs_have_a_table_that_grows(cluster: Lab, admins: dict[str, Admin]) -> None:
    first = admins["fw1"].go("Status", "Traffic Graph")
    lan = first.page.locator('figure[data-key="lan"]')
    lan.locator("canvas").wait_for()
    lan.get_by_text("As a table").click()
    rows = lan.locator("tbody tr")
    before = rows.first.inner_text()
    cluster.exec("lan", "ping", "-q", "-c", "20", "-i", "0.02", "-s", "1400", "192.168.1.1")
    first.wait(lambda: rows.first.inner_text() != before, "the next second's figures", QUICK)
    first.wait(lambda: "kbit/s" in lan.locator("tbody").inner_text(), "the ping's traffic", QUICK)
    assert first.page.locator("figure canvas").count() == 6


def test_ping_from_an_interface_and_from_a_virtual_ip(admins: dict[str, Admin]) -> None:
    first, second = admins["fw1"].go("Diagnostics", "Ping"), admins["fw2"].go("Diagnostics", "Ping")
    first.enter("Hostname", "192.168.1.50")
    first.choose("Source address", "192.168.1.1 (LAN CARP VIP)")
    first.enter("Maximum number of pings", "2")
    first.press("Ping")
    first.sees("from 192.168.1.1")
    first.sees("2 packets transmitted, 2 received")
    first.sees("answered")
    second.enter("Hostname", "192.168.1.50; reboot")
    second.press("Ping")
    second.sees("is no address and no host name")
    second.enter("Hostname", "192.168.1.50")
    second.choose("Source address", "192.168.1.1 (LAN CARP VIP), not here now")
    second.press("Ping")
    second.sees("192.168.1.1 is not on this node now: the peer has it")


def test_a_capture_is_followed_stopped_downloaded_and_ends_with_its_session(
    cluster: Lab, admins: dict[str, Admin], tmp_path: Path
) -> None:
    first = admins["fw1"].go("Diagnostics", "Packet Capture")
    first.choose("Interface", "LAN")
    first.choose("Protocol", "CARP")
    first.press("Start")
    first.sees("CARPv2-advertise")
    assert "nobody" in cluster.exec("fw1", "ps", "-C", "tcpdump", "-o", "user=")
    first.press("Stop")
    first.sees("stopped")
    with first.page.expect_download() as found:
        first.press("Download pcap")
    found.value.save_as(tmp_path / "x.pcap")
    assert (tmp_path / "x.pcap").read_bytes()[:4] == PCAP and running(cluster, "tcpdump") == 0
    first.press("Start")
    cluster.wait(lambda: running(cluster, "tcpdump") == 2, "a capture and its reader", 5)
    first.page.get_by_role("button", name="admin").click()
    first.press("Log Out")
    cluster.wait(lambda: running(cluster, "tcpdump") == 0, "the capture to end with its session", 5)
    assert not cluster.exec("fw1", "ls", "/run/gemel/captures").strip()
    first.log_in(cluster.password)


def test_logs_are_searched_and_explain_role_changes(admins: dict[str, Admin]) -> None:
    first = admins["fw1"].go("Status", "System Logs")
    first.choose("Process", "carpd")
    first.enter("Filter", "MASTER")
    first.press("Show")
    lines = first.page.locator(".log-line")
    lines.first.wait_for()
    assert all("carpd" in text and "MASTER" in text for text in lines.all_inner_texts())
    first.tab("Events")
    first.choose("Kind", "role")
    first.press("Show")
    first.sees("BACKUP → MASTER: no advert for")


def test_a_test_notification_says_what_is_wrong(admins: dict[str, Admin]) -> None:
    first = admins["fw1"].go("System", "Advanced", "Notifications")
    first.enter("SMTP server", "127.0.0.1")
    first.enter("SMTP port", "9")
    first.enter("To", "admin@example.org")
    first.press("Save")
    first.sees("Saved and applied")
    first.press("Send a Test Notification")
    first.sees("Not sent. Mail through 127.0.0.1:9: nobody listens there: check the port.")


def test_a_silent_peer_is_said_and_nothing_of_it_is_shown_as_if_it_were_true(
    cluster: Lab, admins: dict[str, Admin]
) -> None:
    first = admins["fw1"].go("Status", "Dashboard")
    first.wait(lambda: both(first, "Node")[1].startswith("online"), "the peer")
    cluster.power_off("fw2")
    first.wait(lambda: both(first, "Node")[1].startswith("NO ANSWER"), "the peer's silence", 5.0)
    assert both(first, "Config sync")[1] == both(first, "State sync")[1] == "unknown"
    first.sees("nothing is heard of the peer")
    assert status(cluster, "fw1")["peer"]["reachable"] is False


def test_no_page_complained_and_none_left_its_node(admins: dict[str, Admin]) -> None:
    refused = "Failed to load resource"  # what a form's refusal (422) is called on the console
    found = [c for c in admins["fw1"].complaints if refused not in c and not c.startswith("422")]
    assert found == []
