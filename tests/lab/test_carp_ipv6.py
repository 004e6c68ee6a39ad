"""carpd with both address families: who is at which MAC, also for services on the VIP, and what a backup never says."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from gemel.control.carpd import Demote, Promote, ReloadCarp

from .carp_segment import LAN6, LAN_VIP, LAN_VIP6, LINK_VIP6, WAN, WAN_VIP, Segment, outcome, until

pytestmark = pytest.mark.lab
SIX = {"six": [LAN_VIP6, LINK_VIP6]}
VIPS = (LAN_VIP, LAN_VIP6, LINK_VIP6)
NETS = ("wan", "lan")
VMAC, WAN_VMAC = "00:00:5e:00:01:01", "00:00:5e:00:01:c8"
QUIET = 60.0 if "SOAK" in os.environ else 15.0  # seconds that a backup's wire is listened to

# A TCP service on every address of a node; it says who it is.
SERVICE = """
import socket, sys
s = socket.create_server(("::", 7007), family=socket.AF_INET6, dualstack_ipv6=True); print("ready", flush=True)
while True:
    c, _ = s.accept(); c.sendall(sys.argv[1].encode()); c.close()
"""
# How many frames arrive at a port of the switch, by source MAC. Where the port loses its link tcpdump would end.
SOURCES = """
import collections, json, select, socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.bind((sys.argv[1], 3))
print("ready", flush=True)
heard = collections.Counter()
while True:
    ready = select.select([s, sys.stdin], [], [])[0]
    if sys.stdin in ready: break
    try: frame, where = s.recvfrom(2048)
    except OSError: continue
    if where[2] != 4: heard[frame[6:12].hex(":")] += 1
print(json.dumps(heard))
"""
CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], 7007), timeout=3) as s: print(s.makefile().read())
"""


@pytest.fixture(scope="module")
def wires():
    if os.geteuid():
        pytest.skip("needs root")
    segment = Segment()
    try:
        segment.up()
        yield segment
    finally:
        segment.down()


@pytest.fixture
def segment(wires):
    """No carpd runs."""
    wires.end_carpds()
    for host in ("fwa", "fwb"):
        wires.load_virtual_macs(host)
    return wires


@pytest.fixture
def elected(wires):
    """fwa is master, fwb is backup; the LAN's VHID is of both families. From one test to the next they go on."""
    if not is_elected(wires):
        wires.end_carpds()
        elect(wires, **SIX)
    return wires


def is_elected(segment) -> bool:
    if not all(segment.runs(host) for host in ("fwa", "fwb")):
        return False
    told = {(v.interface, v.addresses, v.advbase) for host in ("fwa", "fwb") for v in segment.status(host).vhids}
    right = told == {("wan", (WAN_VIP,), 1), ("lan", VIPS, 1)}
    return right and segment.is_master("fwa") and segment.is_backup("fwb")


def elect(segment, **settings):
    segment.carpd("fwa", 1, **settings)
    segment.carpd("fwb", 101, **settings)
    until(lambda: segment.is_master("fwa") and segment.is_backup("fwb"), 5)
    time.sleep(0.2)
    return segment


def neighbour(segment, address: str) -> str:
    """The MAC at which the LAN client has an address; empty if at none."""
    words = segment.ip("lan", "neigh", "show", address, "dev", "lan").split()
    return words[words.index("lladdr") + 1] if "lladdr" in words else ""


def ping(segment, host: str, *words: str) -> bool:
    return ", 0% packet loss" in segment.inside(host, "ping", "-qc2", "-i0.2", "-W1", *words, check=False)


def served_by(segment, address: str) -> str:
    return segment.inside("lan", sys.executable, "-c", CLIENT, address).strip()


def reach_all(segment):
    for address in VIPS:
        assert ping(segment, "lan", *(("-I", "lan") if address.startswith("fe80") else ()), address)


def at_virtual_mac(segment):
    assert {address: neighbour(segment, address) for address in VIPS} == dict.fromkeys(VIPS, VMAC)


def test_the_client_has_every_vip_at_the_virtual_mac_through_services_and_take_overs(elected):
    for host in ("fwa", "fwb"):
        process = elected.start(host, sys.executable, "-c", SERVICE, host)
        assert process.stdout and process.stdout.readline()
    reach_all(elected)
    at_virtual_mac(elected)
    for master in ("fwa", "fwb", "fwa"):
        until(lambda master=master: elected.is_master(master), 3)
        assert {served_by(elected, LAN_VIP), served_by(elected, LAN_VIP6)} == {master}
        # The node begins, in the VIP's name, and has to find the client first: that must not teach its own MAC.
        elected.ip(master, "neigh", "flush", "all")
        assert ping(elected, master, "-I", LAN_VIP6, LAN6["lan"])
        at_virtual_mac(elected)
        # And from nothing, by asking.
        elected.ip("lan", "neigh", "flush", "all")
        reach_all(elected)
        at_virtual_mac(elected)
        elected.ask("fwa", Demote("test", 240) if master == "fwa" else Promote("test"))
    elected.ask("fwa", Promote("test"))
    until(lambda: elected.is_master("fwa") and elected.is_backup("fwb"), 3)


