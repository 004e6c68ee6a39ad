"""The recipe's *Additional Interfaces*, by hand: a DMZ with its own virtual IP, typed on the primary alone.

The DMZ port of the primary is in a bridge, that of the secondary is not: their names differ, and the virtual MAC has to
come through a bridge."""

from collections.abc import Iterator

import pytest

from gemel.lab import recipe
from gemel.lab.lab import Lab
from gemel.lab.probes import UDP_PORT
from gemel.lab.topology import NODES, WAN_SERVER, WAN_VIP, Host
from gemel.lab.traffic import PROBES, Server
from tests.lab.stories import in_force, status, try_typing, typed, wait_for_push, wait_for_roles

pytestmark = pytest.mark.lab

PORTS = {"fw1": "br0", "fw2": "dmz"}
"""Node -> what is assigned there."""


@pytest.fixture(scope="module")
def dmz(cluster: Lab) -> Host:
    """One more network, and its host, which expects its gateway at .1."""
    wait_for_roles(cluster, "fw1")
    return cluster.add_segment("dmz")


@pytest.fixture(scope="module")
def server(cluster: Lab) -> Iterator[Server]:
    """The WAN server, for all stories."""
    with Server(cluster, seconds=300) as server:
        yield server


def source_of_dmz(lab: Lab, source_port: int = 41_000) -> str:
    """ADDRESS:PORT that the WAN server sees for the DMZ host; empty if no answer came."""
    return lab.exec("dmz", *PROBES, "ask", WAN_SERVER, str(UDP_PORT), str(source_port), check=False).strip()


def network(host: Host) -> str:
    return host.address.rpartition(".")[0]


def test_the_interface_is_assigned_on_both_nodes(cluster: Lab, dmz: Host) -> None:
    typed(cluster, "fw1", "gemel bridge add --name br0 --members dmz --no-stp")
    for number, node in enumerate(NODES, start=2):
        typed(cluster, node, f"""
            gemel interface assign {PORTS[node]}
            gemel interface set opt2 --enable --description DMZ --ipv4 {network(dmz)}.{number}/24
            gemel apply
        """)  # fmt: skip
    for number, node in enumerate(NODES, start=2):
        assert f"{network(dmz)}.{number}/24" in cluster.exec(node, "ip", "-br", "address", "show", PORTS[node])
    assert "master br0" in cluster.exec("fw1", "ip", "link", "show", "dmz")


def test_without_a_rule_the_dmz_reaches_nothing(cluster: Lab, dmz: Host, server: Server) -> None:
    assert "100% packet loss" in cluster.exec("dmz", "ping", "-c1", "-W0.5", f"{network(dmz)}.2", check=False)


def test_virtual_ip_rules_and_nat_are_typed_on_the_primary_only_and_come_over(cluster: Lab, dmz: Host) -> None:
    typed(cluster, "fw1", f"""
        gemel vip add --type carp --interface opt2 --address {dmz.gateway}/24 --vhid 3 --base 1 --skew 1 \
            --random-password --description "DMZ CARP VIP"
        gemel rule add opt2 --top --action block --protocol any --source "DMZ net" --destination "LAN net" \
            --description "DMZ stays out of LAN"
        gemel rule add opt2 --action pass --protocol any --source "DMZ net" --destination any \
            --description "DMZ to the Internet"
        gemel nat outbound add --interface wan --source {network(dmz)}.0/24 --translation {WAN_VIP} \
            --description "DMZ to WAN"
        gemel apply
    """)  # fmt: skip
    wait_for_push(cluster)
    wait_for_roles(cluster, "fw1")
    here = {v["vhid"]: (v["state"], v["advskew"]) for v in status(cluster, "fw1")["carp"]}
    there = {v["vhid"]: (v["state"], v["advskew"]) for v in status(cluster, "fw2")["carp"]}
    assert here[3] == ("MASTER", 1) and there[3] == ("BACKUP", 101)
    assert recipe.rules(cluster, "fw2", "opt2") == ("DMZ stays out of LAN", "DMZ to the Internet")


def test_the_dmz_host_has_internet_through_its_own_virtual_ip(cluster: Lab, server: Server) -> None:
    cluster.wait(lambda: source_of_dmz(cluster).startswith(f"{WAN_VIP}:"), "the DMZ host to reach the WAN server")
    neighbour = cluster.exec("dmz", "ip", "neigh", "show", "dev", "eth0")
    assert "00:00:5e:00:01:03" in neighbour, neighbour


def test_and_nothing_of_the_lan(cluster: Lab) -> None:
    assert "100% packet loss" in cluster.exec("dmz", "ping", "-c1", "-W0.5", "192.168.1.50", check=False)


def test_it_keeps_it_over_a_power_cut_with_the_same_translation(cluster: Lab, server: Server) -> None:
    before = source_of_dmz(cluster)
    cluster.power_off("fw1")
    wait_for_roles(cluster, "fw2")
    assert {v["vhid"]: v["state"] for v in status(cluster, "fw2")["carp"]}[3] == "MASTER"
    assert source_of_dmz(cluster) == before and before.startswith(f"{WAN_VIP}:")


def test_and_when_the_primary_is_back(cluster: Lab, server: Server) -> None:
    before = source_of_dmz(cluster)
    cluster.power_on("fw1")
    wait_for_roles(cluster, "fw1")
    assert len(status(cluster, "fw1")["carp"]) == 3
    assert source_of_dmz(cluster) == before


def test_a_dead_cable_in_the_dmz_moves_all_virtual_ips_together(cluster: Lab, server: Server) -> None:
    cluster.unplug("fw1", "dmz")
    cluster.wait(lambda: recipe.is_in_role(cluster, "fw2", "MASTER"), "fw2 to take all of them over", 20)
    cluster.wait(lambda: source_of_dmz(cluster).startswith(f"{WAN_VIP}:"), "the DMZ host to reach the WAN server")
    cluster.plug("fw1", "dmz")
    wait_for_roles(cluster, "fw1")
    assert source_of_dmz(cluster).startswith(f"{WAN_VIP}:")


def test_a_vlan_is_there_after_the_apply_or_the_kernel_is_said_to_have_none(cluster: Lab) -> None:
    typed(cluster, "fw1", "gemel vlan add --parent br0 --tag 7")
    before = in_force(cluster, "fw1")
    answer = try_typing(cluster, "fw1", "apply")
    links = cluster.exec("fw1", "ip", "-d", "link", "show")
    if answer.exit_status == 0:
        assert "br0.7@br0" in links and "id 7 " in links
    else:
        assert "this machine's kernel has no 802.1Q VLANs (module 8021q)" in answer.err, answer
        assert "br0.7" not in links and in_force(cluster, "fw1") == before
