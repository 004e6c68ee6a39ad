"""The demo tells the truth, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from gemel.lab import namespace, recipe
from gemel.lab.demo import TITLES
from gemel.lab.lab import Lab
from gemel.lab.state import labs
from gemel.lab.topology import WAN_VIP

pytestmark = pytest.mark.lab

DEMO = (sys.executable, "-m", "gemel.lab.cli", "demo")


def test_a_connection_lives_through_power_cut_and_maintenance() -> None:
    name = f"d{os.getpid()}"
    done = subprocess.run((*DEMO, "--name", name, "--json"), capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told["steps"]) == len(recipe.STEPS) + 2 and all(step["ok"] for step in told["steps"])
    sources = {told[event][when] for event in TITLES for when in ("source_before", "source_after")}
    assert len(sources) == 1 and sources.pop().startswith(f"{WAN_VIP}:")
    assert all(told[event]["tcp_alive"] for event in TITLES)
    assert all(told[event]["udp_source_before"] == told[event]["udp_source_after"] for event in TITLES)
    assert 0 < told["power_off"]["outage_ms"] <= 3500
    for event in ("power_on", "maintenance_on", "maintenance_off"):
        assert told[event]["packets_lost"] <= 5, (event, told[event])
    assert name not in labs()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_demo_leaves_nothing_behind(number: signal.Signals) -> None:
    name = f"e{os.getpid()}"
    lab = Lab(name)
    demo = subprocess.Popen((*DEMO, "--name", name), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert demo.stderr
        said = ""
        while recipe.STEPS[0].name + ":" not in said and (line := demo.stderr.readline()):
            said += line
        assert demo.poll() is None, said
        demo.send_signal(number)
        demo.communicate(timeout=30)
        assert demo.returncode == (-number if number == signal.SIGKILL else 128 + number)
        if number == signal.SIGKILL:
            lab.wait(lambda: not lab.folder.path.exists(), "its attendant to take it down")
        assert not lab.folder.path.exists() and name not in namespace.run("ip", "netns", "list")
        time_out = time.monotonic() + 5
        while (left := _mentioning(name)) and time.monotonic() < time_out:
            time.sleep(0.05)
        assert left == []
    finally:
        demo.kill()
        lab.down()


def _mentioning(name: str) -> list[str]:
    """The command lines of processes, other than ours, in which the lab is named."""
    every = namespace.run("ps", "-eo", "args").splitlines()
    return [line for line in every if f"/{name}/" in line or f" {name}-" in line or f"attendant {name} " in line]
