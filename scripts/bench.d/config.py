#!/usr/bin/env python3
"""What N filter rules cost the configuration kit: read, check, compile, change one of them, compare.

    config.py [N ...]        default 1000 10000; prints a line for each N, the best of three, in milliseconds
    config.py --json         the same as one object, N -> step -> milliseconds

`compile` is from models to wants (every name resolved); from there to nftables text is measured by rules.py.
"""

import json
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from gemel.areas.every import SCHEMA
from gemel.core.area import NodeState
from gemel.core.config import canonical
from gemel.core.edit import Edit, edited
from gemel.core.exchange import outgoing, section_hashes
from gemel.core.revision import diff

RUNS = 3


def node(rules: int, seed: int = 1) -> dict[str, Any]:
    """A node with that many rules on three interfaces, and 200 aliases that every tenth of them uses."""
    chance = random.Random(seed)
    interfaces = [
        {"id": key, "device": key, "enabled": True, "ipv4": f"10.{number}.0.1/16", "description": key.upper()}
        for number, key in enumerate(("wan", "lan", "opt1"))
    ]
    aliases = [
        {"id": f"a{i}", "name": f"hosts_{i}", "entries": [f"172.20.{i}.{j}" for j in range(20)]} for i in range(200)
    ]
    lines = [
        {
            "id": f"r{i}",
            "interface": ("wan", "lan", "opt1")[i % 3],
            "protocol": "tcp",
            "source": f"alias:a{i % 200}" if i % 10 == 0 else f"192.{i >> 8 & 255}.{i & 255}.0/24",
            "destination": ("any", "net:lan", f"203.0.113.{i % 256}")[i % 3],
            "destination_port": str(chance.randint(1, 65535)),
            "description": f"rule {i}",
        }
        for i in range(rules)
    ]
    parts = {"interfaces": interfaces, "aliases": aliases, "rules": lines}
    return {"version": 1, "areas": {name: {"items": items} for name, items in parts.items()}}


def milliseconds(act: Callable[[], Any]) -> float:
    """The best of a few runs."""
    best = float("inf")
    for _ in range(RUNS):
        began = time.perf_counter()
        act()
        best = min(best, time.perf_counter() - began)
    return round(best * 1000, 1)


def figures(rules: int) -> dict[str, float]:
    """Step -> milliseconds."""
    text = canonical(SCHEMA.dump(SCHEMA.load(node(rules))))
    config = SCHEMA.load(json.loads(text))
    one = Edit("rules", "set", f"r{rules // 2}", {"log": True})
    changed = edited(SCHEMA, config, one).config
    steps: dict[str, Callable[[], Any]] = {
        "load": lambda: SCHEMA.load(json.loads(text)),
        "check": lambda: SCHEMA.check(config),
        "compile": lambda: SCHEMA.compile(config, NodeState()),
        "change one": lambda: edited(SCHEMA, config, one),
        "compare": lambda: diff(SCHEMA, config, changed),
        "keep": lambda: canonical(SCHEMA.dump(config)),
        "to the peer": lambda: section_hashes(outgoing(SCHEMA, config, ["rules", "aliases"])),
    }
    found = {name: milliseconds(act) for name, act in steps.items()}
    return {**found, "load + check + compile": round(found["load"] + found["check"] + found["compile"], 1)}


def main() -> None:
    counts = [int(word) for word in sys.argv[1:] if word.isdigit()] or [1000, 10_000]
    measured = {count: figures(count) for count in counts}
    if "--json" in sys.argv:
        print(json.dumps(measured, indent=2))
        return
    for count, steps in measured.items():
        print(f"{count:6} rules: " + ", ".join(f"{name} {value:.1f} ms" for name, value in steps.items()))


if __name__ == "__main__":
    main()
