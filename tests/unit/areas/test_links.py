"""VLANs, bonds and bridges: what is refused, at which field, and what a machine is asked to have."""

from typing import Any

import pytest

from gemel.areas.every import SCHEMA
from gemel.areas.factory import factory_default
from gemel.areas.interfaces import INTERFACES
from gemel.areas.links import BONDS, BRIDGES, VLANS, made
from gemel.core.area import NodeState
from gemel.core.config import Config
from gemel.core.problem import Invalid, Problem
from gemel.core.want import Link, Sysctl
from tests.unit.areas.cluster import added, changed, node, primary


def links(config: Config) -> dict[str, Link]:
    return {w.device: w for w in SCHEMA.compile(config, NodeState()) if isinstance(w, Link)}


def problems(config: Config, level: str = "error") -> dict[str, str]:
    return {p.path: p.text for p in SCHEMA.check(config) if p.level == level}


def vlan(config: Config, key: str = "v", **values: Any) -> Config:
    return added(config, "vlans", key, **{"parent": "eth5", "tag": 10, **values})


def bond(config: Config, key: str = "b", **values: Any) -> Config:
    return added(config, "bonds", key, **{"name": "bond0", "members": ["eth5", "eth6"], **values})


def bridge(config: Config, key: str = "r", **values: Any) -> Config:
    return added(config, "bridges", key, **{"name": "br0", "members": ["eth7", "eth8"], **values})


def test_ports_that_are_assigned_and_enabled_are_up_as_ever() -> None:
    config = changed(node(1), "interfaces", "set", "lan", mtu=1400)
    config = changed(config, "interfaces", "set", "opt1", enabled=False)
    assert links(config) == {"wan": Link("wan"), "lan": Link("lan", 1400)}


def test_a_vlan_is_carried_by_its_parent_which_is_up_and_large_enough() -> None:
    config = vlan(node(1), priority=5)
    found = links(config)
    settings = (("tag", "10"), ("priority", "5"))
    assert found["eth5.10"] == Link("eth5.10", None, "vlan", "eth5", settings=settings)
    assert found["eth5"] == Link("eth5")
    config = added(config, "interfaces", "opt2", device="eth5.10", description="Guests", enabled=True, mtu=9000)
    assert links(config)["eth5.10"].mtu == 9000 and links(config)["eth5"].mtu == 9000
    on_lan = links(vlan(node(1), parent="lan"))
    assert on_lan["lan.10"].over == "lan" and on_lan["lan"] == Link("lan")


def test_a_bond_has_its_ports_and_only_what_its_mode_has() -> None:
    found = links(bond(node(1), lacp_rate="fast", hash="layer3+4"))
    settings = (("mode", "802.3ad"), ("lacp_rate", "fast"), ("hash", "layer3+4"))
    assert found["bond0"] == Link("bond0", None, "bond", settings=settings)
    assert found["eth5"] == Link("eth5", master="bond0") and found["eth6"] == Link("eth6", master="bond0")
    reserve = links(bond(node(1), mode="active-backup", primary="eth6"))["bond0"]
    assert reserve.settings == (("mode", "active-backup"), ("primary", "eth6"))


def test_a_bridge_of_a_port_a_bond_and_a_vlan() -> None:
    config = vlan(bond(node(1)), parent="bond0")
    config = bridge(config, members=["eth7", "bond0.10"], stp=False)
    config = added(config, "interfaces", "opt2", device="br0", description="DMZ", enabled=True, mtu=1400)
    found = links(config)
    assert found["br0"] == Link("br0", 1400, "bridge", settings=(("stp", "no"),))
    assert found["eth7"] == Link("eth7", 1400, master="br0")
    kernel = {w.name: w.value for w in SCHEMA.compile(config, NodeState()) if isinstance(w, Sysctl)}
    assert kernel["net.bridge.bridge-nf-call-iptables"] == "0"
    member = found["bond0.10"]
    assert (member.kind, member.over, member.master, member.mtu) == ("vlan", "bond0", "br0", 1400)
    assert member.needs == ("bond0", "br0") and not problems(config)


