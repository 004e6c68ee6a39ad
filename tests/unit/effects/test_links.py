"""Devices that are made, changed and unmade, on a kernel that makes it difficult."""

from typing import Any

import pytest
from pyroute2.iproute.linux import get_arguments_processor
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from gemel.core.want import Link
from gemel.effects.links import BOND_MODES, Links, WrongLink
from tests.unit.effects.kernel_links import Kernel

LACP = (("mode", "802.3ad"), ("lacp_rate", "fast"), ("hash", "layer3+4"))
RESERVE = (("mode", "active-backup"), ("primary", "eth1"))
BOND = Link("bond0", 1400, "bond", settings=LACP)
VLAN = Link("eth0.10", None, "vlan", "eth0", settings=(("tag", "10"), ("priority", "3")))
BRIDGE = Link("br0", None, "bridge", settings=(("stp", "no"),))
V4, V6 = "192.0.2.1/24", "2001:db8::1/64"
ROUTE, DEFAULT = ("10.9.0.0/16", "192.0.2.9", 0), ("", "192.0.2.254", 100)


def machine(*ports: str) -> tuple[Kernel, Links]:
    kernel = Kernel(*ports)
    netlink: Any = kernel
    return kernel, Links(netlink)


def at_work(kernel: Kernel, name: str) -> None:
    """It has addresses and routes, and one of carpd's."""
    device = kernel[name]
    device.addresses, device.routes, device.fleeting = [V4, V6], [ROUTE, DEFAULT], ["192.0.2.77/32"]


def has_all(kernel: Kernel, name: str) -> bool:
    device = kernel[name]
    return sorted(device.addresses) == [V4, V6] and sorted(device.routes) == [DEFAULT, ROUTE]


def test_a_port_is_up_with_its_mtu_and_down_when_nobody_wants_it() -> None:
    kernel, links = machine("eth0")
    links.put(Link("eth0", 1400))
    assert kernel["eth0"].up and kernel["eth0"].mtu == 1400
    links.drop(Link("eth0", 1400))
    assert not kernel["eth0"].up and kernel.names() == ["eth0"]
    links.drop(Link("eth9"))
    with pytest.raises(WrongLink, match="no network device eth9"):
        links.put(Link("eth9"))


def test_a_vlan_is_made_once_and_only_what_it_may_change_is_changed() -> None:
    kernel, links = machine("eth0", "eth1")
    for _ in range(2):
        links.put(VLAN)
    vlan = kernel["eth0.10"]
    assert (vlan.kind, vlan.link, vlan.up) == ("vlan", kernel["eth0"].index, True)
    assert vlan.data == {"vlan_id": 10, "vlan_egress_qos": {"from": 0, "to": 3}}
    assert kernel.log == ["made eth0.10"]
    with pytest.raises(WrongLink, match="another VLAN"):
        links.put(Link("eth0.10", None, "vlan", "eth1", settings=VLAN.settings))
    with pytest.raises(WrongLink, match="it is no bridge"):
        links.put(Link("eth0.10", None, "bridge", settings=(("stp", "no"),)))
    links.drop(VLAN)
    links.drop(VLAN)
    assert kernel.names() == ["eth0", "eth1"]


def test_a_port_joins_a_bond_and_stands_alone_again() -> None:
    kernel, links = machine("eth0", "eth1")
    for port in ("eth0", "eth1"):
        links.put(Link(port))
    links.put(BOND)
    links.put(Link("eth0", master="bond0"))
    links.put(Link("eth1", master="bond0"))
    assert kernel.ports_of("bond0") == ["eth0", "eth1"] and kernel["bond0"].mtu == 1400
    assert kernel["bond0"].data["bond_mode"] == 4 and kernel["bond0"].data["bond_ad_lacp_rate"] == 1
    links.put(Link("eth1"))
    assert kernel.ports_of("bond0") == ["eth0"] and kernel["eth1"].up
    links.drop(Link("eth0", master="bond0"))
    assert kernel.ports_of("bond0") == [] and not kernel["eth0"].up
    links.drop(BOND)
    assert kernel.names() == ["eth0", "eth1"]


def test_what_a_port_had_for_good_is_there_after_it_has_left_a_bond() -> None:
    kernel, links = machine("eth0")
    links.put(BOND)
    links.put(Link("eth0", master="bond0"))
    at_work(kernel, "eth0")
    links.put(Link("eth0"))
    assert "eth0 down" in kernel.log and has_all(kernel, "eth0")


