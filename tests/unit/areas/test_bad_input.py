"""What people get wrong: each is refused, or warned of, at the field that it is about, and in words."""

from typing import Any

import pytest

from gemel.areas.every import SCHEMA
from gemel.core.problem import Invalid
from tests.unit.areas.cluster import added, changed, node, primary, problems, refusal

CARP = {"type": "carp", "interface": "wan", "password": "secret"}
NAT = {"interface": "wan", "translation": "198.51.100.200"}
FORWARD = {"destination": "198.51.100.200", "target": "192.168.1.80"}

REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    # area, values of a new item called x, the field, a part of the sentence
    ("virtual_ips", {**CARP, "address": "198.51.100.9/24", "vhid": 200}, "vhid", "used on this interface already"),
    ("virtual_ips", {**CARP, "address": "198.51.100.9/24", "vhid": 0}, "vhid", "greater than or equal to 1"),
    ("virtual_ips", {**CARP, "address": "198.51.100.9/24", "vhid": 256}, "vhid", "less than or equal to 255"),
    ("virtual_ips", {**CARP, "address": "198.51.100.9/24"}, "vhid", "needs a VHID"),
    ("virtual_ips", {**CARP, "address": "198.51.100.9/24", "vhid": 9, "base": -1}, "base", "greater than"),
    ("virtual_ips", {**CARP, "address": "198.51.100.9/24", "vhid": 9, "skew": 255}, "skew", "less than"),
    ("virtual_ips", {**CARP, "address": "198.51.100.9/24", "vhid": 9, "password": ""}, "password", "needs a password"),
    ("virtual_ips", {**CARP, "address": "198.51.100.9/24", "vhid": 9, "password": "x" * 20}, "password", "at most 19"),
    ("virtual_ips", {**CARP, "address": "198.51.100.201/24", "vhid": 9}, "address", "is in use already: WAN"),
    ("virtual_ips", {**CARP, "address": "198.51.100.200/24", "vhid": 9}, "address", "is in use already: virtual IP"),
    ("virtual_ips", {**CARP, "address": "198.51.100.255/24", "vhid": 9}, "address", "network or broadcast address"),
    ("virtual_ips", {**CARP, "address": "198.51.100.9", "vhid": 9}, "address", "needs its mask"),
    ("virtual_ips", {**CARP, "address": "224.0.0.5/24", "vhid": 9}, "address", "cannot be an address"),
    ("virtual_ips", {**CARP, "address": "198.51.100.9/24", "vhid": 9, "interface": "DMZ"}, "interface", "no interface"),
    ("virtual_ips", {**CARP, "address": "10.0.0.9/24", "vhid": 9, "interface": "198.51.100.200"},
     "interface", "only an IP alias"),
    ("virtual_ips", {"type": "ipalias", "interface": "wan", "address": "198.51.100.9/24", "vhid": 9},
     "vhid", "has no VHID"),
    ("virtual_ips", {"type": "ipalias", "interface": "198.51.100.200", "address": "2001:db8::9/64"},
     "interface", "WAN has no IPv6 address of its own"),
    ("virtual_ips", {**CARP, "address": "2001:db8::9/64", "vhid": 9}, "interface", "WAN has no IPv6 address"),
    ("virtual_ips", {"type": "proxyarp", "interface": "wan", "address": "2001:db8::/64"}, "address", "is for IPv4"),
    ("virtual_ips", {"type": "proxyarp", "interface": "wan", "address": "198.51.100.9/24"}, "address", "give /32"),
    ("virtual_ips", {"type": "proxyarp", "interface": "wan", "address": "198.51.100.0/24"}, "address", "WAN's own"),
    ("virtual_ips", {"type": "proxyarp", "interface": "lo0", "address": "10.0.0.9/32"},
     "interface", "only an IP alias"),
    ("virtual_ips", {"type": "other", "interface": "198.51.100.200", "address": "10.0.0.9/32"},
     "interface", "can be stacked on a CARP VIP"),
    ("virtual_ips", {**CARP, "address": "198.51.100.9/24", "vhid": 9, "interface": "localhost"},
     "interface", "only an IP alias can be on Localhost"),
    ("virtual_ips", {**CARP, "address": "198.51.100.9/24", "vhid": 9, "peer": "2001:db8::1"}, "peer", "no IPv4"),
    ("virtual_ips", {**CARP, "address": "198.51.100.9/24", "vhid": 9, "peer": "198.51.100.201"},
     "peer", "this node's own"),
    ("virtual_ips", {**CARP, "address": "198.51.100.9/24", "vhid": 9, "peer6": "2001:db8::1"},
     "peer6", "no IPv6 address of its own to send from"),
    ("virtual_ips", {"type": "ipalias", "interface": "wan", "address": "198.51.100.9/24", "peer": "198.51.100.202"},
     "peer", "only a CARP VIP"),
    ("rules", {"interface": "dmz"}, "interface", "there is no interface 'dmz' (there are: WAN, LAN, SYNC)"),
    ("rules", {"interface": "lan", "source": "DMZ net"}, "source", "neither any, an interface's net"),
    ("rules", {"interface": "lan", "destination_port": "70000"}, "destination_port", "1 to 65535"),
    ("rules", {"interface": "lan", "destination_port": "0"}, "destination_port", "1 to 65535"),
    ("rules", {"interface": "lan", "destination_port": "web_servers"}, "destination_port", "holds no ports"),
    ("rules", {"interface": "lan", "source": "192.168.1.5/24"},
     "source", "host bits set: the network is 192.168.1.0/24"),
    ("rules", {"interface": "lan", "source": "2001:db8::1"}, "source", "2001:db8::1 is IPv6, the rule is not"),
    ("rules", {"interface": "lan", "source": "2001:db8::/32"}, "source", "2001:db8::/32 is IPv6, the rule is not"),
    ("rules", {"interface": "lan", "family": "inet6", "source": "192.168.1.9"}, "source", "is IPv4, the rule is not"),
    ("rules", {"interface": "lan", "family": "inet46", "source": "192.168.1.9"}, "source", "both families"),
    ("rules", {"interface": "lan", "source": "! any"}, "source", "cannot be inverted"),
    ("rules", {"interface": "lan", "source": "web_ports"}, "source", "holds ports, not addresses"),
    ("rules", {"interface": "lan", "protocol": "icmp", "destination_port": "80"}, "destination_port", "has no ports"),
    ("rules", {"interface": "lan", "icmp_types": ["echoreq"]}, "icmp_types", "only protocol icmp"),
    ("rules", {"interface": "lan", "protocol": "icmp", "icmp_types": ["toobig"]},
     "icmp_types", "does not exist in this"),
    ("rules", {"interface": "lan", "protocol": "icmp", "icmp_types": ["ping"]}, "icmp_types", "is no ICMP type"),
    ("rules", {"interface": "lan", "protocol": "quic"}, "protocol", "must be"),
    ("rules", {"interface": "lan", "colour": "red"}, "colour", "there is no such field"),
    ("interfaces", {"device": "wan"}, "device", "assigned to WAN already"),
    ("interfaces", {"device": "eth9", "description": "lan"}, "description", "is called already"),
    ("interfaces", {"device": "eth9", "description": "42"}, "description", "number only"),
    ("interfaces", {"device": "eth9", "description": "any"}, "description", "meaning of its own"),
    ("interfaces", {"device": "eth9", "enabled": True, "ipv4": "192.168.1.9/28"},
     "ipv4", "overlaps with 192.168.1.2/24 of LAN"),
    ("interfaces", {"device": "eth9", "ipv4": "10.9.0.0/24"}, "ipv4", "is the address of the network"),
    ("interfaces", {"device": "eth9", "ipv4": "10.9.0.255/24"}, "ipv4", "is the broadcast address"),
    ("interfaces", {"device": "eth9", "ipv6": "fe80::1/64"}, "ipv6", "link-local"),
    ("interfaces", {"device": "eth9", "gateway": "WANGW"}, "gateway", "gateway of another interface"),
    ("interfaces", {"device": "eth9", "mtu": 500}, "mtu", "greater than or equal to 576"),
    ("interfaces", {"device": "../eth9"}, "device", "no name of a network device"),
    ("gateways", {"name": "GW2", "interface": "lan", "address": "10.0.0.1"}, "address", "cannot be reached"),
    ("gateways", {"name": "GW2", "interface": "lan", "address": "192.168.1.2"}, "address", "LAN's own address"),
    ("gateways", {"name": "wangw", "interface": "wan", "address": "198.51.100.2"}, "name", "another gateway"),
    ("static_routes", {"network": "10.9.0.1/16", "gateway": "WANGW"}, "network", "the network is 10.9.0.0/16"),
    ("static_routes", {"network": "10.9.0.0/16", "gateway": "GW2"}, "gateway", "there is no gateway 'GW2'"),
    ("static_routes", {"network": "2001:db8::/32", "gateway": "WANGW"}, "gateway", "different families"),
    ("static_routes", {"network": "192.168.1.0/24", "gateway": "WANGW"}, "network", "the network of LAN itself"),
    ("aliases", {"name": "port"}, "name", "meaning of its own"),
    ("aliases", {"name": "my-hosts"}, "name", "no alias name"),
    ("aliases", {"name": "WEB_servers"}, "name", "another alias"),
    ("aliases", {"name": "SYNC"}, "name", "is an interface"),
    ("aliases", {"name": "a", "entries": ["10.0.0.300"]}, "entries", "no address, network, range"),
    ("aliases", {"name": "a", "entries": ["10.0.0.9-10.0.0.1"]}, "entries", "no range of addresses"),
    ("aliases", {"name": "a", "entries": ["10.0.0.1/24"]}, "entries", "host bits set"),
    ("aliases", {"name": "a", "type": "port", "entries": ["70000"]}, "entries", "1 to 65535"),
    ("aliases", {"name": "a", "entries": ["web_ports"]}, "entries", "web_ports holds ports"),
    ("aliases", {"name": "a", "entries": ["a"]}, "entries", "a contains itself"),
    ("outbound_nat", {**NAT, "source": "192.168.1.1/24"}, "source", "host bits set"),
    ("outbound_nat", {"source": "192.168.1.0/24", "translation": "LAN"}, "translation", "no address: choose interface"),
    ("outbound_nat", {"source": "192.168.1.0/24", "translation": "2001:db8::1"}, "translation", "another family"),
    ("port_forwards", {**FORWARD, "destination_port": "70000"}, "destination_port", "1 to 65535"),
    ("port_forwards", {**FORWARD, "destination_port": "20-30"}, "destination_port", "overlaps with the forward Mail"),
    ("port_forwards", {**FORWARD, "destination_port": "80-90", "local_port": "65530"},
     "local_port", "beyond port 65535"),
    ("port_forwards", {**FORWARD, "destination_port": "80-90", "local_port": "80-90"}, "local_port", "only the first"),
    ("port_forwards", {**FORWARD, "destination_port": "web_ports", "local_port": "80"},
     "local_port", "cannot be redirected"),
    ("port_forwards", {**FORWARD, "destination_port": "81", "target": "2001:db8::1"}, "target", "another family"),
    ("port_forwards", {**FORWARD, "protocol": "icmp", "local_port": "80"}, "local_port", "has no ports"),
    ("users", {"name": "admin"}, "name", "another account"),
    ("users", {"name": "a b"}, "name", "no user name"),
    ("users", {"name": "eve", "privileges": ["root"]}, "privileges[0]", "must be"),
]  # fmt: skip


