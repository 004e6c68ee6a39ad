"""carpd on real wires: who is master when, how long it takes, and what traffic notices."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from gemel.control.carpd import Demote, Promote, ReloadCarp
from gemel.control.door import Door, Refused
from gemel.control.flowd import QUESTIONS, FlowReport, FlowStatus, FlushFlows, RoleChanged

from .carp_segment import LAN_VIP, WAN_VIP, Segment, outcome, until

pytestmark = pytest.mark.lab
TAKES_OVER = 3.5  # seconds after a silent death, at base 1 and skew 101


@pytest.fixture(scope="module")
def wires():
    if os.geteuid():
        pytest.skip("needs root")
    segment = Segment()
    try:
        segment.up()
        yield segment
    finally:
        segment.down()


@pytest.fixture
def segment(wires):
    yield wires
    wires.end_carpds()
    wires.hubs(False)
    for net in ("wan", "lan"):
        wires.wire("fwa", net, True)


@pytest.fixture
def elected(segment):
    """fwa is master of both VIPs, fwb is backup."""
    segment.carpd("fwa", 1)
    segment.carpd("fwb", 101)
    until(lambda: segment.is_master("fwa") and segment.is_backup("fwb"), 5)
    time.sleep(0.2)
    return segment


def test_the_master_has_the_addresses_and_the_backup_is_deaf(elected):
    assert elected.owns("fwa")
    assert not elected.owns("fwb")
    assert (elected.open_macs("fwa"), elected.open_macs("fwb")) == (2, 0)
    # The client learns the virtual MAC from an answer too, not only from announcements.
    elected.ip("lan", "neigh", "flush", "all")
    elected.inside("lan", "ping", "-qc1", "-W1", LAN_VIP)
    assert "00:00:5e:00:01:01" in elected.ip("lan", "neigh", "show", LAN_VIP)
    elected.hubs(True)
    sent, lost, doubled = outcome(elected.probe(1))
    assert sent > 900
    assert (lost, doubled) == (0, 0)


def test_loading_the_rules_again_does_not_make_a_master_deaf(elected):
    probe = elected.probe(2)
    for _ in range(20):
        elected.load_virtual_macs("fwa")
        time.sleep(0.05)
    assert outcome(probe)[1:] == (0, 0)


def test_a_power_cut(elected):
    for net in ("wan", "lan"):
        elected.wire("fwa", net, False)
    elected.signal("fwa", signal.SIGKILL)
    assert until(lambda: elected.is_master("fwb"), 4) <= TAKES_OVER
    assert outcome(elected.probe(0.5))[1:] == (0, 0)


def test_a_stopped_master_keeps_nothing(elected):
    elected.signal("fwa", signal.SIGSTOP)
    gone = until(lambda: not elected.owns("fwa") and not elected.open_macs("fwa"), 4)
    assert gone <= 2.5
    until(lambda: elected.is_master("fwb"), TAKES_OVER - gone + 0.5)
    elected.hubs(True)
    assert outcome(elected.probe(1))[1:] == (0, 0)
    # Woken up, it is backup before it touches an address.
    elected.signal("fwa", signal.SIGCONT)
    owned = []
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        owned.append(elected.owns("fwa"))
    assert not any(owned)
    assert elected.is_backup("fwa")
    assert "held up" in elected.status("fwa").vhids[0].reason


def test_a_killed_master_whose_stop_step_runs(elected):
    elected.signal("fwa", signal.SIGKILL)
    start = time.monotonic()
    elected.stop_step("fwa")
    until(lambda: elected.is_master("fwb"), 0.5)
    assert time.monotonic() - start < 0.5
    assert not elected.owns("fwa")
    assert elected.open_macs("fwa") == 0
    assert "bowed out" in elected.status("fwb").vhids[0].reason


def test_a_stop_step_of_a_backup_moves_nothing(elected):
    elected.signal("fwb", signal.SIGKILL)
    elected.stop_step("fwb")
    assert elected.is_master("fwa")
    assert elected.status("fwa").counters.get("adverts accepted", 0) == 0


def test_maintenance_on_and_off_loses_no_packet(elected):
    probe = elected.probe(4)
    time.sleep(0.5)
    elected.ask("fwa", Demote("maintenance", 240))
    until(lambda: elected.is_master("fwb") and elected.is_backup("fwa"), 0.5)
    until(lambda: not elected.owns("fwa"), 0.5)
    assert elected.status("fwa").demotion == {"maintenance": 240}
    elected.ask("fwa", Promote("maintenance"))
    until(lambda: elected.is_master("fwa") and elected.is_backup("fwb"), 2)
    sent, lost, doubled = outcome(probe)
    assert sent > 3900
    assert lost == 0
    assert doubled == 0


def test_an_orderly_stop_loses_no_packet(elected):
    probe = elected.probe(2)
    time.sleep(0.5)
    elected.signal("fwa", signal.SIGTERM)
    until(lambda: elected.is_master("fwb"), 0.5)
    assert elected.ended("fwa", within=1.5)
    assert not elected.owns("fwa")
    assert outcome(probe)[1:] == (0, 0)


def test_one_lost_link_moves_the_group_and_back(elected):
    elected.wire("fwa", "wan", False)
    until(lambda: elected.is_master("fwb"), TAKES_OVER)
    assert elected.status("fwa").demotion == {"wan has no link": 240}
    assert {one.state for one in elected.status("fwa").vhids} == {"INIT", "BACKUP"}
    elected.wire("fwa", "wan", True)
    until(lambda: elected.is_master("fwa") and elected.is_backup("fwb"), 3)
    assert elected.status("fwa").demotion == {}


def test_a_device_that_goes_and_comes_again(elected):
    elected.ip("sw", "link", "del", "fwa-wan")
    until(lambda: elected.is_master("fwb"), TAKES_OVER)
    elected.plug_in("fwa", "wan")
    elected.ip("fwa", "addr", "add", "198.51.100.201/24", "dev", "wan")
    elected.load_virtual_macs("fwa")
    until(lambda: elected.is_master("fwa") and elected.is_backup("fwb"), 5)
    assert outcome(elected.probe(0.5))[1:] == (0, 0)


def test_new_settings_move_nothing_that_did_not_change(elected):
    elected.ask("fwa", ReloadCarp())
    assert elected.is_master("fwa")
    elected.configure("fwa", 150)
    elected.ask("fwa", ReloadCarp())
    until(lambda: elected.is_master("fwb") and elected.is_backup("fwa"), 3)
    (elected.dir / "fwa" / "carpd.json").write_text("{")
    with pytest.raises(Refused):
        elected.ask("fwa", ReloadCarp())
    assert elected.is_backup("fwa")


def test_settings_that_cannot_be_worked_with_are_said_and_left(segment):
    segment.carpd("fwa", 1, password="longer than nineteen")
    (said,) = segment.status("fwa").problems
    assert "CARP is off: vhid 200 on wan: the password must have 1 to 19 bytes" in said
    segment.configure("fwa", 1)
    segment.ask("fwa", ReloadCarp())
    until(lambda: segment.is_master("fwa"), 4)
    assert segment.status("fwa").problems == ()


def test_disabled_carp_hands_over_and_comes_back(elected):
    elected.configure("fwa", 1, enabled=False)
    elected.ask("fwa", ReloadCarp())
    until(lambda: elected.is_master("fwb"), 0.5)
    assert elected.states("fwa") == {"DISABLED"}
    until(lambda: not elected.owns("fwa"), 1)
    elected.configure("fwa", 1)
    elected.ask("fwa", ReloadCarp())
    until(lambda: elected.is_master("fwa") and elected.is_backup("fwb"), 3)


def test_another_password_is_reported_on_both(segment):
    segment.carpd("fwa", 1)
    segment.carpd("fwb", 101, password="Secret")
    until(lambda: segment.status("fwa").problems and segment.status("fwb").problems, 8)
    said = segment.status("fwb").problems
    assert "vhid 200 on wan: adverts from 198.51.100.201 do not authenticate: another password" in said
    segment.configure("fwb", 101)
    segment.ask("fwb", ReloadCarp())
    until(lambda: segment.is_master("fwa") and segment.is_backup("fwb"), 3)
    assert segment.status("fwb").problems == ()


def test_another_address_set_is_reported_on_both(segment):
    segment.carpd("fwa", 1, more=["198.51.100.205"])
    segment.carpd("fwb", 101)
    until(lambda: segment.status("fwa").problems and segment.status("fwb").problems, 8)
    assert "other address set (the sender has not 198.51.100.205)" in segment.status("fwa").problems[0]
    assert "other address set (the sender also has 198.51.100.205)" in segment.status("fwb").problems[0]


class FakeFlowd:
    """flowd's door, with nothing behind it."""

    def __init__(self, path: str) -> None:
        self.in_sync = False
        self.asked: list[object] = []
        self.door = Door(path, QUESTIONS, self.answer)

    def answer(self, question, caller):
        self.asked.append(question)
        if isinstance(question, FlowStatus):
            return FlowReport("bulk", "", "", None, "1", None, {}, 0, 0, 0, None, self.in_sync, {}, ())
        return True if isinstance(question, FlushFlows) else None


