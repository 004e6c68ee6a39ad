"""Two nodes with flowd, a LAN and a WAN, in namespaces of their own; and a generator of translated flows.

The nodes route; whoever has the VIPs gets the packets. NAT rules exist on the first node only: whatever the second
translates, it translates by the states that it was given.
"""

import contextlib
import ctypes
import datetime
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gemel.control.door import Question, Unreachable, ask
from gemel.control.flowd import FlowReport, FlowStatus
from gemel.effects.conntrack import Table
from gemel.flows.attributes import attribute, nest
from gemel.flows.ctnetlink import CREATE, EXCL, NEW, request

T = TypeVar("T")
VIPS = {"lan": "192.168.1.1/32", "wan": "198.51.100.200/32"}
SYNC = {"a": "172.16.1.2", "b": "172.16.1.3"}
NAT = """table ip nat {
 chain pre {
  type nat hook prerouting priority -100;
  %s
 }
 chain post {
  type nat hook postrouting priority 100;
  %s
 }
}
table ip filter {
 chain forward {
  type filter hook forward priority 0;
  ct state invalid drop
 }
 chain input {
  type filter hook input priority 0;
 }
}
"""
RULES = {"a": NAT % ("ip daddr 198.51.100.200 tcp dport 8080 dnat to 192.168.1.50:80",
                     'oifname "wan" ip saddr 192.168.1.0/24 snat to 198.51.100.200'), "b": NAT % ("", "")}


def shell(*argv: str, text: str | None = None) -> str:
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=True, timeout=60).stdout


def in_namespace(name: str, what: Callable[[], T]) -> T:
    """Run `what` in a namespace; sockets that it makes stay there."""
    results: list[T] = []

    def work() -> None:
        with Path("/run/netns", name).open() as f:
            if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), 0x40000000):
                raise OSError(ctypes.get_errno(), name)
        results.append(what())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return results[0]


def certify(folder: Path, name: str) -> None:
    """A key and a self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now)
            .not_valid_after(now + datetime.timedelta(days=3650)).sign(key, hashes.SHA256()))
    (folder / f"{name}.key").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))


class Bench:
    """The four namespaces and two daemons."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tag = folder, f"fl{os.getpid()}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._room = Path("/proc/sys/net/netfilter/nf_conntrack_max").read_text()
        Path("/proc/sys/net/netfilter/nf_conntrack_max").write_text("1048576")

    def ns(self, name: str) -> str:
        return f"{self.tag}-{name}"

    def run(self, name: str, *argv: str, text: str | None = None) -> str:
        return shell("ip", "netns", "exec", self.ns(name), *argv, text=text)

    def build(self) -> None:
        for name in ("a", "b", "lan", "wan", "switch"):
            shell("ip", "netns", "add", self.ns(name))
            shell("ip", "-n", self.ns(name), "link", "set", "lo", "up")
        for net in ("lan", "wan", "sync"):
            shell("ip", "-n", self.ns("switch"), "link", "add", net, "type", "bridge")
            shell("ip", "-n", self.ns("switch"), "link", "set", net, "up")
            for host in ("a", "b", net):
                if host != "sync":
                    self._wire(host, net)
        for i, node in enumerate("ab"):
            for net, prefix in (("lan", "192.168.1"), ("wan", "198.51.100"), ("sync", "172.16.1")):
                shell("ip", "-n", self.ns(node), "addr", "add", f"{prefix}.{i + (201 if net == 'wan' else 2)}/24",
                      "dev", net)
            self.run(node, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.netfilter.nf_conntrack_events=1",
                     "net.netfilter.nf_conntrack_tcp_be_liberal=1", "net.ipv4.conf.all.rp_filter=0")
            self.run(node, "nft", "-f", "-", text=RULES[node])
            certify(self.folder, node)
        certify(self.folder, "stranger")
        for host, address, gateway in (("lan", "192.168.1.50", "192.168.1.1"), ("wan", "198.51.100.1", None)):
            shell("ip", "-n", self.ns(host), "addr", "add", f"{address}/24", "dev", host)
            if gateway:
                shell("ip", "-n", self.ns(host), "route", "add", "default", "via", gateway)

    def _wire(self, host: str, net: str) -> None:
        shell("ip", "link", "add", net, "netns", self.ns(host), "type", "veth", "peer", "name", f"{host}-{net}",
              "netns", self.ns("switch"))
        shell("ip", "-n", self.ns("switch"), "link", "set", f"{host}-{net}", "master", net, "up")
        shell("ip", "-n", self.ns(host), "link", "set", net, "up")

    def settle_on(self, node: str) -> None:
        """Move the VIPs to `node`."""
        other = "b" if node == "a" else "a"
        for net, vip in VIPS.items():
            with contextlib.suppress(subprocess.CalledProcessError):
                shell("ip", "-n", self.ns(other), "addr", "del", vip, "dev", net)
            shell("ip", "-n", self.ns(node), "addr", "replace", vip, "dev", net)
            shell("ip", "-n", self.ns(net), "neigh", "flush", "all")

    # --- flowd ------------------------------------------------------------------------------------------------------

    def start(self, node: str, **changed: Any) -> None:
        other = "b" if node == "a" else "a"
        run_dir = self.folder / f"run-{node}"
        run_dir.mkdir(exist_ok=True)
        settings = {"enabled": True, "listen": SYNC[node], "peer": SYNC[other], "host_id": "1" if node == "a" else "2",
                    "ignore": ["172.16.1.0/24"], "key": f"{self.folder}/{node}.key",
                    "certificate": f"{self.folder}/{node}.pem", "peer_certificate": f"{self.folder}/{other}.pem"}
        (run_dir / "flowd.json").write_text(json.dumps({**settings, **changed}))
        if node not in self.processes:
            self.processes[node] = subprocess.Popen(
                ["ip", "netns", "exec", self.ns(node), sys.executable, "-m", "gemel.daemons.flowd", "--run-dir",
                 str(run_dir)], stderr=(self.folder / f"{node}.log").open("ab"))

    def stop(self, node: str, with_signal: int = signal.SIGTERM) -> None:
        process = self.processes.pop(node, None)
        if process:
            process.send_signal(with_signal)
            process.wait(10)

    def ask(self, node: str, question: Question[T]) -> T:
        return ask(str(self.folder / f"run-{node}" / "flowd.sock"), question)

    def report(self, node: str) -> FlowReport | None:
        try:
            return self.ask(node, FlowStatus())
        except Unreachable:
            return None

    def joined(self) -> bool:
        return all((report := self.report(node)) is not None and report.status == "in sync" for node in "ab")

    def count(self, node: str) -> int:
        return int(self.run(node, "sysctl", "-n", "net.netfilter.nf_conntrack_count"))

    def states(self, node: str) -> list[str]:
        """What conntrack lists of the forwarded flows, without what moves by itself."""
        lines = self.run(node, "conntrack", "-L").splitlines()
        return sorted(" ".join(w for w in line.split() if not w.isdigit() and not w.startswith("use="))
                      for line in lines if "172.16.1." not in line and "192.168.1.50" in line)

    def down(self) -> None:
        for node in list(self.processes):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop(node, signal.SIGKILL)
        for name in ("a", "b", "lan", "wan", "switch"):
            subprocess.run(["ip", "netns", "del", self.ns(name)], check=False, capture_output=True)
        Path("/proc/sys/net/netfilter/nf_conntrack_max").write_text(self._room)


