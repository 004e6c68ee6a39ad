"""Factory default: what a node keeps so that it can still be reached."""

from gemel.areas.every import SCHEMA
from gemel.areas.factory import factory_default
from gemel.areas.gateways import GATEWAYS
from gemel.areas.interfaces import INTERFACES
from gemel.areas.rules import RULES
from gemel.areas.system import SYSTEM
from tests.unit.areas.cluster import primary


def test_name_wan_lan_and_the_way_out_stay_and_all_else_goes() -> None:
    before = primary()
    found = factory_default(before)
    assert found[SYSTEM] == before[SYSTEM]
    assert [i.id for i in found[INTERFACES].items] == ["wan", "lan"]
    assert found[INTERFACES].get("wan") == before[INTERFACES].get("wan")
    assert [g.name for g in found[GATEWAYS].items] == ["WANGW"]
    assert [(r.interface, r.action, r.source, r.family) for r in found[RULES].items] == [
        ("lan", "pass", "net:lan", "inet"),
        ("lan", "pass", "net:lan", "inet6"),
    ]
    kept = {"system", "interfaces", "gateways", "rules"}
    default = SCHEMA.default()
    assert all(found.named(a.name) == default.named(a.name) for a in SCHEMA.areas if a.name not in kept)
    assert not [p for p in SCHEMA.check(found) if p.level == "error"]


def test_a_node_without_interfaces_has_none_afterwards() -> None:
    found = factory_default(SCHEMA.default())
    assert found == SCHEMA.default()


def test_it_is_the_same_the_second_time_but_for_the_rules_ids() -> None:
    once = factory_default(primary())
    twice = factory_default(once)
    assert twice.having(rules=once[RULES]) == once
