"""What the stories of state synchronisation are told with, on top of `flow_bench`: IPv6, a helper for FTP, transfers at
full speed, hand-overs, and whether both tables agree."""

import contextlib
import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gemel.control.flowd import CompareTables, FlushFlows, RoleChanged
from tests.lab.flow_bench import Bench, eventually, in_namespace

SOAK = int(os.environ.get("SOAK", "3"))
V6 = {"lan": "2001:db8:1::1", "wan": "2001:db8:2::200"}
CLIENT, SERVER = "2001:db8:1::50", "2001:db8:2::1"
BLOCK = os.urandom(1 << 20)
MORE_RULES = """table ip6 nat {
 chain post {
  type nat hook postrouting priority 100
  %s
 }
}
table ip6 filter {
 chain forward {
  type filter hook forward priority 0
  ct state invalid drop
 }
}
table ip helpers {
 ct helper ftp {
  type "ftp" protocol tcp
 }
 chain pre {
  type filter hook prerouting priority 0
  tcp dport 21 ct helper set "ftp"
 }
}
table ip keep {
 chain forward {
  type filter hook forward priority 10
  udp dport 7099 ct mark set ct mark | 0x80000000
 }
}
"""
NAT6 = 'oifname "wan" ip6 saddr 2001:db8:1::/64 snat to 2001:db8:2::200'
BOTH_WAYS = ("add rule ip nat pre ip daddr 198.51.100.200 tcp dport 8081 dnat to 192.168.1.50:81\n"
             'add rule ip nat post oifname "lan" tcp dport 81 snat to 192.168.1.1\n')


def other(node: str) -> str:
    return "b" if node == "a" else "a"


def widen(bench: Bench) -> None:
    """IPv6 on all hosts, and more rules; translation on the first node only."""
    for node in "ab":
        for net, prefix in (("lan", "2001:db8:1::"), ("wan", "2001:db8:2::20")):
            bench.run(node, "ip", "addr", "add", f"{prefix}{2 + 'ab'.index(node)}/64", "dev", net, "nodad")
        # What runs out leaves the listing before its end is told: nothing runs out while tables are compared here.
        bench.run(node, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1", "net.netfilter.nf_conntrack_udp_timeout=300",
                  "net.netfilter.nf_conntrack_udp_timeout_stream=300")
        bench.run(node, "nft", "-f", "-", text=MORE_RULES % (NAT6 if node == "a" else ""))
    bench.run("a", "nft", "-f", "-", text=BOTH_WAYS)
    for host, address, gateway in (("lan", CLIENT, V6["lan"]), ("wan", SERVER, None)):
        bench.run(host, "ip", "addr", "add", f"{address}/64", "dev", host, "nodad")
        if gateway:
            bench.run(host, "ip", "-6", "route", "add", "default", "via", gateway)
    settle_on(bench, "a")


def settle_on(bench: Bench, node: str) -> None:
    """Move all virtual addresses to `node`."""
    for net, vip in V6.items():
        with contextlib.suppress(subprocess.CalledProcessError):
            bench.run(other(node), "ip", "addr", "del", f"{vip}/128", "dev", net)
        bench.run(node, "ip", "addr", "replace", f"{vip}/128", "dev", net, "nodad")
    bench.settle_on(node)
    for net in V6:
        bench.run(net, "ip", "-6", "neigh", "flush", "all")


def role(bench: Bench, master: str) -> None:
    """What carpd says."""
    for node in sorted("ab", key=lambda n: n == master):
        if node in bench.processes:
            bench.ask(node, RoleChanged(node == master))


def move(bench: Bench, node: str) -> None:
    """A planned hand-over, without CARP."""
    assert bench.ask(other(node), FlushFlows(2.0))
    role(bench, node)
    settle_on(bench, node)


def crash(bench: Bench, node: str) -> None:
    """A node dies: its flowd between two instructions, and its addresses with it."""
    bench.stop(node, signal.SIGKILL)
    settle_on(bench, other(node))
    role(bench, other(node))


def revive(bench: Bench, node: str) -> None:
    """It comes back as BACKUP."""
    bench.start(node)
    assert eventually(lambda: bench.report(node) is not None)
    role(bench, other(node))
    assert eventually(bench.joined, 10), [bench.report(n) for n in "ab"]


