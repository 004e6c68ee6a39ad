#!/usr/bin/env python3
"""Server time of the pages with 10,000 rules and an alias of 100,000 entries, and what changing one of them takes.

    sudo .venv/bin/python scripts/bench.d/web.py [RULES]        default 10000
    … web.py --json
    … web.py --lab NAME      in a lab that runs already (its first node gets the rules, and keeps them)

A lab of its own goes through the recipe; everything is asked over HTTPS as a browser does, with one connection that is
kept. Server time is from the request's last byte to the answer's last: for pages p50 and p95 of all rounds, in
milliseconds. Memory is the proportional share (PSS) of webd and of the agent, afterwards, in MiB.
"""

import argparse
import contextlib
import http.client
import json
import os
import re
import ssl
import statistics
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

from gemel.lab import recipe
from gemel.lab.lab import Lab

ROUNDS = 40  # p95 is the third highest: one pause of the machine is not the page's
ENTRIES = 100_000
TARGET = 150  # ms, p95 of every list
WAN, LAN = "/firewall/rules?if=wan", "/firewall/rules?if=lan"

LISTS = {
    "rules": WAN,
    "rules, page 20": f"{WAN}&page=20",
    "rules, last page": f"{LAN}&page=34",
    "rules, searched by address": f"{WAN}&q=192.7",
    "rules, searched by two words": f"{WAN}&q=rule+77",
    "rules, nothing found": f"{WAN}&q=nowhere",
    "rules, sorted by source": f"{WAN}&sort=source",
    "rules, sorted backwards": f"{WAN}&sort=-description",
    "rules, sorted and searched": f"{WAN}&q=tcp&sort=destination",
    "aliases": "/firewall/aliases",
    "aliases, searched in 100,000 entries": "/firewall/aliases?q=10.0.77",
    "port forwards": "/firewall/nat/port-forward",
    "outbound NAT": "/firewall/nat/outbound",
    "virtual IPs": "/firewall/virtual-ips",
    "interfaces": "/interfaces",
    "gateways": "/system/routing/gateways",
    "users": "/system/users",
}
OTHERS = {
    "a rule's form": "/firewall/rules/r5001",
    "a new rule's form": "/firewall/rules/new?if=wan",
    "an alias's form": "/firewall/aliases/a7",
    "the form of 100,000 entries": "/firewall/aliases/big",
    "an interface's form": "/interfaces/lan",
    "a new mapping's form": "/firewall/nat/outbound/new",
    "a new virtual IP's form": "/firewall/virtual-ips/new",
    "High Avail. Sync": "/system/high-availability",
    "Configuration History": "/system/history",
    "Status > CARP": "/status/carp",
    "the preview of the changes": "/changes",
}


class Visitor:
    """A browser without a screen, on one kept connection."""

    def __init__(self, base: str, password: str) -> None:
        parts = urlsplit(base)
        context = ssl._create_unverified_context()
        self._connection = http.client.HTTPSConnection(str(parts.hostname), parts.port, context=context, timeout=120)
        self._cookie, self._csrf, self.token = "", "", ""
        self.get("/login")
        self.post("/login", username="admin", password=password)
        self.get("/account/password")
        body = json.dumps({"username": "admin", "password": password})
        self.token = json.loads(self._ask("POST", "/api/v1/login", body, "application/json")[1])["token"]

    def get(self, address: str) -> tuple[float, str]:
        """The page, and the milliseconds that it took."""
        return self._ask("GET", address)

    def post(self, address: str, **fields: str) -> tuple[float, str]:
        """A form; redirects are not followed."""
        body = urlencode({**fields, "csrf": self._csrf})
        return self._ask("POST", address, body, "application/x-www-form-urlencoded")

    def rest(self, method: str, address: str, value: Any) -> tuple[float, Any]:
        """A call of REST."""
        took, text = self._ask(method, f"/api/v1{address}", json.dumps(value), "application/json")
        return took, json.loads(text or "null")

    def _ask(self, method: str, address: str, body: str = "", kind: str = "") -> tuple[float, str]:
        headers = {"Cookie": self._cookie, **({"Content-Type": kind} if kind else {})}
        if self.token and address.startswith("/api/"):
            headers["Authorization"] = f"Bearer {self.token}"
        began = time.perf_counter()
        self._connection.request(method, address, body or None, headers)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        took = (time.perf_counter() - began) * 1000
        if answer.status >= 400:
            raise SystemExit(f"{method} {address}: {answer.status} {text[:300]}")
        for cookie in answer.headers.get_all("Set-Cookie") or ():
            self._cookie = cookie.partition(";")[0]
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', text)
        self._csrf = found[1] if found else self._csrf
        return took, text


