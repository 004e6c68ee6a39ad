"""Ping and packet capture: what people type becomes arguments, or is refused at its field; nothing slips through."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.problem import Invalid
from gemel.facts.diagnostics import (
    PROTOCOLS,
    Echo,
    Wanted,
    capture_command,
    capture_filter,
    chosen,
    ping_command,
    sources,
)

INTERFACES = [
    {"id": "wan", "title": "WAN", "device": "eth0", "enabled": True, "addresses": ["198.51.100.201", "2001:db8::2"]},
    {"id": "lan", "title": "LAN", "device": "eth1", "enabled": True, "addresses": ["192.168.1.2"]},
    {"id": "opt1", "title": "DMZ", "device": "eth2", "enabled": False, "addresses": []},
]
VIPS = [
    {"id": "a1", "interface": "wan", "address": "198.51.100.200", "description": "WAN CARP"},
    {"id": "b2", "interface": "lan", "address": "192.168.1.1", "description": ""},
]
KNOWN = sources(INTERFACES, VIPS, ["198.51.100.201", "192.168.1.2", "192.168.1.1"])


def wrong(make: Any, *arguments: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as no:
        make(*arguments)
    return {p.path: p.text for p in no.value.problems}


def test_interfaces_and_virtual_ips_are_sources_and_an_absent_one_says_why() -> None:
    assert [s.title for s in KNOWN] == ["WAN", "LAN", "198.51.100.200 (WAN CARP)", "192.168.1.1"]
    assert "the peer has it" in KNOWN[2].absent and not KNOWN[3].absent
    assert chosen(KNOWN, "wan", "x") is chosen(KNOWN, "WAN", "x") is chosen(KNOWN, "198.51.100.201", "x")
    assert "there are WAN, LAN" in wrong(chosen, KNOWN, "DMZ", "source")["source"]


def test_a_ping_from_an_interface_speaks_the_family_of_its_target() -> None:
    command = ping_command(Echo("2001:db8::1", "wan", count=2), KNOWN)
    assert command[-5:] == ("-6", "-I", "2001:db8::2", "--", "2001:db8::1") or command[-4:-2] == ("-I", "2001:db8::2")
    assert "-6" in command and command[command.index("-c") + 1] == "2"
    assert ping_command(Echo("fw2.example.org"), KNOWN)[-2:] == ("--", "fw2.example.org")
    assert "-4" in ping_command(Echo("fw2.example.org", "192.168.1.1"), KNOWN)


def test_what_cannot_be_pinged_is_said_at_its_field() -> None:
    assert "host" in wrong(ping_command, Echo(""), KNOWN)
    assert "-f" in wrong(ping_command, Echo("-f"), KNOWN)["host"]
    assert "IPv6" in wrong(ping_command, Echo("192.0.2.1", family="ipv6"), KNOWN)["family"]
    assert "has no IPv6" in wrong(ping_command, Echo("2001:db8::1", "lan"), KNOWN)["source"]
    assert "not on this node" in wrong(ping_command, Echo("192.0.2.1", "vip:a1"), KNOWN)["source"]
    assert wrong(ping_command, Echo("a b", count=0), KNOWN).keys() == {"host", "count"}


def test_fields_become_an_expression() -> None:
    made = capture_filter(Wanted("lan", "ipv4", "tcp", "192.168.1.0/24", "80-90"))
    assert " ".join(made) == "ip and tcp and net 192.168.1.0/24 and portrange 80-90"
    assert " ".join(capture_filter(Wanted("lan", protocol="carp", host="00:00:5E:00:01:01"))) == (
        "proto 112 and ether host 00:00:5e:00:01:01"
    )
    assert capture_filter(Wanted("lan")) == ()
    command = capture_command(Wanted("LAN", packets=5, promiscuous=True), KNOWN)
    assert command[:3] == ("tcpdump", "-i", "eth1") and "-p" not in command and command[command.index("-c") + 1] == "5"


def test_what_cannot_be_captured_is_said_at_its_field() -> None:
    found = wrong(capture_command, Wanted("lan", "ipv5", "smb", "host", "0", 0, 601, 70_000), KNOWN)
    assert found.keys() == {"family", "protocol", "host", "port", "packets", "seconds", "snap"}
    assert "has no ports" in wrong(capture_filter, Wanted("lan", protocol="carp", port="80"))["port"]
    assert "no interface" in wrong(capture_command, Wanted("eth1"), KNOWN)["interface"]


@given(st.text(max_size=40), st.text(max_size=12), st.sampled_from(sorted(PROTOCOLS)))
def test_nothing_that_is_typed_becomes_an_option_or_a_word_of_the_expression(host: str, port: str, proto: str) -> None:
    word = re.compile(r"[0-9a-f.:/()-]+|and|or|ip6?|host|net|ether|port|portrange|proto|tcp|udp|icmp6?|arp|esp|ah")
    try:
        expression = capture_filter(Wanted("lan", "any", proto, host, port))
    except Invalid:
        expression = ()
    assert all(word.fullmatch(w.strip("()")) or word.fullmatch(w) for w in expression)
    try:
        command = ping_command(Echo(host), KNOWN)
    except Invalid:
        return
    assert command[-2] == "--" and command[-1] == host and not host.startswith("-")
