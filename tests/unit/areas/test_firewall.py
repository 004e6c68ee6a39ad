"""What a configuration comes to on one node: names resolved, NAT spelled out, nothing ever widened to any."""

import pytest

from gemel.areas.conntrack_helpers import lacking
from gemel.areas.every import SCHEMA
from gemel.areas.firewall import automatic_sources, policy
from gemel.core.area import NodeState
from gemel.core.config import Config
from gemel.core.want import Address, DaemonSettings, Link, Route
from gemel.rules.addresses import range_text
from gemel.rules.ir import Addresses, Policy, Rule
from tests.unit.areas.cluster import added, changed, node, primary


def rule(config: Config, key: str) -> Rule | None:
    return next((r for i in policy(config).interfaces for r in i.rules if r.id == key), None)


def texts(addresses: Addresses | None) -> list[str]:
    assert addresses is not None
    return [range_text(r) for r in addresses.ranges]


@pytest.mark.parametrize(("number", "address"), [(1, "172.16.1.2"), (2, "172.16.1.3")])
def test_an_interfaces_address_is_another_one_on_each_node(number: int, address: str) -> None:
    found = rule(added(node(number), "rules", "x", interface="SYNC", destination="SYNC address"), "x")

    assert found and texts(found.match.destination) == [address]


def test_a_net_includes_the_networks_of_virtual_addresses_but_an_address_is_the_interfaces_own() -> None:
    config = added(primary(), "virtual_ips", "y", type="ipalias", interface="lan", address="10.8.0.1/24")
    config = added(config, "rules", "x", interface="lan", source="LAN net", destination="LAN address")

    found = rule(config, "x")

    assert found and texts(found.match.source) == ["10.8.0.0/24", "192.168.1.0/24"]
    assert texts(found.match.destination) == ["192.168.1.2"]


def test_this_firewall_is_every_address_with_those_that_the_peer_holds() -> None:
    found = rule(added(primary(), "rules", "x", interface="lan", destination="This firewall"), "x")

    assert found and set(texts(found.match.destination)) >= {"192.168.1.1-192.168.1.2", "198.51.100.200/31"}


@pytest.mark.parametrize("source", ["SYNC net", "! SYNC net", "SYNC address", "empty", "! empty"])
def test_a_rule_whose_source_is_nothing_is_left_out_and_named(source: str) -> None:
    config = changed(added(node(1), "aliases", "e", name="empty"), "interfaces", "set", "opt1", ipv4="")
    config = added(config, "rules", "x", interface="lan", source=source)

    assert rule(config, "x") is None
    [problem] = SCHEMA.check(config)
    assert problem.path == "rules[x].source" and problem.text.startswith(source) and problem.level == "warning"


def test_a_rule_for_a_family_that_its_interface_does_not_have_waits_in_silence() -> None:
    config = added(node(1), "rules", "x", interface="lan", family="inet6", source="LAN net")
    assert rule(config, "x") is None and SCHEMA.check(config) == []

    config = changed(config, "interfaces", "set", "lan", ipv6="2001:db8::2/64")
    found = rule(config, "x")
    assert found and texts(found.match.source) == ["192.168.1.0/24", "2001:db8::/64"] and found.match.family == 6


def test_not_lan_net_in_a_rule_for_both_families_is_not_any_in_the_other() -> None:
    values = {"interface": "lan", "family": "inet46", "protocol": "any", "source": "! LAN net"}
    found = rule(added(node(1), "rules", "x", **values), "x")

    assert found and found.match.family == 4


def test_disabled_rules_and_closed_interfaces_compile_to_nothing() -> None:
    config = added(primary(), "rules", "x", interface="lan", disabled=True)

    assert rule(config, "x") is None
    config = changed(config, "interfaces", "set", "opt1", enabled=False)
    assert [i.device for i in policy(config).interfaces] == ["wan", "lan"]


def source_nat(config: Config) -> list[tuple[str, str]]:
    return [(n.id, range_text(n.to) if n.to else "-") for n in policy(config).source_nat]


def test_outbound_nat_by_mode() -> None:
    manual = [("general", "198.51.100.200")]
    automatic = [("auto_wan_isakmp", "198.51.100.201"), ("auto_wan", "198.51.100.201")]

    assert source_nat(primary()) == manual + automatic
    assert source_nat(changed(primary(), "outbound_nat", mode="automatic")) == automatic
    assert source_nat(changed(primary(), "outbound_nat", mode="manual")) == manual
    assert source_nat(changed(primary(), "outbound_nat", mode="disabled")) == []


