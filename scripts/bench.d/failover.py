#!/usr/bin/env python3
"""What traffic notices when the master loses power: Gemel, keepalived, ucarp, on the same wires with the same probe.

    sudo .venv/bin/python scripts/bench.d/failover.py [--cuts N] [--only WORD] [--port-dies]     default 20 cuts each

Outage of a 1 kHz UDP flow from the LAN client through NAT to the WAN server, median and worst of N power cuts, in ms.
The peers get their states by conntrackd with direct injection, and rules of the recipe's NAT written by hand. What is
not installed is left out; a row that fails is reported, and the others go on. It works in labs of its own.

The switch does not notice the cut, as where there is another one in between. With --port-dies its port goes down and it
forgets who was behind it; then figures can be shorter than a product's timers allow: it floods, and a keepalived in
BACKUP, whose macvlan is up and not deaf to the virtual MAC, forwards what it was not asked for.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from gemel.lab import recipe
from gemel.lab.lab import Lab
from gemel.lab.namespace import LabError
from gemel.lab.topology import LAN_VIP, NODES, WAN_VIP
from gemel.lab.traffic import Traffic

TAG = f"bf{os.getpid() % 100000}"
AFTER = 1.0  # seconds that are watched after a take-over could have happened
NFT = f"""
table inet f {{
 chain pre {{ type filter hook prerouting priority raw; iifname "sync" notrack; }}
 chain out {{ type filter hook output priority raw; oifname "sync" notrack; }}
 chain forward {{ type filter hook forward priority 0; policy drop; ct state established,related accept
  iifname {{ "lan", "vl" }} accept; }}
 chain post {{ type nat hook postrouting priority srcnat
  oifname {{ "wan", "vw" }} ip saddr 192.168.1.0/24 snat ip to {WAN_VIP}; }}
}}
"""
CONNTRACKD = """
Sync {{ Mode NOTRACK {{ DisableExternalCache On }}
 UDP {{ IPv4_address {me}
 IPv4_Destination_Address {to}
 Port 3780
 Interface sync
 Checksum on }} }}
General {{ HashSize 65536
 HashLimit 524288
 LockFile {folder}/cd{n}.lock
 UNIX {{ Path {folder}/cd{n}.ctl }}
 NetlinkBufferSize 2097152
 NetlinkBufferSizeMaxGrowth 8388608
 Filter From Kernelspace {{ Address Ignore {{ IPv4_address 127.0.0.1
 IPv4_address 172.16.1.2
 IPv4_address 172.16.1.3 }} }} }}
"""
KEEPALIVED = """
global_defs {{ vrrp_version 3
 vrrp_garp_master_repeat 2 }}
vrrp_sync_group G {{ group {{ W
 L }} }}
vrrp_instance W {{ state {state}
 interface wan
 use_vmac vw
 vmac_xmit_base
 virtual_router_id 200
 priority {priority}
 advert_int {interval}
 virtual_ipaddress {{ {wan}/24 }} }}
vrrp_instance L {{ state {state}
 interface lan
 use_vmac vl
 vmac_xmit_base
 virtual_router_id 1
 priority {priority}
 advert_int {interval}
 virtual_ipaddress {{ {lan}/24 }} }}
"""


class Cluster:
    """Two nodes of some make on the lab's wires; `up` returns when fw1 is master and fw2 knows its states."""

    def __init__(self, name: str, *programs: str) -> None:
        self.name = name
        self.missing = [program for program in programs if not shutil.which(program)]
        self.slowest = 1.5

    def up(self, lab: Lab) -> None:
        raise NotImplementedError

    def again(self, lab: Lab) -> None:
        raise NotImplementedError

    def before(self, lab: Lab, number: int) -> None:
        """What happens just before a cut."""
        time.sleep(0.5 + number * 0.137 % 1)  # anywhere between two adverts


