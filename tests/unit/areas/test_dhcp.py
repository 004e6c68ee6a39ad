"""DHCP and DNS: what people get wrong, what the peer gets, and what Kea and unbound are told."""

import json
from typing import Any

import pytest

from gemel.areas.dhcp import DHCP
from gemel.areas.dhcp_kea import automatic_rules, kea_config, lease_settings
from gemel.areas.dns_resolver import listening
from gemel.areas.dns_unbound import fixed_names, unbound_conf
from gemel.areas.every import SCHEMA
from gemel.areas.interfaces import INTERFACES
from gemel.core.area import NodeState
from gemel.core.config import Config
from gemel.core.exchange import area_hashes, merged, outgoing, section_hashes
from gemel.core.want import Service
from tests.unit.areas.cluster import added, changed, node, primary, problems, refusal

POOL = {"interface": "lan", "enabled": True, "range_from": "192.168.1.100", "range_to": "192.168.1.199"}
FULL = {**POOL, "dns_servers": "192.168.1.1", "gateway": "192.168.1.1", "failover_peer_ip": "192.168.1.3"}
MAC = "00:1b:44:11:3a:b7"


def serving(**values: Any) -> Config:
    """The primary with the recipe's DHCP server on LAN."""
    return added(primary(), "dhcp", "lan", **{**FULL, **values})


BAD_SERVER: list[tuple[dict[str, Any], str, str]] = [
    ({"interface": "dmz"}, "interface", "there is no interface 'dmz'"),
    ({"range_from": ""}, "range_from", "needs its range"),
    ({"range_to": ""}, "range_to", "needs its range"),
    ({"range_from": "192.168.1.200"}, "range_to", "comes before"),
    ({"range_from": "192.168.1"}, "range_from", "is no IP address"),
    ({"range_from": "2001:db8::1"}, "range_from", "is IPv6"),
    ({"range_from": "192.168.0.100"}, "range_from", "is not in the network of LAN, 192.168.1.0/24"),
    ({"range_to": "192.168.2.1"}, "range_to", "is not in the network of LAN"),
    ({"range_from": "192.168.1.0"}, "range_from", "the address of the network itself"),
    ({"range_to": "192.168.1.255"}, "range_from", "the broadcast address"),
    ({"range_from": "192.168.1.1", "range_to": "192.168.1.1"}, "range_from", "the virtual IP"),
    ({"range_from": "192.168.1.2"}, "range_from", "this node's own address"),
    ({"range_from": "192.168.1.3"}, "range_from", "the other node's address"),
    ({"pools": "192.168.1.150-192.168.1.220"}, "pools", "overlaps with 192.168.1.100-192.168.1.199"),
    ({"pools": "192.168.1.210"}, "pools", "is no range such as"),
    ({"pools": "192.168.1.220-192.168.1.210"}, "pools", "ends before it begins"),
    ({"pools": "10.0.0.1-10.0.0.9"}, "pools", "is not in the network of LAN"),
    ({"gateway": "10.0.0.1"}, "gateway", "is not in the network of LAN"),
    ({"gateway": "router"}, "gateway", "is no IPv4 address"),
    ({"dns_servers": "192.168.1.1,9.9.9.9,1.1.1.1,8.8.8.8,8.8.4.4"}, "dns_servers", "at most 4"),
    ({"dns_servers": "dns"}, "dns_servers", "is no IP address"),
    ({"dns_servers": "2620:fe::fe"}, "dns_servers", "is IPv6"),
    ({"wins_servers": "192.168.1.7,192.168.1.8,192.168.1.9"}, "wins_servers", "at most 2"),
    ({"ntp_servers": "a"}, "ntp_servers", "is no IP address"),
    ({"domain": "a..b"}, "domain", "is no domain name"),
    ({"domain_search": "corp.example;-x"}, "domain_search", "is no domain name"),
    ({"default_lease": 30}, "default_lease", "greater than or equal to 60"),
    ({"max_lease": 3600}, "max_lease", "at least the default lease time, 7200 s"),
    ({"failover_peer_ip": "192.168.1.2"}, "failover_peer_ip", "this node's own address (LAN)"),
    ({"failover_peer_ip": "192.168.1.1"}, "failover_peer_ip", "is a virtual IP"),
    ({"failover_peer_ip": "172.16.1.3"}, "failover_peer_ip", "is not in the network of LAN"),
    ({"next_server": "tftp"}, "next_server", "is no IP address"),
    ({"options": "wpad http://proxy"}, "options", "is no option: number, type and value"),
    ({"options": "300 text a"}, "options", "the number is 1 to 254"),
    ({"options": "54 ip 192.168.1.9"}, "options", "has a field of its own"),
    ({"options": "200 colour red"}, "options", "is none of text, hex"),
    ({"options": "200 uint8 300"}, "options", "is no value of type uint8"),
    ({"options": "200 text a\n200 text b"}, "options", "is given twice"),
    ({"allow_macs": "00:1b:zz"}, "allow_macs", "neither a MAC address nor the beginning"),
    ({"interface": "SYNC", "range_from": "172.16.1.10", "range_to": "172.16.1.20", "gateway": "",
      "failover_peer_ip": "172.16.1.3"}, "failover_peer_ip", "has no CARP VIP"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "field", "sentence"), BAD_SERVER)
