"""Status > DHCP Leases with leases of both families."""

from typing import Any

from gemel.facts.dhcp import DHCP_LEASES, Leases

NOW = 1_000_000.0
DUID = "00:03:00:01:02:00:00:00:00:01"


def lease(address: str, **more: Any) -> dict[str, Any]:
    return {
        "ip-address": address, "hw-address": "02:00:00:00:00:01", "cltt": int(NOW) - 10, "valid-lft": 7200, "state": 0,
        "subnet-id": 2, "hostname": "", **more,
    }  # fmt: skip


def pool(family: int, serving: bool) -> dict[str, Any]:
    return {
        "interface": "lan", "state": "normal", "since": NOW, "peer_state": "normal", "peer_since": NOW, "kea": "x",
        "serving": serving, "peer_serving": not serving, "peer_kea": "x", "family": family,
    }  # fmt: skip


def shown(leases: list[dict[str, Any]], mappings: list[dict[str, Any]], **options: str) -> Leases:
    sources = {
        "now": NOW, "interfaces": [{"id": "lan", "title": "LAN"}], "neighbours": [],
        "leases": {
            "report": {"pools": [pool(4, True), pool(6, False)]}, "leases": leases, "mappings": mappings,
            "subnets": {2: "lan"}, "vendors": {}, "problem": "",
        },
    }  # fmt: skip
    found = DHCP_LEASES.read(sources, options)
    assert isinstance(found, Leases)
    return found


SIX = lease("2001:db8:1::1000", duid=DUID, iaid=1, type="IA_NA")


def test_ipv4_stands_before_ipv6_and_a_host_is_its_duid() -> None:
    found = shown([SIX, lease("192.168.1.100")], [])
    assert [(r.address, r.client_id, r.interface, r.kind) for r in found.rows] == [
        ("192.168.1.100", "", "LAN", "active"), ("2001:db8:1::1000", DUID, "LAN", "active"),
    ]  # fmt: skip
    assert [(p.interface, p.serving) for p in found.pools] == [("LAN", "this node"), ("LAN (IPv6)", "the peer")]
    assert [r.address for r in shown([SIX, lease("192.168.1.100")], [], filter=DUID).rows] == ["2001:db8:1::1000"]


def test_static_mappings_of_both_families_are_there_once() -> None:
    four = {"mac": "02:00:00:00:00:09", "client_id": "", "address": "192.168.1.9", "hostname": "printer"}
    six = {"duid": DUID, "address": "2001:db8:1::1000", "hostname": "desk"}
    more = {"interface": "lan", "description": ""}
    found = shown([SIX], [four | more, six | more])
    assert [(r.address, r.kind, r.start is None) for r in found.rows] == [
        ("192.168.1.9", "static", True), ("2001:db8:1::1000", "static", False),
    ]  # fmt: skip
    assert [r.hostname for r in shown([], [six | more]).rows] == ["desk"]
