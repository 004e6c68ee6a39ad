#!/usr/bin/env python3
"""What N filter rules cost: compiling, loading, changing one of them, and in the kernel for each new flow.

    sudo .venv/bin/python scripts/bench.d/rules.py [N ...]        default 10 1000 10000

Shapes: `hosts` (each rule asks for single addresses and ports), `mixed` (subnets, port ranges, aliases, rules for any,
three actions); `flat` is the hosts list as one plain nftables chain. The measured flows match only the last rule. Each
figure is the best of several rounds, taken in turns, so that a busy machine disturbs all alike. It works in network
namespaces of its own.
"""

import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import replace

from gemel.rules.addresses import Range, parse_range
from gemel.rules.delta import delta
from gemel.rules.ir import TCP, UDP, Action, Addresses, Alias, Interface, Match, Policy, Ports, Rule, addresses, ports
from gemel.rules.nft import compile
from gemel.rules.ruleset import Ruleset

TAG = f"gbr{os.getpid()}"
ROUNDS = 5
WELL_KNOWN = (22, 25, 53, 80, 110, 123, 143, 443, 445, 587, 993, 3306, 3389, 5432)
PASS_ALL = Rule("any", Match(), Action.PASS)
NEW_RULE = Rule("new", Match(4, frozenset({TCP}), addresses("10.3.4.0/24"), None, None, ports(8443)), Action.BLOCK)
CLIENT = """
import socket, time
best = 9e9
for _ in range(2):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    t = time.perf_counter()
    for port in range(2000, 7000):
        s.sendto(b"x", ("198.51.100.1", port))
    best = min(best, time.perf_counter() - t)
print(best / 5000 * 1e6)
"""


def hosts(count: int) -> Policy:
    """Rules between single hosts."""
    rules = []
    for i in range(count - 1):
        source, destination = f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}", f"203.0.113.{i % 250}"
        port = ports(1000 + i % 60000)
        match = Match(4, frozenset({TCP}), addresses(source), addresses(destination), None, port)
        rules.append(Rule(f"h{i}", match, Action.PASS))
    return policy(rules)


