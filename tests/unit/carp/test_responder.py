"""Who is answered, by whom and with which MAC."""

from ipaddress import ip_address

import pytest

from gemel.carp.events import Forced, LinkChanged, NeighbourHeard, Send, Started, State
from gemel.carp.neighbour import request, spoken
from gemel.carp.node import Node
from gemel.carp.responder import MOST_ANSWERS
from gemel.carp.settings import ProxyArp, Settings

from .world import vhid

NOW = 1000.0
PORT, HOST, VMAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000050"), bytes.fromhex("00005e000101")
DUAL = ("10.0.0.100", "2001:db8::1")


def node(master=True, proxies=(), **config) -> Node:
    made = Node(Settings((vhid(**{"addresses": DUAL, **config}),), proxies=tuple(proxies)), NOW, 7)
    made.handle(Started(), NOW)
    made.handle(LinkChanged("wan", True, PORT), NOW)
    if master:
        made.handle(Forced("wan", 1, State.MASTER), NOW)
    return made


def answers(one: Node, address: str, mac: bytes = HOST, now: float = NOW, device: str = "wan"):
    asker = "10.0.0.50" if "." in address else "2001:db8::50"
    frame = request(ip_address(address).packed, ip_address(asker).packed, mac, None)
    sent = one.handle(NeighbourHeard(device, frame), now)
    assert all(isinstance(action, Send) and action.device == device for action in sent)
    return [spoken(action.frame).mac for action in sent]


def test_the_master_answers_for_ipv6_with_the_virtual_mac_and_leaves_arp_to_the_kernel():
    one = node()
    assert answers(one, "2001:db8::1") == [VMAC]
    assert answers(one, "10.0.0.100") == []
    assert answers(one, "2001:db8::2") == []
    assert answers(one, "2001:db8::1", device="lan") == []


def test_a_backup_answers_nobody():
    assert answers(node(master=False), "2001:db8::1") == []


def test_without_virtual_mac_the_kernel_answers():
    assert answers(node(virtual_mac=False), "2001:db8::1") == []


def test_own_questions_that_come_back_are_not_answered():
    assert answers(node(), "2001:db8::1", mac=VMAC) == []


@pytest.mark.parametrize(("address", "there"), [("10.0.0.15", 0), ("10.0.0.16", 1), ("10.0.0.31", 1), ("10.0.0.32", 0)])
def test_a_proxied_network_is_answered_for_with_the_ports_own_mac(address, there):
    one = node(master=False, proxies=[ProxyArp("wan", "10.0.0.16/28")])
    assert answers(one, address) == [PORT] * there


@pytest.mark.parametrize("master", [True, False])
def test_a_proxy_that_goes_with_a_vhid_is_the_masters(master):
    one = node(master=master, proxies=[ProxyArp("wan", "10.0.0.7/32", 1)])
    assert answers(one, "10.0.0.7") == ([VMAC] if master else [])


def test_a_flood_of_questions_gets_so_many_answers_a_second():
    one = node(proxies=[ProxyArp("wan", "10.0.0.7/32")])
    assert sum(len(answers(one, "10.0.0.7")) for _ in range(2 * MOST_ANSWERS)) == MOST_ANSWERS
    assert answers(one, "10.0.0.7", now=NOW + 1) == [PORT]
