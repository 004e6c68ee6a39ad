"""DHCPv6: what people get wrong, what Kea and leased are told, and what the peer gets."""

import json
from typing import Any

import pytest

from gemel.areas.dhcp6 import DHCP6
from gemel.areas.dhcp6_kea import automatic_rules6, kea6_config, lease_settings6
from gemel.areas.dns_unbound import fixed_names
from gemel.areas.every import SCHEMA
from gemel.areas.interfaces import INTERFACES
from gemel.core.area import NodeState
from gemel.core.codec import decode
from gemel.core.config import Config
from gemel.core.exchange import outgoing
from gemel.core.want import Service
from gemel.leases.settings import KEEPER_PORT, KEEPER_PORT6, PEER_PORT, PEER_PORT6, Settings
from tests.unit.areas.cluster import added, changed, problems, refusal
from tests.unit.areas.test_dhcp_relay import relayed, routed6
from tests.unit.areas.test_router_advertisements import six

POOL = {"interface": "lan", "enabled": True, "range_from": "2001:db8:1::1000", "range_to": "2001:db8:1::1fff"}
FULL = {**POOL, "failover_peer_ip": "2001:db8:1::3"}
DUID = "00:03:00:01:00:1b:44:11:3a:b7"


def serving(**values: Any) -> Config:
    """The primary with IPv6, and a DHCPv6 server on LAN."""
    return added(six(), "dhcp6", "lan", **{**FULL, **values})


BAD_SERVER: list[tuple[dict[str, Any], str, str]] = [
    ({"interface": "dmz"}, "interface", "there is no interface 'dmz'"),
    ({"interface": "SYNC"}, "enabled", "SYNC has no static IPv6 address"),
    ({"range_from": ""}, "range_from", "a range has two ends"),
    ({"range_to": ""}, "range_to", "a range has two ends"),
    ({"range_from": "2001:db8:1::2000"}, "range_to", "comes before"),
    ({"range_from": "192.168.1.60"}, "range_from", "is no IPv6 address"),
    ({"range_to": "2001:db8:2::1"}, "range_to", "is not in the network of LAN, 2001:db8:1::/64"),
    ({"range_from": "2001:db8:1::2", "range_to": "2001:db8:1::2"}, "range_from", "this node's own address on LAN"),
    ({"range_from": "2001:db8:1::"}, "range_from", "contains 2001:db8:1::"),
    ({"range_from": "2001:db8:1::3"}, "range_from", "the other node's address"),
    ({"range_from": "2001:db8:1::1", "range_to": "2001:db8:1::1"}, "range_from", "the virtual IP"),
    ({"dns_servers": "9.9.9.9"}, "dns_servers", "is no IPv6 address"),
    ({"dns_servers": "::2 ::3 ::4 ::5 ::6"}, "dns_servers", "at most 4"),
    ({"domain_search": "-x"}, "domain_search", "is no domain name"),
    ({"default_lease": 30}, "default_lease", "greater than or equal to 60"),
    ({"failover_peer_ip": "2001:db8:1::2"}, "failover_peer_ip", "this node's own address (LAN)"),
    ({"failover_peer_ip": "2001:db8:1::1"}, "failover_peer_ip", "is a virtual IP"),
    ({"failover_peer_ip": "2001:db8:2::3"}, "failover_peer_ip", "is not in the network of LAN"),
    ({"failover_peer_ip": "192.168.1.3"}, "failover_peer_ip", "is no IPv6 address"),
]


@pytest.mark.parametrize(("values", "field", "sentence"), BAD_SERVER)
def test_what_is_wrong_is_said_at_its_field(values: dict[str, Any], field: str, sentence: str) -> None:
    found = refusal(six(), "dhcp6", "add", id="x", **{**FULL, **values})
    assert sentence in found.get(f"dhcp6[x].{field}", f"not refused there: {found}")


BAD_MAPPING: list[tuple[dict[str, Any], str, str]] = [
    ({"duid": "laptop"}, "duid", "is no DUID such as"),
    ({"duid": "00:03"}, "duid", "3 to 130 bytes"),
    ({"address": "2001:db8:1::1234"}, "address", "is in the range"),
    ({"address": "2001:db8:2::77"}, "address", "is not in the network of LAN"),
    ({"address": "2001:db8:1::1"}, "address", "is the virtual IP"),
    ({"address": "2001:db8:1::3"}, "address", "is the other node's address"),
    ({"hostname": "a.b"}, "hostname", "is no host name"),
    ({"interface": "SYNC"}, "interface", "SYNC has no static IPv6 address"),
    ({"address": "2001:db8:1::88"}, "address", "is another host's already"),
    ({"duid": "00030001001b44113a99"}, "duid", "has a static mapping on this interface already"),
]


@pytest.mark.parametrize(("values", "field", "sentence"), BAD_MAPPING)
def test_what_is_wrong_with_a_static_mapping_is_said_at_its_field(
    values: dict[str, Any], field: str, sentence: str
) -> None:
    there = {"interface": "lan", "duid": "00:03:00:01:00:1b:44:11:3a:99", "address": "2001:db8:1::88"}
    config = added(serving(), "dhcp6_mappings", "there", **there)
    values = {"interface": "lan", "duid": DUID, "address": "2001:db8:1::77", **values}
    found = refusal(config, "dhcp6_mappings", "add", id="x", **values)
    assert sentence in found.get(f"dhcp6_mappings[x].{field}", f"not refused there: {found}")


