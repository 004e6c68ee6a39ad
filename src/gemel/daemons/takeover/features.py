"""What the kernel can do, and what it costs where it cannot."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gemel.effects.commands import CommandFailed, run, succeeds


@dataclass(frozen=True, slots=True)
class Feature:
    """A part of the kernel: by module, by rules that nft has to take, or by a path below /proc. `needed`: nothing
    works without."""

    name: str
    cost: str
    needed: bool = False
    modules: tuple[str, ...] = ()
    rules: str = ""
    path: str = ""


FEATURES = (
    Feature(
        "IPv6", "Gemel filters IPv6 and listens on it, also where nobody has an address; boot without ipv6.disable=1",
        True, path="/proc/sys/net/ipv6/conf/all/forwarding",
    ),
    Feature("nftables", "there is no firewall without it", True, ("nf_tables",)),
    Feature("conntrack by netlink", "states cannot be synchronised", True, ("nf_conntrack_netlink",)),
    Feature(
        "NAT", "no outbound NAT, no port forwards", True,
        rules="table inet gemel_look { chain c { type nat hook postrouting priority 100; masquerade; }; }",
    ),
    Feature(
        "filters at ingress", "virtual MACs cannot be kept off the wire of a backup", True,
        rules='table netdev gemel_look { chain c { type filter hook ingress device "lo" priority 0; accept; }; }',
    ),
    Feature("VLANs", "no VLAN interfaces (802.1Q)", modules=("8021q",)),
    Feature("bonds", "no bonds of ports", modules=("bonding",)),
    Feature("bridges", "no bridges of ports", modules=("bridge",)),
    Feature("FTP helper", "active FTP needs rules of its own", modules=("nf_conntrack_ftp",)),
    Feature("SIP helper", "SIP media need rules of their own", modules=("nf_conntrack_sip",)),
)  # fmt: skip


def missing() -> Iterator[Feature]:
    """The features that this kernel lacks."""
    built_in = _built_in()
    for feature in FEATURES:
        there = all(m in built_in or Path(f"/sys/module/{m}").exists() or succeeds("modprobe", "-q", m)
                    for m in feature.modules)  # fmt: skip
        there = there and (not feature.path or Path(feature.path).exists())
        if not there or (feature.rules and not _taken(feature.rules)):
            yield feature


def _built_in() -> set[str]:
    try:
        release = run("uname", "-r").strip()
        lines = Path(f"/lib/modules/{release}/modules.builtin").read_text().split()
    except (OSError, CommandFailed):
        return set()
    return {Path(line).stem.replace("-", "_") for line in lines}


def _taken(rules: str) -> bool:
    try:
        run("nft", "-c", "-f", "-", text=rules)
    except CommandFailed:
        return False
    return True
