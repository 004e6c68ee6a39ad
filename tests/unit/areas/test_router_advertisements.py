"""Router advertisements: what people get wrong, what radvd is told, and what goes to the peer."""

from typing import Any

import pytest

from gemel.areas.every import SCHEMA
from gemel.areas.router_advertisements import CONFIG, ROUTER_ADVERTISEMENTS
from gemel.core.area import NodeState
from gemel.core.config import Config
from gemel.core.exchange import outgoing
from gemel.core.want import Service
from tests.unit.areas.cluster import added, changed, primary, problems, refusal


def six(link_local: bool = True) -> Config:
    """The primary with IPv6 on LAN, stacked on the IPv4 CARP VIP."""
    config = changed(primary(), "interfaces", "set", "lan", ipv6="2001:db8:1::2/64")
    stacked = ("2001:db8:1::1/64", *(["fe80::1/64"] if link_local else []))
    for number, address in enumerate(stacked):
        config = added(config, "virtual_ips", f"six{number}", type="ipalias", interface="192.168.1.1", address=address)
    return config


def told(config: Config) -> str:
    """radvd's configuration; empty if it is not wanted."""
    wants = [w for w in SCHEMA.compile(config, NodeState()) if isinstance(w, Service) and w.name == "radvd"]
    return "".join(f.content for w in wants for f in w.files if f.path == CONFIG)


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"interface": "dmz"}, "interface", "there is no interface 'dmz'"),
    ({"interface": "SYNC"}, "mode", "SYNC has no static IPv6 address"),
    ({"mode": "loud"}, "mode", "must be 'disabled'"),
    ({"prefixes": "2001:db8:1::/56"}, "prefixes", "only in a /64"),
    ({"prefixes": "2001:db8:1::1/64"}, "prefixes", "is no IPv6 network"),
    ({"prefixes": "10.0.0.0/8"}, "prefixes", "is no IPv6 network"),
    ({"prefixes": "fe80::/64"}, "prefixes", "cannot be a network of hosts"),
    ({"dns_servers": "192.168.1.1"}, "dns_servers", "is no IPv6 address"),
    ({"dns_servers": "::2 ::3 ::4 ::5 ::6"}, "dns_servers", "at most 4"),
    ({"domain_search": "-x"}, "domain_search", "is no domain name"),
    ({"preferred_lifetime": 90000}, "preferred_lifetime", "at most the valid lifetime, 86400 s"),
    ({"min_interval": 500}, "min_interval", "three quarters of the maximum: 450 s"),
    ({"router_lifetime": 60}, "router_lifetime", "at least the maximum interval, 600 s"),
    ({"router_lifetime": 9001}, "router_lifetime", "less than or equal to 9000"),
    ({"max_interval": 3}, "max_interval", "greater than or equal to 4"),
]


@pytest.mark.parametrize(("values", "field", "sentence"), BAD)
def test_what_is_wrong_is_said_at_its_field(values: dict[str, Any], field: str, sentence: str) -> None:
    values = {"interface": "lan", "mode": "unmanaged", **values}
    found = refusal(six(), "router_advertisements", "add", id="x", **values)
    assert sentence in found.get(f"router_advertisements[x].{field}", f"not refused there: {found}")


def test_an_interface_has_them_once() -> None:
    config = added(six(), "router_advertisements", "lan", interface="lan", mode="unmanaged")
    found = refusal(config, "router_advertisements", "add", id="x", interface="lan", mode="router")
    assert "has router advertisements already" in found["router_advertisements[x].interface"]


def test_a_cluster_needs_a_router_address_that_moves() -> None:
    found = refusal(six(link_local=False), "router_advertisements", "add", id="x", interface="lan", mode="unmanaged")
    assert "add fe80::1/64 in Firewall > Virtual IPs, an IP alias on" in found["router_advertisements[x].interface"]
    bare = changed(primary(), "interfaces", "set", "lan", ipv6="2001:db8:1::2/64")
    bare = added(bare, "router_advertisements", "lan", interface="lan", mode="unmanaged")
    warned = problems(bare)["router_advertisements[lan].interface"]
    assert warned.level == "warning" and "each node advertises itself" in warned.text


def test_the_virtual_link_local_address_is_the_only_source() -> None:
    text = told(added(six(), "router_advertisements", "lan", interface="lan", mode="unmanaged"))
    assert "interface lan {" in text
    assert "AdvRASrcAddress { fe80::1; };" in text and "AdvSourceLLAddress off;" in text
    assert "prefix 2001:db8:1::/64 {" in text and "AdvAutonomous on;" in text
    assert "AdvManagedFlag off;" in text and "RDNSS" not in text


@pytest.mark.parametrize(
    ("mode", "managed", "other", "autonomous"),
    [("managed", "on", "on", "off"), ("assisted", "on", "on", "on"), ("stateless", "off", "on", "on")],
)
def test_modes_are_flags_and_those_with_dhcpv6_say_that_there_is_none(
    mode: str, managed: str, other: str, autonomous: str
) -> None:
    config = added(six(), "router_advertisements", "lan", interface="lan", mode=mode)
    text = told(config)
    assert f"AdvManagedFlag {managed};" in text and f"AdvOtherConfigFlag {other};" in text
    assert f"AdvAutonomous {autonomous};" in text
    assert "LAN has no DHCPv6 server or relay here" in problems(config)["router_advertisements[lan].mode"].text


def test_a_mere_router_names_no_network_and_nothing_is_said_when_disabled() -> None:
    search = "a.example;b.example"
    config = added(six(), "router_advertisements", "lan", interface="lan", mode="router", domain_search=search)
    assert "prefix" not in told(config) and "DNSSL a.example b.example" in told(config)
    assert told(changed(config, "router_advertisements", "set", "lan", mode="disabled")) == ""


def test_the_resolver_on_the_virtual_ip_is_the_dns_server() -> None:
    config = added(six(), "router_advertisements", "lan", interface="lan", mode="unmanaged")
    config = changed(config, "dns_resolver", enabled=True)
    assert "RDNSS 2001:db8:1::1 {" in told(config)


def test_the_peer_gets_them_as_they_are_with_the_box_of_dhcp() -> None:
    config = added(six(), "router_advertisements", "lan", interface="lan", mode="unmanaged")
    assert ROUTER_ADVERTISEMENTS.sync == "dhcp"
    assert "router_advertisements" in outgoing(SCHEMA, config, ("dhcp",))
