"""The calls of REST that scripts/vm-test makes are edits that a node takes."""

from urllib.parse import parse_qs, urlsplit

from gemel.areas.every import SCHEMA
from gemel.areas.factory import FIRST_RULES
from gemel.areas.interfaces import INTERFACES
from gemel.areas.nat import OUTBOUND_NAT
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.core.edit import Edit, edited_all
from gemel.core.problem import errors
from gemel.lab.topology import NODES
from gemel.lab.vm.recipe import APPLY, bond, bond_in_service, recipe, vlan

VERBS = {"POST": "add", "PATCH": "set"}


def set_up(node):
    plan = NODES[node]
    ports = (("wan", "eth0", plan.wan), ("lan", "eth1", plan.lan), ("opt1", "eth2", ""))
    edits = [
        Edit("interfaces", "add", values={"id": key, "device": device, "enabled": bool(address), "ipv4": address})
        for key, device, address in ports
    ]
    edits += [Edit("rules", "add", values=dict(rule)) for rule in FIRST_RULES]
    return edited_all(SCHEMA, SCHEMA.default(), edits)[0]


def edit_of(call):
    parts = urlsplit(call.path)
    area, _, item = parts.path.strip("/").partition("/")
    position = parse_qs(parts.query).get("position", ["bottom"])[0]
    return Edit(area, VERBS[call.method], "" if item == "settings" else item, dict(call.body), position)


def carried_out(calls):
    nodes = {node: set_up(node) for node in NODES}
    for call in calls:
        if call.path == APPLY:
            assert errors(SCHEMA.check(nodes[call.node])) == []
        else:
            nodes[call.node], _ = edited_all(SCHEMA, nodes[call.node], [edit_of(call)])
    return nodes


def test_the_recipe_is_made_of_edits_that_go_together():
    nodes = carried_out(recipe())
    assert errors(SCHEMA.check(nodes["fw1"])) == []
    assert [v.vhid for v in nodes["fw1"][VIRTUAL_IPS].items] == [200, 1]
    assert [m.static_port for m in nodes["fw1"][OUTBOUND_NAT].items] == [True, False]


def test_the_vlan_is_the_same_interface_on_both_nodes():
    nodes = carried_out([*recipe(), *vlan()])
    assert {nodes[node][INTERFACES].get("opt2").device for node in NODES} == {"eth1.30"}
    assert errors(SCHEMA.check(nodes["fw1"])) == []
    assert nodes["fw1"][VIRTUAL_IPS].items[-1].interface == "opt2"


def test_the_bond_is_the_same_interface_on_both_nodes_with_the_vlan_and_without():
    for before, interface in (([], "opt2"), (vlan(), "opt3")):
        nodes = carried_out([*recipe(), *before, *bond(), *bond_in_service(interface)])
        assert {nodes[node][INTERFACES].get(interface).device for node in NODES} == {"bond0"}
        assert errors(SCHEMA.check(nodes["fw1"])) == []
        assert nodes["fw1"][VIRTUAL_IPS].items[-1].interface == interface