def agree(bench: Bench, master: str, seconds: float = 10.0) -> bool:
    """Whether a comparison that begins from now on finds no difference, in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        asked = time.monotonic()
        if bench.report(master) is None:
            return False
        bench.ask(master, CompareTables())
        while time.monotonic() - asked < 1.5:
            report = bench.report(master)
            made = report and report.comparison
            if made and made.ago < time.monotonic() - asked:
                if made.compared and not made.differing and report.status == "in sync":
                    return True
                break
            time.sleep(0.05)
    return False


def memory(bench: Bench, node: str) -> float:
    """Proportional set size of a flowd, MiB."""
    text = Path(f"/proc/{bench.processes[node].pid}/smaps_rollup").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1]) / 1024


# -- transfers --------------------------------------------------------------------------------------------------------


class Transfer:
    """Bytes at full speed over one connection, one way, until `finish`; both ends hash what they saw."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self._source, self._sink = source, sink
        self._stop = threading.Event()
        self._hashes = [hashlib.blake2b(), hashlib.blake2b()]
        self.bytes = [0, 0]
        self.error = ""
        for s in (source, sink):
            s.settimeout(20)
        works = (self._send, self._receive)
        self._threads = [threading.Thread(target=self._guarded, args=(work,), daemon=True) for work in works]
        for thread in self._threads:
            thread.start()

    def _guarded(self, work: Any) -> None:
        try:
            work()
        except OSError as error:
            self.error = f"{work.__name__}: {error}"

    def _send(self) -> None:
        number = 0
        while not self._stop.is_set():
            block = struct.pack("!Q", number) + BLOCK
            self._source.sendall(block)
            self._hashes[0].update(block)
            self.bytes[0] += len(block)
            number += 1
        self._source.shutdown(socket.SHUT_WR)

    def _receive(self) -> None:
        while data := self._sink.recv(1 << 20):
            self._hashes[1].update(data)
            self.bytes[1] += len(data)

    def moved(self) -> bool:
        """Whether more arrives."""
        before = self.bytes[1]
        return eventually(lambda: self.bytes[1] > before + (4 << 20), 15)

    def finish(self) -> bool:
        """Whether all that was sent has arrived as it was."""
        self._stop.set()
        for thread in self._threads:
            thread.join(25)
        for s in (self._source, self._sink):
            s.close()
        sent, seen = (hashed.digest() for hashed in self._hashes)
        return not self.error and self.bytes[0] == self.bytes[1] and sent == seen


# -- raw packets ------------------------------------------------------------------------------------------------------


def raw(namespace: str, protocol: int) -> socket.socket:
    """A raw IPv4 socket on a host."""
    def make() -> socket.socket:
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
        s.settimeout(2)
        return s
    return in_namespace(namespace, make)


def crc32c(data: bytes) -> int:
    """The checksum of SCTP (RFC 9260, appendix A)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def sctp(source: int, destination: int, tag: int, kind: int, value: bytes = b"") -> bytes:
    """One SCTP packet with one chunk."""
    chunk = struct.pack("!BBH", kind, 0, len(value) + 4) + value
    head = struct.pack("!HHI", source, destination, tag)
    crc = crc32c(head + bytes(4) + chunk)
    return head + struct.pack("<I", crc) + chunk


def arrives(sink: socket.socket, packet: bytes) -> tuple[str, bytes] | None:
    """Sender and payload of the next packet that ends like `packet`, None if there is none."""
    with contextlib.suppress(TimeoutError):
        while True:
            data, (address, _) = sink.recvfrom(2048)
            body = data[(data[0] & 15) * 4:]
            if body[-4:] == packet[-4:]:
                return address, body
    return None


# -- load -------------------------------------------------------------------------------------------------------------


class Many:
    """`many_flows.py` at both ends: a number of flows of each kind, and what became of them."""

    def __init__(self, bench: Bench, count: int, *kinds: str) -> None:
        script = str(Path(__file__).parent / "many_flows.py")
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._far = subprocess.Popen(["ip", "netns", "exec", bench.ns("wan"), sys.executable, script, "serve",
                                      "198.51.100.1"], **pipes)
        assert self._far.stdout and self._far.stdout.readline()
        self._near = subprocess.Popen(["ip", "netns", "exec", bench.ns("lan"), sys.executable, script, "open",
                                       "198.51.100.1", str(count), *kinds], **pipes)
        assert self._near.stdout and self._near.stdout.readline()

    def round(self) -> dict[str, Any]:
        """One packet on each flow; by kind: answered, moved, addresses."""
        assert self._near.stdin and self._near.stdout
        self._near.stdin.write("\n")
        self._near.stdin.flush()
        found: dict[str, Any] = json.loads(self._near.stdout.readline())
        return found

    def end(self) -> None:
        for process in (self._near, self._far):
            process.kill()
            process.communicate()


@contextlib.contextmanager
def many(bench: Bench, count: int, *kinds: str) -> Iterator[Many]:
    made = Many(bench, count, *kinds)
    try:
        yield made
    finally:
        made.end()


@contextlib.contextmanager
def short_flows(bench: Bench, rate: float) -> Iterator[list[int]]:
    """New UDP flows through the cluster, `rate` a second, each of one packet; the list's only number counts them."""
    stop, count = threading.Event(), [0]
    s = raw(bench.ns("lan"), socket.IPPROTO_RAW)

    def send() -> None:
        began, port = time.monotonic(), 0
        while not stop.is_set():
            port = 20000 + count[0] % 40000
            udp = struct.pack("!HHHH", port, 9, 8, 0)
            head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, bytes((192, 168, 1, 50)),
                               bytes((198, 51, 100, 1)))
            with contextlib.suppress(OSError):
                s.sendto(head + udp, ("198.51.100.1", 0))
            count[0] += 1
            if (early := began + count[0] / rate - time.monotonic()) > 0:
                time.sleep(early)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield count
    finally:
        stop.set()
        thread.join()
        s.close()
