"""DHCP failover and DNS on the virtual IP, with Debian's dhclient and busybox's udhcpc."""

import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gemel.control import paths
from gemel.control.leased import LeaseReport, LeaseStatus, ListLeases
from gemel.lab import recipe
from gemel.lab.dhcp_host import DhcpHost, crowd
from gemel.lab.lab import Lab
from gemel.lab.topology import LAN_VIP, NODES

from .stories import put_card, take_card, wait_for_roles

pytestmark = pytest.mark.lab

SOAK = int(os.environ.get("SOAK", "3"))
TAKE_OVER = 0.3  # seconds
NEW_LEASE_WITHIN = 2.0  # seconds after the power cut
NAME_WITHIN = 1.0
NORMAL_WITHIN = 30.0


def report(lab: Lab, node: str) -> LeaseReport:
    """What the node's leased says."""
    said: LeaseReport = lab.ask(node, paths.LEASED_DOOR, LeaseStatus())
    return said


def leases(lab: Lab, node: str) -> dict[str, str]:
    """Address -> MAC of the live leases in the node's table."""
    there = lab.ask(node, paths.LEASED_DOOR, ListLeases())
    return {x["ip-address"]: x["hw-address"] for x in there if x["state"] == 0}


def normal(lab: Lab) -> bool:
    """Whether both nodes say normal of both, and fw1 answers."""
    try:
        said = [report(lab, node).pools[0] for node in NODES]
    except Exception:  # a node that is starting has no such door yet
        return False
    return {(p.state, p.peer_state) for p in said} == {("normal", "normal")} and said[0].serving


def problems(lab: Lab, node: str) -> list[str]:
    said: list[str] = lab.node_status(node)["problems"]
    return said


@pytest.fixture(scope="module")
def settled(serving_cluster: Lab) -> Iterator[Lab]:
    serving_cluster.wait(lambda: normal(serving_cluster), "DHCP failover to be normal", NORMAL_WITHIN)
    yield serving_cluster


@pytest.fixture(autouse=True)
def both_on(settled: Lab) -> Iterator[None]:
    """A story that ends badly leaves the next one two nodes."""
    yield
    for node in NODES:
        if not settled.is_on(node):
            settled.power_on(node)


def test_the_secondarys_failover_peer_is_the_primarys_lan_address(settled: Lab) -> None:
    [server] = settled.cli_json("fw2", "dhcp", "list", "--running")["values"]["items"]
    assert server["failover_peer_ip"] == "192.168.1.2"


def test_a_client_gets_the_virtual_ip_as_gateway_dns_and_server_and_renews_with_it(settled: Lab) -> None:
    with DhcpHost(settled, "one") as host:
        host.udhcpc()
        kind, address, *rest = host.wait_for(1, 10)
        assert kind == "bound" and rest == [LAN_VIP, LAN_VIP, LAN_VIP]
        began = time.monotonic()
        host.renew()
        assert host.wait_for(2, 5)[:2] == ["renew", address]
        assert time.monotonic() - began < 0.9, "udhcpc falls back to a broadcast after a second"
        for node in NODES:
            settled.wait(lambda node=node: leases(settled, node).get(address) == host.mac, f"the lease on {node}", 5)


def test_both_nodes_know_the_name_of_a_host_with_a_lease(settled: Lab) -> None:
    with DhcpHost(settled, "named") as host:
        host.dhclient()
        address = host.wait_for(1, 10)[1]
        for server in (LAN_VIP, "192.168.1.2", "192.168.1.3"):
            settled.wait(lambda s=server: host.lookup(s, f"{host.name}.home.arpa")["addresses"] == [address],
                         f"the name at {server}", 5)  # fmt: skip


