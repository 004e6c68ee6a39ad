"""The probes tell the truth: over a router made by hand, with and without power."""

from collections.abc import Iterator

import pytest

from gemel.lab.lab import Lab
from gemel.lab.namespace import LabError
from gemel.lab.probes import ISAKMP
from gemel.lab.topology import LAN_VIP, NODES, WAN_VIP
from gemel.lab.traffic import Server, Traffic

pytestmark = pytest.mark.lab

NAT = f"""
table ip by_hand
flush table ip by_hand
table ip by_hand {{
  chain post {{
    type nat hook postrouting priority srcnat
    oifname "wan" snat to {WAN_VIP}
  }}
}}
"""


@pytest.fixture
def routed(bare_lab: Lab) -> Iterator[Lab]:
    """fw1 alone holds both VIPs and translates."""
    if not bare_lab.is_on("fw1"):
        bare_lab.power_on("fw1")
    for device, own, vip in (("wan", NODES["fw1"].wan, WAN_VIP), ("lan", NODES["fw1"].lan, LAN_VIP)):
        bare_lab.plug("fw1", device)
        bare_lab.exec("fw1", "ip", "link", "set", device, "up")
        bare_lab.exec("fw1", "ip", "address", "replace", own, "dev", device)
        bare_lab.exec("fw1", "ip", "address", "replace", f"{vip}/32", "dev", device)
    bare_lab.exec("fw1", "sysctl", "-qw", "net.ipv4.ip_forward=1")
    bare_lab.exec("fw1", "nft", "-f", "-", text=NAT)
    with Server(bare_lab, seconds=30) as server:
        bare_lab.wait(lambda: server.source_of(ISAKMP, ISAKMP), "the router by hand")
    yield bare_lab


def test_undisturbed_traffic_is_all_there(routed: Lab) -> None:
    with Traffic(routed, seconds=30) as traffic:
        routed.exec("lan", "sleep", "0.5")
        seen = traffic.window()
    assert seen.talk.alive and seen.talk.source and seen.talk.source.startswith(f"{WAN_VIP}:")
    assert seen.flow.sent > 300 and seen.flow.lost == 0 and seen.flow.outage_ms == 0.0
    assert len(seen.flow.sources) == 1 and seen.flow.sources[0].startswith(f"{WAN_VIP}:")


def test_a_cable_out_for_a_while_is_an_outage_of_that_length_and_the_connection_lives(routed: Lab) -> None:
    with Traffic(routed, seconds=30) as traffic:
        routed.exec("lan", "sleep", "0.3")
        routed.unplug("fw1", "wan", silent=True)
        routed.exec("lan", "sleep", "0.3")
        routed.plug("fw1", "wan")
        routed.exec("lan", "sleep", "1.5")
        seen = traffic.window()
    assert 250 < seen.flow.outage_ms < 1000, seen
    assert abs(seen.flow.lost - seen.flow.outage_ms) < 100 and seen.talk.alive and seen.talk.stall_ms > 250


def test_without_power_the_connection_is_told_dead(routed: Lab) -> None:
    with Traffic(routed, seconds=30) as traffic:
        routed.exec("lan", "sleep", "0.3")
        routed.power_off("fw1")
        routed.exec("lan", "sleep", "1")
        seen = traffic.window()
    assert not seen.talk.alive and seen.talk.source is None and seen.flow.outage_ms > 700


def test_a_server_that_cannot_start_says_why(bare_lab: Lab) -> None:
    with Server(bare_lab, seconds=30), pytest.raises(LabError, match="in use"):
        Server(bare_lab, seconds=30)