def test_states_are_awaited_and_flushed_and_flowd_hears_the_role(segment):
    segment.carpd("fwb", 101)
    until(lambda: segment.is_master("fwb"), 5)
    Path(segment.run_dir("fwa")).mkdir(exist_ok=True)
    flowd = FakeFlowd(f"{segment.run_dir('fwa')}/flowd.sock")
    try:
        segment.carpd("fwa", 1, await_states=20.0)
        time.sleep(2.5)
        assert segment.is_backup("fwa")
        assert segment.status("fwa").demotion == {"states not received yet": 240}
        flowd.in_sync = True
        until(lambda: segment.is_master("fwa"), 2)
        until(lambda: RoleChanged(True) in flowd.asked, 0.5)
        segment.ask("fwa", Demote("maintenance", 240))
        until(lambda: segment.is_backup("fwa"), 1)
        until(lambda: flowd.asked[-1] == RoleChanged(False), 1)
        assert FlushFlows(0.2) in flowd.asked
    finally:
        flowd.door.close()


def test_a_flowd_that_hangs_holds_up_a_hand_over_only_briefly(elected):
    class Hanging(FakeFlowd):
        def answer(self, question, caller):
            threading.Event().wait(3)

    flowd = Hanging(f"{elected.run_dir('fwa')}/flowd.sock")
    try:
        elected.ask("fwa", Demote("maintenance", 240))
        assert until(lambda: elected.is_master("fwb"), 2) < 0.5
    finally:
        flowd.door.close()


