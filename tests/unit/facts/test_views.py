"""The views over what the kernel said: states, interfaces, gateways, neighbours, counters, logs, metrics."""

import re
import struct
from ipaddress import ip_address
from typing import Any

import pytest

from gemel.core.codec import decode, encode
from gemel.core.event import ROLE, Event
from gemel.core.packet_log import logged
from gemel.facts.every import FACTS, fact
from gemel.facts.fact import SOURCES, Unreadable, matches, number
from gemel.facts.gateways import Probe, gateway_rows, health, silence
from gemel.facts.metrics import metrics
from gemel.facts.samples import Sample, rates
from gemel.facts.state_sync import STATE_SYNC
from gemel.facts.states import STATES, read_state
from gemel.flows.attributes import attribute, nest
from gemel.flows.ctnetlink import key_of
from tests.unit.facts.node import node_status

INTERFACES = [
    {"id": "wan", "device": "eth0", "title": "WAN", "enabled": True, "ipv4": "198.51.100.201/24", "ipv6": ""},
    {"id": "lan", "device": "eth1", "title": "LAN", "enabled": True, "ipv4": "192.168.1.2/24", "ipv6": ""},
]
SAMPLES = [Sample(10.0, {"eth0": (1000, 50)}, 5, (10, 0), 0.4), Sample(11.0, {"eth0": (3000, 40)}, 7, (30, 5), 0.5)]


def ends(kind: int, protocol: int, source: str, destination: str, ports: tuple[int, int] | None) -> bytes:
    a, b = ip_address(source), ip_address(destination)
    first = 1 if a.version == 4 else 3
    addresses = attribute(first, a.packed) + attribute(first + 1, b.packed)
    values = [attribute(1, bytes([protocol]))]
    values += [attribute(2 + i, struct.pack("!H", p)) for i, p in enumerate(ports or ())]
    return nest(kind, nest(1, addresses), nest(2, *values))


def state(
    protocol: int, original: tuple[Any, ...], reply: tuple[Any, ...], status: int = 6, tcp: int | None = 3
) -> bytes:
    parts = ends(1, protocol, *original) + ends(2, protocol, *reply)
    parts += attribute(3, struct.pack("!I", status)) + attribute(7, struct.pack("!I", 300))
    if tcp is not None:
        parts += nest(4, nest(1, attribute(1, bytes([tcp]))))
    return b"\0" * 20 + parts


OUT = state(6, ("192.168.1.50", "203.0.113.9", (1234, 443)), ("203.0.113.9", "198.51.100.200", (443, 50000)))
ASKED = state(17, ("192.168.1.51", "8.8.8.8", (5353, 53)), ("8.8.8.8", "192.168.1.51", (53, 5353)), 0, None)
SIX = state(6, ("2001:db8::1", "2001:db8::2", (9, 22)), ("2001:db8::2", "2001:db8::1", (22, 9)), 6, 1)


def nobody(keys: list[bytes]) -> list[str]:
    return [""] * len(keys)


def shown(table: list[bytes], creators: Any = nobody, **options: str) -> Any:
    return STATES.read({"conntrack": iter(table), "status": node_status(), "creators": creators}, options)


def test_a_translated_connection_reads_as_people_say_it() -> None:
    row = read_state(OUT)
    assert encode(row) == {
        "protocol": "tcp", "source": "192.168.1.50:1234", "destination": "203.0.113.9:443", "state": "ESTABLISHED",
        "translated": "198.51.100.200:50000", "forwarded": "", "expires": 300, "creator": "",
    }  # fmt: skip
    assert read_state(ASKED).state == "UNREPLIED" and read_state(ASKED).translated == ""
    assert read_state(SIX).source == "[2001:db8::1]:9"


def test_states_are_filtered_counted_and_ranked() -> None:
    table = [OUT] * 3 + [ASKED, SIX, b"\0" * 20, OUT[:40]]
    answer = shown(table, filter="TCP 192.168", limit="2")
    assert (answer.total, answer.matching, len(answer.rows)) == (5, 3, 2)
    assert answer.by_protocol == {"tcp": 3}
    assert [(t.address, t.states) for t in answer.sources] == [("192.168.1.50", 3)]
    assert [(c.host_id, c.this_node) for c in answer.creators] == [("1", True), ("2", False)]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"protocol": "udp"}, [ASKED]),
        ({"protocol": "6", "port": "443"}, [OUT]),
        ({"address": "198.51.100.200"}, [OUT]),
        ({"address": "192.168.1.0/24"}, [OUT, ASKED]),
        ({"address": "192.168.1.5"}, []),
        ({"address": "[2001:db8::]/64", "port": "9"}, [SIX]),
        ({"creator": "02"}, [SIX]),
        ({"creator": "1", "filter": "unreplied"}, [ASKED]),
    ],
)
def test_states_are_chosen_exactly(options: dict[str, str], found: list[bytes]) -> None:
    def began(keys: list[bytes]) -> list[str]:
        return ["2" if key == key_of(SIX) else "1" for key in keys]

    answer = shown([OUT, ASKED, SIX], began, **options)
    assert [row.source for row in answer.rows] == [read_state(m).source for m in found]
    assert answer.matching == len(found) and all(row.creator for row in answer.rows)


