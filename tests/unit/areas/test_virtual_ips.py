"""Virtual IPs of every type: what carpd, the firewall and the kernel are told of them, and what uses them."""

import pytest

from gemel.areas.cluster import carp_settings
from gemel.areas.every import SCHEMA
from gemel.areas.firewall import policy, virtual_macs
from gemel.carp.settings import ProxyArp, complaints
from gemel.core.area import NodeState
from gemel.core.config import Config
from gemel.core.want import Address
from gemel.rules.addresses import parse_range
from tests.unit.areas.cluster import added, changed, primary, problems, refusal
from tests.unit.areas.test_peer import items, pushed


def dual(number: int = 1) -> Config:
    """With IPv6 on LAN, and LAN's VHID for both families."""
    config = changed(primary(), "interfaces", "set", "lan", ipv6=f"2001:db8:1::{1 + number}/64")
    return added(config, "virtual_ips", "lan6", type="IP alias", interface="192.168.1.1", address="2001:db8:1::1/64")


def vip(config: Config, key: str = "x", **values) -> Config:
    made = added(config, "virtual_ips", key, **values)
    assert problems(made) == {}
    return made


def test_an_alias_of_the_other_family_makes_its_vhid_speak_for_both() -> None:
    config = vip(dual(), type="carp", interface="lan", address="2001:db8:1::77/64", vhid=7, password="x")

    told = {v.vhid: v for v in carp_settings(config, NodeState()).vhids}

    assert told[1].addresses == ("192.168.1.1", "2001:db8:1::1")
    assert (told[1].families, told[7].families) == ((4, 6), (6,))
    assert (told[1].source, told[1].source6) == ("192.168.1.2", "2001:db8:1::2")
    assert complaints(carp_settings(config, NodeState())) == []
    macs = {one.vhid: one for one in virtual_macs(config)}
    assert macs[7].own6 == "2001:db8:1::2"
    assert macs[1].addresses == told[1].addresses


def test_a_link_local_vip_is_in_no_network_and_needs_no_warning() -> None:
    vip(dual(), type="carp", interface="lan", address="fe80::1/64", vhid=7, password="x")


def test_without_virtual_mac_the_firewall_leaves_arp_alone() -> None:
    config = changed(primary(), "virtual_ips", "set", "lan_vip", virtual_mac=False)

    assert [one.vhid for one in virtual_macs(config)] == [200]
    assert [v.virtual_mac for v in carp_settings(config, NodeState()).vhids] == [True, False]


def test_each_node_has_the_other_as_unicast_peer() -> None:
    mine = changed(dual(), "virtual_ips", "set", "lan_vip", peer="192.168.1.3", peer6="2001:db8:1::3")

    theirs = pushed(mine, changed(dual(2), "interfaces", "set", "lan", ipv4="192.168.1.3/24"))

    there = items(theirs, "virtual_ips")["lan_vip"]
    assert (there.peer, there.peer6) == ("192.168.1.2", "2001:db8:1::2")
    assert problems(theirs) == {}
    assert [(v.peer, v.source) for v in carp_settings(theirs, NodeState()).vhids if v.vhid == 1] == [
        ("192.168.1.2", "192.168.1.3")
    ]


def test_with_base_0_the_peers_skew_is_one_more() -> None:
    config = changed(primary(), "virtual_ips", "set", "lan_vip", base=0, skew=20)

    assert problems(config) == {}
    assert items(pushed(config, primary()), "virtual_ips")["lan_vip"].skew == 21
    assert "virtual_ips[lan_vip].skew" in refusal(config, "virtual_ips", "set", "lan_vip", skew=0)


def test_proxy_arp_is_answered_by_its_node_or_by_the_master() -> None:
    config = vip(primary(), "own", type="Proxy ARP", interface="wan", address="198.51.100.32/28")
    config = vip(config, "moves", type="proxyarp", interface="198.51.100.200", address="198.51.100.77/32")

    assert carp_settings(config, NodeState()).proxies == (
        ProxyArp("wan", "198.51.100.32/28"),
        ProxyArp("wan", "198.51.100.77/32", 200),
    )
    assert "198.51.100.77" not in carp_settings(config, NodeState()).vhids[0].addresses  # not part of the digest


def test_what_is_on_no_interface_is_not_the_firewall_itself() -> None:
    config = vip(primary(), type="other", interface="wan", address="203.0.113.0/28")

    assert parse_range("203.0.113.0") not in policy(config).vips
    assert policy(config).vips == policy(primary()).vips


