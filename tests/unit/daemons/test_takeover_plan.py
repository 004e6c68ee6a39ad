"""What `gemel setup` sees on a machine, and what it plans to do with it."""

import json
from dataclasses import replace

import pytest

from gemel.areas.every import SCHEMA
from gemel.areas.interfaces import INTERFACES
from gemel.core.codec import decode, encode
from gemel.core.edit import Edit, edited_all
from gemel.core.want import Address, Link
from gemel.daemons.takeover import seen
from gemel.daemons.takeover.devices import Device
from gemel.daemons.takeover.plan import Answers, plan, proposed
from gemel.daemons.takeover.seen import Port, Seen, Via

ANSWERS = Answers("fw1", "ens3", "ens4")


def link(name, *infos, kind="ether", **more):
    common = {"ifname": name, "link_type": kind, "address": "52:54:00:00:00:01", "flags": ["UP"]}
    return {**common, "addr_info": infos, **more}


def info(local, length, **more):
    return {"local": local, "prefixlen": length, "scope": "global", **more}


MACHINE = Seen(
    hostname="fw1",
    ports=(
        Port("ens3", "52:54:00:00:00:01", True, ("198.51.100.201/24",)),
        Port("ens4", "52:54:00:00:00:02", True, ("192.168.1.2/24",)),
        Port("ens5", "52:54:00:00:00:03", False),
    ),
    default=Via("198.51.100.1", "ens3"),
    nameservers=("198.51.100.53",),
    domain="corp.example",
    owners=("ifupdown",),
)


def test_ports_are_ethernet_devices_that_belong_to_nobody():
    found = seen.ports(
        [
            link("lo", info("127.0.0.1", 8), kind="loopback"),
            link("ens3", info("198.51.100.201", 24), info("fe80::1", 64, scope="link")),
            link("ens4", info("192.168.1.50", 24, dynamic=True), info("2001:db8::5", 64, temporary=True)),
            link("ens5", master="bond0"),
        ]
    )
    assert [p.device for p in found] == ["ens3", "ens4"]
    assert found[0].addresses == ("198.51.100.201/24",)
    assert found[1].leased == ("192.168.1.50/24",)
    assert found[1].addresses == ()


def test_devices_that_gemel_made_go_those_that_were_there_stay():
    wants = [Link("ens3"), Link("br0", kind="bridge"), Link("ens4.7", kind="vlan", over="ens4"), Address("br0", "::/0")]
    ledger = {"settled": True, "have": [{"kind": type(w).__name__, "want": encode(w)} for w in wants]}
    assert seen.made_since(ledger, MACHINE) == ("br0", "ens4.7")
    assert seen.made_since(ledger, replace(MACHINE, ports=(Port("br0", "", True),))) == ("ens4.7",)
    below = replace(MACHINE, devices=(Device("br0", "bridge", master="vrf1"),))
    assert seen.made_since(ledger, below) == ("ens4.7",)
    assert seen.made_since({}, MACHINE) == ()


def test_of_two_default_routes_the_one_that_is_used_counts():
    routes = [
        {"dst": "default", "gateway": "192.0.2.1", "dev": "wlan0", "metric": 600},
        {"dst": "default", "gateway": "198.51.100.1", "dev": "ens3", "metric": 100},
        {"dst": "10.0.0.0/8", "gateway": "192.168.1.9", "dev": "ens4"},
        {"dst": "192.168.1.0/24", "dev": "ens4"},
    ]
    assert seen.default_route(routes) == Via("198.51.100.1", "ens3", metric=100)
    assert seen.default_route([{**routes[1], "flags": ["onlink"]}]) == Via("198.51.100.1", "ens3", True, 100)
    assert seen.other_routes(routes) == (("10.0.0.0/8", "192.168.1.9", "ens4"),)


def test_a_route_is_kept_with_all_by_which_its_owner_knows_it_again():
    leased = {"gateway": "198.51.100.1", "dev": "ens3", "protocol": "dhcp", "prefsrc": "198.51.100.201", "metric": 100}
    how = ("metric", "100", "proto", "dhcp", "src", "198.51.100.201")
    assert seen.default_route([{"dst": "default", **leased}]).how == how
    assert seen.other_routes([{"dst": "10.0.0.0/8", **leased}]) == (("10.0.0.0/8", "198.51.100.1", "ens3", *how),)
    planned = plan(replace(MACHINE, routes=(("10.0.0.0/8", "198.51.100.1", "ens3", *how),)), ANSWERS, None)
    assert [e.values["network"] for e in planned.edits if e.area == "static_routes"] == ["10.0.0.0/8"]


def test_a_stub_resolver_is_nobody_to_ask():
    text = "# made by somebody\nnameserver 127.0.0.53\nnameserver 198.51.100.53\nsearch corp.example more.example\n"
    assert seen.resolver(text) == (("198.51.100.53",), "corp.example")


