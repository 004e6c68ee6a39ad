"""People's words become references that survive renaming, and are shown in words again."""

import pytest

from gemel.areas.every import SCHEMA
from gemel.areas.names import names_of, words_of
from gemel.core.config import Config
from gemel.core.model import plain
from tests.unit.areas.cluster import added, changed, primary


def item(config: Config, area: str, key: str) -> dict[str, object]:
    return next(plain(i) for i in config.named(area).items if i.id == key)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("typed", "stored", "shown"),
    [
        ("SYNC net", "net:opt1", "SYNC net"),
        ("opt1 net", "net:opt1", "SYNC net"),
        ("sync subnets", "net:opt1", "SYNC net"),
        ("SYNC address", "address:opt1", "SYNC address"),
        ("! LAN net", "!net:lan", "! LAN net"),
        ("This firewall", "self", "This firewall"),
        ("any", "any", "any"),
        ("web_servers", "alias:web", "web_servers"),
        ("198.51.100.200", "vip:wan_vip", "198.51.100.200"),
        ("198.51.100.210", "vip:stacked", "198.51.100.210"),
        ("198.51.100.220", "198.51.100.220", "198.51.100.220"),  # a plain alias is this node's own: never by reference
        ("10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/8"),
        ("2001:DB8:0::1", "2001:db8::1", "2001:db8::1"),
    ],
)
def test_a_source_is_understood_and_shown_in_the_same_words(typed: str, stored: str, shown: str) -> None:
    family = "inet6" if ":" in typed else "inet"
    config = added(primary(), "rules", "x", interface="SYNC", family=family, source=typed)

    rule = item(config, "rules", "x")
    words = words_of(rule, names_of(SCHEMA.dump(config)["areas"]))

    assert rule["interface"] == "opt1" and words["interface"] == "SYNC"
    assert rule["source"] == stored
    assert words.get("source", rule["source"]) == shown


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("HTTPS", "443"), ("https (443)", "443"), ("443", "443"), ("90-80", "80-90"), ("80:90", "80-90"),
        ("80-80", "80"), ("any", ""), ("", ""), ("web_ports", "alias:ports"), ("DNS over TLS", "853"),
    ],
)  # fmt: skip
def test_ports_by_number_range_name_and_alias(typed: str, stored: str) -> None:
    config = added(primary(), "rules", "x", interface="lan", destination_port=typed)

    assert item(config, "rules", "x")["destination_port"] == stored


def test_references_follow_what_is_renamed() -> None:
    config = changed(primary(), "interfaces", "set", "SYNC", description="CLUSTER")
    config = changed(config, "aliases", "set", "web_servers", name="sites")
    config = changed(config, "virtual_ips", "set", "198.51.100.200", address="198.51.100.199/24")

    names = names_of(SCHEMA.dump(config)["areas"])

    assert words_of(item(config, "rules", "https"), names)["source"] == "CLUSTER net"
    assert words_of(item(config, "rules", "to_web"), names)["destination"] == "sites"
    assert words_of(item(config, "outbound_nat", "general"), names)["translation"] == "198.51.100.199"


def test_a_description_cannot_take_over_another_interfaces_references() -> None:
    config = changed(primary(), "interfaces", "set", "lan", description="HOME")
    config = changed(config, "interfaces", "set", "opt1", description="LAN")  # a problem, but not one that moves rules
    config = changed(config, "rules", "set", "to_web", log=True)

    assert item(config, "rules", "to_web")["interface"] == "lan"
    assert "interfaces[opt1].description" in {p.path for p in SCHEMA.check(config)}


def test_a_gateway_whose_old_name_is_taken_again_keeps_its_references() -> None:
    config = changed(primary(), "gateways", "set", "WANGW", name="OLD")
    config = added(config, "gateways", "x", name="WANGW", interface="wan", address="198.51.100.2")

    assert item(config, "interfaces", "wan")["gateway"] == "wangw"
    assert item(changed(config, "interfaces", "set", "wan", gateway="WANGW"), "interfaces", "wan")["gateway"] == "x"


def test_nested_aliases_are_references_and_keep_their_notes() -> None:
    config = added(primary(), "aliases", "x", name="everything", entries=["WEB_SERVERS # ours", "10.0.0.1 # old"])

    assert item(config, "aliases", "x")["entries"] == ["alias:web # ours", "10.0.0.1 # old"]


def test_top_is_the_top_of_the_interfaces_own_list() -> None:
    order = [rule.id for rule in primary().named("rules").items]  # type: ignore[attr-defined]

    assert order[:3] == ["icmp", "pfsync", "https"]


def test_interfaces_are_numbered_as_they_are_assigned() -> None:
    config = SCHEMA.default()
    for device in ("eth0", "eth1", "eth2", "eth3"):
        config = changed(config, "interfaces", "add", device=device)
    config = changed(config, "interfaces", "delete", "opt1")
    config = changed(config, "interfaces", "add", device="eth4")

    ids = [(i.id, i.device) for i in config.named("interfaces").items]  # type: ignore[attr-defined]
    assert ids == [("wan", "eth0"), ("lan", "eth1"), ("opt2", "eth3"), ("opt1", "eth4")]
