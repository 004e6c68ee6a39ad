"""The compiled text says what pf's order demands. What the kernel makes of it is tested in the lab."""

import json

import pytest

from gemel.core.codec import decode, encode
from gemel.rules.addresses import parse_range
from gemel.rules.ir import (
    NO_STATE_SYNC_MARK,
    Action,
    Addresses,
    Alias,
    Interface,
    Match,
    Policy,
    PortForward,
    Ports,
    PortSet,
    Rule,
    SourceNat,
    addresses,
    ports,
)
from gemel.rules.nft import compile
from gemel.rules.ruleset import Ruleset
from tests.unit.rules.strategies import long_list

SYNC = "172.16.1.0/24"


def chain(policy: Policy, name: str) -> tuple[str, ...]:
    return compile(policy).tables["gemel"].chains[name].rules


def lan(*rules: Rule, **more: object) -> Policy:
    return Policy((Interface("lan", "eth1", rules),), **more)  # type: ignore[arg-type]


def test_a_pfsync_rule_lets_in_the_protocol_and_the_state_sync_port() -> None:
    rule = Rule("r", Match(4, frozenset({240}), addresses(SYNC)), Action.PASS)
    assert chain(lan(rule), "if_lan_4") == (
        f'ip saddr {SYNC} meta l4proto 240 counter accept comment "r"',
        f'ip saddr {SYNC} meta l4proto @tcp_udp th dport 3240 counter accept comment "r"',
        "goto default_deny",
    )


def test_without_rules_nothing_passes_in_either_family() -> None:
    policy = lan()
    assert chain(policy, "if_lan_4") == chain(policy, "if_lan_6") == ("goto default_deny",)
    assert "policy drop" in compile(policy).tables["gemel"].chains["input"].head
    assert "policy drop" in compile(policy).tables["gemel"].chains["forward"].head
    assert chain(policy, "default_deny") == ('log prefix "gemel:block:default" group 1 counter drop comment "default"',)


def test_an_ipv4_rule_says_nothing_about_ipv6() -> None:
    assert chain(lan(Rule("r", Match(4), Action.PASS)), "if_lan_6") == ("goto default_deny",)
    by_source = Rule("r", Match(None, None, addresses("10.0.0.0/8")), Action.PASS)
    assert chain(lan(by_source), "if_lan_6") == ("goto default_deny",)


def test_known_flows_pass_and_invalid_packets_are_dropped_first() -> None:
    for hook in ("input", "forward"):
        rules = [line for line in chain(lan(), hook) if "lo" not in line.split()[1]]
        assert rules[0] == "ct state vmap { established : accept, related : accept, invalid : drop }"


def test_built_in_rules_stand_in_pfs_order() -> None:
    words = ("169.254", "ipv6-icmp", "th sport 0", "th dport 0", "l4proto 112", "syn", "by_device", "default_deny")
    lines = chain(lan(carp=True), "inbound")
    places = [next(i for i, line in enumerate(lines) if word in line) for word in words]
    assert places == sorted(places)


def test_carp_passes_only_while_there_is_a_vip_and_never_from_ourselves() -> None:
    own = (parse_range("192.168.1.2"),)
    table = compile(lan(carp=True, addresses=own, vips=(parse_range("192.168.1.1"),))).tables["gemel"]
    assert table.chains["carp_in"].rules[0] == 'ip saddr @own4 counter drop comment "own CARP"'
    assert list(table.collections["own4"].elements) == ["192.168.1.1-192.168.1.2"]
    assert not any("112" in line for line in chain(lan(), "inbound"))


def test_blocks_come_before_the_lockout_rule_and_that_before_the_rules() -> None:
    own = (parse_range("192.168.1.2"),)
    interface = Interface("lan", "eth1", (), lockout_addresses=own, lockout_ports=(443, 22), block_private=True)
    lines = chain(Policy((interface,)), "if_lan")
    assert "private" in lines[0] and "private" in lines[1]
    assert lines[2] == 'ip daddr 192.168.1.2 tcp dport { 22, 443 } counter accept comment "anti-lockout"'
    assert lines[3] == "meta nfproto vmap { ipv4 : goto if_lan_4, ipv6 : goto if_lan_6 }"


def test_services_rules_stand_before_the_admins() -> None:
    mine, dhcp = Rule("mine", Match(4), Action.BLOCK), Rule("dhcp", Match(4), Action.PASS)
    lines = chain(Policy((Interface("lan", "eth1", (mine,), (dhcp,)),)), "if_lan_4")
    assert [line.split('"')[1] for line in lines[:2]] == ["dhcp", "mine"]


def test_no_state_sync_marks_the_connection() -> None:
    rule = Rule("r", Match(4), Action.PASS, log=True, no_state_sync=True)
    line = f'counter log prefix "gemel:pass:r" group 1 ct mark set ct mark | {NO_STATE_SYNC_MARK:#x} accept comment "r"'
    assert chain(lan(rule), "if_lan_4")[0] == line


def test_what_a_person_typed_cannot_leave_its_string() -> None:
    rule = Rule('x" drop; #\n', Match(4), Action.PASS)
    assert chain(lan(rule), "if_lan_4")[0] == 'counter accept comment "x? drop; #?"'
    odd = compile(Policy((Interface("a.b-c", 'e"th', (rule,)),)))
    assert "if_a_2eb_2dc_4" in odd.tables["gemel"].chains
    assert '"e?th"' in odd.tables["gemel"].collections["by_device"].elements


