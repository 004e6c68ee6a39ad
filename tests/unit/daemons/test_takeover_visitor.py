"""Whoever runs `gemel setup` over SSH still gets in."""

from dataclasses import replace

import pytest

from gemel.areas.every import SCHEMA
from gemel.daemons.takeover.devices import Device
from gemel.daemons.takeover.plan import plan
from gemel.daemons.takeover.seen import Port
from gemel.daemons.takeover.visitor import Visitor, of, of_this_process
from tests.unit.daemons.test_takeover_plan import ANSWERS, MACHINE, configured

SSH = b"SSH_CONNECTION=203.0.113.7 51000 198.51.100.201 2222"


def way_in(planned):
    rules = [e.values for e in planned.edits if "SSH" in e.values.get("description", "")]
    return [(r["interface"], r["source"], r["destination"], r["destination_port"]) for r in rules]


@pytest.mark.parametrize(
    ("visitor", "rules"),
    [
        (Visitor("203.0.113.7", "198.51.100.201", 2222), [("wan", "203.0.113.7", "198.51.100.201", "2222")]),
        (Visitor("192.168.1.10", "192.168.1.2"), []),
        (Visitor("10.20.0.5", "192.168.1.2"), [("lan", "10.20.0.5", "192.168.1.2", "22")]),
        (Visitor("192.168.1.10", "192.168.7.2"), []),
        (Visitor("192.168.7.10", "192.168.7.2"), [("lan", "192.168.7.10", "192.168.7.2", "22")]),
        (Visitor("fe80::9%ens4", "fe80::1%ens4"), [("lan", "fe80::9", "fe80::1", "22")]),
        (Visitor("127.0.0.1", "127.0.0.1"), []),
    ],
)
def test_who_is_not_let_in_by_the_first_rules_gets_one(visitor, rules):
    lan = replace(MACHINE.ports[1], addresses=("192.168.1.2/24", "192.168.7.2/24"))
    planned = plan(replace(MACHINE, ports=(MACHINE.ports[0], lan)), ANSWERS, visitor)
    assert planned.problems == ()
    assert way_in(planned) == rules
    assert [p for p in SCHEMA.check(configured(planned)) if p.level == "error"] == []
    assert any("gone after the next boot" in w for w in planned.warnings) == (visitor.server == "192.168.7.2")


def test_a_door_that_would_be_closed_is_said_before():
    ports = (*MACHINE.ports[:2], Port("ens5", "", True, ("172.16.1.2/24",)))
    machine = replace(MACHINE, ports=ports, devices=(Device("wg0", "wireguard", addresses=("10.8.0.1",)),))
    by_port = plan(machine, ANSWERS, Visitor("172.16.1.9", "172.16.1.2"))
    assert any("say --other ens5=NAME" in p for p in by_port.problems)
    assert way_in(plan(machine, replace(ANSWERS, others=(("ens5", "SYNC"),)), Visitor("172.16.1.9", "172.16.1.2")))
    by_tunnel = plan(machine, ANSWERS, Visitor("10.8.0.9", "10.8.0.1"))
    assert any("you come by wg0" in p for p in by_tunnel.problems)
    unknown = plan(machine, ANSWERS, Visitor("10.8.0.9", "10.77.0.1"))
    assert unknown.problems == ()
    assert any("you come to 10.77.0.1" in w for w in unknown.warnings)


def test_a_visitor_is_who_the_nearest_process_says():
    assert of([b"HOME=/root\0SHELL=/bin/sh", b"A=1\0" + SSH]) == Visitor("203.0.113.7", "198.51.100.201", 2222)
    assert of([b"SSH_CONNECTION=UNKNOWN 65535 UNKNOWN 65535", b"SSH_CONNECTION=", b"\xff=\xfe"]) is None


def test_sudo_keeps_it_so_the_shell_before_is_asked(tmp_path, monkeypatch):
    for pid, parent, name, environment in ((30, 20, "gemel", b"A=1"), (20, 10, "a) b", b""), (10, 1, "bash", SSH)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "environ").write_bytes(environment)
        (tmp_path / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} 1 1")
    monkeypatch.setattr("os.getpid", lambda: 30)
    assert of_this_process(tmp_path) == Visitor("203.0.113.7", "198.51.100.201", 2222)
    (tmp_path / "10/environ").write_bytes(b"B=1")
    assert of_this_process(tmp_path) is None