class Gemel(Cluster):
    """The recipe's cluster; then `commands` are typed on fw1 and fw2, and each virtual IP gets the options `vips`."""

    def __init__(self, name: str, commands: str = "", vips: str = "") -> None:
        super().__init__(name)
        self._commands = commands
        self._vips = vips

    def up(self, lab: Lab) -> None:
        recipe.carry_out(lab)
        for line in filter(None, map(str.strip, self._commands.splitlines())):
            for node in NODES:
                recipe.type_in(lab, node, line)
        if self._vips:
            for vip in lab.cli_json("fw1", "vip", "list")["values"]["items"]:
                recipe.type_in(lab, "fw1", f"gemel vip set {vip['id']} {self._vips}")
            recipe.type_in(lab, "fw1", "gemel apply")
            lab.wait(lambda: lab.cli_json("fw1", "status")["config_sync"]["status"] == "in sync", "the peer", 30)
        self._settle(lab)

    def again(self, lab: Lab) -> None:
        lab.power_on("fw1")
        self._settle(lab)

    def _settle(self, lab: Lab) -> None:
        lab.wait(lambda: roles(lab, "fw1") == {"MASTER"}, "fw1 to be master", 60)
        lab.wait(lambda: roles(lab, "fw2") == {"BACKUP"}, "fw2 to be backup", 60)
        lab.wait(lambda: lab.node_status("fw2")["fast_detection"]["phase"] == "armed", "the detector", 30)
        lab.wait(lambda: lab.node_status("fw2")["state_sync"]["in_sync"], "the states", 30)
        time.sleep(0.5)


def roles(lab: Lab, node: str) -> set[str]:
    """Of its virtual IPs; none while it does not answer yet."""
    try:
        return {vip["state"] for vip in lab.node_status(node)["carp"]}
    except LabError:
        return set()


