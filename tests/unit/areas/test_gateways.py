"""Next hops that routers advertise themselves by: link-local ones, which are on the link of their interface."""

from gemel.areas.every import SCHEMA
from gemel.core.area import NodeState
from gemel.core.want import Route
from tests.unit.areas.cluster import added, changed, node, problems, refusal


def test_a_link_local_gateway_is_reached_on_its_interface():
    config = changed(node(1), "interfaces", "set", "wan", ipv6="2001:db8::201/64")
    config = added(config, "gateways", "wangw6", name="WANGW6", interface="wan", address="fe80::1")
    config = changed(config, "interfaces", "set", "wan", gateway6="wangw6")
    assert problems(config) == problems(node(1))
    device = config.named("interfaces").items[0].device
    assert Route("::/0", "fe80::1", device) in SCHEMA.compile(config, NodeState())


def test_a_zone_is_not_for_here_and_169_254_is_a_network_like_any_other():
    for address in ("fe80::1%eth0", "169.254.0.1", "2001:db8::1"):
        values = {"name": "GW6", "interface": "wan", "address": address}
        assert "cannot be reached" in refusal(node(1), "gateways", "add", id="gw6", **values)["gateways[gw6].address"]
