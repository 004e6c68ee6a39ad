#!/usr/bin/env python3
"""255 virtual hosts on one interface: what they cost a processor, and how soon all of them move.

    sudo .venv/bin/python scripts/bench.d/vhids.py [--vhids N] [--seconds N]        default 255, 20

carpd and keepalived in turn on the same pair of namespaces, adverts every second, without a heartbeat. CPU is user and
system time of all threads of the process, of a second, in ms: on the master and on the backup. keepalived runs plainly
and as it has to for the same job, with a virtual MAC for each instance. Then the master's cable is cut: from there to
the first and the last announcement of the other (gratuitous ARP), as a third host hears them, less CARP's own wait.
"""

import argparse
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gemel.effects.packet import NeighbourPort
from gemel.rules.virtual_mac import VirtualMac, virtual_mac_text

TAG = f"bv{os.getpid() % 100000}"
NODES = {"a": 2, "b": 3}


def run(*command: str, stdin: str | None = None, check: bool = True) -> str:
    done = subprocess.run(command, input=stdin, text=True, capture_output=True, timeout=60)
    if check and done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def inside(host: str, *command: str, **how: str) -> str:
    return run("ip", "netns", "exec", f"{TAG}-{host}", *command, **how)


def vip(number: int) -> str:
    return f"10.77.{number // 200 + 1}.{number % 200 + 1}"


