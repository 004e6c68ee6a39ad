"""What `gemel setup` sees on a machine, and what it plans to do with it."""

import json
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from gemel.areas import dns_unbound, every
from gemel.areas.every import SCHEMA
from gemel.areas.interfaces import INTERFACES
from gemel.core.codec import decode, encode
from gemel.core.edit import Edit, edited_all
from gemel.core.want import Address, Link
from gemel.daemons import units
from gemel.daemons.takeover import files, memory, seen
from gemel.daemons.takeover.connections import Connection, connections
from gemel.daemons.takeover.owners import LOOPBACK_ONLY, Ifupdown
from gemel.daemons.takeover.plan import Answers, Visitor, plan, proposed
from gemel.daemons.takeover.seen import Port, Seen, Via


def link(name, *infos, kind="ether", **more):
    common = {"ifname": name, "link_type": kind, "address": "52:54:00:00:00:01", "flags": ["UP"]}
    return {**common, "addr_info": infos, **more}


def info(local, length, **more):
    return {"local": local, "prefixlen": length, "scope": "global", **more}


MACHINE = Seen(
    hostname="fw1",
    ports=(
        Port("ens3", "52:54:00:00:00:01", True, ("198.51.100.201/24",)),
        Port("ens4", "52:54:00:00:00:02", True, ("192.168.1.2/24",)),
        Port("ens5", "52:54:00:00:00:03", False),
    ),
    default=Via("198.51.100.1", "ens3"),
    nameservers=("198.51.100.53",),
    domain="corp.example",
    owners=("ifupdown",),
)


def test_ports_are_ethernet_devices_that_belong_to_nobody():
    found = seen.ports(
        [
            link("lo", info("127.0.0.1", 8), kind="loopback"),
            link("ens3", info("198.51.100.201", 24), info("fe80::1", 64, scope="link")),
            link("ens4", info("192.168.1.50", 24, dynamic=True), info("2001:db8::5", 64, temporary=True)),
            link("ens5", master="bond0"),
        ]
    )
    assert [p.device for p in found] == ["ens3", "ens4"]
    assert found[0].addresses == ("198.51.100.201/24",)
    assert found[1].leased == ("192.168.1.50/24",)
    assert found[1].addresses == ()


def test_devices_that_gemel_made_go_those_that_were_there_stay():
    wants = [Link("ens3"), Link("br0", kind="bridge"), Link("ens4.7", kind="vlan", over="ens4"), Address("br0", "::/0")]
    ledger = {"settled": True, "have": [{"kind": type(w).__name__, "want": encode(w)} for w in wants]}
    assert seen.made_since(ledger, MACHINE) == ("br0", "ens4.7")
    assert seen.made_since(ledger, replace(MACHINE, ports=(Port("br0", "", True),))) == ("ens4.7",)
    assert seen.made_since({}, MACHINE) == ()


def test_of_two_default_routes_the_one_that_is_used_counts():
    routes = [
        {"dst": "default", "gateway": "192.0.2.1", "dev": "wlan0", "metric": 600},
        {"dst": "default", "gateway": "198.51.100.1", "dev": "ens3", "metric": 100},
        {"dst": "10.0.0.0/8", "gateway": "192.168.1.9", "dev": "ens4"},
        {"dst": "192.168.1.0/24", "dev": "ens4"},
    ]
    assert seen.default_route(routes) == Via("198.51.100.1", "ens3", metric=100)
    assert seen.default_route([{**routes[1], "flags": ["onlink"]}]) == Via("198.51.100.1", "ens3", True, 100)
    assert seen.other_routes(routes) == (("10.0.0.0/8", "192.168.1.9", "ens4"),)


def test_a_stub_resolver_is_nobody_to_ask():
    text = "# made by somebody\nnameserver 127.0.0.53\nnameserver 198.51.100.53\nsearch corp.example more.example\n"
    assert seen.resolver(text) == (("198.51.100.53",), "corp.example")


def test_wan_is_where_the_default_route_leads():
    assert proposed(MACHINE) == Answers("fw1", "ens3", "ens4", ())


def configured(planned):
    edits = [Edit(e.area, e.verb, e.item, e.values, e.position) for e in planned.edits]
    return edited_all(SCHEMA, SCHEMA.default(), edits)[0]


def test_the_first_configuration_is_the_network_as_it_works_now():
    planned = plan(MACHINE, Answers("fw1", "ens3", "ens4", (("ens5", "SYNC"),)), None)
    config = configured(planned)
    interfaces = config[INTERFACES].items
    assert [(i.id, i.device, i.ipv4, i.enabled) for i in interfaces] == [
        ("wan", "ens3", "198.51.100.201/24", True),
        ("lan", "ens4", "192.168.1.2/24", True),
        ("opt1", "ens5", "", False),
    ]
    assert interfaces[0].gateway == "wangw"
    assert [p for p in SCHEMA.check(config) if p.level == "error"] == []


