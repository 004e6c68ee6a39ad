#!/usr/bin/env python3
"""State synchronisation: Gemel's flowd beside conntrackd (NOTRACK and FTFW, both injecting directly), the same load.

    sudo .venv/bin/python scripts/bench.d/state_sync.py [--only WORD] [--runs N] [--quick]

New flows with source NAT are made on one node, one at a time as packets do. At a steady 10,000 a second: what both
daemons together use of the processors for each flow (user and system), and how long until the other kernel has it
(median of N runs, default 5). As fast as it goes: how many arrive in a second, how many never do. Then a bulk to a node
that joins, and proportional memory. Gemel's stream is TLS 1.3, conntrackd's is plain UDP. About five minutes.

It works in namespaces of its own; `nf_conntrack_max` is raised for the run, since all namespaces share it, and the
buckets with it: one for each state, as the kernel has them by default. Else long chains are what is measured.
"""

import argparse
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.lab.flow_bench import SYNC, Bench, eventually, in_namespace, translated_flow  # noqa: E402

from gemel.control.flowd import CompareTables, RoleChanged  # noqa: E402
from gemel.effects.conntrack import Events, Table  # noqa: E402
from gemel.flows.ctnetlink import CREATE, EXCL, NEW, request  # noqa: E402
from gemel.flows.rounds import LISTING_SHARE, TYPICAL  # noqa: E402

STEADY = 10_000  # new flows a second
EVERY = 64  # one flow in so many is timed
PATIENCE = 90.0
SETTLE = 3.0  # seconds after which what is missing is lost
CONNTRACKD = """
Sync {{ Mode {mode} {{ DisableExternalCache On
 {more} }}
 UDP {{ IPv4_address {me}
 IPv4_Destination_Address {to}
 Port 3780
 Interface sync
 SndSocketBuffer 24985600
 RcvSocketBuffer 24985600
 Checksum on }} }}
General {{ HashSize 65536
 HashLimit 1048576
 LockFile {folder}/cd{n}.lock
 UNIX {{ Path {folder}/cd{n}.ctl }}
 NetlinkBufferSize 67108864
 NetlinkBufferSizeMaxGrowth 134217728
 Filter From Kernelspace {{ Address Ignore {{ IPv4_address 127.0.0.1
 IPv4_address 172.16.1.2
 IPv4_address 172.16.1.3 }} }} }}
"""
NO_TRACKING = """table ip raw {
 chain pre { type filter hook prerouting priority raw; iifname "sync" notrack; }
 chain out { type filter hook output priority raw; oifname "sync" notrack; }
}
"""


class Peer:
    """A pair of daemons; node `a` makes the flows, node `b` gets them."""

    name = ""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def start(self, node: str) -> None:
        raise NotImplementedError

    def stop(self, node: str) -> None:
        self.bench.stop(node, signal.SIGTERM)

    def ready(self) -> None:
        raise NotImplementedError

    def pid(self, node: str) -> int:
        return self.bench.processes[node].pid

    def ask_for_all(self) -> None:
        """A daemon that does not ask by itself when it starts."""


class Gemel(Peer):
    name = "gemel"

    def start(self, node: str) -> None:
        self.bench.start(node)
        assert eventually(lambda: self.bench.report(node) is not None, 10)
        self.bench.ask(node, RoleChanged(node == "a"))

    def ready(self) -> None:
        assert eventually(self.bench.joined, 20), [self.bench.report(node) for node in "ab"]


class Conntrackd(Peer):
    mode, more = "", ""

    def start(self, node: str) -> None:
        folder, other = self.bench.folder, "b" if node == "a" else "a"
        path = folder / f"cd{node}.conf"
        path.write_text(CONNTRACKD.format(mode=self.mode, more=self.more, me=SYNC[node], to=SYNC[other], folder=folder,
                                          n=node))
        self.bench.run(node, "nft", "-f", "-", text="table ip raw\ndelete table ip raw\n" + NO_TRACKING)
        command = ["ip", "netns", "exec", self.bench.ns(node), "conntrackd", "-C", str(path)]
        self.bench.processes[node] = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ready(self) -> None:
        time.sleep(2)

    def ask_for_all(self) -> None:
        time.sleep(0.3)
        self.bench.run("b", "conntrackd", "-C", str(self.bench.folder / "cdb.conf"), "-n")


class Notrack(Conntrackd):
    name, mode = "conntrackd NOTRACK", "NOTRACK"


