"""Two firewalls, a LAN client and a WAN server on three switches, for carpd alone.

    lan ──brlan── fwa ──brwan── wan        fwa, fwb: carpd with its own run directory
                  fwb            uc        uc: another make of CARP on the WAN
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gemel.control.carpd import CarpReport, CarpStatus
from gemel.control.door import Question, ask
from gemel.rules.virtual_mac import VirtualMac, virtual_mac_texts

WAN_VIP, LAN_VIP = "198.51.100.200", "192.168.1.1"
WAN = {"fwa": "198.51.100.201", "fwb": "198.51.100.202", "wan": "198.51.100.1", "uc": "198.51.100.203"}
LAN = {"fwa": "192.168.1.2", "fwb": "192.168.1.3", "lan": "192.168.1.50"}
LAN_VIP6, LINK_VIP6 = "2001:db8:1::1", "fe80::1:1"
LAN6 = {"fwa": "2001:db8:1::2", "fwb": "2001:db8:1::3", "lan": "2001:db8:1::50"}

# 1 kHz of numbered datagrams that the server echoes; prints how many never came back and how many came twice.
PROBE = """
import select, socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect((sys.argv[1], 7)); s.setblocking(False)
seconds, seen, doubled, sent, start = float(sys.argv[2]), set(), 0, 0, time.monotonic()
while (now := time.monotonic() - start) < seconds + 0.5:
    if now < seconds and now * 1000 >= sent:
        try: s.send(sent.to_bytes(4, "big"))
        except OSError: pass
        sent += 1
    if select.select([s], [], [], 0.0005)[0]:
        try: n = s.recv(99)
        except OSError: continue
        doubled += n in seen; seen.add(n)
print(sent, sent - len(seen), doubled)
"""
ECHO = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 7)); print("ready", flush=True)
while True: s.sendto(*s.recvfrom(99))
"""


def run(*command: str, stdin: str | None = None, check: bool = True) -> str:
    done = subprocess.run(command, input=stdin, text=True, capture_output=True, timeout=20)
    assert done.returncode == 0 or not check, f"{command}: {done.stderr}"
    return done.stdout


