"""A VHID or a speed that does not go together with what is heard on the network."""

import pytest

from gemel.areas.vhid_clash import Overheard, clashes, strangers
from gemel.carp import wire
from gemel.carp.scan import sighting
from gemel.core.config import Config
from tests.unit.areas.cluster import added, changed, primary

PASSWORD = {"password": "secret"}


def overheard(vhid: int, source: str = "198.51.100.77", password: str = "theirs", addresses=("198.51.100.78",)):
    digest = wire.Seal(password, vhid, addresses).digest(5)
    packet = wire.advert_head(source, bytes(6))[14:] + wire.encode(vhid, 1, 0, 5, digest)
    return Overheard(sighting(packet), packet)


def vrrp(vhid: int, source: str = "198.51.100.79"):
    message = bytes((0x31, vhid, 100, 1, 0, 100, 0, 0)) + bytes(4)
    head = bytearray(wire.advert_head(source, bytes(6))[14:])
    size = 4 if ":" in source else 2
    length = len(message) if ":" in source else 20 + len(message)
    head[size : size + 2] = length.to_bytes(2, "big")
    packet = bytes(head) + message
    return Overheard(sighting(packet), packet)


def found(after: Config, *heard: Overheard, before: Config | None = None) -> dict[str, str]:
    return {p.path: p.text for p in clashes(before or primary(), after, {"wan": heard})}


def with_vip(**values) -> Config:
    fixed = {"interface": "wan", "address": "198.51.100.9/24", "vhid": 9, **PASSWORD}
    return added(primary(), "virtual_ips", "x", **fixed, **values)


def test_a_vhid_that_a_stranger_speaks_for_is_refused_with_his_address_and_free_ones() -> None:
    text = found(with_vip(), overheard(9), overheard(2))["virtual_ips[x].vhid"]

    assert "198.51.100.77 (CARP, base 1, skew 0)" in text
    assert "Free are 3, 4, 5, 6, 7 and others" in text  # 1 is LAN's, 2 was heard
    assert found(with_vip(), overheard(8)) == {}


@pytest.mark.parametrize(("source", "there"), [("198.51.100.79", True), ("fe80::79", False)])
def test_a_vrrp_router_counts_where_it_has_the_same_mac(source: str, there: bool) -> None:
    assert ("virtual_ips[x].vhid" in found(with_vip(), vrrp(9, source))) is there


def test_confirmed_it_is_taken() -> None:
    assert found(with_vip(confirm_vhid=True), overheard(9)) == {}


def test_another_interface_does_not_matter() -> None:
    assert list(clashes(primary(), with_vip(), {"lan": [overheard(9)]})) == []


def test_a_member_of_the_same_group_is_no_stranger() -> None:
    member = overheard(9, password="secret", addresses=("198.51.100.9",))

    assert found(with_vip(), member) == {}
    assert strangers(with_vip(), "wan", {"wan": [member]}) == []


def test_what_ran_before_goes_on() -> None:
    other = changed(with_vip(), "virtual_ips", "set", "x", description="something else")

    assert found(other, overheard(9), before=with_vip()) == {}


def test_the_peer_of_before_the_edit_is_no_stranger() -> None:
    peer = overheard(200, "198.51.100.202", "secret", ("198.51.100.200", "198.51.100.210"))
    after = changed(primary(), "virtual_ips", "set", "wan_vip", base=0, password="new")

    assert found(after, peer) == {}


def test_sub_second_carp_beside_another_implementation_is_refused_at_the_base() -> None:
    text = found(with_vip(base=0, skew=2), overheard(8), vrrp(7))["virtual_ips[x].base"]

    assert "198.51.100.77" in text
    assert found(with_vip(base=0, skew=2), vrrp(7)) == {}  # no CARP
    after = changed(primary(), "virtual_ips", "set", "wan_vip", base=0)
    assert set(found(after, overheard(8))) == {"virtual_ips[wan_vip].base"}