@pytest.mark.parametrize(("area", "values", "field", "sentence"), REFUSED)
def test_a_new_item_is_refused_at_its_field(area: str, values: dict[str, Any], field: str, sentence: str) -> None:
    found = refusal(primary(), area, "add", id="x", **values)

    assert sentence in found.get(f"{area}[x].{field}", f"not refused there: {found}")


@pytest.mark.parametrize(
    ("area", "values", "field", "sentence"),
    [
        ("high_availability", {"filter_host_id": "0"}, "filter_host_id", "not 0"),
        ("high_availability", {"filter_host_id": "123456789"}, "filter_host_id", "1 to 8 hexadecimal digits"),
        ("high_availability", {"peer_ip": "172.16.1.2"}, "peer_ip", "this node's own address (SYNC)"),
        ("high_availability", {"synchronize_interface": "DMZ"}, "synchronize_interface", "there is no interface"),
        ("high_availability", {"synchronize_config_to": "peer"}, "synchronize_config_to", "is no IP address"),
        ("high_availability", {"synchronize_config_to": "172.16.1.3"}, "password", "needs its password"),
        ("high_availability", {"synchronize_states": True, "synchronize_interface": "SYNC"},
         "peer_ip", "never by multicast"),
        ("high_availability", {"areas": ["rules", "ntp"]}, "areas", "'ntp' is no area to synchronise"),
        ("outbound_nat", {"mode": "off"}, "mode", "must be"),
        ("gateways", {"default4": "GW2"}, "default4", "there is no gateway 'GW2'"),
        ("gateways", {"default6": "WANGW"}, "default6", "is no IPv6 gateway"),
        ("system", {"hostname": "fw.example"}, "hostname", "no dot"),
        ("system", {"dns_servers": ["dns"]}, "dns_servers[0]", "is no IP address"),
    ],
)  # fmt: skip
def test_a_field_of_an_area_is_refused(area: str, values: dict[str, Any], field: str, sentence: str) -> None:
    assert sentence in refusal(node(1), area, **values).get(f"{area}.{field}", "not refused there")