def test_a_server_is_refused_at_its_field(values: dict[str, Any], field: str, sentence: str) -> None:
    found = refusal(primary(), "dhcp", "add", id="x", **{**FULL, **values})

    assert sentence in found.get(f"dhcp[x].{field}", f"not refused there: {found}")


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"mac": MAC, "address": "192.168.1.150"}, "address", "is in the pool 192.168.1.100-192.168.1.199"),
        ({"mac": MAC, "address": "10.0.0.1"}, "address", "is not in the network of LAN"),
        ({"mac": MAC, "address": "192.168.1.1"}, "address", "the virtual IP"),
        ({"mac": MAC, "address": "192.168.1.255"}, "address", "network or broadcast address"),
        ({"address": "192.168.1.60"}, "mac", "a MAC address or a client identifier is needed"),
        ({"mac": "00:1b:44"}, "mac", "is no MAC address"),
        ({"mac": "01:00:5e:00:00:01"}, "mac", "a group's address"),
        ({"mac": "00-1B-44-11-3A-C8"}, "mac", "has a static mapping on this interface already"),
        ({"client_id": "printer"}, "client_id", "has a static mapping on this interface already"),
        ({"mac": MAC, "hostname": "a.b"}, "hostname", "no dot"),
        ({"mac": MAC, "interface": "dmz"}, "interface", "there is no interface"),
    ],
)  # fmt: skip
def test_a_mapping_is_refused_at_its_field(values: dict[str, Any], field: str, sentence: str) -> None:
    config = added(serving(), "dhcp_mappings", "one", interface="lan", mac="00:1b:44:11:3a:c8", client_id="printer")

    found = refusal(config, "dhcp_mappings", "add", id="x", **{"interface": "lan", **values})

    assert sentence in found.get(f"dhcp_mappings[x].{field}", f"not refused there: {found}")


def test_a_second_server_on_an_interface_is_refused() -> None:
    assert "has a DHCP server already" in refusal(serving(), "dhcp", "add", id="x", **FULL)["dhcp[x].interface"]


def test_a_server_without_an_address_to_serve_from_is_refused() -> None:
    config = added(primary(), "interfaces", "opt2", device="dmz", description="DMZ", enabled=True)
    assert "no static IPv4 address" in refusal(config, "dhcp", "add", id="x", **{**POOL, "interface": "DMZ"})[
        "dhcp[x].enabled"
    ]


def test_one_nodes_own_address_as_gateway_is_warned_of() -> None:
    found = problems(serving(gateway="192.168.1.2"))
    assert "Use the CARP VIP 192.168.1.1" in found["dhcp[lan].gateway"].text
    assert found["dhcp[lan].gateway"].level == "warning"


def test_the_peers_failover_peer_is_this_nodes_own_address() -> None:
    sections = outgoing(SCHEMA, serving(), ("virtual_ips", "dhcp"))

    theirs = merged(SCHEMA, node(2), sections)

    [server] = theirs[DHCP].items
    assert server.failover_peer_ip == "192.168.1.2"
    assert not [p for p in SCHEMA.check(theirs) if p.path.startswith("dhcp")]
    assert area_hashes(SCHEMA, theirs, ("dhcp",)) == {"dhcp": section_hashes(sections)["dhcp"]}


def test_clients_know_one_server_the_virtual_ip() -> None:
    [subnet] = kea_config(serving())["Dhcp4"]["subnet4"]
    said = {o["name"]: o["data"] for o in subnet["option-data"]}
    assert said["dhcp-server-identifier"] == said["routers"] == said["domain-name-servers"] == "192.168.1.1"
    assert kea_config(serving())["Dhcp4"]["interfaces-config"]["interfaces"] == ["lan/192.168.1.2"]


def test_an_empty_gateway_means_the_virtual_ip_and_none_means_none() -> None:
    def routers(config: Config) -> list[str]:
        [subnet] = kea_config(config)["Dhcp4"]["subnet4"]
        return [o["data"] for o in subnet["option-data"] if o.get("name") == "routers"]

    assert routers(serving(gateway="")) == ["192.168.1.1"]
    assert routers(serving(gateway="none")) == []