@pytest.mark.soak
@pytest.mark.parametrize("run", range(SOAK))
def test_after_a_power_cut_a_new_client_gets_a_lease_at_once(settled: Lab, run: int) -> None:
    lab = settled
    lab.wait(lambda: normal(lab), "both to be normal", NORMAL_WITHIN + 15)
    lab.wait(lambda: lab.node_status("fw2")["fast_detection"]["phase"] == "armed", "the detector", 30)
    with DhcpHost(lab, "old") as old, DhcpHost(lab, "new") as new:
        old.udhcpc()
        address = old.wait_for(1, 10)[1]
        lab.power_off("fw1")
        cut = time.monotonic()
        if run % 2:
            # A first packet that falls into the take-over is sent again by udhcpc after 1 s, by dhclient after 3 to 8.
            time.sleep(TAKE_OVER)
            new.dhclient()
        else:
            new.udhcpc()
        given = new.wait_for(1, 15)
        took = time.monotonic() - cut
        old.renew()
        assert old.wait_for(2, 10)[1] == address
        named = old.lookup(LAN_VIP, "fw2.home.arpa", 10)
        print(f"\n  run {run}: a lease {took:.2f} s after the cut, a name in {named['seconds']:.2f} s")
        assert given[1] != address and given[2:] == [LAN_VIP] * 3
        assert took < NEW_LEASE_WITHIN
        assert named["addresses"] and named["seconds"] < NAME_WITHIN
        said = lambda: any("DHCP leases are not replicated" in p for p in problems(lab, "fw2"))  # noqa: E731
        lab.wait(said, "fw2 to say that leases are not replicated", 10)
        lab.power_on("fw1")
        back = time.monotonic()
        lab.wait(lambda: normal(lab), "both to be normal again", NORMAL_WITHIN)
        print(f"  run {run}: normal again after {time.monotonic() - back:.1f} s")
        assert leases(lab, "fw1") == leases(lab, "fw2")


def test_two_hundred_clients_through_five_failovers_never_share_an_address(settled: Lab) -> None:
    lab = settled
    lab.wait(lambda: normal(lab), "both to be normal", NORMAL_WITHIN + 15)
    lab.cli("fw1", "dhcp", "set", "lan", "--range-from", "192.168.1.60", "--range-to", "192.168.1.250")
    lab.wait(lambda: normal(lab), "both to be normal", NORMAL_WITHIN)
    given: dict[str, str] = {}
    holding = True
    for turn in range(5):
        lab.cli("fw1", "carp", "maintenance", "on" if holding else "off")
        holding = not holding
        passing = crowd(lab, "--clients", "10", "--at-once", "5", "--patience", "20", "--release")
        assert not {c["address"] for c in passing} & set(given), "an address in use was given to somebody who passed by"
        clients = crowd(lab, "--clients", "30", "--at-once", "10", "--patience", "20")
        for client in clients:
            assert client["address"], f"turn {turn}: {client} got nothing"
            assert client["address"] not in given, f"{client['address']} was given twice"
            given[client["address"]] = client["mac"]
    lab.cli("fw1", "carp", "maintenance", "off")
    lab.wait(lambda: normal(lab), "both to be normal", NORMAL_WITHIN)
    here, there = (leases(lab, node) for node in NODES)
    assert here == there
    assert given.items() <= here.items()


def gets_a_lease(lab: Lab, patience: float) -> dict[str, Any]:
    [client] = crowd(lab, "--patience", str(patience))
    return client


def test_a_killed_or_frozen_kea_is_there_again_and_said_so(settled: Lab) -> None:
    lab = settled
    lab.kill("fw1", "kea-dhcp4")
    assert gets_a_lease(lab, 10)["address"]
    lab.kill("fw1", "kea-dhcp4", signal.SIGSTOP)
    client = gets_a_lease(lab, 20)
    assert client["address"] and client["seconds"] < 12
    assert report(lab, "fw1").counters["kea_frozen"] == 1


def test_leases_are_replicated_over_the_other_network_when_one_is_cut(settled: Lab) -> None:
    lab = settled
    lab.wait(lambda: normal(lab), "both to be normal", NORMAL_WITHIN)
    lab.unplug("fw2", "lan", silent=True)
    try:
        lab.wait(lambda: report(lab, "fw1").peer_address == "172.16.1.3" and report(lab, "fw1").linked,
                 "leases to go over SYNC", 15)  # fmt: skip
        client = gets_a_lease(lab, 10)
        lab.wait(lambda: leases(lab, "fw2").get(client["address"]) == client["mac"], "the lease on fw2", 5)
    finally:
        lab.plug("fw2", "lan")
    lab.wait(lambda: normal(lab), "both to be normal", NORMAL_WITHIN)