def test_whoever_comes_by_ssh_over_wan_stays_in():
    planned = plan(MACHINE, Answers("fw1", "ens3", "ens4"), Visitor("203.0.113.7", "198.51.100.201", 2222))
    rule = planned.edits[-1]
    assert (rule.area, rule.values["interface"], rule.values["source"]) == ("rules", "wan", "203.0.113.7")
    assert rule.values["destination_port"] == "2222"
    from_lan = plan(MACHINE, Answers("fw1", "ens3", "ens4"), Visitor("192.168.1.10", "192.168.1.2"))
    assert all("SSH" not in e.values.get("description", "") for e in from_lan.edits)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (Answers("fw1", "eth9", "ens4"), "WAN: there is no port eth9"),
        (Answers("fw1", "ens3", ""), "LAN: choose a port"),
        (Answers("fw1", "ens3", "ens3"), "LAN: ens3 is WAN already"),
        (Answers("fw1", "ens5", "ens4"), "WAN: ens5 has no address"),
    ],
)
def test_what_cannot_be_is_said_with_what_there_is(answers, said):
    planned = plan(MACHINE, answers, None)
    assert any(said in problem for problem in planned.problems)
    assert planned.edits == ()


def test_a_leased_address_stays_and_is_told():
    machine = Seen("fw1", (Port("a", "", True, (), ("192.0.2.9/24",)), Port("b", "", True, ("10.0.0.1/24",))))
    planned = plan(machine, Answers("fw1", "a", "b"), None)
    assert any("192.0.2.9/24 on a was leased" in w for w in planned.warnings)


def test_a_second_route_to_the_same_gateway_makes_no_second_gateway():
    routes = (("10.1.0.0/16", "192.168.1.9", "ens4"), ("10.2.0.0/16", "192.168.1.9", "ens4"))
    planned = plan(Seen("fw1", MACHINE.ports, MACHINE.default, routes=routes), Answers("fw1", "ens3", "ens4"), None)
    gateways = [e.values["name"] for e in planned.edits if e.area == "gateways"]
    routed = [(e.values["network"], e.values["gateway"]) for e in planned.edits if e.area == "static_routes"]
    assert gateways == ["WANGW", "GW2"]
    assert routed == [("10.1.0.0/16", "GW2"), ("10.2.0.0/16", "GW2")]


def test_connections_that_are_under_way_are_known_with_who_began_them():
    listening = """LISTEN 0 128 0.0.0.0:22 0.0.0.0:*
LISTEN 0 128 [::]:22 [::]:*
LISTEN 0 128 *:9090 *:*
"""
    established = """0 0 192.168.1.2:22 192.168.1.50:53892
0 36 192.168.1.2:41000 203.0.113.9:22
0 0 [2001:db8::2]:22 [2001:db8::50]:40000
0 0 [::ffff:192.168.1.2]:9090 [::ffff:192.168.1.51]:40001
0 0 127.0.0.1:22 127.0.0.1:40002
0 0 [fe80::1]%ens4:22 [fe80::2]%ens4:40003
"""
    assert list(connections(established, listening)) == [
        Connection("192.168.1.50", 53892, "192.168.1.2", 22),
        Connection("192.168.1.2", 41000, "203.0.113.9", 22),
        Connection("2001:db8::50", 40000, "2001:db8::2", 22),
        Connection("192.168.1.51", 40001, "192.168.1.2", 9090),
    ]


def test_ifupdown_lets_go_for_good_and_comes_back(tmp_path):
    etc = tmp_path / "etc/network"
    (etc / "interfaces.d").mkdir(parents=True)
    (etc / "interfaces").write_text("auto ens3\niface ens3 inet dhcp\nsource interfaces.d/*\n")
    (etc / "interfaces.d/lan").write_text("iface ens4 inet static\n")
    owner = Ifupdown(tmp_path, tmp_path / "kept")
    assert owner.present(["ens4"])
    assert not owner.present(["ens9"])
    owner.retire()
    owner.retire()
    assert (etc / "interfaces").read_text() == LOOPBACK_ONLY
    assert not owner.present(["ens3", "ens4"])
    owner.take_back()
    owner.take_back()
    assert "inet dhcp" in (etc / "interfaces").read_text()
    assert owner.present(["ens4"])


def test_files_are_given_back_as_they_were(tmp_path):
    names = ["changed", "link", "gone", "made"]
    changed, link, gone, made = paths = [tmp_path / name for name in names]
    changed.write_bytes(b"of Debian, \xff\n")
    changed.chmod(0o640)
    link.symlink_to("../run/stub")
    gone.write_text("goes\n")
    before = decode(dict[str, files.Kept], json.loads(json.dumps(encode(files.keep(map(str, paths))))))
    for path in (changed, link, made):
        path.unlink(missing_ok=True)
        path.write_text("of Gemel\n")
    gone.unlink()
    files.give_back(before)
    assert (changed.read_bytes(), changed.stat().st_mode & 0o777) == (b"of Debian, \xff\n", 0o640)
    assert str(link.readlink()) == "../run/stub"
    assert gone.read_text() == "goes\n"
    assert not made.exists()


def test_every_file_of_debian_that_an_area_writes_is_kept_for_the_way_back():
    folder = Path(every.__file__).parent
    read = {dns_unbound.CERTIFICATES}
    named = {path for f in folder.glob("*.py") for path in re.findall(r'"(/etc/[^"]+)"', f.read_text())}
    assert named - read <= set(files.WRITTEN)


def test_what_boots_asks_without_python_whether_a_setup_is_on_trial(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "PLACE", tmp_path / "setup.json")
    (condition,) = re.findall(r"ExecCondition=/usr/bin/(grep .*) /var/lib", units.units()["gemel-unconfirmed.service"])
    kept = memory.Memory("trial", MACHINE, (), {}, {}, {})
    for one, found in ((kept, 0), (kept.confirmed(), 1)):
        one.keep()
        assert subprocess.run([*shlex.split(condition), tmp_path / "setup.json"], check=False).returncode == found
