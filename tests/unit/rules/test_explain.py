"""Sentences, counters and address notation."""

from dataclasses import replace

import pytest
from hypothesis import given

from gemel.rules.addresses import Range, address_text, merge, parse_range, range_text
from gemel.rules.counters import Count, read_counters
from gemel.rules.explain import BUILT_IN, explain
from gemel.rules.interpret import Interpreter, Packet
from gemel.rules.ir import Action, Interface, Match, Policy, PortForward, Rule, SourceNat, addresses, ports
from tests.unit.rules.strategies import packets, policies

WEB = Match(4, frozenset({6}), None, addresses("192.168.1.50"), None, ports(443))
VIP = addresses("198.51.100.200")
POLICY = Policy(
    (Interface("wan", "wan", (Rule("w", WEB, Action.PASS, description="Web server"),)),
     Interface("lan", "lan", (Rule("l", Match(), Action.PASS),))),
    port_forwards=(PortForward("f", "wan", replace(WEB, destination=VIP, destination_ports=ports(8443)),
                               parse_range("192.168.1.50"), 443),),
    source_nat=(SourceNat("s", "wan", Match(4, None, addresses("192.168.1.0/24")), parse_range("198.51.100.200")),),
)  # fmt: skip


def number(text: str) -> int:
    return parse_range(text).first


def tcp(device: str, source: str, destination: str, port: int, out: str | None = None) -> Packet:
    return Packet(device, 4, 6, number(source), number(destination), 5000, port, out_device=out)


def test_a_forwarded_flow_is_told_step_by_step() -> None:
    told = explain(POLICY, tcp("wan", "203.0.113.5", "198.51.100.200", 8443, "lan"))
    assert told.sentences == (
        "TCP 203.0.113.5:5000 -> 198.51.100.200:8443 comes in on wan.",
        "Port forward f redirects it to 192.168.1.50:443; the rules see that destination.",
        'It passes: rule "Web server" (w) is the first that matches.',
        "It leaves through lan with its own source address: no outbound NAT mapping matches.",
    )


def test_a_denied_flow_names_the_rule_that_nearly_matched() -> None:
    told = explain(POLICY, tcp("wan", "203.0.113.5", "192.168.1.50", 80, "lan"))
    assert told.outcome.action is Action.BLOCK and told.outcome.decided_by == "default"
    assert told.sentences[1:] == (
        "It is blocked: no rule matches, and what no rule passes is blocked.",
        'Rule "Web server" (w) would pass it, were it not for the destination port.',
    )


def test_outbound_translation_is_told() -> None:
    told = explain(POLICY, tcp("lan", "192.168.1.50", "203.0.113.5", 80, "wan"))
    assert told.sentences[-1] == "It leaves through wan with the source 198.51.100.200 (mapping s)."


def test_an_unassigned_device_is_named() -> None:
    assert "eth7 is not an interface" in explain(POLICY, tcp("eth7", "10.0.0.1", "10.0.0.2", 80)).sentences[2]


@given(policies(20), packets())
def test_everything_can_be_explained_and_agrees_with_the_rules(policy: Policy, packet: Packet) -> None:
    told = explain(policy, packet)
    outcome = told.outcome
    assert outcome.rule is not None or outcome.decided_by in BUILT_IN
    reader = Interpreter(policy)
    for interface in policy.interfaces:
        for rule in interface.rules if interface.device == packet.device else ():
            matched = not reader.misses(rule.match, outcome.seen)
            assert matched == reader.matches(rule.match, outcome.seen)


def test_counters_add_up_over_chains_and_maps() -> None:
    listing = """
        ip saddr 10.0.0.0/8 counter packets 3 bytes 120 accept comment "a"
        log prefix "gemel:block:b" group 1 counter packets 1 bytes 40 drop comment "b"
        elements = { 0x00004000 counter packets 2 bytes 80 comment "a" : accept,
                     0x00008000 counter packets 7 bytes 8 comment "c" : drop }
    """
    assert read_counters(listing) == {"a": Count(5, 200), "b": Count(1, 40), "c": Count(7, 8)}


def test_notations_are_read_and_written() -> None:
    for text in ("10.0.0.0/8", "10.0.0.1", "10.0.0.1-10.0.0.2", "2001:db8::/32", "::1", "0.0.0.0/0"):
        assert range_text(parse_range(text)) == text
    assert parse_range("10.1.2.3/8") == parse_range("10.0.0.0/8")
    assert address_text(6, 1) == "::1"


@pytest.mark.parametrize(
    "text", ["", "10.0.0.256", "10.0.0", "10.0.0.1/33", "10.0.0.2-10.0.0.1", "::1-10.0.0.1", "01.2.3.4", "x"]
)
def test_other_texts_are_no_addresses(text: str) -> None:
    with pytest.raises(ValueError):
        parse_range(text)


def test_ranges_merge_when_they_touch_but_not_across_families() -> None:
    apart = (Range(4, 5, 9), Range(4, 1, 4), Range(6, 10, 11), Range(4, 7, 8))
    assert merge(apart) == (Range(4, 1, 9), Range(6, 10, 11))