def test_an_alias_on_localhost_is_an_address_of_the_machine_on_both_nodes() -> None:
    config = vip(primary(), type="ipalias", interface="Localhost", address="10.255.0.1/24")

    assert Address("lo", "10.255.0.1/32") in SCHEMA.compile(config, NodeState())
    assert "x" in items(pushed(config, primary()), "virtual_ips")


@pytest.mark.parametrize(
    ("values", "goes"),
    [
        ({"type": "other", "interface": "wan", "address": "203.0.113.0/28"}, True),
        ({"type": "proxyarp", "interface": "198.51.100.200", "address": "198.51.100.77/32"}, True),
        ({"type": "proxyarp", "interface": "wan", "address": "198.51.100.77/32"}, False),
        ({"type": "ipalias", "interface": "wan", "address": "198.51.100.77/24"}, False),
    ],
)
def test_what_is_on_a_nodes_own_interface_stays_there(values: dict[str, str], goes: bool) -> None:
    config = vip(primary(), **values)

    assert ("x" in items(pushed(config, changed(primary(), "virtual_ips", "delete", "plain")), "virtual_ips")) is goes


# --------------------------------------------------------------------------------------- those that are used elsewhere


def with_uses() -> Config:
    """The plain alias 198.51.100.220 of one node, used in a rule, in a port forward and in a mapping."""
    config = added(primary(), "rules", "r", interface="lan", source="any", destination="! 198.51.100.220")
    config = added(config, "outbound_nat", "m", interface="wan", source="LAN net", translation="198.51.100.220")
    values = {"interface": "wan", "destination": "198.51.100.220", "destination_port": "8080", "target": "192.168.1.9"}
    return added(config, "port_forwards", "f", **values)


def test_a_plain_alias_that_is_used_cannot_be_deleted() -> None:
    found = refusal(with_uses(), "virtual_ips", "delete", "plain")

    assert set(found) == {"rules[r].destination", "outbound_nat[m].translation", "port_forwards[f].destination"}
    assert all("change it first, then delete" in text for text in found.values())


def test_the_uses_of_a_plain_alias_follow_its_address() -> None:
    config = changed(with_uses(), "virtual_ips", "set", "plain", address="198.51.100.221/24")

    assert items(config, "rules")["r"].destination == "!198.51.100.221"
    assert items(config, "outbound_nat")["m"].translation == "198.51.100.221"
    assert items(config, "port_forwards")["f"].destination == "198.51.100.221"


def test_an_alias_whose_network_a_carp_vip_needs_cannot_be_deleted() -> None:
    config = vip(primary(), "net", type="ipalias", interface="wan", address="203.0.113.2/24")
    config = vip(config, "needs", type="carp", interface="wan", address="203.0.113.1/24", vhid=9, password="x")

    assert set(refusal(config, "virtual_ips", "delete", "net")) == {"virtual_ips[needs].address"}

    config = vip(config, "also", type="ipalias", interface="wan", address="203.0.113.3/24")
    changed(config, "virtual_ips", "delete", "net")


def test_a_carp_vip_of_both_nodes_is_used_by_its_id_and_nothing_needs_to_follow() -> None:
    config = changed(primary(), "virtual_ips", "set", "wan_vip", address="198.51.100.222/24")

    assert items(config, "outbound_nat")["general"].translation == "vip:wan_vip"


def test_a_vip_of_one_node_is_written_into_rules_as_its_address() -> None:
    config = vip(primary(), "net", type="proxyarp", interface="wan", address="198.51.100.32/28")
    config = added(config, "rules", "r", interface="lan", source="vip:plain", destination="vip:net")
    config = added(config, "rules", "s", interface="lan", destination="vip:stacked")
    config = added(config, "outbound_nat", "m", interface="wan", source="LAN net", translation="vip:plain")

    assert [items(config, "rules")["r"].source, items(config, "rules")["r"].destination] == [
        "198.51.100.220", "198.51.100.32/28",
    ]  # fmt: skip
    assert items(config, "rules")["s"].destination == "vip:stacked"
    assert items(config, "outbound_nat")["m"].translation == "198.51.100.220"
    pushed(config, changed(primary(), "virtual_ips", "delete", "plain"))  # the peer, which has neither, takes that
    found = refusal(config, "outbound_nat", "set", "m", translation="vip:net")
    assert "is a network" in found["outbound_nat[m].translation"]


def test_a_gateway_in_the_network_of_an_alias_needs_the_alias() -> None:
    config = vip(primary(), "net", type="ipalias", interface="wan", address="203.0.113.2/24")
    config = changed(config, "gateways", "add", name="OTHER", interface="WAN", address="203.0.113.254")

    assert problems(config) == {}
    assert "gateways[other].address" in refusal(config, "virtual_ips", "delete", "net")