def test_ports_make_a_rule_one_of_protocols_with_ports() -> None:
    rule = Rule("r", Match(4, None, None, None, ports((1000, 2000)), Ports(((53, 53),), ("web",))), Action.PASS)
    policy = lan(rule, port_sets=(PortSet("web", ((80, 80), (443, 443))),))
    assert [line.split(" counter")[0] for line in chain(policy, "if_lan_4")[:-1]] == [
        "meta l4proto { 6, 17, 132 } th sport 1000-2000 th dport @p_web",
        "meta l4proto { 6, 17, 132 } th sport 1000-2000 th dport 53",
    ]
    assert chain(lan(Rule("r", Match(4, frozenset({1}), None, None, None, ports(53)), Action.PASS)), "if_lan_4") == (
        "goto default_deny",
    )


def test_aliases_are_sets_of_merged_ranges_for_each_family() -> None:
    texts = ("10.0.0.0/25", "10.0.0.128/25", "10.0.0.7", "10.0.2.0-10.0.2.2", "fd00::1")
    alias = Alias("a1", tuple(map(parse_range, texts)))
    policy = lan(Rule("r", Match(None, None, Addresses(aliases=("a1",), negated=True)), Action.BLOCK), aliases=(alias,))
    sets = compile(policy).tables["gemel"].collections
    assert list(sets["a4_a1"].elements) == ["10.0.0.0/24", "10.0.2.0-10.0.2.2"]
    assert list(sets["a6_a1"].elements) == ["fd00::1"]
    assert chain(policy, "if_lan_4")[0] == 'ip saddr != @a4_a1 counter drop comment "r"'


def test_an_alias_without_addresses_matches_nothing_unless_it_may_get_some() -> None:
    rule = Rule("r", Match(4, None, Addresses(aliases=("a",))), Action.PASS)
    assert chain(lan(rule, aliases=(Alias("a", ()),)), "if_lan_4") == ("goto default_deny",)
    assert len(chain(lan(rule, aliases=(Alias("a", (), changing=True),)), "if_lan_4")) == 2


def test_a_rule_that_names_an_unknown_alias_is_refused() -> None:
    with pytest.raises(KeyError):
        compile(lan(Rule("r", Match(4, None, Addresses(aliases=("nobody",))), Action.PASS)))


def test_outbound_nat_keeps_order_and_static_ports() -> None:
    vip = parse_range("198.51.100.200")
    net = Match(4, None, addresses("192.168.1.0/24"))
    isakmp = Match(4, frozenset({17}), net.source, None, None, ports(500))
    exempt = SourceNat("none", "wan", Match(4, None, None, addresses("10.9.0.0/16")), None)
    mappings = (exempt, SourceNat("ike", "wan", isakmp, vip, True), SourceNat("all", "wan", net, vip))
    assert chain(lan(source_nat=mappings), "postrouting_wan") == (
        'ip daddr 10.9.0.0/16 counter accept comment "none"',
        'ip saddr 192.168.1.0/24 udp dport 500 counter snat ip to 198.51.100.200 comment "ike"',
        "ip saddr 192.168.1.0/24 meta l4proto { 6, 17, 132 } counter snat ip to 198.51.100.200:1024-65535 "
        'comment "all"',
        'ip saddr 192.168.1.0/24 counter snat ip to 198.51.100.200 comment "all"',
    )
    assert "masquerade" not in compile(lan(source_nat=mappings)).text()


def test_port_forwards_move_single_ports_and_ranges() -> None:
    to, vip = parse_range("192.168.1.50"), addresses("198.51.100.200")

    def forward(span: Ports, first: int | None) -> str:
        made = PortForward("f", "wan", Match(4, frozenset({6}), None, vip, None, span), to, first)
        return chain(lan(port_forwards=(made,)), "prerouting_wan")[0].split("counter ")[1]

    assert forward(ports(80), None) == 'dnat ip to 192.168.1.50 comment "f"'
    assert forward(ports(80), 8080) == 'dnat ip to 192.168.1.50:8080 comment "f"'
    assert forward(ports((80, 81)), 80) == 'dnat ip to 192.168.1.50 comment "f"'
    assert forward(ports((80, 81)), 90) == 'dnat ip to 192.168.1.50:th dport map { 80 : 90, 81 : 91 } comment "f"'


def test_a_translation_into_the_other_family_is_refused() -> None:
    with pytest.raises(ValueError, match="family"):
        compile(lan(source_nat=(SourceNat("s", "wan", Match(6), parse_range("10.0.0.1")),)))


def test_a_ruleset_survives_json_and_its_fingerprint_knows_every_change() -> None:
    ruleset = compile(lan(*long_list(300, 1)))
    again = decode(Ruleset, json.loads(json.dumps(encode(ruleset))))
    assert again == ruleset and again.fingerprint() == ruleset.fingerprint() and again.text() == ruleset.text()
    assert compile(lan(*long_list(299, 1))).fingerprint() != ruleset.fingerprint()


def test_every_rule_of_a_grouped_list_has_one_counter() -> None:
    rules = long_list(400, 2)
    ruleset = compile(lan(*rules))
    elements = ruleset.tables["gemel"].collections["if_lan_4_rules"].elements
    assert [rest.split('"')[1] for rest in elements.values()] == [rule.id for rule in rules]