BAD = [
    (lambda c: vlan(vlan(c), "w"), "vlans[w].tag", "has a VLAN 10 already"),
    (lambda c: vlan(c, parent="enp130s0f0np1", tag=4094), "vlans[v].parent", "longer than 15"),
    (lambda c: vlan(vlan(c), "w", parent="eth5.10"), "vlans[w].parent", "QinQ"),
    (lambda c: vlan(bond(c)), "vlans[v].parent", "put the VLAN on bond0"),
    (lambda c: bond(c, members=[]), "bonds[b].members", "at least one"),
    (lambda c: bond(c, members=["eth5", "eth5"]), "bonds[b].members", "named twice"),
    (lambda c: bond(c, members=["eth5", "lan"]), "bonds[b].members", "lan is assigned to LAN: free it"),
    (lambda c: bond(bridge(c), members=["eth5", "br0"]), "bonds[b].members", "br0 is no port"),
    (lambda c: bond(bridge(c), members=["eth5", "eth7"]), "bonds[b].members", "a member of br0 already"),
    (lambda c: bond(c, primary="eth5"), "bonds[b].primary", "only active-backup"),
    (lambda c: bond(c, primary="eth9", mode="active-backup"), "bonds[b].primary", "none of its members"),
    (lambda c: bond(bond(c), "c", members=["eth9"]), "bonds[c].name", "another device called bond0"),
    (lambda c: bridge(c, members=["br0"]), "bridges[r].members", "member of itself"),
    (lambda c: bridge(bridge(c), "s", name="br1", members=["br0"]), "bridges[s].members", "a bridge itself"),
    (lambda c: vlan(bridge(c, members=["br0.10"]), parent="br0"), "bridges[r].members", "carried by br0 itself"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "path", "words"), BAD, ids=[f"{path} {words}" for _, path, words in BAD])
def test_what_does_not_go_together_is_said_at_its_field(spoil: Any, path: str, words: str) -> None:
    assert words in problems(spoil(node(1)))[path]


@pytest.mark.parametrize(
    ("area", "values"),
    [
        ("vlans", {"parent": "eth5", "tag": 0}),
        ("vlans", {"parent": "eth5", "tag": 4095}),
        ("vlans", {"parent": "eth 5", "tag": 1}),
        ("vlans", {"parent": "eth5", "tag": 1, "priority": 8}),
        ("bonds", {"name": "bond.0", "members": ["eth5"]}),
        ("bonds", {"name": "lo", "members": ["eth5"]}),
        ("bonds", {"name": "bond0", "members": ["eth5"], "mode": "balance-rr"}),
        ("bridges", {"name": "1br", "members": ["eth5"]}),
        ("bridges", {"name": "br0", "members": ["../x"]}),
    ],
)
def test_values_that_no_field_takes(area: str, values: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        changed(node(1), area, "add", **values)


def test_a_vlan_is_not_larger_than_what_carries_it() -> None:
    config = changed(vlan(node(1), parent="lan"), "interfaces", "set", "lan", mtu=1500)
    config = added(config, "interfaces", "opt2", device="lan.10", description="Guests", enabled=True, mtu=9000)
    assert "1500 bytes of lan" in problems(config)["interfaces[opt2].mtu"]


def test_two_nodes_that_bridge_the_same_networks_are_warned_of_the_loop() -> None:
    assert "loop" in problems(bridge(primary(), stp=False), "warning")["bridges[r].stp"]
    assert "bridges[r].stp" not in problems(bridge(primary()), "warning")
    assert "bridges[r].stp" not in problems(bridge(node(1), stp=False), "warning")


def test_a_device_that_somebody_else_has_made_may_be_gone_after_a_boot() -> None:
    config = changed(node(1), "interfaces", "set", "lan", device="bond7")
    assert "may be gone" in problems(config, "warning")["interfaces[lan].device"]
    assert not problems(changed(bond(node(1)), "interfaces", "set", "lan", device="bond0"), "warning")


def test_one_that_is_assigned_cannot_be_deleted_and_keeps_its_interface_with_another_tag() -> None:
    config = added(vlan(node(1)), "interfaces", "opt2", device="eth5.10", description="Guests", enabled=True)
    with pytest.raises(Invalid) as no:
        changed(config, "vlans", "delete", "v")
    assert no.value.problems == (
        Problem("interfaces[opt2].device", "eth5.10 is assigned to Guests: give it another port first, or delete it"),
    )
    moved = changed(config, "vlans", "set", "v", tag=20)
    guests = moved[INTERFACES].get("opt2")
    assert guests is not None and guests.device == "eth5.20" and made(moved) == ("eth5.20",)
    free = changed(changed(config, "interfaces", "delete", "opt2"), "vlans", "delete", "v")
    assert free[VLANS].items == ()


def test_they_are_called_by_the_names_of_their_devices() -> None:
    config = bridge(bond(vlan(node(1), parent="eth9")))
    for area, name in (("vlans", "eth9.10"), ("bonds", "bond0"), ("bridges", "br0")):
        config = changed(config, area, "set", name, description="here")
    kept = (*config[VLANS].items, *config[BONDS].items, *config[BRIDGES].items)
    assert [i.description for i in kept] == ["here"] * 3


def test_factory_default_keeps_what_wan_and_lan_stand_on() -> None:
    config = vlan(bond(node(1)), parent="bond0")
    config = bridge(config, members=["eth7", "bond0.10"])
    config = bond(vlan(config, "other", parent="eth9"), "spare", name="bond1", members=["eth10"])
    config = changed(config, "interfaces", "set", "lan", device="br0")
    found = factory_default(config)
    assert set(made(found)) == {"bond0", "br0", "bond0.10"}
    assert not [p for p in SCHEMA.check(found) if p.level == "error"]
