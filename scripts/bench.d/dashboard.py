#!/usr/bin/env python3
"""Server time of the pages that people keep open, with three of them open already, and what keeping them live costs.

    sudo .venv/bin/python scripts/bench.d/dashboard.py [--json] [--lab NAME]

Asked over HTTPS on a kept connection, as a browser does; p50 and p95 in milliseconds of `ROUNDS` loads of each page.
Three event streams are open all the while. CPU is that of the node's webd and agent over ten seconds, in per cent of
one core; memory the proportional share (PSS) of webd, in MiB.
"""

import argparse
import json
import statistics
import threading
import time
from typing import Any

from web import Visitor, a_lab, memory

from gemel.lab.lab import Lab

ROUNDS = 100
STREAMS = 3
WATCHED = 10.0  # seconds
TARGETS = {"Dashboard": 50.0}  # ms, p95
MEMORY_TARGET = 80.0  # MiB
PAGES = {
    "Dashboard": "/",
    "Status > CARP": "/status/carp",
    "Role Changes": "/status/carp/transitions",
    "System Logs": "/status/system-logs",
    "Interfaces": "/status/interfaces",
    "Gateways": "/status/gateways",
    "Traffic Graph": "/status/traffic-graph",
    "its figures, 5 minutes": "/api/v1/facts/graphs?seconds=300",
    "States": "/diagnostics/states",
    "a part of the frame": "/around?at=/",
}

CPU = """
import json, pathlib
found = {}
for p in pathlib.Path("/proc").glob("[0-9]*"):
    words = (p / "cmdline").read_bytes().split(b"\\0")
    if words[1:2] == [b"-m"] and words[2] in (b"gemel.daemons.webd", b"gemel.daemons.agent"):
        fields = (p / "stat").read_text().rpartition(")")[2].split()
        found[words[2].decode().rpartition(".")[2]] = int(fields[11]) + int(fields[12])
print(json.dumps(found))
"""


def keep_open(lab: Lab) -> None:
    """An event stream that somebody reads, as long as we live."""
    visitor = Visitor(lab.web("fw1"), lab.password)

    def read() -> None:
        connection = visitor._connection
        connection.request("GET", "/api/v1/events", headers={"Authorization": f"Bearer {visitor.token}"})
        answer = connection.getresponse()
        while answer.readline():
            pass

    threading.Thread(target=read, daemon=True).start()


def loads(visitor: Visitor) -> dict[str, tuple[float, float]]:
    """Page -> p50 and p95; rounds go over all pages in turn."""
    times: dict[str, list[float]] = {name: [] for name in PAGES}
    for _ in range(ROUNDS):
        for name, address in PAGES.items():
            times[name].append(visitor.get(address)[0])
    return {name: (round(statistics.median(t), 1), round(sorted(t)[-1 - len(t) // 20], 1)) for name, t in times.items()}


def cpu(lab: Lab) -> dict[str, float]:
    """Per cent of one core that webd and the agent use while the pages are only open."""

    def ticks() -> dict[str, int]:
        return dict(json.loads(lab.exec("fw1", "python3", "-c", CPU)))

    before, began = ticks(), time.monotonic()
    time.sleep(WATCHED)
    after, took = ticks(), time.monotonic() - began
    return {name: round((after[name] - before[name]) / took, 1) for name in after}  # 100 ticks are a second


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--lab", default="")
    chosen = parser.parse_args()
    with a_lab(chosen.lab) as lab:
        for _ in range(STREAMS):
            keep_open(lab)
        visitor = Visitor(lab.web("fw1"), lab.password)
        loads_of = loads(visitor)
        report: dict[str, Any] = {"pages": loads_of, "cpu": cpu(lab), "memory": memory(lab)}
    if chosen.json:
        print(json.dumps(report, indent=2))
        return
    print(f"{'with three pages open':40} p50 ms  p95 ms")
    for name, (middle, high) in report["pages"].items():
        print(f"{name:40} {middle:6} {high:7}{'   !' if high > TARGETS.get(name, 1e9) else ''}")
    print("\nCPU of keeping three pages live, % of a core: " + ", ".join(f"{k} {v}" for k, v in report["cpu"].items()))
    webd = report["memory"]["webd"]
    print(f"memory of webd, MiB PSS: {webd}{'   !' if webd > MEMORY_TARGET else ''}")


if __name__ == "__main__":
    main()
