"""A story of what systemd says of the units: how much of the machine each of them can reach."""

import re

from gemel.lab.namespace import LabError
from gemel.lab.vm.pair import PATIENCE, Pair

UNITS = ("agent", "carpd", "flowd", "webd")
AT_MOST = {"webd": 2.0}


def units(pair: Pair) -> None:
    """`systemd-analyze security`: webd, which strangers talk to, is at most 2.0."""
    pair.timed("systemd-analyze security", lambda: _exposure(pair))


def _exposure(pair: Pair) -> str:
    found = {}
    for name in UNITS:
        command = ("systemd-analyze", "security", "--no-pager", f"gemel-{name}.service")
        said = pair.lab.exec("fw1", *command, timeout=PATIENCE)
        level = re.search(r"exposure level for \S+: ([0-9.]+)", said)
        if level is None:
            raise LabError(f"systemd-analyze security says nothing of gemel-{name}: {said[-200:]}")
        found[name] = float(level[1])
    too_much = {name: found[name] for name, limit in AT_MOST.items() if found[name] > limit}
    if too_much:
        raise LabError(f"more than is wanted: {too_much}")
    return ", ".join(f"{name} {level}" for name, level in found.items())