def test_kea_gets_pool_options_and_mappings() -> None:
    config = serving(dns_servers="2001:db8:1::1", domain_search="a.example", default_lease=800)
    config = added(config, "dhcp6_mappings", "x", interface="lan", duid=DUID.upper().replace(":", ""),
                   address="2001:db8:1::77", hostname="desk")  # fmt: skip
    told = kea6_config(config)["Dhcp6"]
    [subnet] = told["subnet6"]
    assert (subnet["subnet"], subnet["interface"]) == ("2001:db8:1::/64", "lan")
    assert subnet["pools"] == [{"pool": "2001:db8:1::1000-2001:db8:1::1fff"}]
    assert (subnet["valid-lifetime"], subnet["preferred-lifetime"]) == (800, 500)
    assert subnet["reservations"] == [{"duid": DUID, "ip-addresses": ["2001:db8:1::77"], "hostname": "desk"}]
    assert {o["name"]: o["data"] for o in subnet["option-data"]} == {
        "dns-servers": "2001:db8:1::1", "domain-search": "a.example",
    }  # fmt: skip
    assert "2001:db8:1::77" in fixed_names(config)["desk.home.arpa"]


def test_both_nodes_are_one_server_for_hosts() -> None:
    told = kea6_config(serving())["Dhcp6"]["server-id"]
    assert (told["type"], told["identifier"], told["persist"]) == ("LL", "00005E000101", False)
    bare = changed(six(), "virtual_ips", "delete", "six0")
    bare = added(bare, "dhcp6", "lan", **POOL)
    assert "server-id" not in kea6_config(bare)["Dhcp6"]


def test_a_server_without_a_range_gives_the_rest() -> None:
    assert kea6_config(serving(range_from="", range_to=""))["Dhcp6"]["subnet6"][0]["pools"] == []


def told_to_leased(config: Config) -> dict[int, Settings]:
    [leased] = [w for w in SCHEMA.compile(config, NodeState()) if isinstance(w, Service) and w.name == "leased"]
    return {s.family: s for s in decode(tuple[Settings, ...], json.loads(leased.files[0].content))}


def test_leased_follows_the_virtual_ip_and_talks_over_lan_and_sync() -> None:
    settings = lease_settings6(serving())
    [scope] = settings.scopes
    assert (scope.vip, scope.device, scope.peer) == ("2001:db8:1::1", "lan", "2001:db8:1::3")
    assert settings.listen == ("2001:db8:1::2", "172.16.1.2") and settings.peers == ("2001:db8:1::3", "172.16.1.3")


def test_one_leased_stands_before_both_servers() -> None:
    both = added(serving(), "dhcp", "lan", interface="lan", enabled=True, range_from="192.168.1.60",
                 range_to="192.168.1.90", failover_peer_ip="192.168.1.3")  # fmt: skip
    assert told_to_leased(both).keys() == {4, 6} and told_to_leased(serving()).keys() == {6}
    used = [told_to_leased(both)[f] for f in (4, 6)]
    assert [(s.port, s.keeper_port) for s in used] == [(PEER_PORT, KEEPER_PORT), (PEER_PORT6, KEEPER_PORT6)]
    names = {w.name for w in SCHEMA.compile(both, NodeState()) if isinstance(w, Service)}
    assert {"kea-dhcp4", "kea-dhcp6", "leased"} <= names


def test_hosts_may_ask_and_only_the_peer_may_replicate() -> None:
    config = serving()
    there = {i.id: [r.id for r in automatic_rules6(config, i)] for i in config[INTERFACES].items}
    assert there == {"wan": [], "lan": ["auto_dhcp6_lan", "auto_dhcp6_peer_lan"], "opt1": ["auto_dhcp6_sync_opt1"]}


def test_the_peer_gets_this_nodes_address_as_its_failover_peer() -> None:
    assert DHCP6.sync == "dhcp"
    [server] = outgoing(SCHEMA, serving(), ("dhcp",))["dhcp6"]["items"]
    assert server["failover_peer_ip"] == "2001:db8:1::2"


def test_router_advertisements_and_the_server_know_of_each_other() -> None:
    assert "hosts on LAN are not told to ask" in problems(serving())["dhcp6[lan].enabled"].text
    config = added(serving(), "router_advertisements", "lan", interface="lan", mode="managed")
    assert not problems(config).keys() & {"dhcp6[lan].enabled", "router_advertisements[lan].mode"}
    config = changed(config, "dhcp6", "set", "lan", enabled=False)
    assert "has no DHCPv6 server or relay here" in problems(config)["router_advertisements[lan].mode"].text
    relay = relayed(routed6(config), "dhcp6_relay")
    assert "router_advertisements[lan].mode" not in problems(relay)


def test_an_interface_has_a_server_or_a_relay() -> None:
    config = routed6(serving())
    found = refusal(config, "dhcp6_relay", enabled=True, interfaces="LAN", servers="2001:db8:9::1")
    assert "LAN has a DHCPv6 server" in found["dhcp6_relay.interfaces"]