def test_a_card_that_goes_and_comes_back_hears_clients_again(settled: Lab) -> None:
    lab = settled
    lab.wait(lambda: normal(lab), "both to be normal", NORMAL_WITHIN)
    take_card(lab, "fw1", "lan")
    try:
        assert gets_a_lease(lab, 20)["address"]
    finally:
        put_card(lab, "fw1", "lan")
    wait_for_roles(lab, "fw1")
    lab.wait(lambda: normal(lab), "both to be normal", NORMAL_WITHIN)
    assert gets_a_lease(lab, 10)["address"]
    assert report(lab, "fw1").pools[0].serving


def test_a_cut_sync_is_said_and_one_node_serves_on_with_both_knowing_the_leases(settled: Lab) -> None:
    lab = settled
    lab.wait(lambda: normal(lab), "both to be normal", NORMAL_WITHIN)
    lab.unplug("fw1", "sync")
    try:
        lab.wait(lambda: report(lab, "fw1").peer_address == "192.168.1.3" and report(lab, "fw1").linked,
                 "leases to go over LAN", 15)  # fmt: skip
        client = gets_a_lease(lab, 10)
        lab.wait(lambda: leases(lab, "fw2").get(client["address"]) == client["mac"], "the lease on fw2", 5)
        for node in NODES:
            lab.wait(lambda node=node: "SYNC" in " ".join(problems(lab, node)), f"{node} to speak of SYNC", 20)
        assert [report(lab, node).pools[0].serving for node in NODES] == [True, False]
    finally:
        lab.plug("fw1", "sync")
    lab.wait(lambda: normal(lab), "both to be normal", NORMAL_WITHIN)


def test_a_wrong_clock_is_said_and_moves_nothing(settled: Lab) -> None:
    lab = settled
    library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
    lab.exec("fw2", "sh", "-c", f"echo +120 >/etc/faketimerc; echo {library} >/etc/ld.so.preload")
    try:
        for service in ("leased", "kea-dhcp4"):
            lab.kill("fw2", service)
        lab.wait(lambda: abs((report(lab, "fw1").clock_offset or 0) - 120) < 5, "fw1 to see fw2's clock", 20)
        lab.wait(lambda: any("clock is 120 s ahead" in p for p in problems(lab, "fw1")), "fw1 to say so", 10)
        client = gets_a_lease(lab, 10)
        assert client["address"] and leases(lab, "fw2")[client["address"]] == client["mac"]
        assert not any("both nodes serve" in p for node in NODES for p in problems(lab, node))
    finally:
        lab.exec("fw2", "rm", "-f", "/etc/ld.so.preload", "/etc/faketimerc")
        for service in ("leased", "kea-dhcp4"):
            lab.kill("fw2", service)
    lab.wait(lambda: normal(lab), "both to be normal", NORMAL_WITHIN)


def test_a_lease_is_shown_made_static_and_deleted_on_both(settled: Lab) -> None:
    lab = settled
    client = gets_a_lease(lab, 10)
    shown = json.loads(lab.cli("fw2", "dhcp", "leases", "--filter", client["mac"], "--json"))
    assert [row["address"] for row in shown["rows"]] == [client["address"]]
    lab.cli("fw2", "dhcp", "forget", client["address"])
    assert all(client["address"] not in leases(lab, node) for node in NODES)
    lab.cli("fw1", "dhcp-mapping", "add", "lan", "--mac", client["mac"], "--address", "192.168.1.41")
    [again] = crowd(lab, "--macs", client["mac"])
    assert again["address"] == "192.168.1.41"


def test_the_recipe_says_normal_on_both(settled: Lab) -> None:
    assert all(recipe.is_normal(settled, node) for node in NODES)
