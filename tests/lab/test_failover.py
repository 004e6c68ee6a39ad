"""One TCP connection and a 1 kHz flow live through power cuts and planned hand-overs; so does every other flow.

SOAK says how many power cuts (3 by default); there are half as many planned round trips, and at least 3.
"""

import os
from collections.abc import Iterator

import pytest

from gemel.lab.lab import Lab
from gemel.lab.topology import WAN_SERVER, WAN_VIP
from gemel.lab.traffic import Measured, Traffic
from tests.lab.stories import (
    LOST_AT_MOST,
    OUTAGE_AT_MOST,
    after_recovery,
    has_state,
    running,
    tell,
    typed,
    wait_for_push,
    wait_for_roles,
)

pytestmark = pytest.mark.lab

POWER_CUTS = int(os.environ.get("SOAK", "3"))
ROUND_TRIPS = max(3, POWER_CUTS // 2)
EACH = 1000
"""Flows of each kind."""


@pytest.fixture(scope="module")
def traffic(cluster: Lab) -> Iterator[Traffic]:
    """One connection and one flow, for all stories."""
    wait_for_roles(cluster, "fw1")
    with Traffic(cluster, seconds=300 + 40 * POWER_CUTS + 20 * ROUND_TRIPS) as traffic:
        cluster.wait(lambda: traffic.window().talk.alive, "the connection to be answered")
        yield traffic


def source_of(seen: Measured) -> str:
    """Where the one connection comes from; it must be alive."""
    assert seen.talk.alive and seen.talk.source, seen
    return seen.talk.source


@pytest.mark.soak
def test_the_connection_lives_through_planned_round_trips(cluster: Lab, traffic: Traffic) -> None:
    source = source_of(traffic.window())
    for number in range(ROUND_TRIPS):
        for switch, master in (("on", "fw2"), ("off", "fw1")):
            typed(cluster, "fw1", f"gemel carp maintenance {switch}")
            wait_for_roles(cluster, master)
            seen = after_recovery(cluster, traffic)
            tell(f"round trip {number + 1}, maintenance {switch}", seen)
            assert source_of(seen) == source and source.startswith(f"{WAN_VIP}:")
            assert seen.flow.lost <= LOST_AT_MOST, seen
            assert len(seen.flow.sources) == 1, seen


@pytest.mark.soak
def test_the_connection_lives_through_power_cuts_and_the_primarys_return(cluster: Lab, traffic: Traffic) -> None:
    source = source_of(traffic.window())
    for number in range(POWER_CUTS):
        port = source.rpartition(":")[2]
        cluster.wait(lambda port=port: has_state(cluster, "fw2", "tcp", port), "fw2 to know the connection")
        cluster.power_off("fw1")
        wait_for_roles(cluster, "fw2")
        seen = after_recovery(cluster, traffic)
        tell(f"power cut {number + 1}", seen)
        assert seen.flow.outage_ms <= OUTAGE_AT_MOST, seen
        assert source_of(seen) == source and len(seen.flow.sources) == 1, seen

        cluster.power_on("fw1")
        wait_for_roles(cluster, "fw1")
        seen = after_recovery(cluster, traffic)
        tell(f"the primary's return {number + 1}", seen)
        assert seen.flow.lost <= LOST_AT_MOST, seen
        assert source_of(seen) == source and len(seen.flow.sources) == 1, seen


def test_a_thousand_flows_of_each_kind_are_translated_as_before_after_the_power_cut(cluster: Lab) -> None:
    typed(cluster, "fw1", f"""
        gemel nat forward add --interface wan --protocol tcp --destination {WAN_VIP} --destination-port 7101 \
            --target 192.168.1.50 --local-port 7101 --filter-rule associated --description "Web"
        gemel apply
    """)
    wait_for_push(cluster)
    wait_for_roles(cluster, "fw1")
    with (
        running(cluster, "wan", "many_flows.py", "serve", WAN_SERVER),
        running(cluster, "lan", "many_flows.py", "serve", "192.168.1.50"),
        running(cluster, "lan", "many_flows.py", "open", WAN_SERVER, str(EACH), "udp", "tcp", "icmp") as outgoing,
        running(cluster, "wan", "many_flows.py", "open", WAN_VIP, str(EACH), "tcp") as forwarded,
    ):
        before = {**outgoing.ask(), "forwarded": forwarded.ask()["tcp"]}
        assert {kind: seen["answered"] for kind, seen in before.items()} == dict.fromkeys(before, EACH)
        assert all(before[kind]["addresses"] == [WAN_VIP] for kind in ("udp", "tcp", "icmp")), before
        assert before["forwarded"]["addresses"] == [WAN_SERVER], "a port forward leaves the client's address alone"
        cluster.wait(lambda: len(states(cluster, "fw2")) >= 4 * EACH, "fw2 to know all flows")

        cluster.power_off("fw1")
        wait_for_roles(cluster, "fw2")
        after = {**outgoing.ask(), "forwarded": forwarded.ask()["tcp"]}
    for kind, seen in after.items():
        print(f"  {kind}: {seen['answered']} of {EACH} pass, {seen['moved']} have another source than before")
    assert {kind: (seen["answered"], seen["moved"]) for kind, seen in after.items()} == dict.fromkeys(after, (EACH, 0))
    assert {kind: seen["ports"] for kind, seen in after.items()} == dict.fromkeys(after, EACH)


def states(lab: Lab, node: str) -> list[str]:
    """The node's states that belong to the flows between LAN and WAN."""
    shown = lab.exec(node, "conntrack", "-L", check=False).splitlines()
    return [s for s in shown if "dport=7100 " in s or "dport=7101 " in s or (s.startswith("icmp") and WAN_VIP in s)]
