"""VLANs, bonds and bridges that a machine has are made by the node from then on; what it cannot make is said."""

from dataclasses import replace

import pytest

from gemel.areas.every import SCHEMA
from gemel.areas.links import BONDS, BRIDGES, VLANS
from gemel.core.area import NodeState
from gemel.core.want import Link
from gemel.daemons.takeover.around import Around, foreign_tables, holders
from gemel.daemons.takeover.devices import Device, devices
from gemel.daemons.takeover.plan import Answers, plan, proposed
from gemel.daemons.takeover.seen import Port, Seen, Via, ports
from tests.unit.daemons.test_takeover_plan import ANSWERS, MACHINE, configured, info, link

DETAILS = [
    link("eth0", master="bond0", mtu=9000),
    link("eth1", master="bond0", mtu=9000),
    link("eth2", master="br0"),
    link("eth3", master="bond1"),
    link("eth4", info("172.16.1.2", 24)),
    link("vnet0", master="br0", linkinfo={"info_kind": "tun", "info_data": {"type": "tap"}}),
    link(
        "bond0",
        mtu=9000,
        linkinfo={
            "info_kind": "bond",
            "info_data": {"mode": "802.3ad", "xmit_hash_policy": "layer3+4", "ad_lacp_rate": "fast"},
        },
    ),
    link(
        "bond1",
        master="br0",
        linkinfo={"info_kind": "bond", "info_data": {"mode": "active-backup", "primary": "eth3"}},
    ),
    link(
        "bond0.30",
        info("198.51.100.201", 24),
        link="bond0",
        mtu=9000,
        linkinfo={
            "info_kind": "vlan",
            "info_data": {"protocol": "802.1Q", "id": 30, "egress_qos": [{"from": 0, "to": 5}]},
        },
    ),
    link("br0", info("192.168.1.2", 24), linkinfo={"info_kind": "bridge", "info_data": {"stp_state": 1}}),
    link("docker0", info("172.17.0.1", 16), linkinfo={"info_kind": "bridge", "info_data": {"stp_state": 0}}),
]
"""As `ip -d -json address` says them."""

STACKED = Seen(
    "fw1", ports(DETAILS), Via("198.51.100.1", "bond0.30"), nameservers=("198.51.100.53",), devices=devices(DETAILS)
)


def test_what_wan_and_lan_stand_on_is_made_by_the_node():
    planned = plan(STACKED, Answers("fw1", "bond0.30", "br0", (("eth4", "SYNC"),)), None)
    assert planned.problems == ()
    config = configured(planned)
    assert [(v.device, v.priority) for v in config[VLANS].items] == [("bond0.30", 5)]
    assert [(b.name, b.members, b.mode, b.primary, b.lacp_rate, b.hash) for b in config[BONDS].items] == [
        ("bond0", ("eth0", "eth1"), "802.3ad", "", "fast", "layer3+4"),
        ("bond1", ("eth3",), "active-backup", "eth3", "slow", "layer2+3"),
    ]
    assert [(b.name, b.members, b.stp) for b in config[BRIDGES].items] == [("br0", ("eth2", "bond1"), True)]
    links = {w.device: w for w in SCHEMA.compile(config, NodeState()) if isinstance(w, Link)}
    assert links.keys() == {"eth0", "eth1", "eth2", "eth3", "eth4", "bond0", "bond1", "bond0.30", "br0"}
    assert (links["bond0.30"].mtu, links["bond0"].mtu) == (9000, 9000)
    assert any("vnet0 in br0 is not taken over" in w for w in planned.warnings)
    assert "br0: a bridge of eth2, bond1, made by Gemel from now on" in planned.lines


def vlan(name, tag, over="ens4", **data):
    return Device(name, "vlan", over, data={"protocol": "802.1Q", "id": tag, **data})


@pytest.mark.parametrize(
    ("device", "said"),
    [
        (vlan("vlan30", 30), "Gemel calls VLAN 30 of ens4 ens4.30; rename it first"),
        (vlan("ens4.30", 30, protocol="802.1ad"), "is a VLAN of 802.1ad"),
        (vlan("ens9.30", 30, "ens9"), "is a VLAN of something that this machine does not see"),
        (Device("x", "bond", data={"mode": "balance-rr"}), "x is a bond of mode balance-rr, Gemel has 802.3ad and"),
        (Device("x", "bridge", data={"vlan_filtering": 1}), "x is a bridge that tells VLANs apart"),
        (Device("x", "bridge"), "x: nothing in it is there at boot"),
        (Device("x", "macvlan", "ens4"), "x is of kind macvlan, which Gemel cannot make at boot"),
    ],
)
def test_what_the_node_cannot_make_is_no_port_to_begin_with(device, said):
    machine = replace(
        MACHINE,
        ports=(MACHINE.ports[0], Port(device.name, "", True, ("10.0.0.2/24",))),
        devices=(Device("ens3"), Device("ens4"), device),
    )
    planned = plan(machine, replace(ANSWERS, lan=device.name), None)
    assert any(said in p for p in planned.problems), planned.problems
    assert planned.edits == ()


def test_a_bond_by_a_hash_of_another_kind_goes_on_and_is_told():
    bond = Device("bond0", "bond", data={"mode": "802.3ad", "xmit_hash_policy": "vlan+srcmac"})
    machine = replace(
        MACHINE, ports=(MACHINE.ports[0], Port("bond0", "", True, ("10.0.0.2/24",))),
        devices=(Device("ens3"), Device("ens4", master="bond0"), bond),
    )  # fmt: skip
    planned = plan(machine, replace(ANSWERS, lan="bond0"), None)
    assert configured(planned)[BONDS].items[0].hash == "layer2+3"
    assert any("bond0 chooses its port by layer2+3" in w for w in planned.warnings)
    assert any("ens4 is a part of bond0" in p for p in plan(machine, ANSWERS, None).problems)


def test_what_containers_and_virtual_machines_have_is_not_proposed():
    assert proposed(STACKED) == Answers("fw1", "bond0.30", "br0", (("eth4", ""),))
    planned = plan(STACKED, Answers("fw1", "bond0.30", "br0"), None)
    assert [w for w in planned.warnings if "not assigned" in w] == [
        "eth4 has an address and is not assigned: it has nobody to look after it"
    ]


def test_what_is_in_the_way_is_said_before():
    tables = foreign_tables("table inet filter\ntable inet gemel\ntable netdev gemel_carp\ntable ip nat\n")
    listening = """LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=1,fd=6),("nginx",pid=2,fd=6))
LISTEN 0 511 [::]:443 [::]:*
LISTEN 0 128 127.0.0.1:8080 0.0.0.0:* users:(("other",pid=3,fd=6))
LISTEN 0 128 *:22 *:* users:(("sshd",pid=4,fd=3))
"""
    assert tables == ("inet filter", "ip nat")
    assert holders(listening) == {80: "nginx", 443: "somebody"}
    planned = plan(MACHINE, ANSWERS, None, Around(("ufw",), tables))
    assert any(line.startswith("ufw is stopped, and masked") for line in planned.lines)
    assert sum("it goes on filtering beside Gemel's" in w for w in planned.warnings) == 2
    refused = plan(MACHINE, ANSWERS, None, Around(holders=holders(listening)))
    assert [p.partition(",")[0] for p in refused.problems] == [
        "port 80 is held by nginx", "port 443 is held by somebody"
    ]  # fmt: skip
    assert refused.edits == ()