class Ftfw(Conntrackd):
    name, mode = "conntrackd FTFW", "FTFW"
    more = "ResendQueueSize 131072\n ACKWindowSize 300"


# -- load and looks ---------------------------------------------------------------------------------------------------


def cpu(pid: int) -> float:
    """Seconds of processor that all threads of a process have used."""
    return sum(int(f.read_text().split()[0]) for f in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def memory(pid: int) -> float:
    """Proportional set size in MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1]) / 1024


class Load:
    """Requests for new flows, made beforehand."""

    def __init__(self, count: int) -> None:
        self._requests = [[request(NEW, CREATE | EXCL, 0, translated_flow(i))] for i in range(count)]

    def run(self, namespace: str, rate: float = 0.0) -> list[float]:
        """Make the flows, `rate` a second (0: as fast as it goes); when each was handed to the kernel."""
        table, times = in_namespace(namespace, Table), []
        began = time.monotonic()
        for i, one in enumerate(self._requests):
            if rate and (early := began + i / rate - time.monotonic()) > 0:
                time.sleep(early)
            times.append(time.monotonic())
            assert not table.exchange(one)
        return times


class Arrivals:
    """When one in `EVERY` flows arrives at a node, seen through a filter of its own: that costs next to nothing."""

    def __init__(self, namespace: str) -> None:
        self._events = in_namespace(namespace, Events)
        load, keep = (0x28, 0, 0, 60), (0x06, 0, 0, 0xFFFFFFFF)
        self._events.filter([load, (0x54, 0, 0, EVERY - 1), (0x15, 1, 0, 0), (0x06, 0, 0, 0), keep])
        self._poll = select.poll()
        self._poll.register(self._events.fileno(), 1)

    def take(self, seconds: float) -> Iterator[tuple[int, float]]:
        """Number of the flow, and when it was there."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._poll.poll(left * 1e3):
                now = time.monotonic()
                for messages in self._events.read():
                    for m in messages:
                        if m[5] == 1 and m[4] == 0:
                            yield struct.unpack_from("!H", m, 60)[0] - 1024, now


@contextmanager
def pair(kind: type[Peer], folder: Path) -> Iterator[Peer]:
    bench = Bench(folder)
    try:
        bench.build()
        bench.settle_on("a")
        peer = kind(bench)
        for node in "ab":
            peer.start(node)
        peer.ready()
        yield peer
    finally:
        bench.down()


def empty(peer: Peer) -> None:
    """No flows on either node, daemons running."""
    for node in "ab":
        peer.stop(node)
    for node in "ab":
        peer.bench.run(node, "conntrack", "-F")
        peer.start(node)
    peer.ready()


# -- measurements -----------------------------------------------------------------------------------------------------


def flows(peer: Peer, count: int, rate: float = 0.0) -> dict[str, float]:
    """Make them: CPU for each, rate of arrival until all were there, losses."""
    bench, load = peer.bench, Load(count)
    before = bench.count("b")
    used = [cpu(peer.pid(node)) for node in "ab"]
    began = time.monotonic()
    load.run(bench.ns("a"), rate)
    changed, arrived = time.monotonic(), -1
    while arrived < count and time.monotonic() - changed < SETTLE:
        if (now := bench.count("b") - before) != arrived:
            arrived, changed = now, time.monotonic()
        time.sleep(0.01)
    sender, receiver = ((cpu(peer.pid(node)) - was) / count * 1e6 for node, was in zip("ab", used, strict=True))
    seconds, lost = changed - began, max(0, count - arrived)
    return {"sender": sender, "receiver": receiver, "rate": arrived / seconds, "lost": lost}


def lags(peer: Peer, count: int, rate: float) -> list[float]:
    """Milliseconds from a flow's making to its arrival, for one in `EVERY`."""
    load, arrivals = Load(count), Arrivals(peer.bench.ns("b"))
    made: list[float] = []
    worker = threading.Thread(target=lambda: made.extend(load.run(peer.bench.ns("a"), rate)))
    worker.start()
    seen = dict(arrivals.take(count / rate + 1.0))
    worker.join()
    return [(at - made[number]) * 1e3 for number, at in seen.items() if number < len(made)]


def bulk(peer: Peer, count: int) -> float:
    """Seconds from the start of a daemon that knows nothing to its kernel having everything."""
    peer.stop("b")
    peer.bench.run("b", "conntrack", "-F")
    began = time.monotonic()
    peer.start("b")
    peer.ask_for_all()
    arrived = eventually(lambda: peer.bench.count("b") >= count, 60)
    return time.monotonic() - began if arrived else float("nan")


def comparison(peer: Peer) -> str:
    """Seconds of processor for a look whether both tables are alike, which a sender does at most once in a while."""
    assert eventually(peer.bench.joined, 20)
    time.sleep(SETTLE)  # after a bulk the other side lists its table, too
    before, used = peer.bench.report("a"), [cpu(peer.pid(node)) for node in "ab"]
    counted = before.counters["sent: comparisons"] if before else 0
    peer.bench.ask("a", CompareTables())
    assert eventually(lambda: (now := peer.bench.report("a")) is not None
                      and now.counters["sent: comparisons"] > counted, 30)
    sender, receiver = (cpu(peer.pid(node)) - was for node, was in zip("ab", used, strict=True))
    return f"{sender + receiver:.2f} ({sender:.2f} + {receiver:.2f})"


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def in_words(seen: dict[str, float]) -> str:
    return f"{seen['sender'] + seen['receiver']:.1f} ({seen['sender']:.1f} + {seen['receiver']:.1f})"


def measure(kind: type[Peer], runs: int, quick: bool) -> dict[str, str]:
    figures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder, pair(kind, Path(folder)) as peer:
        for count in (20_000,) if quick else (100_000, 250_000):
            seen = flows(peer, count, STEADY)
            figures[f"{count:,} flows, 10,000/s: CPU µs per state, both ends (sender + receiver)"] = in_words(seen)
            figures[f"{count:,} flows, 10,000/s: lost"] = f"{seen['lost']:,.0f}"
            empty(peer)
            seen = flows(peer, count)
            figures[f"{count:,} flows, as fast as it goes: CPU µs per state"] = in_words(seen)
            figures[f"{count:,} flows, as fast as it goes: arrived per second"] = f"{seen['rate']:,.0f}"
            figures[f"{count:,} flows, as fast as it goes: lost"] = f"{seen['lost']:,.0f}"
            if count != 100_000:
                figures[f"{count:,} states: memory, MiB (sender, receiver)"] = memories(peer)
                seconds = bulk(peer, peer.bench.count("a") - 50)
                figures[f"{count:,} states: bulk to a joining node, s"] = f"{seconds:.2f}"
                figures[f"{count:,} states: memory after it, MiB"] = memories(peer)
                if isinstance(peer, Gemel):
                    figures[f"{count:,} states: a comparison of both tables, CPU s, at most every "
                            f"{count * TYPICAL / LISTING_SHARE:.0f} s"] = comparison(peer)
            empty(peer)
        p50, p99 = [], []
        for _ in range(1 if quick else runs):
            found = lags(peer, 2 * STEADY, STEADY)
            p50.append(quantile(found, 0.5))
            p99.append(quantile(found, 0.99))
            empty(peer)
        figures["lag at 10,000 new flows/s, ms: p50"] = f"{statistics.median(p50):.1f}"
        figures["lag at 10,000 new flows/s, ms: p99"] = f"{statistics.median(p99):.1f}"
    return figures


def memories(peer: Peer) -> str:
    return ", ".join(f"{memory(peer.pid(node)):.0f}" for node in "ab")


@contextmanager
def buckets(wanted: int) -> Iterator[None]:
    """As many, for the whole host."""
    size = Path("/sys/module/nf_conntrack/parameters/hashsize")
    before = size.read_text()
    size.write_text(str(wanted))
    try:
        yield
    finally:
        size.write_text(before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only names that contain this word")
    parser.add_argument("--runs", type=int, default=5, help="runs of the lag measurement")
    parser.add_argument("--quick", action="store_true", help="20,000 flows and one run, to see that it works")
    options = parser.parse_args()
    kinds = [kind for kind in (Gemel, Notrack, Ftfw) if options.only.lower() in kind.name.lower()]
    if not shutil.which("conntrackd"):
        kinds = [kind for kind in kinds if kind is Gemel]
        print("conntrackd is not installed: Gemel alone")
    found: dict[str, dict[str, str]] = {}
    for kind in kinds:
        began = time.monotonic()
        with suppress(KeyboardInterrupt), buckets(1 << 20):
            found[kind.name] = measure(kind, options.runs, options.quick)
        print(f"# {kind.name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print("| |", " | ".join(found), "|")
    print("| --- |", " --- |" * len(found))
    for line in next(iter(found.values()), {}):
        print(f"| {line} |", " | ".join(figures.get(line, "") for figures in found.values()), "|")


if __name__ == "__main__":
    main()