@pytest.mark.parametrize(
    ("area", "values", "field", "sentence"),
    [
        ("virtual_ips", {**CARP, "address": "10.9.9.9/24", "vhid": 9}, "address", "in no network of WAN"),
        ("virtual_ips", {**CARP, "address": "198.51.100.9/32", "vhid": 9}, "address", "use the same"),
        ("outbound_nat", {**NAT, "source": "any"}, "source", "the firewall's own traffic"),
        ("outbound_nat", {**NAT, "source": "This firewall"}, "source", "would lose internet"),
        ("outbound_nat", {**NAT, "source": "127.0.0.0/8"}, "source", "the firewall's own traffic"),
        ("outbound_nat", {**NAT, "source": "127.0.0.1"}, "source", "the firewall's own traffic"),
        ("outbound_nat", {**NAT, "source": "! 192.168.1.0/24"}, "source", "the firewall's own traffic"),
        ("outbound_nat", {**NAT, "source": "WAN net"}, "source", "the firewall's own traffic"),
        ("outbound_nat", {**NAT, "source": "WAN address"}, "source", "the firewall's own traffic"),
        ("outbound_nat", {**NAT, "source": "198.51.0.0/16"}, "source", "the firewall's own traffic"),
        ("interfaces", {"device": "eth9", "ipv4": "10.9.0.1/24", "block_private": True}, "block_private", "is private"),
        ("users", {"name": "eve", "privileges": ["read-only"]}, "password_hash", "cannot log in"),
        ("rules", {"interface": "lan", "family": "inet6", "source": "web_servers"}, "source", "web_servers stands for"),
        ("rules", {"interface": "lan", "family": "inet6", "source": "! LAN net"}, "source", "stands for nothing"),
    ],
)
def test_what_is_probably_a_mistake_is_warned_of(area: str, values: dict[str, Any], field: str, sentence: str) -> None:
    found = problems(added(primary(), area, "x", **values))[f"{area}[x].{field}"]

    assert sentence in found.text
    assert found.level == "warning"