class Segment:
    """The whole of it. Everything that it starts ends with `down`."""

    def __init__(self) -> None:
        self.tag = f"cs{os.getpid()}"
        self.dir = Path(tempfile.mkdtemp(prefix=self.tag))
        self._started: list[subprocess.Popen[str]] = []
        self._carpd: dict[str, subprocess.Popen[str]] = {}

    def up(self) -> None:
        for host in ("fwa", "fwb", "lan", "wan", "uc", "sw"):
            run("ip", "netns", "add", self.netns(host))
            self.ip(host, "link", "set", "lo", "up")
        for bridge in ("brwan", "brlan"):
            kind = ("type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
            self.ip("sw", "link", "add", bridge, *kind)
            self.ip("sw", "link", "set", bridge, "up")
        for net, hosts, bits in (("wan", WAN, "/24"), ("lan", LAN, "/24")):
            for host, address in hosts.items():
                self.plug_in(host, net)
                self.ip(host, "addr", "add", address + bits, "dev", net)
        for host, address in LAN6.items():
            self.ip(host, "addr", "add", f"{address}/64", "dev", "lan", "nodad")
        # Routed both ways, not translated: what gets lost here is CARP's own doing, not that of a missing state.
        self.ip("lan", "route", "add", "default", "via", LAN_VIP)
        self.ip("wan", "route", "add", "192.168.1.0/24", "via", WAN_VIP)
        for host in ("fwa", "fwb"):
            self.inside(host, "sysctl", "-qw", "net.ipv4.ip_forward=1")
            self.load_virtual_macs(host)
        echo = self.start("wan", sys.executable, "-c", ECHO)
        assert echo.stdout and echo.stdout.readline()

    def down(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()
        for host in ("fwa", "fwb", "lan", "wan", "uc", "sw"):
            run("ip", "netns", "del", self.netns(host), check=False)
        run("rm", "-rf", str(self.dir))

    # ------------------------------------------------------------------------------------------------------- network

    def netns(self, host: str) -> str:
        return f"{self.tag}-{host}"

    def ip(self, host: str, *words: str) -> str:
        return run("ip", "-n", self.netns(host), *words)

    def inside(self, host: str, *command: str, stdin: str | None = None, check: bool = True) -> str:
        return run("ip", "netns", "exec", self.netns(host), *command, stdin=stdin, check=check)

    def start(self, host: str, *command: str, stdin: int | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.netns(host), *command], text=True, stdin=stdin,
            stdout=subprocess.PIPE, stderr=(self.dir / f"{host}.log").open("a"),
        )  # fmt: skip
        self._started.append(process)
        return process

    def plug_in(self, host: str, net: str) -> None:
        """A port of `host` on the switch of `net`."""
        run("ip", "link", "add", net, "netns", self.netns(host), "type", "veth", "peer", "name", f"{host}-{net}",
            "netns", self.netns("sw"))  # fmt: skip
        self.ip("sw", "link", "set", f"{host}-{net}", "master", f"br{net}", "up")
        self.ip(host, "link", "set", net, "up")

    def wire(self, host: str, net: str, up: bool) -> None:
        self.ip("sw", "link", "set", f"{host}-{net}", "up" if up else "down")

    def hubs(self, on: bool) -> None:
        """Switches that have learnt nothing and learn nothing: every frame reaches everybody."""
        for bridge in ("brwan", "brlan"):
            self.ip("sw", "link", "set", bridge, "type", "bridge", "ageing_time", "0" if on else "30000", "fdb_flush")

    def load_virtual_macs(self, host: str) -> None:
        lan = VirtualMac("lan", 1, (LAN_VIP, LAN_VIP6, LINK_VIP6), own6=LAN6[host])
        texts = virtual_mac_texts([VirtualMac("wan", 200, (WAN_VIP,)), lan])
        self.inside(host, "nft", "-f", "-", stdin="".join(texts.values()))

    def owns(self, host: str) -> bool:
        """Whether the host has any VIP as an address."""
        shown = self.ip(host, "-br", "addr", "show")
        return f"{WAN_VIP}/" in shown or f"{LAN_VIP}/" in shown

    def open_macs(self, host: str) -> int:
        """How many virtual MACs the host takes for its own."""
        shown = json.loads(self.inside(host, "nft", "-j", "list", "set", "netdev", "gemel_carp", "open"))
        return sum(len(one["set"].get("elem", ())) for one in shown["nftables"] if "set" in one)

    def probe(self, seconds: float) -> subprocess.Popen[str]:
        return self.start("lan", sys.executable, "-c", PROBE, WAN["wan"], str(seconds))

    # --------------------------------------------------------------------------------------------------------- carpd

    def run_dir(self, host: str) -> str:
        return str(self.dir / host)

    def configure(self, host: str, skew: int, **change) -> None:
        """Write the settings: both VIPs with this skew, unless `change` says otherwise: `six` are more addresses of the
        LAN's, `wan` and `lan` anything else of one of them.
        """
        common = {"advbase": 1, "advskew": skew, "password": change.pop("password", "secret")}
        more = change.pop("more", [])
        wan = {"interface": "wan", "device": "wan", "vhid": 200, "addresses": [WAN_VIP, *more], "source": WAN[host]}
        six = change.pop("six", [])
        lan = {"interface": "lan", "device": "lan", "vhid": 1, "addresses": [LAN_VIP, *six], "source": LAN[host],
               "source6": LAN6[host]}  # fmt: skip
        wan, lan = common | wan | change.pop("wan", {}), common | lan | change.pop("lan", {})
        vhids = [wan, lan][: change.pop("vhids", 2)]
        Path(self.run_dir(host)).mkdir(exist_ok=True)
        Path(self.run_dir(host), "carpd.json").write_text(json.dumps({"vhids": vhids, **change}))

    def carpd(self, host: str, skew: int, **change) -> int:
        """Start carpd on a host; return its process id."""
        self.configure(host, skew, **change)
        command = (sys.executable, "-m", "gemel.daemons.carpd", "--run-dir", self.run_dir(host))
        self._carpd[host] = process = self.start(host, *command)
        until(lambda: self.answers(host), 5)
        return process.pid

    def runs(self, host: str) -> bool:
        """Whether a carpd was started there and has not ended."""
        return host in self._carpd and self._carpd[host].poll() is None

    def signal(self, host: str, number: signal.Signals) -> None:
        self._carpd[host].send_signal(number)

    def ended(self, host: str, within: float) -> bool:
        self._carpd[host].wait(within)
        return True

    def stop_step(self, host: str) -> None:
        command = (sys.executable, "-m", "gemel.daemons.carpd.stop_step", self.run_dir(host))
        self.inside(host, *command)

    def end_carpds(self) -> None:
        for host in self._carpd:
            self._carpd[host].kill()
            self._carpd[host].wait()
            self.stop_step(host)
        self._carpd.clear()

    def ask(self, host: str, question: Question) -> object:
        return ask(f"{self.run_dir(host)}/carpd.sock", question, timeout=3)

    def answers(self, host: str) -> bool:
        try:
            return bool(self.status(host))
        except OSError:
            return False
        except Exception as error:
            return type(error).__name__ != "Unreachable"

    def status(self, host: str) -> CarpReport:
        report = self.ask(host, CarpStatus())
        assert isinstance(report, CarpReport)
        return report

    def states(self, host: str) -> set[str]:
        return {one.state for one in self.status(host).vhids}

    def is_master(self, host: str) -> bool:
        return self.states(host) == {"MASTER"}

    def is_backup(self, host: str) -> bool:
        return self.states(host) == {"BACKUP"}


def until(true, limit: float) -> float:
    """Wait until something is true; return how many seconds that took."""
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < limit, f"not within {limit} s"
        time.sleep(0.01)
    return time.monotonic() - start


def outcome(probe: subprocess.Popen[str]) -> tuple[int, int, int]:
    """Datagrams sent, lost, doubled."""
    out, _ = probe.communicate(timeout=30)
    sent, lost, doubled = map(int, out.split())
    return sent, lost, doubled
