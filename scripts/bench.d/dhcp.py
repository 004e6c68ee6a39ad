"""DHCP: leases per second with failover on, and the time to a new client's first lease after a power cut.

Beside it Kea alone: two servers with Kea's own HA (hot-standby) and its default timers, in namespaces. One of the two
by itself: `gemel`, `kea`.
"""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gemel.effects.kea import Kea, KeaError
from gemel.lab import namespace, recipe
from gemel.lab.dhcp_host import DhcpHost, crowd
from gemel.lab.lab import Lab

CLIENTS = 120
HOOKS = "/usr/lib/x86_64-linux-gnu/kea/hooks"
PEERS = {"a": "192.168.77.2", "b": "192.168.77.3"}
PROGRAM = Path(namespace.__file__).with_name("dhcp_clients.py")


def kea_alone(name: str, folder: Path) -> dict[str, Any]:
    """Kea's configuration with its own HA and its default timers."""
    roles = {"a": "primary", "b": "standby"}
    peers = [{"name": n, "url": f"http://{PEERS[n]}:8765/", "role": roles[n], "auto-failover": True} for n in PEERS]
    ha = {"this-server-name": name, "mode": "hot-standby", "max-unacked-clients": 0, "peers": peers,
          "multi-threading": {"enable-multi-threading": True, "http-dedicated-listener": True}}  # fmt: skip
    return {
        "Dhcp4": {
            "interfaces-config": {"interfaces": ["lan"]},
            "control-socket": {"socket-type": "unix", "socket-name": f"{folder}/{name}.sock"},
            "lease-database": {"type": "memfile", "name": f"{folder}/{name}.csv"},
            "multi-threading": {"enable-multi-threading": True},
            "hooks-libraries": [
                {"library": f"{HOOKS}/libdhcp_lease_cmds.so"},
                {"library": f"{HOOKS}/libdhcp_ha.so", "parameters": {"high-availability": [ha]}},
            ],
            "subnet4": [{"subnet": "192.168.77.0/24", "pools": [{"pool": "192.168.77.100-192.168.77.250"}]}],
        }
    }


def alone() -> tuple[float, float]:
    """Leases per second, and seconds to the first lease after the primary's power is cut."""
    tag, spaces = "bdhcp", ["s", "a", "b", "c"]
    servers: dict[str, subprocess.Popen[bytes]] = {}
    with TemporaryDirectory() as place:
        folder = Path(place)
        try:
            for one in spaces:
                namespace.add(f"{tag}{one}")
            namespace.ip(f"{tag}s", "link add br0 type bridge", "link set br0 up")
            for one in spaces[1:]:
                namespace.ip(f"{tag}{one}", f"link add lan type veth peer name p{one} netns {tag}s", "link set lan up")
                namespace.ip(f"{tag}s", f"link set p{one} master br0", f"link set p{one} up")
            for one, address in PEERS.items():
                namespace.ip(f"{tag}{one}", f"address add {address}/24 dev lan")
                (folder / f"{one}.conf").write_text(json.dumps(kea_alone(one, folder)))
            for one in PEERS:
                servers[one] = subprocess.Popen(
                    ("ip", "netns", "exec", f"{tag}{one}", "env", f"KEA_PIDFILE_DIR={folder}",
                     f"KEA_LOCKFILE_DIR={folder}", "kea-dhcp4", "-c", str(folder / f"{one}.conf")),
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
            for one in PEERS:
                wait_for_the_pair(f"{folder}/{one}.sock")
            rate = per_second(clients(f"{tag}c", "--clients", str(CLIENTS), "--at-once", "20", "--patience", "20"))
            namespace.ip(f"{tag}s", "link set pa nomaster")
            servers["a"].kill()
            [first] = clients(f"{tag}c", "--patience", "100")
            return rate, first["seconds"] or 100.0
        finally:
            for server in servers.values():
                server.kill()
                server.wait()
            for one in spaces:
                namespace.delete(f"{tag}{one}")


def wait_for_the_pair(path: str) -> None:
    """Until this server says that the two are a pair: some heartbeats of 10 s."""
    deadline, state = time.monotonic() + 60, ""
    while state != "hot-standby":
        if time.monotonic() > deadline:
            raise SystemExit(f"Kea alone does not become a pair: {state}")
        time.sleep(0.2)
        try:
            said = asyncio.run(Kea(path).ask("status-get"))
            state = said["high-availability"][0]["ha-servers"]["local"]["state"]
        except KeaError:
            continue


def clients(space: str, *arguments: str) -> list[dict[str, Any]]:
    """Run the crowd of clients in a namespace."""
    printed = namespace.run("ip", "netns", "exec", space, sys.executable, str(PROGRAM), "lan", *arguments)
    return [json.loads(line) for line in printed.splitlines()]


def per_second(served: list[dict[str, Any]]) -> float:
    """Leases per second of 20 clients at once, each busy for as long as it waited."""
    waited = sum(c["seconds"] for c in served if c["seconds"])
    return 20 * len([c for c in served if c["seconds"]]) / waited if waited else 0.0


def together() -> tuple[float, float]:
    """The same of a cluster after the recipe; the new client is Debian's dhclient."""
    lab = Lab("bdhcp")
    lab.up()
    try:
        recipe.carry_out(lab)
        lab.cli("fw1", "dhcp", "set", "lan", "--range-from", "192.168.1.60", "--range-to", "192.168.1.250")
        time.sleep(5)
        served = crowd(lab, "--clients", str(CLIENTS), "--at-once", "20", "--patience", "20")
        rate = per_second(served)
        with DhcpHost(lab, "new") as new:
            lab.power_off("fw1")
            cut = time.monotonic()
            new.dhclient()
            new.wait_for(1, 30)
            return rate, time.monotonic() - cut
    finally:
        lab.down()


SIDES = {"gemel": ("Gemel", together), "kea": ("Kea alone", alone)}


def main() -> None:
    for key in sys.argv[1:] or SIDES:
        name, measure = SIDES[key]
        rate, first = measure()
        print(f"{name:10} leases per second, failover on: {rate:6.0f}   first lease after a power cut: {first:6.2f} s")


if __name__ == "__main__":
    main()