def test_options_go_over_the_wire_as_their_type_says() -> None:
    config = serving(options="150 ip 192.168.1.9, 192.168.1.10\n252 text http://a\n200 uint16 258")
    [subnet] = kea_config(config)["Dhcp4"]["subnet4"]
    data = {o["code"]: o["data"] for o in subnet["option-data"] if "code" in o}
    assert data == {150: "C0A80109C0A8010A", 252: b"http://a".hex().upper(), 200: "0102"}


def test_leased_follows_the_virtual_ip_and_knows_two_ways_to_the_peer() -> None:
    settings = lease_settings(serving())
    [scope] = settings.scopes
    assert (scope.vip, scope.peer, scope.address) == ("192.168.1.1", "192.168.1.3", "192.168.1.2")
    assert settings.peers == ("192.168.1.3", "172.16.1.3")
    assert settings.listen == ("192.168.1.2", "172.16.1.2")


def test_only_the_peer_is_let_in_to_replicate() -> None:
    config = serving()
    lan, sync = (config[INTERFACES].get(key) for key in ("lan", "opt1"))
    assert lan and sync
    assert [r.id for r in automatic_rules(config, lan)] == ["auto_dhcp_lan", "auto_dhcp_peer_lan"]
    [rule] = automatic_rules(config, sync)
    assert rule.match.source and len(rule.match.source.ranges) == 1


def test_nothing_runs_where_nothing_is_configured() -> None:
    def services(config: Config) -> set[str]:
        return {w.name for w in SCHEMA.compile(config, _STATE) if isinstance(w, Service) and w.argv}

    assert services(primary()) == set()
    assert services(serving()) == {"kea-dhcp4", "leased"}
    assert services(changed(serving(), "dns_resolver", enabled=True)) == {"kea-dhcp4", "leased", "unbound"}


_STATE = NodeState()


def test_the_resolver_answers_at_virtual_ips_and_never_asks_from_one() -> None:
    config = changed(primary(), "dns_resolver", enabled=True, interfaces=["192.168.1.1", "localhost"], outgoing="WAN")
    assert listening(config) == ("127.0.0.1", "::1", "192.168.1.1")
    text = unbound_conf(config)
    assert "ip-freebind: yes" in text and "outgoing-interface: 198.51.100.201" in text
    found = refusal(primary(), "dns_resolver", enabled=True, outgoing=["198.51.100.200"])
    assert "is a virtual IP" in found["dns_resolver.outgoing"]


@pytest.mark.parametrize(
    ("area", "values", "field", "sentence"),
    [
        ("dns_resolver", {"interfaces": "DMZ"}, "interfaces", "neither an interface nor a virtual IP"),
        ("dns_resolver", {"forwarders": "dns.quad9.net"}, "forwarders[0]", "is no server such as"),
        ("dns_resolver", {"forwarders": "9.9.9.9@99999"}, "forwarders[0]", "from 1 to 65535"),
        ("dns_resolver", {"forwarding": True}, "forwarders", "forwarding needs servers"),
        ("dns_resolver", {"access": "10.8.0.1/24"}, "access", "is no network"),
    ],
)  # fmt: skip
def test_the_resolver_is_refused_at_its_field(area: str, values: dict[str, Any], field: str, sentence: str) -> None:
    found = refusal(primary(), area, **{"enabled": True, **values})
    assert sentence in found.get(f"{area}.{field}", f"not refused there: {found}")


def test_an_override_that_asks_this_firewall_itself_is_refused() -> None:
    config = changed(primary(), "dns_resolver", enabled=True)
    found = refusal(config, "dns_domains", "add", id="x", domain="corp.example", server="192.168.1.1")
    assert "for ever" in found["dns_domains[x].server"]


def test_names_of_our_own_are_overrides_and_static_mappings() -> None:
    config = added(serving(), "dhcp_mappings", "p", interface="lan", mac=MAC, address="192.168.1.60", hostname="print")
    config = added(config, "dns_hosts", "nas", host="nas", domain="corp.example", address="192.168.1.9")
    names = fixed_names(config)
    assert names["print.home.arpa"] == ["192.168.1.60"] and names["nas.corp.example"] == ["192.168.1.9"]


def test_kea_gets_well_formed_json() -> None:
    config = added(serving(deny_unknown="enabled", allow_macs="00:1b", boot_file_uefi="x.efi"), "dhcp_mappings", "p",
                   interface="lan", mac=MAC, address="192.168.1.60")  # fmt: skip
    dhcp4 = json.loads(json.dumps(kea_config(config)))["Dhcp4"]
    assert {c["name"] for c in dhcp4["client-classes"]} == {"macs_lan", "uefi_lan", "known_lan"}
    assert dhcp4["reservations"][0]["hw-address"] == MAC
