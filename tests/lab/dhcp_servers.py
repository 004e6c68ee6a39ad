"""DHCP servers on the WAN host, for networks behind the firewall: what a relay asks."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gemel.lab.lab import Lab
from gemel.lab.topology import HOSTS, LAN_NET6, WAN_VIP

SERVER, SERVER6 = (a.partition("/")[0] for a in (HOSTS["wan"].address, HOSTS["wan"].address6))
FIRST, FIRST6 = "192.168.1.150", "2001:db8:1::1:0"


@contextmanager
def on_wan(lab: Lab, folder: Path) -> Iterator[None]:
    """Kea for both families, with pools of LAN's networks, and a route to LAN as any host on WAN would need it."""
    for name, section in (
        ("4", {
            "interfaces-config": {"interfaces": ["eth0"], "dhcp-socket-type": "udp"},
            "subnet4": [{"id": 1, "subnet": "192.168.1.0/24", "pools": [{"pool": f"{FIRST} - 192.168.1.199"}]}],
        }),
        ("6", {
            "interfaces-config": {"interfaces": [f"eth0/{SERVER6}"]},
            "server-id": {"type": "EN", "enterprise-id": 1, "identifier": "5749", "persist": False},
            "subnet6": [{"id": 1, "subnet": LAN_NET6, "pools": [{"pool": f"{FIRST6}/112"}]}],
        }),
    ):  # fmt: skip
        config = {f"Dhcp{name}": {**section, "lease-database": {"type": "memfile", "persist": False}}}
        (folder / f"kea{name}.conf").write_text(json.dumps(config))
    lab.exec("wan", "ip", "route", "replace", "192.168.1.0/24", "via", WAN_VIP)
    where = ("env", f"KEA_PIDFILE_DIR={folder}", "KEA_LOCKFILE_DIR=none")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    servers = [
        lab.start("wan", *where, f"kea-dhcp{n}", "-c", str(folder / f"kea{n}.conf"), **quiet) for n in ("4", "6")
    ]
    try:
        listening = lambda: lab.exec("wan", "ss", "-lun").count(":67 ") and ":547 " in lab.exec("wan", "ss", "-lun")  # noqa: E731
        lab.wait(listening, "the servers on WAN")
        yield
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait(10)
        lab.exec("wan", "ip", "route", "delete", "192.168.1.0/24", "via", WAN_VIP)