def test_whoever_tests_whether_the_address_is_free_learns_that_it_is_not(elected):
    elected.ip("lan", "addr", "add", f"{LAN_VIP6}/64", "dev", "lan")
    try:
        until(lambda: "dadfailed" in elected.ip("lan", "addr", "show", "dev", "lan"), 4)
    finally:
        elected.ip("lan", "addr", "del", f"{LAN_VIP6}/64", "dev", "lan")
    assert "dadfailed" not in elected.ip("fwa", "addr", "show", "dev", "lan")


def test_a_stopped_master_keeps_no_ipv6_address(elected):
    elected.signal("fwa", signal.SIGSTOP)
    try:
        gone = until(lambda: LAN_VIP6 + "/" not in elected.ip("fwa", "-6", "addr", "show", "dev", "lan"), 4)
        assert gone <= 2.5
        until(lambda: elected.is_master("fwb"), 3)
        elected.ip("lan", "neigh", "flush", "all")
        reach_all(elected)
    finally:
        elected.signal("fwa", signal.SIGCONT)


def snooping(segment, on: bool):
    """Switches that send multicast only where it was asked for, as a querier hears it; or everywhere."""
    seconds = "100"  # hundredths
    words = ("mcast_snooping", "1", "mcast_querier", "1", "mcast_startup_query_interval", seconds,
             "mcast_query_interval", "200", "mcast_query_response_interval", seconds)  # fmt: skip
    for bridge in ("brwan", "brlan"):
        segment.ip("sw", "link", "set", bridge, "type", "bridge", *(words if on else ("mcast_snooping", "0")))


@pytest.mark.soak
def test_a_backup_sends_no_frame_from_the_virtual_mac(elected):
    """On the wire: IPv6 on, snooping off and on, after its links went and came, while the client asks for the VIP."""
    watches = [elected.start("sw", sys.executable, "-c", SOURCES, f"fwb-{net}", stdin=subprocess.PIPE) for net in NETS]
    for watch in watches:
        assert watch.stdout and watch.stdout.readline()
    try:
        before = len(elected.status("fwb").transitions)
        for on in (False, True):
            snooping(elected, on)
            until_then = time.monotonic() + QUIET / 2
            for net in NETS:
                elected.wire("fwb", net, False)
            time.sleep(0.5)
            for net in NETS:
                elected.wire("fwb", net, True)
            while time.monotonic() < until_then:
                elected.ip("lan", "neigh", "flush", "all")
                reach_all(elected)
                time.sleep(0.5)
        since = elected.status("fwb").transitions[before:]
        # With its links it went and came back; never was it master, so the switch let the adverts through.
        assert {one.after for one in since} == {"INIT", "BACKUP"}
        assert elected.is_master("fwa")
    finally:
        snooping(elected, False)
        heard = [json.loads(watch.communicate("\n", timeout=5)[0]) for watch in watches]
    print(f"{QUIET:.0f} s on a backup's wires: {sum(sum(h.values()) for h in heard)} frames, by source {heard}")
    for frames in heard:
        assert frames  # it did listen: an interface that comes up says something of its own
        assert not frames.keys() & {VMAC, WAN_VMAC}


# ------------------------------------------------------------------------- no virtual MAC, unicast, sub-second, proxies


def test_without_virtual_mac_hosts_are_told_of_each_move(segment):
    for host in ("fwa", "fwb"):
        segment.inside(host, "nft", "flush", "table", "arp", "gemel_carp")
        segment.inside(host, "nft", "flush", "table", "ip6", "gemel_carp")
    own = {"wan": {"virtual_mac": False}, "lan": {"virtual_mac": False}}
    elect(segment, **SIX, **own)
    reach_all(segment)
    macs = {}
    for master in ("fwa", "fwb"):
        link = segment.ip(master, "link", "show", "dev", "lan").split()
        macs[master] = link[link.index("link/ether") + 1]
    assert {neighbour(segment, address) for address in VIPS} == {macs["fwa"]}
    probe = segment.probe(2)
    time.sleep(0.3)
    segment.ask("fwa", Demote("test", 240))
    until(lambda: segment.is_master("fwb"), 1)
    until(lambda: {neighbour(segment, address) for address in VIPS} == {macs["fwb"]}, 1)
    assert outcome(probe)[1:] == (0, 0)


