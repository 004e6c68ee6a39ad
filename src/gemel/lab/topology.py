"""The recipe's addresses, and how things in a lab are called. Pure."""

import hashlib
import re
from dataclasses import dataclass

SWITCH = "sw"
LAB_NAME = re.compile(r"[a-z][a-z0-9]{0,11}")
SEGMENT_NAME = re.compile(r"[a-z][a-z0-9]{0,9}")  # `fw1-NAME` is a device name: at most 15 characters


@dataclass(frozen=True, slots=True)
class Node:
    """A firewall: its number, and its addresses with prefix length by segment. The IPv6 ones are set aside for it: no
    step of the recipe sets them.
    """

    name: str
    number: int
    wan: str
    lan: str
    sync: str
    wan6: str
    lan6: str


@dataclass(frozen=True, slots=True)
class Host:
    """A machine that is no firewall: one device, `eth0`, on `segment`. `routes6`: network -> IPv6 gateway."""

    name: str
    segment: str
    address: str
    gateway: str | None
    address6: str = ""
    routes6: tuple[tuple[str, str], ...] = ()


LAN_NET6 = "2001:db8:1::/64"
WAN_VIP6, LAN_VIP6 = "2001:db8:51::200", "2001:db8:1::1"
NODES = {
    "fw1": Node(
        "fw1", 1, "198.51.100.201/24", "192.168.1.2/24", "172.16.1.2/24", "2001:db8:51::201/64", "2001:db8:1::2/64"
    ),
    "fw2": Node(
        "fw2", 2, "198.51.100.202/24", "192.168.1.3/24", "172.16.1.3/24", "2001:db8:51::202/64", "2001:db8:1::3/64"
    ),
}
HOSTS = {
    "lan": Host("lan", "lan", "192.168.1.50/24", "192.168.1.1", "2001:db8:1::50/64", (("default", LAN_VIP6),)),
    "wan": Host("wan", "wan", "198.51.100.1/24", None, "2001:db8:51::1/64", ((LAN_NET6, WAN_VIP6),)),
}
SEGMENTS = ("wan", "lan", "sync")

WAN_GATEWAY = "198.51.100.1"
WAN_SERVER = "198.51.100.1"
WAN_VIP = "198.51.100.200"
LAN_VIP = "192.168.1.1"


def other(node: str) -> str:
    """The other node of the pair."""
    return next(n for n in NODES if n != node)


def mac(lab: str, machine: str, device: str) -> str:
    """A device's hardware address: locally administered, and the same after every power cycle, as on a real card."""
    digest = hashlib.sha256(f"{lab}/{machine}/{device}".encode()).digest()
    return ":".join(f"{b:02x}" for b in (0x02, *digest[:5]))


def extra_host(name: str, how_many_before: int) -> Host:
    """The host on an added segment: 10.0.N.50/24, expecting its gateway at 10.0.N.1, N from 10."""
    n = 10 + how_many_before
    return Host(name, name, f"10.0.{n}.50/24", f"10.0.{n}.1")


def web_address(index: int, node: Node) -> str:
    """The loopback address behind which a node's web port is found; `index` (1..254) is the lab's."""
    return f"127.10.{index}.{node.number}"
