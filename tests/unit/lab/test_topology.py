"""Names and addresses of a lab."""

import ipaddress

from gemel.lab.topology import HOSTS, LAN_VIP, NODES, WAN_GATEWAY, WAN_VIP, extra_host, mac, other, web_address


def test_the_addresses_are_the_recipes_and_share_their_subnets() -> None:
    for segment, outside in (("wan", (WAN_VIP, WAN_GATEWAY)), ("lan", (LAN_VIP, "192.168.1.50")), ("sync", ())):
        networks = {ipaddress.ip_interface(getattr(node, segment)).network for node in NODES.values()}
        assert len(networks) == 1
        assert all(ipaddress.ip_address(a) in next(iter(networks)) for a in outside)


def test_hardware_addresses_stay_and_never_meet() -> None:
    cards = [(lab, m, d) for lab in ("lab", "lab2") for m in (*NODES, *HOSTS) for d in ("wan", "lan", "sync", "eth0")]
    addresses = [mac(*card) for card in cards]
    assert len(set(addresses)) == len(cards) and addresses == [mac(*card) for card in cards]
    assert all(int(a[:2], 16) & 3 == 2 for a in addresses), "locally administered, and no group"


def test_every_lab_has_web_addresses_of_its_own() -> None:
    addresses = {web_address(index, node) for index in range(1, 255) for node in NODES.values()}
    assert len(addresses) == 254 * 2 and all(ipaddress.ip_address(a).is_loopback for a in addresses)


def test_added_hosts_do_not_share_a_subnet() -> None:
    first, second = extra_host("dmz", 0), extra_host("guest", 1)
    assert first.gateway and ipaddress.ip_address(first.gateway) in ipaddress.ip_interface(first.address).network
    assert ipaddress.ip_interface(first.address).network != ipaddress.ip_interface(second.address).network


def test_the_other_of_two() -> None:
    assert [other(n) for n in NODES] == list(reversed(NODES))
