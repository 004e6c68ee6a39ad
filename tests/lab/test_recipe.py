"""The recipe has been carried out, and both nodes are what it promises."""

import subprocess
import sys
from typing import Any

import pytest

from gemel.lab import recipe
from gemel.lab.lab import Lab
from gemel.lab.probes import ISAKMP, UDP_PORT
from gemel.lab.topology import NODES, WAN_VIP
from gemel.lab.traffic import Server
from tests.lab.stories import in_sync, status, wait_for_push

pytestmark = pytest.mark.lab

SNIFF = """
import socket, struct, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("eth0", 3)); s.settimeout(0.2)
print("ready", flush=True)
end = time.monotonic() + 10
while time.monotonic() < end:
    try:
        frame, where = s.recvfrom(2048)
    except TimeoutError:
        continue
    if where[2] != 4 and frame[12:14] == b"\\x08\\x00" and frame[23] == 17:
        head = 14 + (frame[14] & 15) * 4
        source, destination = struct.unpack("!HH", frame[head : head + 4])
        if destination == int(sys.argv[1]):
            print(socket.inet_ntoa(frame[26:30]), source, flush=True)
            break
"""
"""Prints address and port from which the first UDP packet to a port comes, as it is on the wire."""


def on_the_wire(lab: Lab, port: int, source_port: int) -> str:
    """ADDRESS PORT from which the WAN server's card receives what the LAN client sends from `source_port`."""
    sniffer = lab.start("wan", sys.executable, "-c", SNIFF, str(port), stdout=subprocess.PIPE)
    assert sniffer.stdout
    try:
        assert sniffer.stdout.readline() == "ready\n"
        with Server(lab, seconds=20) as server:
            server.source_of(port, source_port)
        return sniffer.stdout.readline().strip()
    finally:
        sniffer.kill()
        sniffer.communicate()


def shown(lab: Lab, node: str, *area: str) -> Any:
    """The values of an area in force."""
    return lab.cli_json(node, *area, "--running")["values"]


def test_the_secondary_has_the_primarys_three_rules_in_their_order_and_not_its_temporary_one(cluster: Lab) -> None:
    on_primary, on_secondary = (shown(cluster, node, "rule", "list", "opt1")["items"] for node in NODES)
    assert [r["description"] for r in on_secondary] == list(recipe.SYNC_RULES)
    assert [r["protocol"] for r in on_secondary] == ["icmp", "pfsync", "tcp"]
    assert on_secondary == on_primary


def test_the_kernel_of_the_secondary_has_them_too(cluster: Lab) -> None:
    ids = [r["id"] for r in shown(cluster, "fw2", "rule", "list", "opt1")["items"]]
    ruleset = cluster.exec("fw2", "nft", "list", "ruleset")
    assert all(rule in ruleset for rule in ids)


def test_the_command_says_what_the_stories_ask_the_agent_for(cluster: Lab) -> None:
    said, asked = cluster.cli_json("fw1", "status"), status(cluster, "fw1")
    assert said.keys() == asked.keys()
    assert [(v["vhid"], v["state"]) for v in said["carp"]] == [(v["vhid"], v["state"]) for v in asked["carp"]]


def test_the_secondarys_virtual_ips_have_skew_101_and_base_1(cluster: Lab) -> None:
    configured = {v["vhid"]: v for v in shown(cluster, "fw2", "vip", "list")["items"]}
    assert {n: (v["base"], v["skew"]) for n, v in configured.items()} == {200: (1, 101), 1: (1, 101)}
    assert {v["vhid"]: (v["advbase"], v["advskew"]) for v in status(cluster, "fw2")["carp"]} == {
        200: (1, 101),
        1: (1, 101),
    }
    assert {v["vhid"]: (v["base"], v["skew"]) for v in shown(cluster, "fw1", "vip", "list")["items"]} == {
        200: (1, 1),
        1: (1, 1),
    }


def test_the_primary_is_master_of_all_and_the_secondary_backup_of_all(cluster: Lab) -> None:
    assert {v["vhid"]: v["state"] for v in status(cluster, "fw1")["carp"]} == {200: "MASTER", 1: "MASTER"}
    assert {v["vhid"]: v["state"] for v in status(cluster, "fw2")["carp"]} == {200: "BACKUP", 1: "BACKUP"}


def test_both_list_the_creators_1_and_2(cluster: Lab) -> None:
    for node in NODES:
        cluster.wait(lambda node=node: status(cluster, node)["state_sync"]["creator_ids"] == ["1", "2"],
                     f"both creator ids on {node}")  # fmt: skip


def test_both_are_content_and_know_their_part(cluster: Lab) -> None:
    said = {node: status(cluster, node) for node in NODES}
    assert [s["problems"] for s in said.values()] == [[], []]
    assert [s["role_config"] for s in said.values()] == ["primary", "secondary"]


def test_the_primary_has_proof_that_the_secondary_runs_its_configuration(cluster: Lab) -> None:
    wait_for_push(cluster)
    assert in_sync(cluster, "fw1")
    proven = status(cluster, "fw1")["config_sync"]
    assert proven["peer_revision"] == status(cluster, "fw2")["config_sync"]["revision"]


def test_nothing_was_typed_on_the_secondary_that_the_recipe_does_not_type_there(cluster: Lab) -> None:
    history = cluster.cli_json("fw2", "revisions")
    by_hand = [r["message"] for r in history if not r["who"].startswith("fw1 ")]
    # First boot (and its password), the SYNC interface, the temporary rule, state synchronisation.
    assert len(by_hand) == 5, by_hand
    by_peer = [r for r in history if r["who"].startswith("fw1 ")]
    assert by_peer and all("172.16.1.2" in r["where"] for r in by_peer)
    assert sum(len(step.typed.get("fw2", "").strip().splitlines()) for step in recipe.STEPS) == 3 + 2 + 1


def test_the_mappings_and_the_mode_of_outbound_nat_came_over(cluster: Lab) -> None:
    here, there = (shown(cluster, node, "nat", "outbound", "list") for node in NODES)
    assert there == here and there["mode"] == "hybrid"
    assert [m["description"] for m in there["items"]] == ["ISAKMP - LAN to WAN", "LAN to WAN"]


def test_a_packet_to_port_500_keeps_its_source_port_on_the_wire(cluster: Lab) -> None:
    assert on_the_wire(cluster, ISAKMP, ISAKMP) == f"{WAN_VIP} {ISAKMP}"


def test_another_packet_leaves_from_the_virtual_ip_too_and_is_answered(cluster: Lab) -> None:
    assert on_the_wire(cluster, UDP_PORT, ISAKMP).split()[0] == WAN_VIP
    with Server(cluster, seconds=30) as server:
        assert server.source_of(UDP_PORT, 40_000).startswith(f"{WAN_VIP}:")
        assert server.source_of(ISAKMP, ISAKMP) == f"{WAN_VIP}:{ISAKMP}"
