"""The lab keeps its word: power, cables, files, processes, and nothing left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemel.control import supervisor as doors
from gemel.control.paths import SUPERVISOR_DOOR
from gemel.lab import namespace
from gemel.lab.lab import WEB_PORT, Lab
from gemel.lab.namespace import LabError
from gemel.lab.state import CONNTRACK_MAX, labs
from gemel.lab.topology import NODES, WAN_SERVER

pytestmark = pytest.mark.lab


@pytest.fixture
def wired(bare_lab: Lab) -> Iterator[Lab]:
    """Both nodes on, with their WAN addresses set by hand."""
    for node, plan in NODES.items():
        if not bare_lab.is_on(node):
            bare_lab.power_on(node)
        bare_lab.plug(node, "wan")
        bare_lab.exec(node, "ip", "link", "set", "wan", "up")
        bare_lab.exec(node, "ip", "address", "replace", plan.wan, "dev", "wan")
        bare_lab.wait(lambda node=node: _reaches_wan(bare_lab, node), f"{node} to reach the WAN")
    yield bare_lab


def _reaches_wan(lab: Lab, node: str) -> bool:
    return " 0% packet loss" in lab.exec(node, "ping", "-c1", "-W0.3", WAN_SERVER, check=False)


def _carrier(lab: Lab, node: str, device: str) -> str:
    return lab.exec(node, "cat", f"/sys/class/net/{device}/carrier").strip()


def test_namespaces_are_named_after_the_lab(bare_lab: Lab) -> None:
    listed = {line.split()[0] for line in namespace.run("ip", "netns", "list").splitlines()}
    assert {f"{bare_lab.name}-{m}" for m in ("fw1", "fw2", "lan", "wan")} <= listed


def test_a_node_has_its_own_files_processes_and_name(bare_lab: Lab) -> None:
    bare_lab.exec("fw1", "sh", "-c", "echo one > /etc/gemel-lab-test; hostname one")
    assert bare_lab.exec("fw2", "ls", "/etc/gemel-lab-test", check=False) == ""
    assert not Path("/etc/gemel-lab-test").exists()
    assert bare_lab.exec("fw2", "hostname").strip() != "one" != socket.gethostname()
    assert bare_lab.exec("fw1", "cat", "/proc/1/cmdline").endswith("gemel.daemons.supervisor\0")


def test_the_code_can_be_read_without_rights_but_not_changed(bare_lab: Lab) -> None:
    bare_lab.exec("fw1", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "python", "-c", "import gemel")
    assert bare_lab.exec("fw1", "sh", "-c", "touch /usr/local/lib/gemel/src/x || echo refused").strip() == "refused"
    assert bare_lab.exec("fw1", "sh", "-c", "command -v gemel").strip() == "/usr/local/bin/gemel"


def test_power_off_cuts_wires_and_kills_and_power_on_finds_only_the_disk(wired: Lab) -> None:
    wired.exec("fw1", "sh", "-c", "echo kept > /var/lib/kept; echo gone > /run/gone; nft add table inet gone")
    sleeper = wired.start("fw1", "sleep", "60")
    wired.power_off("fw1")
    assert sleeper.wait(5) == -signal.SIGKILL
    assert namespace.pids(f"{wired.name}-fw1") == []
    assert not wired.is_on("fw1")
    answer = wired.exec("wan", "ping", "-c1", "-W0.3", "198.51.100.201", check=False)
    assert "100% packet loss" in answer, "a dead node's kernel must not answer either"
    with pytest.raises(LabError, match="fw1 is off"):
        wired.exec("fw1", "true")
    wired.power_on("fw1")
    assert wired.exec("fw1", "cat", "/var/lib/kept").strip() == "kept"
    assert wired.exec("fw1", "ls", "/run/gone", check=False) == ""
    assert "gone" not in wired.exec("fw1", "nft", "list", "tables")
    assert "198.51.100.201" not in wired.exec("fw1", "ip", "address")


def test_a_card_keeps_its_hardware_address(bare_lab: Lab) -> None:
    before = bare_lab.exec("fw1", "cat", "/sys/class/net/lan/address")
    bare_lab.reboot("fw1")
    assert bare_lab.exec("fw1", "cat", "/sys/class/net/lan/address") == before
    assert bare_lab.exec("fw2", "cat", "/sys/class/net/lan/address") != before


def test_unplugged_has_no_carrier_and_silent_has(wired: Lab) -> None:
    wired.unplug("fw1", "wan")
    assert _carrier(wired, "fw1", "wan") == "0"
    wired.unplug("fw1", "wan", silent=True)
    wired.wait(lambda: _carrier(wired, "fw1", "wan") == "1", "carrier")
    assert not _reaches_wan(wired, "fw1")
    wired.plug("fw1", "wan")
    wired.wait(lambda: _reaches_wan(wired, "fw1"), "frames to pass again")


def test_a_cable_stays_unplugged_over_a_power_cycle(wired: Lab) -> None:
    wired.unplug("fw2", "wan")
    wired.power_off("fw2")
    wired.power_on("fw2")
    wired.exec("fw2", "ip", "link", "set", "wan", "up")
    assert _carrier(wired, "fw2", "wan") == "0"
    assert wired.status()["nodes"]["fw2"]["cables"]["wan"] == "unplugged"


def test_a_killed_service_comes_back_and_a_held_one_does_not(bare_lab: Lab) -> None:
    def report() -> doors.ServiceReport:
        answer: doors.ServiceReport = bare_lab.ask("fw1", SUPERVISOR_DOOR, doors.ServiceStatus("sleeper"))
        return answer

    bare_lab.ask("fw1", SUPERVISOR_DOOR, doors.StartService("sleeper", ("sleep", "60"), "nobody"))
    bare_lab.wait(lambda: report().state == "running", "the sleeper")
    first = report().pid
    status = bare_lab.exec("fw1", "cat", f"/proc/{first}/status")
    assert "NoNewPrivs:\t1" in status and "CapBnd:\t0000000000000000" in status and "Uid:\t65534" in status
    bare_lab.kill("fw1", "sleeper")
    bare_lab.wait(lambda: report().state == "running" and report().pid != first, "the sleeper to come back")
    bare_lab.kill("fw1", "sleeper", hold=True)
    bare_lab.wait(lambda: report().state == "held", "the sleeper to go")
    assert report().last_exit == "ended by SIGKILL"
    bare_lab.release("fw1", "sleeper")
    bare_lab.wait(lambda: report().state == "running", "the sleeper to come back")
    bare_lab.ask("fw1", SUPERVISOR_DOOR, doors.StopService("sleeper"))
    names = lambda: [p.name for p in bare_lab.ask("fw1", SUPERVISOR_DOOR, doors.SupervisorStatus()).processes]  # noqa: E731
    bare_lab.wait(lambda: "sleeper" not in names(), "it to be forgotten")
    with pytest.raises(LabError, match="sleeper"):
        bare_lab.kill("fw1", "sleeper")


def test_orphans_are_collected(bare_lab: Lab) -> None:
    bare_lab.exec("fw2", "sh", "-c", "(sleep 0.05 &)")
    bare_lab.wait(lambda: "sleep" not in bare_lab.exec("fw2", "ps", "-eo", "comm,stat"), "the orphan's end")


def test_an_added_segment_joins_both_nodes_and_its_host_for_good(bare_lab: Lab) -> None:
    host = bare_lab.add_segment("dmz")
    bare_lab.power_off("fw1")
    bare_lab.power_on("fw1")
    network = host.address.rpartition(".")[0]
    for number, node in enumerate(NODES, start=2):
        bare_lab.exec(node, "ip", "link", "set", "dmz", "up")
        bare_lab.exec(node, "ip", "address", "add", f"{network}.{number}/24", "dev", "dmz")
    bare_lab.wait(
        lambda: all(
            " 0% packet loss" in bare_lab.exec("dmz", "ping", "-c1", "-W0.3", f"{network}.{n}", check=False)
            for n in (2, 3)
        ),
        "the host to reach both nodes",
    )
    with pytest.raises(LabError, match="already"):
        bare_lab.add_segment("dmz")


def test_a_nodes_web_port_is_reached_from_this_machine(bare_lab: Lab) -> None:
    # Nobody but the kernel answers: webd's sockets are open as long as the supervisor lives.
    code = "import socket; c, _ = socket.create_server(('127.0.0.1', 443)).accept(); c.send(b'fw2')"
    bare_lab.ask("fw2", SUPERVISOR_DOOR, doors.Hold("webd"))
    listening = bare_lab.exec("fw2", "ss", "-Hltn", "sport", "=", "443")
    server = None if listening else bare_lab.start("fw2", "timeout", "10", "python", "-c", code)
    host, port = bare_lab.web("fw2").removeprefix("https://").split(":")
    assert int(port) == WEB_PORT

    def greeted() -> bool:
        with socket.create_connection((host, int(port)), 2) as s:
            s.settimeout(0.5)
            try:
                return bool(listening) or s.recv(10) == b"fw2"
            except OSError:
                return False

    bare_lab.wait(greeted, "an answer from inside fw2")
    if server:
        server.wait(10)


def test_a_second_lab_of_the_name_is_refused(bare_lab: Lab) -> None:
    with pytest.raises(LabError, match="up already"):
        Lab(bare_lab.name).up(first_boot=False)


def test_two_labs_side_by_side_and_nothing_left_of_one(bare_lab: Lab) -> None:
    with_room = int(CONNTRACK_MAX.read_text())
    second = Lab(f"u{os.getpid()}")
    second.up(first_boot=False, owner=os.getpid())
    assert second.web("fw1") != bare_lab.web("fw1")
    attendant = second.folder.load().attendant
    second.down()
    assert second.name not in labs() and not second.folder.path.exists()
    assert second.name not in namespace.run("ip", "netns", "list")
    assert not namespace.alive(attendant)
    assert int(CONNTRACK_MAX.read_text()) == with_room, "the other lab still needs it"
    assert bare_lab.is_on("fw2")


def test_remains_of_a_crashed_lab_are_cleared_away() -> None:
    lab = Lab(f"v{os.getpid()}")
    lab.up(first_boot=False, owner=os.getpid())
    try:
        namespace.delete(f"{lab.name}-sw")
        lab.up(first_boot=False, owner=os.getpid())
        assert lab.is_on("fw1")
    finally:
        lab.down()


def test_a_lab_goes_when_its_owner_is_killed() -> None:
    name = f"w{os.getpid()}"
    code = f"import os, time; from gemel.lab.lab import Lab; Lab('{name}').up(False, os.getpid()); time.sleep(60)"
    owner = subprocess.Popen((sys.executable, "-c", code))
    lab = Lab(name)
    try:
        lab.wait(lambda: (state := lab.folder.load()) and state.ready, "the lab", patience=20)
        owner.kill()
        owner.wait()
        lab.wait(lambda: not namespace.exists(f"{name}-sw") and not lab.folder.path.exists(), "it to go down")
    finally:
        owner.kill()
        lab.down()


def test_the_command_line_shows_what_the_api_knows(bare_lab: Lab) -> None:
    command = (sys.executable, "-m", "gemel.lab.cli")
    shown = namespace.run(*command, "status", "--name", bare_lab.name, "--json")
    assert json.loads(shown)["nodes"]["fw2"]["power"] == "on"
    done = subprocess.run((*command, "exec", "--name", bare_lab.name, "lan", "--", "sh", "-c", "exit 7"), check=False)
    assert done.returncode == 7
    refused = subprocess.run((*command, "power-off", "--name", bare_lab.name, "fw3"), capture_output=True, text=True,
                             check=False)
    assert refused.returncode == 1 and "fw3" in refused.stderr and "Traceback" not in refused.stderr


def test_names_that_would_not_fit_are_refused() -> None:
    for name in ("", "Lab", "a-b", "x" * 13):
        with pytest.raises(LabError):
            Lab(name)


def test_waiting_in_vain_says_for_what(bare_lab: Lab) -> None:
    before = time.monotonic()
    with pytest.raises(LabError, match="Godot"):
        bare_lab.wait(lambda: False, "Godot", patience=0.1)
    assert time.monotonic() - before < 2
