"""Virtual IPs of every type in a cluster, entered at the primary; and who else is on their networks."""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gemel.control import paths
from gemel.control.leased import ListLeases
from gemel.lab import recipe
from gemel.lab.dhcp_host import DhcpHost, crowd
from gemel.lab.lab import Lab
from gemel.lab.namespace import LabError
from gemel.lab.recipe import is_normal, type_in
from gemel.lab.topology import LAN_VIP, LAN_VIP6, NODES, WAN_VIP, WAN_VIP6, mac, other
from tests.lab.dhcp_servers import SERVER, SERVER6, on_wan
from tests.lab.stories import status, wait_for_push

pytestmark = pytest.mark.lab

KEEPALIVED = """
vrrp_instance two {{ state MASTER
  interface eth0
  version 2
  virtual_router_id 77
  priority 100
  advert_int 1
  virtual_ipaddress {{ 198.51.100.177/32 }} }}
vrrp_instance three {{ state MASTER
  interface eth0
  version 3
  virtual_router_id 78
  priority 100
  advert_int 0.5
  virtual_ipaddress {{ 198.51.100.178/32 }} }}
"""


def roles(lab: Lab) -> dict[str, set[str]]:
    return {node: {v["state"] for v in status(lab, node)["carp"]} for node in NODES}


def changes(lab: Lab) -> dict[str, list[Any]]:
    """Every role change that the nodes remember."""
    told = {node: lab.cli_json(node, "carp", "status")["transitions"] for node in NODES}
    return {node: [(t["at"], t["after"]) for t in transitions] for node, transitions in told.items()}


def applied(lab: Lab, *lines: str) -> None:
    """Typed at the primary, applied, and proven to run on the secondary."""
    for line in (*lines, "gemel apply"):
        type_in(lab, "fw1", line)
    wait_for_push(lab)


def steady(lab: Lab) -> None:
    lab.wait(lambda: roles(lab) == {"fw1": {"MASTER"}, "fw2": {"BACKUP"}}, "fw1 MASTER and fw2 BACKUP of all")


def at(lab: Lab, address: str) -> str:
    """The MAC at which the LAN client has an address."""
    found = re.search(r"lladdr (\S+)", lab.exec("lan", "ip", "neigh", "show", address))
    return found[1] if found else ""


@pytest.fixture(scope="module")
def dual(cluster: Lab) -> Lab:
    """The recipe's cluster with IPv6: LAN's VHID for both families, WAN's IPv6 VIP with a VHID of its own."""
    for node, plan in NODES.items():
        type_in(cluster, node, f"gemel interface set lan --ipv6 {plan.lan6}")
        type_in(cluster, node, f"gemel interface set wan --ipv6 {plan.wan6}")
        type_in(cluster, node, "gemel apply")
    applied(
        cluster,
        f"gemel vip add --type ipalias --interface {LAN_VIP} --address {LAN_VIP6}/64",
        f"gemel vip add --type carp --interface wan --address {WAN_VIP6}/64 --vhid 206 --skew 1 --random-password",
    )
    steady(cluster)
    return cluster


def test_both_families_move_together_and_stay_at_the_virtual_mac(dual: Lab) -> None:
    assert {tuple(v["addresses"]) for v in status(dual, "fw2")["carp"]} >= {(LAN_VIP, LAN_VIP6), (WAN_VIP6,)}
    pings = dual.start("lan", "ping", "-6", "-q", "-i0.02", "-w8", "2001:db8:51::1", stdout=subprocess.PIPE)
    assert ", 0% packet loss" in dual.exec("lan", "ping", "-qc2", "-i0.2", LAN_VIP)
    assert {at(dual, LAN_VIP), at(dual, LAN_VIP6)} == {"00:00:5e:00:01:01"}
    type_in(dual, "fw1", "gemel carp maintenance on")
    dual.wait(lambda: roles(dual) == {"fw1": {"BACKUP"}, "fw2": {"MASTER"}}, "fw2 to be MASTER of all")
    type_in(dual, "fw1", "gemel carp maintenance off")
    steady(dual)
    assert {at(dual, LAN_VIP), at(dual, LAN_VIP6)} == {"00:00:5e:00:01:01"}
    said = pings.communicate(timeout=20)[0]
    said = said.decode() if isinstance(said, bytes) else said
    assert ", 0% packet loss" in said


