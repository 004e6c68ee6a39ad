"""What the peer gets: everything that the nodes have in common, nothing that belongs to one of them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.areas.every import AREAS, SCHEMA
from gemel.areas.high_availability import BOXES
from gemel.core.config import Config
from gemel.core.exchange import area_hashes, merged, outgoing, section_hashes
from gemel.core.problem import Invalid
from tests.unit.areas.cluster import added, changed, node, primary, problems

EVERYTHING = (*BOXES, "admin")


def pushed(sender: Config, receiver: Config, boxes: tuple[str, ...] = EVERYTHING) -> Config:
    """The receiver after a push; the proof that both agree is part of it."""
    sections = outgoing(SCHEMA, sender, boxes)
    after = SCHEMA.settled(merged(SCHEMA, receiver, sections))
    assert area_hashes(SCHEMA, after, sections) == section_hashes(sections)
    return after


def items(config: Config, area: str) -> dict[str, Any]:
    return {i.id: i for i in config.named(area).items}  # type: ignore[attr-defined]


def ids(config: Config, area: str) -> list[str]:
    return list(items(config, area))


def test_the_secondary_becomes_the_recipes() -> None:
    before = added(node(2), "rules", "temporary", interface="SYNC", protocol="any", source="SYNC net")

    after = pushed(primary(), before)

    assert ids(after, "rules") == ["icmp", "pfsync", "https", "to_web", "nat_mail"]
    assert {v.id: (v.base, v.skew) for v in items(after, "virtual_ips").values() if v.type == "carp"} == {
        "wan_vip": (1, 101),
        "lan_vip": (1, 101),
    }
    assert problems(after) == {}
    for area in AREAS:
        if area.availability == "local":
            assert after.named(area.name) == before.named(area.name)


@pytest.mark.parametrize(("skew", "there"), [(0, 100), (1, 101), (154, 254), (155, 254), (254, 254)])
def test_the_peers_skew_is_a_hundred_more_up_to_the_highest(skew: int, there: int) -> None:
    sender = changed(primary(), "virtual_ips", "set", "wan_vip", skew=skew)

    after = pushed(sender, node(2))

    assert items(after, "virtual_ips")["wan_vip"].skew == there
    assert pushed(sender, after) == after  # pushed again, it is not a hundred more once more


def test_plain_aliases_stay_and_stacked_ones_go_along() -> None:
    before = added(node(2), "virtual_ips", "mine", type="ipalias", interface="wan", address="198.51.100.230/24")

    after = items(pushed(primary(), before), "virtual_ips")

    assert {"mine", "stacked"} <= set(after) and "plain" not in after


def test_only_ticked_boxes_go() -> None:
    assert set(outgoing(SCHEMA, primary(), ["rules"])) == {"rules"}
    assert set(outgoing(SCHEMA, primary(), ["static_routes"])) == {"gateways", "static_routes"}
    assert set(outgoing(SCHEMA, primary(), ["nat"])) == {"outbound_nat", "port_forwards", "conntrack_helpers"}
    assert outgoing(SCHEMA, primary(), []) == {}


def test_without_the_nat_box_a_forwards_rule_goes_as_an_ordinary_one() -> None:
    boxes = ("rules", "aliases", "virtual_ips")

    after = pushed(changed(primary(), "high_availability", areas=boxes), node(2), boxes)

    assert items(after, "rules")["nat_mail"].forward == ""
    assert items(pushed(primary(), after), "rules")["nat_mail"].forward == "mail"


@pytest.mark.parametrize("area", ["system", "interfaces", "high_availability"])
def test_what_belongs_to_a_node_is_not_taken_from_a_peer(area: str) -> None:
    with pytest.raises(Invalid) as refused:
        merged(SCHEMA, node(2), {area: {}})

    assert refused.value.problems[0].path == area


@pytest.mark.parametrize("section", [[], {}, {"items": {}}, {"items": [1]}, {"items": [{"id": "x", "colour": 1}]}])
def test_a_section_that_does_not_read_is_refused_whole(section: Any) -> None:
    with pytest.raises(Invalid):
        merged(SCHEMA, node(2), {"aliases": {"items": []}, "rules": section})


# Any two nodes --------------------------------------------------------------------------------------------------------

KEYS = st.lists(st.tuples(st.integers(0, 30), st.booleans()), unique_by=lambda k: k[0], max_size=12)


def filled(config: Config, prefix: str, rules: list[tuple[int, bool]], skews: list[int], plain: list[int]) -> Config:
    """With rules, some of which stay on the node, CARP VIPs of these skews, and plain aliases."""
    for number, local in rules:
        position = "top" if number % 3 == 0 else "bottom"
        values = {"interface": ("wan", "lan", "opt1")[number % 3], "no_sync": local}
        config = added(config, "rules", f"{prefix}{number}" if local else f"r{number}", position, **values)
    for number, skew in enumerate(skews):
        values = {"address": f"198.51.100.{100 + number}/24", "vhid": number + 1, "skew": skew, "password": "secret"}
        config = added(config, "virtual_ips", f"v{number}", interface="wan", **values)
    for number in plain:
        address = f"198.51.100.{(10 if prefix == 'a' else 50) + number}/24"
        config = added(config, "virtual_ips", f"{prefix}{number}", type="ipalias", interface="wan", address=address)
    return config


NODES = st.tuples(KEYS, st.lists(st.integers(0, 254), max_size=4), st.lists(st.integers(0, 9), unique=True, max_size=4))


@settings(max_examples=40, deadline=None)
@given(NODES, NODES)
def test_after_a_push_both_agree_and_each_keeps_its_own(one: Any, other: Any) -> None:
    sender, receiver = filled(node(1), "a", *one), filled(node(2), "b", *other)

    after = pushed(sender, receiver)

    for area in ("rules", "virtual_ips"):
        assert marked(after, area, "a") == []
        assert marked(after, area, "b") == marked(receiver, area, "b")
    assert marked(after, "rules", "r") == marked(sender, "rules", "r")
    vips = items(after, "virtual_ips")
    assert [vips[f"v{n}"].skew for n in range(len(one[1]))] == [min(s + 100, 254) for s in one[1]]
    assert pushed(sender, after) == after


def marked(config: Config, area: str, letter: str) -> list[str]:
    """The ids of one kind: a and b stay on their node, r and v are common."""
    return [key for key in ids(config, area) if key[0] == letter]
