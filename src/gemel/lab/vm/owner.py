"""A machine whose ports somebody else looks after than ifupdown."""

from dataclasses import dataclass

from gemel.lab.topology import NODES, WAN_GATEWAY
from gemel.lab.vm.pair import PATIENCE, Pair

INTERFACES, RESOLVER = "/etc/network/interfaces", "/etc/resolv.conf"
ASIDE = ".vm-test"


@dataclass(frozen=True, slots=True)
class Owner:
    """`unit` is its service; `files` are path -> text, with ``{wan}``, ``{lan}`` and ``{gateway}``, of this `mode`."""

    name: str
    unit: str
    files: dict[str, str]
    mode: str = "644"


NETWORKD = Owner(
    "systemd-networkd",
    "systemd-networkd.service",
    {
        "/etc/systemd/network/10-wan.network": "[Match]\nName=eth0\n\n[Network]\nAddress={wan}\nGateway={gateway}\n",
        "/etc/systemd/network/10-lan.network": "[Match]\nName=eth1\n\n[Network]\nAddress={lan}\n",
    },
)

CONNECTION = "[connection]\nid={0}\ntype=ethernet\ninterface-name={0}\n\n[ipv4]\nmethod=manual\n"
NETWORK_MANAGER = Owner(
    "NetworkManager",
    "NetworkManager.service",
    {
        "/etc/NetworkManager/system-connections/wan.nmconnection": CONNECTION.format("eth0")
        + "address1={wan},{gateway}\ndns={gateway};\n",
        "/etc/NetworkManager/system-connections/lan.nmconnection": CONNECTION.format("eth1") + "address1={lan}\n",
    },
    "600",  # it passes over files that others can read
)


def give_to(pair: Pair, node: str, owner: Owner) -> None:
    """From the next boot on, which is waited for, this one looks after the ports, and ifupdown after none."""
    plan = NODES[node]
    for path, text in owner.files.items():
        content = text.format(wan=plan.wan, lan=plan.lan, gateway=WAN_GATEWAY)
        pair.lab.exec(node, "install", "-m", owner.mode, "/dev/stdin", path, text=content)
    # NetworkManager writes the list of name servers anew.
    aside = f"mv {INTERFACES} {INTERFACES}{ASIDE}; cp {RESOLVER} {RESOLVER}{ASIDE}"
    _then_boot(pair, node, f"{aside}; systemctl -q enable {owner.unit}")


def give_to_ifupdown(pair: Pair, node: str, owner: Owner) -> None:
    """As it was before `give_to`."""
    back = "; ".join(f"mv {path}{ASIDE} {path}" for path in (INTERFACES, RESOLVER))
    off = f"systemctl -q disable {owner.unit}; systemctl stop {owner.unit}"
    _then_boot(pair, node, f"{off}; rm -f {' '.join(owner.files)}; {back}")


def _then_boot(pair: Pair, node: str, commands: str) -> None:
    pair.lab.exec(node, "sh", "-c", commands)
    pair.lab.reboot(node, PATIENCE)
    pair.lab.booted(node)
    # One can log in before the last services have started.
    pair.lab.exec(node, "systemctl", "is-system-running", "--wait", check=False, timeout=PATIENCE)