@contextlib.contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    made = Bench(folder)
    try:
        made.build()
        made.settle_on("a")
        yield made
    finally:
        made.down()


def eventually(what: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether it comes true in time."""
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


# --- many flows at once ---------------------------------------------------------------------------------------------


def translated_flow(number: int) -> bytes:
    """The body of a create request: an assured TCP flow from 10.0.0.0/8 with source NAT."""
    source, target = struct.pack("!I", 0x0A000001 + number // 50000), b"\x0a\x63\0\1"
    translation = struct.pack("!I", 0xC63364C8 + number // 50000)
    sport, dport = struct.pack("!H", 1024 + number % 50000), struct.pack("!H", 443)

    def one(kind: int, src: bytes, dst: bytes, a: bytes, b: bytes) -> bytes:
        return nest(kind, nest(1, attribute(1, src), attribute(2, dst)),
                    nest(2, attribute(1, b"\x06"), attribute(2, a), attribute(3, b)))

    return b"".join((
        b"\2\0\0\0", one(1, source, target, sport, dport), one(2, target, source, dport, sport),
        attribute(3, struct.pack("!I", 0xE)), attribute(7, struct.pack("!I", 600)),
        nest(4, nest(1, attribute(1, b"\3"), attribute(4, b"\x0a\x0a"), attribute(5, b"\x0a\x0a"))),
        nest(6, attribute(1, translation), attribute(2, translation),
             nest(3, attribute(1, sport), attribute(2, sport)))))


def inject_flows(namespace: str, number: int, rate: float = 0.0, first: int = 0) -> int:
    """Create `number` translated flows in a namespace's table, at most `rate` a second (0: as fast as it goes).

    Returns how many the kernel refused.
    """
    bodies = [translated_flow(i) for i in range(first, first + number)]
    table = in_namespace(namespace, Table)
    began, refused = time.monotonic(), 0
    for i in range(0, number, 128):
        refused += len(table.exchange([request(NEW, CREATE | EXCL, j, body)
                                       for j, body in enumerate(bodies[i:i + 128])]))
        if rate and (early := began + i / rate - time.monotonic()) > 0:
            time.sleep(early)
    return refused


# --- real packets ---------------------------------------------------------------------------------------------------


def tcp_listener(namespace: str, port: int) -> socket.socket:
    made = in_namespace(namespace, lambda: socket.create_server(("0.0.0.0", port)))
    made.settimeout(5)
    return made


def tcp_client(namespace: str, address: str, port: int) -> socket.socket:
    return in_namespace(namespace, lambda: socket.create_connection((address, port), timeout=5))


def datagrams(namespace: str, port: int = 0) -> socket.socket:
    def make() -> socket.socket:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("0.0.0.0", port))
        s.settimeout(3)
        return s
    return in_namespace(namespace, make)


def echo(namespace: str, address: str, identifier: int, sequence: int) -> bool:
    """One ICMP echo with this identifier; whether it is answered."""
    def make() -> socket.socket:
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        s.settimeout(2)
        return s
    body = struct.pack("!HH", identifier, sequence)
    total = 0x0800 + identifier + sequence
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    with in_namespace(namespace, make) as s:
        s.sendto(struct.pack("!BBH", 8, 0, checksum) + body, (address, 0))
        with contextlib.suppress(TimeoutError):
            while answer := s.recv(1500):
                if answer[20] == 0 and answer[24:28] == body:
                    return True
    return False