# ----------------------------------------------------------------------------------------------------- another make


def ucarp(segment: Segment, skew: int):
    for name, verb in (("up", "add"), ("down", "del")):
        script = segment.dir / name
        script.write_text(f'#!/bin/sh\nip addr {verb} "$2"/32 dev "$1"\n')
        script.chmod(0o755)
    command = ["ucarp", "-i", "wan", "-s", "198.51.100.203", "-v", "200", "-p", "secret", "-a", WAN_VIP, "-b", "1"]
    scripts = ["-u", str(segment.dir / "up"), "-d", str(segment.dir / "down")]
    return segment.start("uc", *command, "-k", str(skew), "-P", *scripts)


@pytest.fixture
def other_make(segment):
    started = []

    def start(skew: int):
        started.append(ucarp(segment, skew))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
    segment.ip("uc", "addr", "flush", "dev", "wan")
    segment.ip("uc", "addr", "add", "198.51.100.203/24", "dev", "wan")


def test_ucarp_yields_to_a_better_carpd_and_takes_over_from_a_worse_or_leaving_one(segment, other_make):
    other_make(100)
    until(lambda: segment.owns("uc"), 8)
    segment.carpd("fwa", 10, vhids=1)
    until(lambda: segment.is_master("fwa") and not segment.owns("uc"), 4)
    segment.ask("fwa", Demote("maintenance", 240))
    until(lambda: segment.is_backup("fwa") and segment.owns("uc"), 4)
    segment.ask("fwa", Promote("maintenance"))
    until(lambda: segment.is_master("fwa") and not segment.owns("uc"), 4)
    segment.signal("fwa", signal.SIGTERM)
    until(lambda: segment.owns("uc"), 2)
    assert segment.ended("fwa", within=2)


def test_carpd_yields_to_a_better_ucarp_and_takes_over_when_it_dies(segment, other_make):
    segment.carpd("fwa", 150, vhids=1)
    until(lambda: segment.is_master("fwa"), 5)
    better = other_make(20)
    until(lambda: segment.is_backup("fwa") and segment.owns("uc"), 6)
    assert segment.status("fwa").vhids[0].master == "198.51.100.203"
    better.kill()
    assert until(lambda: segment.is_master("fwa"), 5) <= 3 + 150 / 256 + 0.1
    assert not segment.status("fwa").problems