@pytest.mark.parametrize("options", [{"protocol": "ftp"}, {"address": "here"}, {"port": "0"}, {"port": "65536"}])
def test_what_means_nothing_is_refused_in_words(options: dict[str, str]) -> None:
    with pytest.raises(Unreadable, match=next(iter(options.values()))):
        shown([OUT], **options)


def test_state_synchronisation_in_words() -> None:
    flows = {
        "status": "in sync", "role": "MASTER", "agreement": "differs", "states": 10,
        "comparison": {"ago": 3.2, "compared": 128, "parts": 256, "differing": 2, "states": 10, "peer_states": 9},
        "repair": {"ago": 2.0, "why": "2 of 256 parts of the table differed", "states": 4},
        "bulk_in": {"running": True, "done": 5, "states": 9},
    }  # fmt: skip
    status = {**node_status(), "safe_to_fail_over": {"verdict": "safe", "reasons": []}}
    answer = STATE_SYNC.read({"flows": flows, "status": status}, {})
    assert answer.comparison.startswith("3 s ago, 50% of the table, the rest moved: 2 parts of 256 differed; 10 states")
    assert answer.repair == "2 s ago: 4 states, because 2 of 256 parts of the table differed"
    assert (answer.bulk_in, answer.bulk_out, answer.verdict) == ("5 of about 9 states", "", "safe")
    silent = STATE_SYNC.read({"flows": None, "status": status}, {})
    assert silent.sending == "flowd does not answer" and silent.status == "unknown"


def test_what_is_only_counted_is_counted_as_what_is_read() -> None:
    table = [OUT, ASKED, SIX, SIX, b"\0" * 90, OUT[:40]]
    counted, read = (shown(table, limit=n) for n in ("0", "100"))
    assert counted.rows == () and len(read.rows) == 4
    assert (counted.total, counted.matching, counted.by_protocol) == (4, 4, {"tcp": 3, "udp": 1})
    assert (counted.sources, counted.destinations) == (read.sources, read.destinations)


def test_rates_follow_counters_and_survive_a_restart_of_one() -> None:
    found = rates(SAMPLES)
    assert found.octets == {"eth0": (2000.0, 0.0)} and found.moved == (20.0, 5.0)
    assert rates(SAMPLES[:1]).octets == {}


def test_graphs_have_one_value_a_second_and_interface() -> None:
    answer = fact("graphs").read({"samples": SAMPLES, "interfaces": INTERFACES}, {"seconds": "60"})
    assert answer.received == {"wan": (2000.0,), "lan": (0.0,)} and answer.age == (0.0,) and answer.states == (7,)


def test_an_interface_without_a_device_is_shown_too() -> None:
    received = {"bytes": 3000, "packets": 3, "errors": 1, "dropped": 2}
    counted = {"rx": received, "tx": {"bytes": 40, "packets": 1}}
    links = [{"ifname": "eth0", "flags": ["UP", "LOWER_UP"], "mtu": 1500, "address": "02:00", "stats64": counted}]
    addresses = [{"ifname": "eth0", "addr_info": [{"local": "198.51.100.201", "prefixlen": 24}]}]
    sources = {"links": links, "addresses": addresses, "samples": SAMPLES, "interfaces": INTERFACES}
    wan, lan = fact("interfaces").read(sources, {}).rows
    assert (wan.carrier, wan.errors, wan.drops, wan.rate_in) == (True, 1, 2, 2000.0)
    assert wan.addresses == ("198.51.100.201/24",) and lan.carrier is None and lan.rate_in is None


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ([], "unknown"),
        ([1.0], "online"),
        ([None], "unknown"),
        ([1.0, None, None], "offline"),
        ([None, None, 1.0, 1.0], "lossy"),
        ([1.0] * 9 + [None], "online"),
    ],
)
def test_one_lost_answer_is_not_the_end_of_a_gateway(answers: list[float | None], status: str) -> None:
    assert health([Probe(float(i), a) for i, a in enumerate(answers)])[0] == status