FILTERED = """
table bridge filter {
    chain forward {
        type filter hook forward priority 0;
        ether daddr { 01:00:5e:00:00:12, 33:33:00:00:00:12 } drop
    }
}
"""


def test_where_multicast_is_filtered_unicast_peers_find_each_other(segment):
    segment.inside("sw", "nft", "-f", "-", stdin=FILTERED)
    try:
        for host, other, skew in (("fwa", "fwb", 1), ("fwb", "fwa", 101)):
            lan = {"peer": {"fwa": "192.168.1.2", "fwb": "192.168.1.3"}[other], "peer6": LAN6[other]}
            segment.carpd(host, skew, wan={"peer": WAN[other]}, lan=lan, **SIX)
        until(lambda: segment.is_master("fwa") and segment.is_backup("fwb"), 5)
        assert {one.master for one in segment.status("fwb").vhids} <= {WAN["fwa"], "192.168.1.2", LAN6["fwa"]}
        reach_all(segment)
        at_virtual_mac(segment)
        time.sleep(4)  # longer than the master-down time, and than the virtual MAC stays open by itself
        assert segment.is_backup("fwb")
        assert segment.open_macs("fwa") == 2
        assert outcome(segment.probe(0.5))[1:] == (0, 0)
        segment.signal("fwa", signal.SIGTERM)
        until(lambda: segment.is_master("fwb"), 0.5)  # the bow-out goes to the peer too
        assert outcome(segment.probe(0.5))[1:] == (0, 0)
    finally:
        segment.inside("sw", "nft", "delete", "table", "bridge", "filter")


def test_sub_second_carp_takes_over_within_its_three_intervals(segment):
    for host, skew in (("fwa", 5), ("fwb", 6)):
        segment.carpd(host, skew, wan={"advbase": 0}, lan={"advbase": 0}, **SIX)
    until(lambda: segment.is_master("fwa") and segment.is_backup("fwb"), 3)
    time.sleep(1)
    assert segment.is_backup("fwb")
    segment.signal("fwa", signal.SIGSTOP)
    try:
        assert until(lambda: segment.is_master("fwb"), 1) < 0.25  # 3 x 6/256 s, and the asking
    finally:
        segment.signal("fwa", signal.SIGCONT)


def test_a_change_of_addresses_that_comes_later_to_the_other_node_moves_no_role(elected):
    before = {host: len(elected.status(host).transitions) for host in ("fwa", "fwb")}
    for host, skew in (("fwa", 1), ("fwb", 101)):
        elected.configure(host, skew, six=[LAN_VIP6, LINK_VIP6, "2001:db8:1::9"], more=["198.51.100.205"])
        elected.ask(host, ReloadCarp())
        if host == "fwa":
            assert ping(elected, "lan", "198.51.100.205")
            time.sleep(4)  # longer than the master-down time
    time.sleep(1)
    assert {host: len(elected.status(host).transitions) for host in before} == before
    assert elected.status("fwb").problems == ()


def test_proxy_arp_answers_for_what_is_on_no_interface(segment):
    proxies = [
        {"device": "lan", "network": "192.168.1.64/30", "vhid": None},
        {"device": "lan", "network": "192.168.1.77/32", "vhid": 1},
    ]
    elect(segment, **SIX)
    segment.configure("fwa", 1, proxies=proxies, **SIX)
    segment.ask("fwa", ReloadCarp())
    link = segment.ip("fwa", "link", "show", "dev", "lan").split()
    own = link[link.index("link/ether") + 1]
    expected = {"192.168.1.63": "", "192.168.1.64": own, "192.168.1.67": own, "192.168.1.68": "", "192.168.1.77": VMAC}
    for address, mac in expected.items():
        segment.inside("lan", "ping", "-qc1", "-W0.2", address, check=False)
        assert neighbour(segment, address) == mac, address
    assert WAN_VIP not in segment.ip("lan", "neigh", "show")


def test_an_ipv6_vhid_of_its_own_is_given_up_by_the_stop_step(segment):
    only = {"addresses": [LAN_VIP6, LINK_VIP6], "source": ""}
    elect(segment, lan=only)
    elected_by = {one.interface: one.master for one in segment.status("fwb").vhids}
    assert elected_by["lan"].startswith("fe80::")
    segment.signal("fwa", signal.SIGKILL)
    segment.stop_step("fwa")
    until(lambda: segment.is_master("fwb"), 0.5)
    assert {one.reason.split()[-2:] == ["bowed", "out"] for one in segment.status("fwb").vhids} == {True}
    assert LAN_VIP6 + "/" not in segment.ip("fwa", "-6", "addr", "show", "dev", "lan")
    assert ping(segment, "lan", LAN_VIP6)
    assert neighbour(segment, LAN_VIP6) == VMAC