def wires() -> None:
    """Two nodes and a listener on one switch."""
    for host in ("sw", "l", *NODES):
        run("ip", "netns", "add", f"{TAG}-{host}")
    inside("sw", "ip", "link", "add", "name", "sw0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
    inside("sw", "ip", "link", "set", "sw0", "up")
    for host, last in (("l", 9), *NODES.items()):
        peer = ("peer", "name", f"port-{host}", "netns", f"{TAG}-sw")
        run("ip", "link", "add", "wan", "netns", f"{TAG}-{host}", "type", "veth", *peer)
        inside("sw", "ip", "link", "set", f"port-{host}", "master", "sw0", "up")
        for command in (("addr", "add", f"10.77.0.{last}/16", "dev", "wan"), ("link", "set", "wan", "up")):
            inside(host, "ip", *command)
        inside(host, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")


class Daemon:
    """One make on both nodes."""

    name = ""
    down = 3.0  # seconds that a backup waits, before skew

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count
        self.started: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, host: str, command: list[str]) -> None:
        log = (self.folder / f"{host}.log").open("ab")
        line = ["ip", "netns", "exec", f"{TAG}-{host}", *command]
        self.started[host] = subprocess.Popen(line, stdout=log, stderr=log)

    def processes(self, host: str) -> list[int]:
        """The daemon and its children."""
        pid = self.started[host].pid
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def spent(self, host: str) -> float:
        """Seconds on a processor so far, of all threads."""
        tasks = (task for pid in self.processes(host) for task in Path(f"/proc/{pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def up(self) -> None:
        raise NotImplementedError

    def end(self) -> None:
        for process in self.started.values():
            process.send_signal(signal.SIGTERM)
        for process in self.started.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.started.clear()


class Carpd(Daemon):
    name = "Gemel's carpd"

    def up(self) -> None:
        macs = [VirtualMac("wan", n, (vip(n),)) for n in range(1, self.count + 1)]
        for host, last in NODES.items():
            inside(host, "nft", "-f", "-", stdin=virtual_mac_text(macs))
            common = {"interface": "wan", "device": "wan", "source": f"10.77.0.{last}", "password": "secret"}
            common |= {"advbase": 1, "advskew": 1 if host == "a" else 101}
            vhids = [common | {"vhid": n, "addresses": [vip(n)]} for n in range(1, self.count + 1)]
            where = self.folder / host
            where.mkdir(exist_ok=True)
            (where / "carpd.json").write_text(json.dumps({"vhids": vhids}))
            self.start(host, [sys.executable, "-m", "gemel.daemons.carpd", "--run-dir", str(where)])


class Keepalived(Daemon):
    name = "keepalived"
    virtual_macs = False

    def up(self) -> None:
        for host in NODES:
            text = "global_defs { vrrp_version 3\n vrrp_garp_master_repeat 1\n vrrp_startup_delay 1 }\n"
            for n in range(1, self.count + 1):
                vmac = f" use_vmac v{n}\n vmac_xmit_base\n" if self.virtual_macs else ""
                text += (
                    f"vrrp_instance I{n} {{ state {'MASTER' if host == 'a' else 'BACKUP'}\n interface wan\n{vmac}"
                    f" virtual_router_id {n}\n priority {200 if host == 'a' else 100}\n advert_int 1\n"
                    f" virtual_ipaddress {{ {vip(n)}/32 }} }}\n"
                )
            path = self.folder / f"{host}.conf"
            path.write_text(text)
            files = ("-p", str(self.folder / f"{host}.pid"), "-r", str(self.folder / f"{host}v.pid"))
            self.start(host, ["keepalived", "-n", "-l", "-P", "-f", str(path), *files])


class KeepalivedVmac(Keepalived):
    name = "keepalived, a virtual MAC each"
    virtual_macs = True


def count_on(host: str) -> int:
    return inside(host, "ip", "-o", "-4", "address").count("10.77.") - 1


def wait(until, what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            raise SystemExit(f"waited in vain for {what}")
        time.sleep(0.2)


def moved(listener: NeighbourPort, seconds: float) -> tuple[float, float, int]:
    """The first and last new announcement from now, in seconds, and how many VIPs were announced."""
    began, first, last = time.monotonic(), 0.0, 0.0
    seen: set[bytes] = set()
    while time.monotonic() - began < seconds:
        if select.select([listener], [], [], 0.05)[0]:
            while (frame := listener.receive()) is not None:
                address = frame[28:32]
                if frame[38:42] == address and address[:2] == b"\x0a\x4d" and address not in seen:
                    seen.add(address)
                    last = time.monotonic() - began
                    first = first or last
    return first, last, len(seen)


def measured(daemon: Daemon, seconds: float, listener: NeighbourPort) -> None:
    daemon.up()
    try:
        wait(lambda: count_on("a") >= daemon.count and count_on("b") <= 0, f"{daemon.name} to elect a")
        time.sleep(10)  # announcements repeat for a while
        before = {host: daemon.spent(host) for host in NODES}
        time.sleep(seconds)
        ms = {host: (daemon.spent(host) - before[host]) / seconds * 1e3 for host in NODES}
        while listener.receive() is not None:
            pass
        inside("sw", "ip", "link", "set", "port-a", "down")
        first, last, how_many = moved(listener, 8)
        inside("sw", "ip", "link", "set", "port-a", "up")
        print(
            f"{daemon.name:32} {ms['a']:8.1f} {ms['b']:8.1f} {how_many:8} {first:8.2f} {last - first:8.3f}", flush=True
        )
    finally:
        daemon.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vhids", type=int, default=255)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--only", default="", help="those with this word in their name")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix=TAG))
    try:
        wires()
        # A packet socket belongs to the namespace in which it was made.
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        with Path(f"/run/netns/{TAG}-l").open() as there:
            setns(there.fileno())
            listener = NeighbourPort("wan")
            setns(home)
        print(f"{f'{chosen.vhids} virtual hosts, adverts every 1 s':32}   master   backup    moved    after   within")
        print(f"{'':32}   ms / s   ms / s                 s        s")
        for make in (Carpd, Keepalived, KeepalivedVmac):
            if chosen.only not in make.name:
                continue
            if make is not Carpd and not shutil.which("keepalived"):
                print(f"{make.name:32} not installed")
                continue
            measured(make(folder, chosen.vhids), chosen.seconds, listener)
    finally:
        for host in ("l", *NODES, "sw"):
            run("ip", "netns", "del", f"{TAG}-{host}", check=False)
        shutil.rmtree(folder, ignore_errors=True)


def setns(descriptor: int) -> None:
    """Python 3.11 has no os.setns."""
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0):
        raise OSError(ctypes.get_errno(), "setns")


if __name__ == "__main__":
    main()