def test_rule_counters_name_rules_and_what_is_built_in() -> None:
    rules = [{"id": "r1", "interface": "wan", "action": "pass", "description": "web", "disabled": False}]
    sources = {"rules": rules, "counters": {"r1": (5, 300), "default": (9, 540)}, "interfaces": INTERFACES}
    rows = fact("rules").read(sources, {}).rows
    assert [(r.id, r.interface, r.packets) for r in rows] == [("r1", "WAN", 5), ("default", "", 9)]
    assert [r.id for r in fact("rules").read(sources, {"interface": "WAN"}).rows] == ["r1"]


def test_a_logged_packet_says_who_wanted_what() -> None:
    tcp = struct.pack("!HHIIBBHHH", 1234, 22, 0, 0, 0x50, 0x02, 0, 0, 0)
    head = bytes([0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0]) + ip_address("203.0.113.9").packed
    one = logged(5.0, "gemel:block:default", "eth0", head + ip_address("198.51.100.200").packed + tcp)
    assert one is not None
    assert (one.action, one.rule, one.protocol, one.flags) == ("block", "default", "tcp", "S")
    assert (one.source, one.destination) == ("203.0.113.9:1234", "198.51.100.200:22")
    shown = fact("firewall-log").read({"packets": [one], "rules": []}, {"filter": "default tcp"})
    assert shown.rows == (one,)
    assert all(logged(5.0, "", "", b"\x45" * n) is None or n >= 20 for n in range(25))


def test_neighbours_are_ordered_and_named() -> None:
    listed = [
        {"dst": "192.168.1.9", "dev": "eth1", "lladdr": "02:01", "state": ["STALE"]},
        {"dst": "198.51.100.1", "dev": "eth0", "lladdr": "02:02", "state": ["REACHABLE"]},
        {"dst": "ff02::1", "dev": "eth0", "state": ["NOARP"]},
    ]
    rows = fact("neighbours").read({"neighbours": listed, "interfaces": INTERFACES}, {}).rows
    assert [(r.interface, r.address) for r in rows] == [("LAN", "192.168.1.9"), ("WAN", "198.51.100.1")]


def test_metrics_are_well_formed_and_say_what_matters() -> None:
    event = Event(1.0, ROLE, 'L"AN@1', "x", None, {"after": "MASTER", "outage": 3.0})
    page = metrics(node_status(), transitions=[event])
    for line in page.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) gemel_\w+ .+|gemel_\w+(\{(\w+="([^"\\]|\\.)*",?)+\})? [0-9.e+-]+', line), (
            line
        )
    assert 'gemel_carp_state{interface="WAN",vhid="200",state="MASTER"} 1' in page
    assert 'gemel_carp_last_outage_seconds{vip="L\\"AN@1"} 3.0' in page
    assert "gemel_safe_to_fail_over 1" in page and "gemel_config_proven_revision 7" in page
    assert page.count("# TYPE gemel_carp_state ") == 1


def test_every_fact_keeps_the_rules_of_the_list() -> None:
    assert len({f.name for f in FACTS}) == len(FACTS)
    for one in FACTS:
        assert one.label and one.help and set(one.sources) <= set(SOURCES)
        assert re.fullmatch(r"[a-z-]+", one.name)
        if one.columns:
            [row] = decode(list[Any], [one.shape.__annotations__["rows"]])
            shape = row.__args__[0]
            assert {c.name for c in one.columns} <= set(shape.__dataclass_fields__)


def test_words_and_numbers_of_options() -> None:
    assert matches("TCP 192.168.1.50", "tcp 1.50") and not matches("tcp", "udp") and matches("x", "")
    assert number({}, "limit", 7, 100) == 7 and number({"limit": "5000"}, "limit", 7, 100) == 100


def test_how_long_a_gateway_has_been_silent_is_told_from_both_sides() -> None:
    answers = [1.0, 2.0, None, 3.0, None, None]
    probes = [Probe(100.0 + n, rtt) for n, rtt in enumerate(answers)]
    assert silence(probes, 110.0) == (7.0, 6.0)
    assert silence(probes[:4], 110.0) == (7.0, None)
    assert silence(probes[4:], 110.0) == (None, 6.0)
    assert silence([], 110.0) == (None, None)


def test_a_gateway_that_is_not_monitored_says_so() -> None:
    one = {"name": "W", "interface": "WAN", "address": "a", "default": True, "probes": [], "monitor": False}
    (row,) = gateway_rows([one], 0.0)
    assert row.status == "not monitored"