@pytest.mark.parametrize("source", ["192.168.1.0/24", "LAN net", "web_servers"])
def test_internal_sources_are_what_outbound_nat_is_for(source: str) -> None:
    assert problems(added(primary(), "outbound_nat", "x", **NAT, source=source)) == {}


def test_the_recipe_itself_has_no_problems() -> None:
    assert problems(primary()) == {}


def test_all_that_is_wrong_is_said_at_once_and_nothing_changes() -> None:
    config = node(1)
    orders = {"interface": "dmz", "destination_port": "70000", "source": "10.0.0.1/8"}

    found = refusal(config, "rules", "add", id="x", **orders)

    assert set(found) == {"rules[x].interface", "rules[x].destination_port", "rules[x].source"}
    assert config == node(1)


@pytest.mark.parametrize(
    ("area", "item", "path", "needed"),
    [
        ("aliases", "web_servers", "rules[to_web].destination", "web_servers"),
        ("aliases", "web_ports", "rules[to_web].destination_port", "web_ports"),
        ("virtual_ips", "stacked", "outbound_nat[x].translation", "198.51.100.210/24"),
        ("virtual_ips", "198.51.100.200", "virtual_ips[stacked].interface", "198.51.100.200/24"),
        ("gateways", "WANGW", "interfaces[wan].gateway", "WANGW"),
        ("interfaces", "SYNC", "rules[pfsync].interface", "SYNC"),
    ],
)
def test_what_is_in_use_cannot_be_deleted(area: str, item: str, path: str, needed: str) -> None:
    config = added(primary(), "outbound_nat", "x", interface="wan", source="LAN net", translation="198.51.100.210")

    assert path in refusal(config, area, "delete", item)