def test_behind_a_stub_resolver_are_those_that_it_asks():
    stub = "nameserver 127.0.0.53\nsearch corp.example\n"
    local = "nameserver 127.0.0.1\n"
    behind = "nameserver 2001:db8::53\nnameserver fe80::53%ens3\nsearch other.example\n"
    assert seen.resolvers([stub, local, behind, "nameserver 192.0.2.1"]) == (
        ("2001:db8::53", "fe80::53%ens3"),
        "corp.example",
    )
    assert seen.resolvers([stub]) == ((), "corp.example")
    assert seen.resolver("nameserver\nnameserver dns.example\nnameserver 1.2.3\n") == ((), "")
    planned = plan(replace(MACHINE, nameservers=()), ANSWERS, None)
    assert any("System > General" in w for w in planned.warnings)


def test_routes_that_gemel_has_no_words_for_are_told():
    ports = seen.ports([link("ens3", info("198.51.100.201", 24)), link("ens4", info("192.168.1.2", 24))])
    routes = [
        {"dst": "default", "gateway": "198.51.100.1", "dev": "ens3", "protocol": "dhcp", "metric": 100},
        {"dst": "default", "gateway": "192.168.1.1", "dev": "ens4", "metric": 200},
        {"dst": "198.51.100.0/24", "dev": "ens3", "protocol": "kernel"},
        {"dst": "198.51.100.1", "dev": "ens3", "protocol": "dhcp", "metric": 100},
        {"dst": "10.1.0.0/16", "gateway": "192.168.1.9", "dev": "ens4"},
        {"dst": "10.2.0.0/16", "dev": "ens4", "scope": "link"},
        {"dst": "10.3.0.0/16", "via": {"family": "inet6", "host": "fe80::9"}, "dev": "ens4"},
        {"type": "blackhole", "dst": "10.4.0.0/16"},
        {"dst": "10.5.0.0/16", "nexthops": [{"gateway": "192.168.1.8", "dev": "ens4"}]},
    ]
    odd = seen.odd_routes(routes, ports)
    assert odd == (
        "default via 192.168.1.1 dev ens4 metric 200",
        "10.2.0.0/16 dev ens4",
        "10.3.0.0/16 via fe80::9 dev ens4",
        "blackhole 10.4.0.0/16",
        "10.5.0.0/16 via 192.168.1.8",
    )
    planned = plan(replace(MACHINE, odd_routes=odd), ANSWERS, None)
    assert sum("is not taken over" in w for w in planned.warnings) == len(odd)


def test_wan_is_where_the_default_route_leads():
    assert proposed(MACHINE) == Answers("fw1", "ens3", "ens4", ())


def configured(planned):
    """The configuration that a plan comes to."""
    edits = [Edit(e.area, e.verb, e.item, e.values, e.position) for e in planned.edits]
    return edited_all(SCHEMA, SCHEMA.default(), edits)[0]


def test_the_first_configuration_is_the_network_as_it_works_now():
    planned = plan(MACHINE, Answers("fw1", "ens3", "ens4", (("ens5", "SYNC"),)), None)
    config = configured(planned)
    interfaces = config[INTERFACES].items
    assert [(i.id, i.device, i.ipv4, i.enabled) for i in interfaces] == [
        ("wan", "ens3", "198.51.100.201/24", True),
        ("lan", "ens4", "192.168.1.2/24", True),
        ("opt1", "ens5", "", False),
    ]
    assert interfaces[0].gateway == "wangw"
    assert [p for p in SCHEMA.check(config) if p.level == "error"] == []


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (Answers("fw1", "eth9", "ens4"), "WAN: there is no port eth9"),
        (Answers("fw1", "ens3", ""), "LAN: choose a port"),
        (Answers("fw1", "ens3", "ens3"), "LAN: ens3 is WAN already"),
        (Answers("fw1", "ens5", "ens4"), "WAN: ens5 has no address"),
    ],
)
def test_what_cannot_be_is_said_with_what_there_is(answers, said):
    planned = plan(MACHINE, answers, None)
    assert any(said in problem for problem in planned.problems)
    assert planned.edits == ()


def test_a_leased_address_stays_and_is_told():
    machine = Seen("fw1", (Port("a", "", True, (), ("192.0.2.9/24",)), Port("b", "", True, ("10.0.0.1/24",))))
    planned = plan(machine, Answers("fw1", "a", "b"), None)
    assert any("192.0.2.9/24 on a was leased" in w for w in planned.warnings)


def test_an_owner_that_is_not_known_is_told():
    (said,) = (w for w in plan(replace(MACHINE, owners=()), ANSWERS, None).warnings if "is not known" in w)
    assert said.startswith("ens3 and ens4: who gave it its address is not known")
    assert not any("is not known" in w for w in plan(MACHINE, ANSWERS, None).warnings)