def filled(config: dict[str, Any], rules: int) -> dict[str, Any]:
    """The recipe's configuration with many rules on WAN, LAN and SYNC, 200 aliases, and one of 100,000 networks."""
    aliases = [
        {"id": f"a{i}", "name": f"hosts_{i}", "entries": [f"172.20.{i}.{j}" for j in range(20)]} for i in range(200)
    ]
    entries = [f"10.{i >> 14 & 255}.{i >> 6 & 255}.{(i & 63) << 2}/30" for i in range(ENTRIES)]
    aliases.append({"id": "big", "name": "big", "type": "network", "entries": entries})
    lines = [
        {
            "id": f"r{i}", "interface": ("wan", "lan", "opt1")[i % 3], "protocol": "tcp",
            "source": f"alias:a{i % 200}" if i % 10 == 0 else f"192.{i >> 8 & 255}.{i & 255}.0/24",
            "destination": ("any", "net:lan", f"203.0.113.{i % 256}")[i % 3],
            "destination_port": str(1 + i * 7919 % 65535), "description": f"rule {i}",
        }
        for i in range(rules)
    ]  # fmt: skip
    areas = config["areas"]
    own = [r for r in areas["rules"]["items"] if not r["id"].startswith("r")]
    full = {"aliases": {"items": aliases}, "rules": {**areas["rules"], "items": [*own, *lines]}}
    return {**config, "areas": {**areas, **full}}


def pages(visitor: Visitor, wanted: dict[str, str]) -> dict[str, tuple[float, float, int]]:
    """Page -> p50 and p95 in milliseconds, and its size in KiB. Rounds go over all pages in turn."""
    times: dict[str, list[float]] = {name: [] for name in wanted}
    sizes = {}
    for _ in range(ROUNDS):
        for name, address in wanted.items():
            took, text = visitor.get(address)
            times[name].append(took)
            sizes[name] = len(text) >> 10
    return {
        name: (round(statistics.median(t), 1), round(sorted(t)[-1 - len(t) // 20], 1), sizes[name])
        for name, t in times.items()
    }


def changes(visitor: Visitor) -> dict[str, float]:
    """What a person does to one rule among all, and to a page of them; the best of three, in milliseconds."""
    best: dict[str, float] = {}

    def note(name: str, took: float) -> None:
        best[name] = round(min(best.get(name, 1e9), took), 1)

    for number in range(3):
        _, form = visitor.get("/firewall/rules/r5001")
        etag = re.search(r'name="etag" value="([^"]*)"', form)
        said = {
            "interface": "wan", "action": "pass", "family": "inet", "protocol": "tcp", "source": "any",
            "destination": "any", "destination_port": "other", "destination_port-text": str(8000 + number),
            "description": f"change {number} {os.getpid()}", "etag": etag[1] if etag else "",
        }  # fmt: skip
        note("Save of one rule", visitor.post("/firewall/rules/r5001", **said)[0])
        note("the list with a change pending", visitor.get(WAN)[0])
        note("the preview of one change", visitor.get("/changes")[0])
        note("Apply Changes of one rule", visitor.post("/changes?back=/", do="apply")[0])
        note("a rule dragged from end to end", visitor.post(WAN, do="move:r9999", position="top")[0])
        note("discarded", visitor.post("/changes?back=/", do="discard")[0])
    return best


def memory(lab: Lab) -> dict[str, float]:
    """PSS in MiB by process of the first node."""
    found = lab.exec("fw1", "python3", "-c", """
import json, pathlib
found = {}
for p in pathlib.Path("/proc").glob("[0-9]*"):
    words = (p / "cmdline").read_bytes().split(b"\\0")
    if words[1:2] == [b"-m"] and words[2].startswith(b"gemel.daemons."):
        pss = next(l for l in (p / "smaps_rollup").read_text().splitlines() if l.startswith("Pss:"))
        found[words[2].decode().rpartition(".")[2]] = round(int(pss.split()[1]) / 1024, 1)
print(json.dumps(found))
""")
    return dict(json.loads(found))


@contextlib.contextmanager
def a_lab(name: str) -> Iterator[Lab]:
    """The lab of that name if it runs, or one of our own."""
    if name:
        yield Lab(name)
        return
    lab = Lab(f"gbw{os.getpid()}")
    lab.up(first_boot=True, owner=os.getpid())
    try:
        recipe.carry_out(lab)
        yield lab
    finally:
        lab.down()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rules", type=int, nargs="?", default=10_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--lab", default="")
    chosen = parser.parse_args()
    with a_lab(chosen.lab) as lab:
        visitor = Visitor(lab.web("fw1"), lab.password)
        config = json.loads(visitor._ask("GET", "/api/v1/config")[1])
        loaded, _ = visitor.rest("PUT", "/config", filled(config, chosen.rules))
        visitor.get(WAN)  # the first one works out what the others find ready
        report = {
            "a whole configuration by REST, s": round(loaded / 1000, 2),
            "lists": pages(visitor, LISTS),
            "others": pages(visitor, OTHERS),
            "changes": changes(visitor),
            "memory": memory(lab),
        }
    if chosen.json:
        print(json.dumps(report, indent=2))
        return
    print(f"a whole configuration with {chosen.rules} rules by REST: {report['a whole configuration by REST, s']} s")
    for kind in ("lists", "others"):
        print(f"\n{kind:40} p50 ms  p95 ms     KiB")
        for name, (middle, high, size) in report[kind].items():  # type: ignore[attr-defined]
            print(f"{name:40} {middle:6} {high:7} {size:7}{'   !' if high > TARGET else ''}")
    print(f"\n{'changes':40} best ms")
    for name, took in report["changes"].items():  # type: ignore[attr-defined]
        print(f"{name:40} {took:7}")
    print("\nmemory, MiB PSS: " + ", ".join(f"{k} {v}" for k, v in report["memory"].items()))  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