def test_a_vip_in_nat_and_in_a_port_forward_cannot_be_deleted() -> None:
    config = changed(primary(), "virtual_ips", "delete", "stacked")

    found = refusal(config, "virtual_ips", "delete", "wan_vip")

    assert set(found) == {"outbound_nat[general].translation", "port_forwards[mail].destination"}


def test_an_alias_in_use_cannot_become_one_of_ports() -> None:
    found = refusal(primary(), "aliases", "set", "web", type="port", entries=["80"])

    assert "holds ports, not addresses" in found["rules[to_web].destination"]


FILES: list[tuple[Any, str, str]] = [
    ({"version": 1, "areas": {"rules": {"colour": 1}}}, "rules.colour", "there is no such field"),
    ({"version": 1, "areas": {"colours": {}}}, "colours", "there is no such area"),
    ({"version": 1, "areas": {}, "comment": "", 7: ""}, "comment", "there is no such field"),
    ({"version": 2, "areas": {}}, "version", "made by a newer Gemel"),
    ({"areas": {}}, "version", "must be 1"),
    ([], "", "a configuration is an object"),
    ({"version": 1, "areas": []}, "", "a configuration is an object"),
    ({"version": 1, "areas": {"rules": []}}, "rules", "must be"),
    ({"version": 1, "areas": {"rules": {"items": [{"id": "a", "interface": "lan"}]}}},
     "rules[a].interface", "no interface"),
    ({"version": 1, "areas": {"aliases": {"items": [{"id": "A B", "name": "a"}]}}}, "aliases[A B].id", "pattern"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "path", "sentence"), FILES)
def test_a_file_that_is_no_configuration_is_refused(data: Any, path: str, sentence: str) -> None:
    with pytest.raises(Invalid) as refused:
        SCHEMA.load(data)

    assert sentence in {p.path: p.text for p in refused.value.problems}[path]


def test_two_items_with_one_id_are_refused() -> None:
    data = SCHEMA.dump(primary())
    data["areas"]["rules"]["items"].append(data["areas"]["rules"]["items"][0])

    assert "another one with this id" in problems(SCHEMA.load(data))["rules[icmp].id"].text