def test_hosts_have_one_ipv6_router_whichever_node_is_master(dual: Lab) -> None:
    dual.exec("lan", "sysctl", "-qw", "net.ipv6.conf.eth0.accept_ra=2")
    applied(dual, f"gemel vip add --type ipalias --interface {LAN_VIP} --address fe80::1/64")
    steady(dual)
    watch = ("timeout", "60", "tcpdump", "-lnev", "-i", "eth0", "icmp6 and ip6[40] == 134")
    heard = dual.start("lan", *watch, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert heard.stdout
    try:
        often = "--min-interval 3 --max-interval 4 --router-lifetime 60"
        type_in(dual, "fw1", f"gemel ra add lan --mode unmanaged {often}")
        wait_for_push(dual)
        router = lambda: dual.exec("lan", "ip", "-6", "route", "show", "default", "proto", "ra")  # noqa: E731
        dual.wait(lambda: "via fe80::1 " in router(), "the LAN host to learn its router", 10)
        own = dual.exec("lan", "ip", "-6", "-br", "address", "show", "dev", "eth0", "dynamic")
        assert "2001:db8:1:" in own, "an address of its own making"
        assert ", 0% packet loss" in dual.exec("lan", "ping", "-6", "-qc1", "fe80::1%eth0")
        assert at(dual, "fe80::1") == "00:00:5e:00:01:01"
        type_in(dual, "fw1", "gemel carp maintenance on")
        dual.wait(lambda: roles(dual) == {"fw1": {"BACKUP"}, "fw2": {"MASTER"}}, "fw2 to be MASTER of all")
        cards = {mac(dual.name, node, "lan"): node for node in NODES}
        said = []
        while not said or said[-1][0] != "fw2":
            line = heard.stdout.readline()
            assert line, "tcpdump has ended"
            if " > 33:33:00:00:00:01" in line:
                said.append((cards[line.split()[1]], line + heard.stdout.readline() + heard.stdout.readline()))
    finally:
        heard.terminate()
        heard.communicate()
        type_in(dual, "fw1", "gemel carp maintenance off")
    assert all("fe80::1 > ff02::1" in text and "router lifetime 60s" in text for _, text in said), said
    steady(dual)
    assert "via fe80::1 " in router()
    type_in(dual, "fw1", "gemel ra delete lan")
    dual.wait(lambda: not router(), "the router to take its leave", 10)


def relays(lab: Lab, node: str) -> list[str]:
    """The DHCP relays that run on a node: 4, 6."""
    running = lab.exec(node, "ps", "-eo", "args").splitlines()
    return sorted(line.split()[1].lstrip("-") for line in running if line.startswith("dhcrelay "))


def asked_from(lab: Lab, folder: Path) -> set[str]:
    """From which nodes' cards requests have reached the server on WAN since this was last asked."""
    cards = {mac(lab.name, node, "wan"): node for node in NODES}
    seen = folder / "asked"
    lines = seen.read_text().splitlines() if seen.exists() else []
    if seen.exists():
        os.truncate(seen, 0)
    return {cards[line.split()[1]] for line in lines if line.split()[1] in cards}


def test_dhcp_requests_are_relayed_by_the_master_alone(dual: Lab, tmp_path: Path) -> None:
    port = "udp dst port 67 or udp dst port 547"
    with on_wan(dual, tmp_path), (tmp_path / "asked").open("ab") as said:
        watch = dual.start("wan", "tcpdump", "-lnei", "eth0", port, stdout=said, stderr=subprocess.DEVNULL)
        try:
            type_in(dual, "fw1", f"gemel dhcp-relay set --enable --interfaces LAN --servers {SERVER}")
            type_in(dual, "fw1", f"gemel dhcp6-relay set --enable --interfaces LAN --servers {SERVER6}")
            wait_for_push(dual)
            given = set[str]()
            for number, master in enumerate(("fw1", "fw2", "fw1")):
                slave = other(master)
                dual.wait(lambda m=master: relays(dual, m) == ["4", "6"], f"{master} to relay", 10)
                dual.wait(lambda s=slave: relays(dual, s) == [], f"{slave} to be silent", 10)
                asked_from(dual, tmp_path)
                with DhcpHost(dual, f"four{number}") as four, DhcpHost(dual, f"six{number}") as six:
                    four.dhclient()
                    six.dhclient6()
                    address, address6 = four.wait_for(1, 20)[1], six.wait_for(1, 20)[1]
                    assert address.startswith("192.168.1.1") and address6.startswith("2001:db8:1::1:")
                    assert not {address, address6} & given
                    given |= {address, address6}
                assert asked_from(dual, tmp_path) == {master}
                type_in(dual, "fw1", f"gemel carp maintenance {'on' if number == 0 else 'off'}")
        finally:
            watch.terminate()
            watch.wait()
            type_in(dual, "fw1", "gemel carp maintenance off")
    for relay in ("dhcp-relay", "dhcp6-relay"):
        type_in(dual, "fw1", f"gemel {relay} set --disable")
    wait_for_push(dual)
    steady(dual)
    dual.wait(lambda: not relays(dual, "fw1"), "the relay to end", 10)


def leases6(lab: Lab, node: str) -> dict[str, str]:
    """Address -> DUID of the live DHCPv6 leases in the node's table."""
    there = lab.ask(node, paths.LEASED_DOOR, ListLeases())
    return {x["ip-address"]: x["duid"] for x in there if ":" in x["ip-address"] and x["state"] == 0}


def hosts6(lab: Lab, *arguments: str) -> list[dict[str, Any]]:
    return crowd(lab, *arguments, program="dhcp6_clients")


def test_dhcpv6_leases_are_given_once_and_renewed_with_whoever_is_master(dual: Lab) -> None:
    pool = "--range-from 2001:db8:1::1000 --range-to 2001:db8:1::10ff --default-lease 60"
    add = f"gemel dhcp6 add lan --enable {pool} --dns-servers {LAN_VIP6} --domain-search lan.example"
    type_in(dual, "fw1", f"{add} --failover-peer-ip {NODES['fw2'].lan6.partition('/')[0]}")
    wait_for_push(dual)
    dual.wait(lambda: all(is_normal(dual, node) for node in NODES), "DHCPv6 failover to be normal", 30)
    [server] = dual.cli_json("fw2", "dhcp6", "list", "--running")["values"]["items"]
    assert server["failover_peer_ip"] == "2001:db8:1::2"
    given = dict[str, str]()
    with DhcpHost(dual, "real") as real:
        real.dhclient6()
        reason, address, dns, search, server = real.wait_for(1, 15)
        assert reason == "BOUND6" and address.startswith("2001:db8:1::10")
        assert (dns, search) == (LAN_VIP6, "lan.example.")
        first = hosts6(dual)[0]
        for master in ("fw2", "fw1"):
            if master == "fw2":
                dual.power_off("fw1")
                cut = time.monotonic()
                soon = hosts6(dual, "--patience", "20")[0]
                print(f"\n  an address {time.monotonic() - cut:.2f} s after the cut")
                given[soon["address"]] = soon["duid"]
            else:
                dual.power_on("fw1")
            dual.wait(lambda m=master: recipe.is_in_role(dual, m, "MASTER"), f"{master} to be MASTER of all", 60)
            assert crowd(dual, "--renew", json.dumps(first), program="dhcp6_clients") == [{"renewed": True}]
            for one in hosts6(dual, "--clients", "15"):
                assert one["address"] and one["address"] not in {*given, address, first["address"]}
                assert one["server"] == first["server"] and one["dns"] == LAN_VIP6
                given[one["address"]] = one["duid"]
        assert real.wait_for(2, 30)[:2] == ["RENEW6", address]
        assert real.events[1][4] == server
    dual.wait(lambda: all(is_normal(dual, node) for node in NODES), "DHCPv6 failover to be normal", 30)
    here, there = (leases6(dual, node) for node in NODES)
    assert here == there and given.items() <= here.items() and address in here
    shown = json.loads(dual.cli("fw2", "dhcp", "leases", "--filter", first["duid"], "--json"))["rows"]
    assert [row["address"] for row in shown] == [first["address"]]
    dual.cli("fw2", "dhcp", "forget", first["address"])
    assert all(first["address"] not in leases6(dual, node) for node in NODES)
    type_in(dual, "fw1", f"gemel dhcp6-mapping add lan --duid {first['duid']} --address 2001:db8:1::77")
    assert hosts6(dual, "--duid", first["duid"])[0]["address"] == "2001:db8:1::77"
    type_in(dual, "fw1", "gemel dhcp6 delete lan")
    wait_for_push(dual)
    steady(dual)


def test_a_change_of_a_live_vhid_moves_no_role(dual: Lab) -> None:
    before = changes(dual)
    applied(dual, f"gemel vip add --type ipalias --interface {LAN_VIP} --address 192.168.1.9/24")
    assert ", 0% packet loss" in dual.exec("lan", "ping", "-qc1", "192.168.1.9")
    applied(dual, "gemel vip set 192.168.1.9 --address 192.168.1.10/24", f"gemel vip set {WAN_VIP} --random-password")
    assert ", 0% packet loss" in dual.exec("lan", "ping", "-qc1", "192.168.1.10")
    applied(dual, "gemel vip delete 192.168.1.10")
    time.sleep(4)  # longer than the master-down time
    assert changes(dual) == before
    steady(dual)


def test_each_other_type_does_what_it_says(dual: Lab) -> None:
    applied(
        dual,
        "gemel vip add --type proxyarp --interface lan --address 192.168.1.64/30 --description proxy",
        f"gemel vip add --type proxyarp --interface {LAN_VIP} --address 192.168.1.77/32 --description moving",
        "gemel vip add --type ipalias --interface localhost --address 10.255.0.1/32 --description local",
        "gemel vip add --type other --interface wan --address 203.0.113.0/28 --description routed",
    )
    for address in ("192.168.1.66", "192.168.1.77"):
        dual.exec("lan", "ping", "-c1", "-W0.2", address, check=False)
    own = dual.exec("fw1", "cat", "/sys/class/net/lan/address").strip()
    assert (at(dual, "192.168.1.66"), at(dual, "192.168.1.77")) == (own, "00:00:5e:00:01:01")
    assert ", 0% packet loss" in dual.exec("lan", "ping", "-qc1", "10.255.0.1")
    there = {v["description"] for v in dual.cli_json("fw2", "vip", "list", "--running")["values"]["items"]}
    assert there >= {"moving", "local", "routed"} and "proxy" not in there
    applied(dual, *(f"gemel vip delete {one}" for one in ("proxy", "moving", "local", "routed")))


@contextmanager
def strangers(lab: Lab, folder: Path) -> Iterator[None]:
    """A VRRPv2 and a VRRPv3 router and another make of CARP on WAN, all at 198.51.100.1."""
    path = folder / "keepalived.conf"
    path.write_text(KEEPALIVED.replace("{{", "{").replace("}}", "}"))
    files = [f"--{name}={folder / name}" for name in ("pid", "vrrp_pid")]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    ucarp = ("ucarp", "-i", "eth0", "-s", "198.51.100.1", "-v", "79", "-p", "other", "-a", "198.51.100.179")
    processes = [
        lab.start("wan", "keepalived", "-n", "-P", "-f", str(path), *files, **quiet),
        lab.start("wan", *ucarp, "-u", "/bin/true", "-d", "/bin/true", **quiet),
    ]
    try:
        lab.wait(lambda: "198.51.100.178" in lab.exec("wan", "ip", "-br", "address"), "keepalived to be master")
        time.sleep(1)  # ucarp's turn, which says nowhere what it is
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(10)


def test_strangers_disturb_nothing_and_what_does_not_go_with_them_is_refused(dual: Lab, tmp_path: Path) -> None:
    before = changes(dual)
    add = "gemel vip add --type carp --interface wan --address 198.51.100.212/24 --random-password --vhid"
    with strangers(dual, tmp_path):
        found = dual.cli_json("fw1", "carp", "scan", "wan", "--seconds", "2.5")
        heard = {(h["kind"], h["vhid"], h["source"]) for h in found["heard"]}
        assert heard == {(kind, n, "198.51.100.1") for kind, n in (("VRRPv2", 77), ("VRRPv3", 78), ("CARP", 79))}
        for vhid in (77, 78, 79):
            with pytest.raises(LabError, match=rf"VHID {vhid} is in use on WAN already, by 198.51.100.1 \("):
                type_in(dual, "fw1", f"{add} {vhid}")
        with pytest.raises(LabError, match=r"base: base 0 is for two nodes of Gemel alone, .* 198\.51\.100\.1"):
            type_in(dual, "fw1", "gemel vip set 198.51.100.200 --base 0 --skew 2")
        type_in(dual, "fw1", f"{add} 77 --confirm-vhid")
        type_in(dual, "fw1", "gemel discard")
        time.sleep(2)
    assert changes(dual) == before
    assert [status(dual, node)["problems"] for node in NODES] == [[], []]


CUT = """table bridge picky {
    chain forward {
        type filter hook forward priority 0;
        ether daddr 00:00:5e:00:01:00/40 drop
    }
}"""


def test_the_self_test_tells_a_network_that_drops_the_virtual_mac(dual: Lab) -> None:
    works = dual.cli_json("fw2", "carp", "test-mac", "lan")
    assert works["verdict"] == "works"
    assert "multicast arrives: adverts of" in works["text"]
    switch = ("ip", "netns", "exec", f"{dual.name}-sw", "nft")
    subprocess.run([*switch, "-f", "-"], input=CUT, text=True, check=True)
    try:
        with pytest.raises(LabError, match="promiscuous mode, forged transmits"):
            dual.cli("fw2", "carp", "test-mac", "lan")
    finally:
        subprocess.run([*switch, "delete", "table", "bridge", "picky"], check=True)