def test_a_second_route_to_the_same_gateway_makes_no_second_gateway():
    routes = (("10.1.0.0/16", "192.168.1.9", "ens4"), ("10.2.0.0/16", "192.168.1.9", "ens4"))
    planned = plan(Seen("fw1", MACHINE.ports, MACHINE.default, routes=routes), Answers("fw1", "ens3", "ens4"), None)
    gateways = [e.values["name"] for e in planned.edits if e.area == "gateways"]
    routed = [(e.values["network"], e.values["gateway"]) for e in planned.edits if e.area == "static_routes"]
    assert gateways == ["WANGW", "GW2"]
    assert routed == [("10.1.0.0/16", "GW2"), ("10.2.0.0/16", "GW2")]


def six(gateway, *addresses):
    port = replace(MACHINE.ports[0], addresses=(*MACHINE.ports[0].addresses, *addresses))
    return replace(MACHINE, ports=(port, *MACHINE.ports[1:]), default6=Via(gateway, "ens3"))


def test_a_router_that_advertises_itself_is_the_gateway():
    planned = plan(six("fe80::1", "2001:db8::201/64"), ANSWERS, None)
    assert planned.problems == ()
    assert configured(planned)[INTERFACES].items[0].gateway6 == "wangw6"
    without = plan(six("fe80::1"), ANSWERS, None)
    assert without.problems == ()
    assert any("default route via fe80::1 is not taken over" in w for w in without.warnings)


@pytest.mark.parametrize(
    ("machine", "answers", "said"),
    [
        (six("2001:db8:9::1", "2001:db8::201/64"), ANSWERS, "2001:db8:9::1 is in no network of ens3"),
        (
            replace(MACHINE, ports=(Port("ens3", "", True, ("198.51.100.201/32",)), MACHINE.ports[1])),
            ANSWERS,
            "198.51.100.1 is in no network of ens3 (198.51.100.201/32)",
        ),
        (MACHINE, replace(ANSWERS, hostname="fw_1"), "host name: 'fw_1' is no host name"),
        (MACHINE, replace(ANSWERS, others=(("ens5", "lan"),)), "interfaces[opt1].description: lan is what"),
        (MACHINE, replace(ANSWERS, others=(("ens5", "A"), ("ens5", "B"))), "ens5 is assigned to A already"),
        (
            replace(MACHINE, ports=(MACHINE.ports[0], Port("ens4", "", True, ("198.51.100.9/25",)))),
            ANSWERS,
            "interfaces[lan].ipv4: 198.51.100.9/25 overlaps with 198.51.100.201/24 of WAN",
        ),
    ],
)
def test_what_the_agent_would_refuse_is_said_before_anything_is_begun(machine, answers, said):
    planned = plan(machine, answers, None)
    assert any(said in problem for problem in planned.problems), planned.problems
    assert planned.edits == ()


def test_what_cannot_be_taken_over_is_left_out_and_told():
    port = replace(MACHINE.ports[1], addresses=("192.168.1.2/24", "10.9.0.2/24"))
    routes = (
        ("10.1.0.0/16", "192.168.1.9", "ens4"),
        ("10.1.0.0/16", "192.168.1.8", "ens4"),
        ("10.2.0.0/16", "10.9.0.9", "ens4"),
        ("10.3.0.0/16", "172.30.0.9", "docker0"),
        ("192.168.1.0/24", "192.168.1.9", "ens4"),
    )
    machine = replace(MACHINE, ports=(MACHINE.ports[0], port), routes=routes, domain="my_net.example")
    planned = plan(machine, ANSWERS, None)
    assert planned.problems == ()
    assert [e.values["network"] for e in planned.edits if e.area == "static_routes"] == ["10.1.0.0/16"]
    for words in (
        "10.9.0.2/24 on ens4",
        "10.1.0.0/16 via 192.168.1.8 on ens4 is not taken over: there is one already",
        "10.2.0.0/16 via 10.9.0.9 on ens4 is not taken over: 10.9.0.9 is in no network",
        "10.3.0.0/16 via 172.30.0.9 on docker0 is not taken over: docker0 is not assigned",
        "192.168.1.0/24 via 192.168.1.9 on ens4 is not taken over: that is the network",
        "the search domain is not taken over: 'my_net.example'",
    ):
        assert any(words in w for w in planned.warnings), words
    assert [w for w in plan(MACHINE, ANSWERS, None).warnings if "not taken over" in w] == []


def test_an_mtu_that_is_not_the_usual_one_is_kept():
    devices = (Device("ens3", mtu=1500), Device("ens4", mtu=9000), Device("ens5", mtu=65000))
    planned = plan(replace(MACHINE, devices=devices), replace(ANSWERS, others=(("ens5", ""),)), None)
    assert [i.mtu for i in configured(planned)[INTERFACES].items] == [None, 9000, None]
    assert any("ens5's MTU of 65000 is not taken over" in w for w in planned.warnings)


def test_what_was_kept_of_a_machine_reads_as_it_was():
    machine = replace(MACHINE, devices=(Device("b", "bond", data={"mode": "802.3ad"}),), odd_routes=("blackhole ::/0",))
    assert decode(Seen, json.loads(json.dumps(encode(machine)))) == machine
    older = {k: v for k, v in encode(MACHINE).items() if k not in ("devices", "odd_routes")}
    assert decode(Seen, older) == MACHINE