def test_another_mode_takes_the_bond_apart_for_a_moment_and_loses_nothing() -> None:
    kernel, links = machine("eth0", "eth1")
    links.put(BOND)
    for port in ("eth0", "eth1"):
        links.put(Link(port, master="bond0"))
    links.put(Link("bond0.7", None, "vlan", "bond0", settings=(("tag", "7"), ("priority", "0"))))
    at_work(kernel, "bond0")
    at_work(kernel, "bond0.7")
    links.put(Link("bond0", None, "bond", settings=RESERVE))
    bond = kernel["bond0"]
    assert bond.data["bond_mode"] == BOND_MODES["active-backup"]
    assert bond.data["bond_primary"] == kernel["eth1"].index
    assert kernel.ports_of("bond0") == ["eth0", "eth1"] and bond.up and kernel["bond0.7"].up
    assert has_all(kernel, "bond0") and has_all(kernel, "bond0.7")
    assert bond.fleeting not in bond.addresses, "carpd's own are left to carpd"


def test_what_a_bond_may_change_while_it_works_does_not_stop_it() -> None:
    kernel, links = machine("eth0", "eth1")
    links.put(Link("bond0", None, "bond", settings=RESERVE))
    for port in ("eth0", "eth1"):
        links.put(Link(port, master="bond0"))
    kernel.log.clear()
    links.put(Link("bond0", None, "bond", settings=(("mode", "active-backup"), ("primary", ""))))
    assert kernel["bond0"].data["bond_primary"] == 0 and kernel.log == []


def test_a_bridge_takes_ports_that_are_up_and_lets_them_go() -> None:
    kernel, links = machine("eth0")
    links.put(Link("eth0"))
    links.put(BRIDGE)
    links.put(Link("eth0", master="br0"))
    assert kernel.ports_of("br0") == ["eth0"] and "eth0 down" not in kernel.log
    links.put(Link("br0", None, "bridge", settings=(("stp", "yes"),)))
    assert kernel["br0"].data == {"br_stp_state": 1, "br_forward_delay": 1500}
    links.put(BRIDGE)
    assert kernel["br0"].data == {"br_stp_state": 0, "br_forward_delay": 0}
    links.put(Link("eth0"))
    links.drop(BRIDGE)
    assert kernel["eth0"].up and kernel.names() == ["eth0"]


def test_a_dry_run_asks_only_for_ports_of_the_machine() -> None:
    _, links = machine("eth0")
    links.check([VLAN, BOND, Link("eth0", master="bond0")])
    with pytest.raises(WrongLink, match="eth5"):
        links.check([Link("eth5", master="bond0"), BOND])
    with pytest.raises(WrongLink, match="eth7"):
        links.check([Link("eth7.1", None, "vlan", "eth7", settings=VLAN.settings)])


@pytest.mark.parametrize(
    ("want", "words"),
    [
        (VLAN, "no 802.1Q VLANs (module 8021q), or eth0 carries none"),
        (BOND, "no bonds (module bonding)"),
        (BRIDGE, "no bridges (module bridge)"),
    ],
    ids=["vlan", "bond", "bridge"],
)
def test_a_kernel_without_it_is_said_in_words(want: Link, words: str) -> None:
    kernel, links = machine("eth0")
    kernel.lacking = {want.kind}
    with pytest.raises(WrongLink) as said:
        links.put(want)
    assert str(said.value) == f"{want.device} cannot be made: this machine's kernel has {words}"
    assert kernel.names() == ["eth0"]


ENCODED = [
    (VLAN, "vlan", {"vlan_id": 10}),
    (BOND, "bond", {"bond_mode": 4, "bond_miimon": 100, "bond_ad_lacp_rate": 1, "bond_xmit_hash_policy": 1}),
    (Link("b", None, "bond", settings=RESERVE), "bond", {"bond_mode": 1, "bond_primary": 3}),
    (Link("b", None, "bridge", settings=(("stp", "yes"),)), "bridge", {"br_stp_state": 1, "br_forward_delay": 1500}),
]


class Recorder(Kernel):
    """Notes how a device is asked for."""

    asked: dict[str, Any]

    def link(self, command: str, index: int = 0, **what: Any) -> None:
        if command == "add":
            self.asked = dict(what)
        super().link(command, index, **what)


@pytest.mark.parametrize(("want", "kind", "expected"), ENCODED, ids=lambda x: getattr(x, "device", ""))
def test_pyroute2_knows_each_attribute_by_the_name_that_is_used(
    want: Link, kind: str, expected: dict[str, int]
) -> None:
    netlink: Any = Recorder("eth0", "eth1")
    Links(netlink).put(want)
    processor = get_arguments_processor("link", "add", netlink.asked)
    message = ifinfmsg()
    message["attrs"] = [list(pair) for pair in processor.items() if str(pair[0]).startswith("IFLA_")]
    message.encode()
    read = ifinfmsg(message.data)
    read.decode()
    assert read.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") == kind
    data = read.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA")
    assert {n: data.get_attr(f"IFLA_{n.upper()}") for n in expected} == expected
    if kind == "vlan":
        mapping = data.get_attr("IFLA_VLAN_EGRESS_QOS").get_attr("IFLA_VLAN_QOS_MAPPING")
        assert (mapping["from"], mapping["to"]) == (0, 3)
