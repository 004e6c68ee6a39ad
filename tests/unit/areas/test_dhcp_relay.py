"""DHCP relay: what people get wrong, what runs while which virtual IP is here, and what the firewall lets in."""

import json
from typing import Any

import pytest

from gemel.areas.dhcp_relay import DHCP6_RELAY, DHCP_RELAY, relay_rules
from gemel.areas.every import SCHEMA
from gemel.areas.interfaces import INTERFACES
from gemel.core.area import NodeState
from gemel.core.codec import decode
from gemel.core.config import Config
from gemel.core.exchange import outgoing
from gemel.core.following import Following
from gemel.core.want import Service
from gemel.rules.addresses import parse_range
from tests.unit.areas.cluster import added, changed, primary, problems, refusal
from tests.unit.areas.test_router_advertisements import six

SERVER, SERVER6 = "198.51.100.1", "2001:db8:9::1"


def routed6(config: Config) -> Config:
    """With IPv6 on WAN, too, and a way out."""
    config = changed(config, "interfaces", "set", "wan", ipv6="2001:db8:51::201/64")
    config = changed(config, "gateways", "add", name="WANGW6", interface="WAN", address="2001:db8:51::1")
    return changed(config, "interfaces", "set", "wan", gateway6="WANGW6")


def relayed(config: Config, area: str = "dhcp_relay", **values: Any) -> Config:
    servers = SERVER if area == "dhcp_relay" else SERVER6
    return changed(config, area, **{"enabled": True, "interfaces": "LAN", "servers": servers, **values})


def running(config: Config, *addresses: tuple[str, str]) -> dict[str, str]:
    """Service -> the command that runs while these addresses are here."""
    found = {}
    for want in SCHEMA.compile(config, NodeState()):
        if isinstance(want, Service) and "gemel.daemons.follower" in want.argv:
            told = decode(Following, json.loads(want.files[0].content))
            found[want.name] = " ".join(told.command(frozenset(addresses)))
    return found


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"interfaces": ""}, "interfaces", "needs the interfaces of its clients"),
    ({"interfaces": "dmz"}, "interfaces", "there is no interface 'dmz' (there are: WAN, LAN, SYNC)"),
    ({"servers": ""}, "servers", "needs a server to ask"),
    ({"servers": "server.example"}, "servers", "is no IP address"),
    ({"servers": "2001:db8::1"}, "servers", "is IPv6"),
    ({"servers": "192.168.1.77"}, "servers", "is reached through LAN, where requests are relayed"),
    ({"servers": "192.168.1.1"}, "servers", "is this firewall's own address"),
    ({"servers": "198.51.100.201"}, "servers", "is this firewall's own address"),
    ({"servers": " ".join(f"10.0.0.{n}" for n in range(1, 10))}, "servers", "at most 8 servers"),
]


@pytest.mark.parametrize(("values", "field", "sentence"), BAD)
def test_what_is_wrong_is_said_at_its_field(values: dict[str, Any], field: str, sentence: str) -> None:
    values = {"enabled": True, "interfaces": "lan", "servers": SERVER, **values}
    found = refusal(primary(), "dhcp_relay", **values)
    assert sentence in found.get(f"dhcp_relay.{field}", f"not refused there: {found}")


def test_a_node_is_server_or_relay() -> None:
    config = added(primary(), "dhcp", "lan", interface="lan", enabled=True, range_from="192.168.1.60",
                   range_to="192.168.1.90")  # fmt: skip
    found = refusal(config, "dhcp_relay", enabled=True, interfaces="LAN", servers=SERVER)
    assert "there is a DHCP server on LAN: a node is either server or relay" in found["dhcp_relay.enabled"]


def test_what_is_off_is_not_looked_at_and_does_not_run() -> None:
    config = changed(primary(), "dhcp_relay", servers="192.168.1.77", interfaces="lan")
    assert not problems(config).keys() & {"dhcp_relay.servers"} and running(config) == {}


def test_the_relay_runs_while_the_virtual_ip_is_here() -> None:
    config = relayed(primary(), append_agent_information=True)
    asks = "dhcrelay -4 -d --no-pid -a -id lan -iu wan 198.51.100.1"
    assert running(config, ("lan", "192.168.1.1")) == {"dhcrelay": asks}
    assert running(config) == running(config, ("wan", "192.168.1.1")) == {"dhcrelay": ""}


def test_without_a_virtual_ip_it_runs_always_and_a_cluster_is_warned() -> None:
    config = relayed(primary(), interfaces="LAN, SYNC")
    assert problems(config)["dhcp_relay.interfaces"].text == "SYNC has no IPv4 CARP VIP in its network: both nodes " \
        "relay, always"  # fmt: skip
    assert running(config) == {"dhcrelay": "dhcrelay -4 -d --no-pid -id sync -iu wan 198.51.100.1"}
    both = running(config, ("lan", "192.168.1.1"))["dhcrelay"]
    assert "-id lan -id sync -iu wan" in both


def test_a_static_route_leads_to_a_server_before_the_default_gateway_does() -> None:
    config = changed(primary(), "gateways", "add", name="INNER", interface="SYNC", address="172.16.1.9")
    config = added(config, "static_routes", "r", network="10.0.0.0/8", gateway="INNER")
    assert running(relayed(config, servers="10.1.1.1"), ("lan", "192.168.1.1")) == {
        "dhcrelay": "dhcrelay -4 -d --no-pid -id lan -iu sync 10.1.1.1"
    }


def test_ipv6_clients_are_where_the_virtual_ip_is_and_the_server_must_be_reached() -> None:
    config = six()
    found = refusal(config, "dhcp6_relay", enabled=True, interfaces="LAN", servers=SERVER6)
    assert "nothing leads to 2001:db8:9::1" in found["dhcp6_relay.servers"]
    config = relayed(routed6(config), "dhcp6_relay")
    assert "is no IPv6 address" in refusal(config, "dhcp6_relay", servers=SERVER)["dhcp6_relay.servers"]
    asks = "dhcrelay -6 -d --no-pid -l 2001:db8:1::1%lan -u 2001:db8:9::1%wan"
    assert running(config, ("lan", "2001:db8:1::1")) == {"dhcrelay6": asks}
    assert running(config, ("lan", "fe80::1")) == {"dhcrelay6": ""}


def test_clients_may_ask_and_servers_may_answer_the_giaddr() -> None:
    config = relayed(relayed(routed6(six())), "dhcp6_relay")
    there = {i.id: list(relay_rules(config, i)) for i in config[INTERFACES].items}
    assert [r.id for r in there["lan"]] == ["auto_dhcrelay_lan", "auto_dhcrelay6_lan"]
    [answers] = there["wan"]
    assert answers.match.source and answers.match.destination
    assert answers.match.source.ranges == (parse_range("198.51.100.1"),)
    assert answers.match.destination.ranges == (parse_range("192.168.1.2"),)
    assert there["opt1"] == []


def test_the_peer_gets_both_with_the_box_of_dhcp() -> None:
    assert DHCP_RELAY.sync == DHCP6_RELAY.sync == "dhcp"
    assert {"dhcp_relay", "dhcp6_relay"} <= outgoing(SCHEMA, relayed(primary()), ("dhcp",)).keys()
