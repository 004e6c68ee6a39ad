"""Nothing moves that should not, for as long as one likes; and what is planned costs no packet, as often as one likes.

SOAK_SECONDS says how long the quiet watch is (two minutes here, an hour in scripts/soak), SOAK how often each planned
move is made (once or three times here).
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gemel.control.carpd import CarpReport, CarpStatus
from gemel.control.paths import CARPD_DOOR
from gemel.lab import namespace, recipe
from gemel.lab.lab import Lab
from gemel.lab.topology import NODES, SWITCH, WAN_SERVER
from gemel.lab.traffic import Traffic
from tests.lab.stories import running, status, tell, typed, wait_for_push, wait_for_roles

pytestmark = pytest.mark.lab
SECONDS = float(os.environ.get("SOAK_SECONDS", "120"))
TIMES = int(os.environ.get("SOAK", "3"))
STATES, VHIDS = 100_000, 255
NARROW = ("root", "tbf", "rate", "64kbit", "burst", "3000", "limit", "20000")


def carp(lab: Lab, node: str) -> CarpReport:
    report: CarpReport = lab.ask(node, CARPD_DOOR, CarpStatus())
    return report


@contextmanager
def busy_processors() -> Iterator[None]:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@contextmanager
def narrow_sync(lab: Lab) -> Iterator[None]:
    switch = ("ip", "netns", "exec", f"{lab.name}-{SWITCH}", "tc", "qdisc")
    try:
        for node in NODES:
            namespace.run(*switch, "add", "dev", f"{node}-sync", *NARROW)
        yield
    finally:
        for node in NODES:
            namespace.run(*switch, "del", "dev", f"{node}-sync", "root", check=False)


def with_255_vhids(lab: Lab) -> None:
    """Fill up both segments with virtual IPs, as one import on the primary."""
    whole = json.loads(lab.cli("fw1", "export", "--json"))
    vips = whole["areas"]["virtual_ips"]["items"]
    pattern = next(v for v in vips if v["type"] == "carp" and v["vhid"] == 1)
    for number in range(VHIDS - len(vips)):
        interface, vhid = ("lan", 2 + number) if number < 180 else ("wan", number - 180 + 2)
        network, host = ("192.168.1", 60 + number) if interface == "lan" else ("198.51.100", 20 + number - 180)
        changes = {"id": f"soak{number}", "interface": interface, "address": f"{network}.{host}/24", "vhid": vhid}
        vips.append({**pattern, **changes, "description": f"soak {number}"})
    lab.exec("fw1", "gemel", "import", "-", text=json.dumps(whole), timeout=120)
    wait_for_push(lab, patience=60)


@pytest.mark.soak
def test_planned_moves_cost_no_packet(cluster: Lab) -> None:
    wait_for_roles(cluster, "fw1")
    with Traffic(cluster, 200 + 90 * TIMES) as traffic:
        traffic.window()
        for number in range(TIMES):
            for what, leave, come in (
                ("maintenance", maintenance("on"), maintenance("off")),
                ("all daemons stopped", stop, start),
                ("reboot", lambda lab: lab.reboot("fw1"), lambda _: None),
            ):
                if what != "all daemons stopped" and number and TIMES <= 3:
                    continue  # a reboot takes half a minute, and maintenance is three times in `test_failover`
                leave(cluster)
                if what != "reboot":
                    cluster.wait(lambda: recipe.is_in_role(cluster, "fw2", "MASTER"), "fw2 to be MASTER", 10)
                come(cluster)
                wait_for_roles(cluster, "fw1")
                time.sleep(1)
                seen = traffic.window()
                tell(f"{what}, there and back {number + 1}", seen)
                assert (seen.flow.lost, seen.flow.doubled) == (0, 0), (what, number, seen)
                assert seen.talk.alive


def maintenance(switch: str) -> Any:
    return lambda lab: typed(lab, "fw1", f"gemel carp maintenance {switch}")


def stop(lab: Lab) -> None:
    """As systemctl does: all are told at once, and the supervisor does not start them again."""
    for process in ("carpd", "webd", "agent", "flowd"):
        lab.kill("fw1", process, signal.SIGTERM, hold=True)
        if process == "carpd":
            time.sleep(1)  # flowd outlives it: it has the states to hand over


def start(lab: Lab) -> None:
    for process in ("flowd", "carpd", "agent", "webd"):
        lab.release("fw1", process)


@pytest.mark.soak
def test_no_false_take_over_with_255_vhids_100000_states_busy_processors_and_a_narrow_sync(cluster: Lab) -> None:
    lab = cluster
    wait_for_roles(lab, "fw1")
    with_255_vhids(lab)
    lab.wait(lambda: {v.state for v in carp(lab, "fw1").vhids} == {"MASTER"}, "fw1 to be master of all", 30)
    lab.wait(lambda: {v.state for v in carp(lab, "fw2").vhids} == {"BACKUP"}, "fw2 to be backup of all", 30)
    assert len(carp(lab, "fw1").vhids) == VHIDS
    with running(lab, "lan", "churn.py", WAN_SERVER, str(STATES), "5000"), busy_processors():
        wanted = min(STATES, int(5000 * SECONDS / 3))
        lab.wait(lambda: status(lab, "fw2")["state_sync"]["states"] >= wanted * 0.9, "the states", 120)
        lab.wait(lambda: phase(lab, "fw2") == "armed", "the detector", 60)
        began, before = time.time(), {node: carp(lab, node).counters for node in NODES}
        time.sleep(SECONDS / 3)
        with narrow_sync(lab):
            time.sleep(SECONDS / 3)
        time.sleep(SECONDS / 3)
        for node in NODES:
            after = carp(lab, node)
            assert [t for t in after.transitions if t.at >= began] == []
            dead = after.counters.get("peer dead", 0) - before[node].get("peer dead", 0)
            assert dead == 0, after.detector
            found = [f.text for f in after.detector.findings if f.at >= began] if after.detector else []
            late = after.counters.get("late loop", 0) - before[node].get("late loop", 0)
            print(f"  {node}: {status(lab, node)['state_sync']['states']} states, late loops {late}, findings {found}")


def phase(lab: Lab, node: str) -> str:
    detector = carp(lab, node).detector
    return detector.phase if detector else ""