def test_automatic_sources_are_what_lies_behind_interfaces_without_a_gateway() -> None:
    config = added(primary(), "virtual_ips", "y", type="ipalias", interface="lan", address="10.8.0.1/24")
    config = added(config, "gateways", "core", name="CORE", interface="lan", address="192.168.1.9")
    for key, network in (("inner", "10.20.0.0/16"), ("public", "203.0.113.0/24")):
        config = added(config, "static_routes", key, network=network, gateway="CORE")
    config = added(config, "static_routes", "outer", network="10.30.0.0/16", gateway="WANGW")

    assert automatic_sources(config) == [
        "127.0.0.0/8", "192.168.1.0/24", "172.16.1.0/24", "10.8.0.0/24", "10.20.0.0/16",
    ]  # fmt: skip


def test_rules_of_port_forwards_follow_them() -> None:
    def following(config: Config) -> list[dict[str, object]]:
        items = config.named("rules").items  # type: ignore[attr-defined]
        shown = {"interface", "destination", "destination_port", "description", "disabled"}
        return [r.model_dump(include=shown) for r in items if r.forward == "mail"]

    config = primary()
    made = {"interface": "wan", "disabled": False, "destination": "192.168.1.25", "destination_port": "25"}
    assert following(config) == [{**made, "description": "NAT Mail"}]

    moved = changed(config, "port_forwards", "set", "mail", target="192.168.1.26", local_port="2525", disabled=True)
    changes = {"destination": "192.168.1.26", "destination_port": "2525", "disabled": True}
    assert following(moved) == [{**made, "description": "NAT Mail", **changes}]

    meddled = changed(moved, "rules", "set", "nat_mail", destination="any", log=True)
    assert following(meddled) == following(moved)
    assert next(r.log for r in meddled.named("rules").items if r.forward)  # type: ignore[attr-defined]

    assert following(changed(config, "port_forwards", "set", "mail", filter_rule="none")) == []
    assert following(changed(config, "port_forwards", "delete", "mail")) == []


def test_a_forward_with_pass_lets_in_what_it_translates_to() -> None:
    config = changed(primary(), "port_forwards", "set", "mail", filter_rule="pass")

    wan = next(i for i in policy(config).interfaces if i.id == "wan")
    assert [texts(r.match.destination) for r in wan.automatic] == [["192.168.1.25"]]


def test_what_a_node_wants() -> None:
    wants = SCHEMA.compile(primary(), NodeState())

    assert {w.device for w in wants if isinstance(w, Link)} == {"wan", "lan", "sync"}
    addresses = {w.cidr for w in wants if isinstance(w, Address)}
    assert addresses == {"198.51.100.201/24", "192.168.1.2/24", "172.16.1.2/24", "198.51.100.220/24"}
    assert [w for w in wants if isinstance(w, Route)] == [Route("0.0.0.0/0", "198.51.100.1", "wan")]
    assert {w.daemon for w in wants if isinstance(w, DaemonSettings)} == {"carpd", "flowd"}


def test_the_ruleset_changes_only_with_what_it_is_made_of() -> None:
    def prints(config: Config) -> list[str]:
        return [w.program.fingerprint for w in SCHEMA.compile(config, NodeState()) if w.key[0] == "ruleset"]  # type: ignore[union-attr]

    config = primary()

    assert prints(config) == prints(changed(config, "system", hostname="fw9"))
    assert prints(config) != prints(changed(config, "rules", "set", "https", log=True))


def test_helpers_are_off_until_asked_for_and_left_out_with_a_word_where_the_kernel_has_none() -> None:
    def loaded(config: Config, node: NodeState) -> str:
        return next(w.program.text() for w in SCHEMA.compile(config, node) if w.key == ("ruleset", "filter"))  # type: ignore[union-attr]

    def fingerprint(config: Config, node: NodeState) -> str:
        wants = SCHEMA.compile(config, node)
        return next(w.program.fingerprint for w in wants if w.key == ("ruleset", "filter"))  # type: ignore[union-attr]

    here, without = NodeState(), NodeState(lacks=("sip",))
    assert "helper" not in loaded(primary(), here) and list(lacking(primary(), without)) == []
    config = changed(primary(), "conntrack_helpers", ftp=True, sip=True)
    assert 'ct state new tcp dport 21 ct helper set "helper_ftp"' in loaded(config, here)
    assert 'ct state new udp dport 5060 ct helper set "helper_sip"' in loaded(config, here)
    assert "tftp" not in loaded(config, here) and list(lacking(config, here)) == []
    assert "helper_ftp" in loaded(config, without) and "sip" not in loaded(config, without)
    assert [(p.path, p.level) for p in lacking(config, without)] == [("conntrack_helpers.sip", "warning")]
    prints = {fingerprint(c, n) for c in (primary(), config) for n in (here, without)}
    assert len(prints) == 3  # what the kernel lacks matters to whoever asks for it


def test_the_policy_is_of_values_alone() -> None:
    assert isinstance(policy(primary()), Policy)
    assert policy(primary()) == policy(SCHEMA.load(SCHEMA.dump(primary())))