def mixed(count: int, seed: int = 1) -> Policy:
    """What a grown rule set looks like; every tenth alias is one that changes by itself."""
    chance = random.Random(seed)
    aliases = tuple(
        Alias(f"al{i}", tuple(subnet(chance, 16, 30) for _ in range(chance.randint(1, 12))), changing=i % 10 == 0)
        for i in range(max(2, min(100, count // 20)))
    )
    rules = [Rule(f"m{i}", mixed_match(chance, aliases), chance.choice(list(Action))) for i in range(count - 1)]
    return policy(rules, aliases)


def subnet(chance: random.Random, shortest: int, longest: int) -> Range:
    """A network in 10.0.0.0/8."""
    length = chance.randint(shortest, longest)
    size = 1 << 32 - length
    first = (10 << 24) + chance.randrange(1 << 24) // size * size
    return Range(4, first, first + size - 1)


def mixed_match(chance: random.Random, aliases: tuple[Alias, ...]) -> Match:
    """One rule's match: seldom any on both sides, and then at least a port."""
    def side(any_share: float) -> Addresses | None:
        kind = chance.random()
        if kind < any_share:
            return None
        if kind < any_share + 0.1:
            return Addresses(aliases=(chance.choice(aliases).id,))
        return Addresses((subnet(chance, 32, 32) if kind < 0.7 else subnet(chance, 12, 30),))

    source, destination = side(0.3), side(0.25)
    low = chance.choice((*WELL_KNOWN, chance.randint(20000, 65000)))
    span = Ports(((low, low + chance.choice((0, 0, 0, 0, 10, 500))),))
    if (source is None and destination is None) or chance.random() < 0.8:
        protocols = chance.choice((frozenset({TCP}), frozenset({TCP}), frozenset({UDP}), frozenset({TCP, UDP})))
        return Match(4, protocols, source, destination, None, span)
    return Match(4, None, source, destination)


def policy(rules: list[Rule], aliases: tuple[Alias, ...] = ()) -> Policy:
    """The rules on lan, and after them one that passes everything."""
    lan = Interface("lan", "lan", (*rules, PASS_ALL))
    return Policy((lan,), addresses=(parse_range("192.168.1.2"),), aliases=aliases)


def flat(count: int) -> str:
    """The hosts list as people write it by hand."""
    lines = ["table inet gemel", "delete table inet gemel", "table inet gemel {", "chain forward {"]
    lines += ["type filter hook forward priority filter; policy drop;", "ct state established,related accept"]
    for i in range(count - 1):
        source = f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}"
        lines.append(f'iifname "lan" ip saddr {source} ip daddr 203.0.113.{i % 250} tcp dport {1000 + i % 60000} '
                     f'counter accept comment "h{i}"')  # fmt: skip
    return "\n".join([*lines, 'iifname "lan" counter accept', "}", "}"]) + "\n"


class Network:
    """A client, the firewall, and a server that drops what arrives."""

    def __enter__(self) -> "Network":
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _build(self) -> None:
        for name in ("fw", "lan", "wan"):
            run("ip", "netns", "add", f"{TAG}-{name}")
        for side, near, far in (("lan", "192.168.1.2", "192.168.1.50"), ("wan", "198.51.100.201", "198.51.100.1")):
            ends = ("netns", f"{TAG}-fw", "type", "veth", "peer", "eth0", "netns", f"{TAG}-{side}")
            run("ip", "link", "add", side, *ends)
            for host, device, address in (("fw", side, near), (side, "eth0", far)):
                run("ip", "-n", f"{TAG}-{host}", "address", "add", f"{address}/24", "dev", device)
                run("ip", "-n", f"{TAG}-{host}", "link", "set", device, "up")
        run("ip", "-n", f"{TAG}-lan", "route", "add", "default", "via", "192.168.1.2")
        self.on("fw", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        drop = "type filter hook prerouting priority raw; meta l4proto udp drop;"
        self.on("wan", "nft", "-f", "-", text=f"table ip quiet {{ chain arriving {{ {drop} }}; }}")

    def __exit__(self, *_: object) -> None:
        for name in ("fw", "lan", "wan"):
            subprocess.run(["ip", "netns", "del", f"{TAG}-{name}"], capture_output=True, check=False)

    def on(self, host: str, *command: str, text: str | None = None) -> str:
        return run("ip", "netns", "exec", f"{TAG}-{host}", *command, text=text)

    def load(self, text: str) -> float:
        """Milliseconds that nft takes."""
        began = time.perf_counter()
        self.on("fw", "nft", "-f", "-", text=text)
        return (time.perf_counter() - began) * 1e3

    def new_flow(self) -> float:
        """Microseconds of the client's own time for a packet of a new flow, all the way to the server."""
        self.on("fw", "conntrack", "-F")
        return float(self.on("lan", sys.executable, "-c", CLIENT))


def run(*command: str, text: str | None = None) -> str:
    return subprocess.run(command, input=text, text=True, check=True, capture_output=True).stdout


def with_one_more(old: Policy) -> Policy:
    """The policy with a rule added in the middle."""
    interface = old.interfaces[0]
    middle = len(interface.rules) // 2
    rules = (*interface.rules[:middle], NEW_RULE, *interface.rules[middle:])
    return replace(old, interfaces=(replace(interface, rules=rules),))


def measure(network: Network, name: str, count: int, best: dict[str, float]) -> None:
    """One round for one list; keeps the best figures."""

    def note(what: str, value: float) -> None:
        best[what] = min(value, best.get(what, value))

    if name == "flat":
        note("load_ms", network.load(flat(count)))
        note("new_flow_us", network.new_flow())
        return
    asked = SHAPES[name](count)
    began = time.perf_counter()
    loaded: Ruleset = compile(asked)
    note("compile_ms", (time.perf_counter() - began) * 1e3)
    network.load("table inet gemel\ndelete table inet gemel\n")
    note("load_ms", network.load(loaded.text()))
    note("new_flow_us", network.new_flow())
    more = with_one_more(asked)
    began = time.perf_counter()
    network.load(delta(loaded, compile(more, loaded)))
    note("one_rule_more_ms", (time.perf_counter() - began) * 1e3)


SHAPES = {"hosts": hosts, "mixed": mixed}


def main(counts: list[int]) -> None:
    best: dict[tuple[str, int], dict[str, float]] = defaultdict(dict)
    lists = [(name, count) for name in (*SHAPES, "flat") for count in counts]
    with Network() as network:
        for _ in range(ROUNDS):
            for name, count in lists:
                measure(network, name, count, best[name, count])
    for (name, count), figures in best.items():
        ratio = figures["new_flow_us"] / best[name, counts[0]]["new_flow_us"]
        words = " ".join(f"{what}={value:.1f}" for what, value in figures.items())
        print(f"{name} N={count} {words} new_flow_ratio={ratio:.2f}")


if __name__ == "__main__":
    main([int(n) for n in sys.argv[1:]] or [10, 1000, 10000])