class Applying(Gemel):
    """The same, while the survivor applies 10,000 rules: those that it has not, or the other way round."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._takes = 0.0

    def up(self, lab: Lab) -> None:
        super().up(lab)
        whole = json.loads(lab.cli("fw2", "export", "--json"))
        rules = whole["areas"]["rules"]["items"]
        for number in range(10_000):
            rules.append(
                {
                    "id": f"bench{number}", "interface": ("wan", "lan")[number % 2], "protocol": "tcp",
                    "source": f"10.{number >> 8}.{number & 255}.0/24", "destination": "any",
                    "destination_port": str(1 + number), "description": f"rule {number}",
                }
            )  # fmt: skip
        write(lab, "fw2", "big.json", json.dumps(whole))
        began = time.monotonic()
        lab.cli("fw2", "import", "/run/big.json", timeout=120)
        self._takes = time.monotonic() - began
        self.again_without_power(lab)

    def again_without_power(self, lab: Lab) -> None:
        """The primary's next push brings the survivor's few rules back."""
        recipe.type_in(lab, "fw1", "gemel sync")
        lab.wait(lambda: len(lab.cli_json("fw2", "rule", "list", "--running")["values"]["items"]) < 100, "the push", 60)
        self._settle(lab)

    def before(self, lab: Lab, number: int) -> None:
        lab.start("fw2", "gemel", "import", "/run/big.json", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(self._takes * (0.3 + number * 0.137 % 0.6))  # anywhere in it


class Stranger(Cluster):
    """keepalived or ucarp in the same namespaces, on blank machines that run nothing else."""

    def __init__(self, name: str, start: Callable[[Lab, str, str], None], slowest: float, *programs: str) -> None:
        super().__init__(name, "conntrackd", *programs)
        self._start = start
        self.slowest = slowest
        self._folder = tempfile.mkdtemp(prefix=TAG)

    def up(self, lab: Lab) -> None:
        for node in NODES:
            self._boot(lab, node)
        time.sleep(4 + self.slowest)

    def again(self, lab: Lab) -> None:
        lab.power_on("fw1")
        self._boot(lab, "fw1")
        time.sleep(4 + self.slowest)

    def _boot(self, lab: Lab, node: str) -> None:
        for name in ("webd", "agent", "flowd", "carpd"):
            lab.kill(node, name, hold=True)
        lab.exec(node, "nft", "flush", "ruleset")
        lab.exec(node, "nft", "-f", "-", text=NFT)
        lab.exec(node, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        # IPv6 on a BACKUP's macvlan would speak from the virtual MAC and draw the traffic to it before any power cut.
        lab.exec(node, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        plan = NODES[node]
        for device in ("wan", "lan", "sync"):
            lab.exec(node, "ip", "link", "set", device, "up")
            lab.exec(node, "ip", "address", "replace", getattr(plan, device), "dev", device)
        n, other = plan.number, 3 - plan.number
        written = CONNTRACKD.format(me=f"172.16.1.{n + 1}", to=f"172.16.1.{other + 1}", folder="/run", n=n)
        background(lab, node, write(lab, node, "cd.conf", written), "conntrackd -C {path}")
        self._start(lab, node, self._folder)


def write(lab: Lab, node: str, name: str, text: str) -> str:
    """A file on the node; returns its path there."""
    lab.exec(node, "sh", "-c", f"cat > /run/{name}", text=text)
    return f"/run/{name}"


def background(lab: Lab, node: str, path: str, command: str) -> None:
    """Start a program on the node that dies with it."""
    line = f"setsid {command.format(path=path)} >/run/out.log 2>&1 </dev/null &"
    lab.exec(node, "sh", "-c", line)


def keepalived(interval: float) -> Callable[[Lab, str, str], None]:
    def start(lab: Lab, node: str, _folder: str) -> None:
        first = node == "fw1"
        text = KEEPALIVED.format(
            state="MASTER" if first else "BACKUP", priority=200 if first else 100, interval=interval,
            wan=WAN_VIP, lan=LAN_VIP,
        )  # fmt: skip
        path = write(lab, node, "k.conf", text)
        background(lab, node, path, "keepalived -n -l -P -f {path} -p /run/k.pid -r /run/kv.pid")

    return start


def ucarp(lab: Lab, node: str, _folder: str) -> None:
    plan = NODES[node]
    up = "#!/bin/sh\nip addr add $2/24 dev $1\narping -U -c1 -I $1 $2 >/dev/null 2>&1 &\n"
    down = "#!/bin/sh\nip addr del $2/24 dev $1\n"
    for name, text in (("up", up), ("down", down)):
        lab.exec(node, "chmod", "+x", write(lab, node, name, text))
    skew = 1 if node == "fw1" else 101
    for device, vhid, vip in (("wan", 200, WAN_VIP), ("lan", 1, LAN_VIP)):
        own = getattr(plan, device).partition("/")[0]
        command = f"ucarp -i {device} -s {own} -v {vhid} -p secret -a {vip} -b 1 -k {skew} -P -u /run/up -d /run/down"
        background(lab, node, "", command)


CLUSTERS = (
    Gemel("Gemel, the recipe's settings (base 1, skew 1 / 101)"),
    Applying("Gemel, the same, 10,000 rules being applied"),
    Gemel("Gemel, base 0, skew 1 / 2", vips="--base 0 --skew 1"),
    Stranger("keepalived, adverts every 1 s", keepalived(1), 4, "keepalived"),
    Stranger("keepalived, adverts every 0.1 s", keepalived(0.1), 0.6, "keepalived"),
    Stranger("keepalived, adverts every 0.01 s", keepalived(0.01), 0.5, "keepalived"),
    Stranger("ucarp, base 1, skew 1 / 101", ucarp, 6, "ucarp"),
)


def measured(cluster: Cluster, cuts: int, port_dies: bool, found: list[float]) -> None:
    """Add the outage of each power cut, in ms."""
    lab = Lab(TAG)
    lab.up(owner=os.getpid())
    try:
        cluster.up(lab)
        with Traffic(lab, cuts * 60 + 60) as traffic:
            for number in range(cuts):
                if number:
                    cluster.again(lab)
                traffic.window()
                cluster.before(lab, number)
                lab.power_off("fw1", carrier=not port_dies)
                time.sleep(cluster.slowest + AFTER)
                found.append(traffic.window().flow.outage_ms)
    finally:
        lab.down()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=20, help="power cuts of each")
    parser.add_argument("--port-dies", action="store_true", help="the switch notices each cut")
    parser.add_argument("--only", default="", help="those with this word in their name")
    chosen = parser.parse_args()
    print(f"{'outage after a power cut, ms':54} median  worst   cuts")
    failed = 0
    for cluster in CLUSTERS:
        if chosen.only not in cluster.name:
            continue
        if cluster.missing:
            print(f"{cluster.name:54} {', '.join(cluster.missing)} not installed")
            continue
        found: list[float] = []
        try:
            measured(cluster, chosen.cuts, chosen.port_dies, found)
        except Exception as error:  # whatever it was, the other rows have their figures still
            failed += 1
            print(f"{cluster.name:54} failed after {len(found)} cuts: {error}", flush=True)
        if found:
            print(f"{cluster.name:54} {statistics.median(found):6.0f} {max(found):6.0f} {len(found):6}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
