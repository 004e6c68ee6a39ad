"""A machine whose ports somebody else looks after than ifupdown."""

from dataclasses import dataclass

from gemel.lab.topology import NODES, WAN_GATEWAY
from gemel.lab.vm.pair import PATIENCE, Pair

INTERFACES, ASIDE = "/etc/network/interfaces", "/etc/network/interfaces.vm-test"


@dataclass(frozen=True, slots=True)
class Owner:
    """`unit` is its service; `files` are path -> text, with ``{wan}``, ``{lan}`` and ``{gateway}``."""

    unit: str
    files: dict[str, str]


NETWORKD = Owner(
    "systemd-networkd.service",
    {
        "/etc/systemd/network/10-wan.network": "[Match]\nName=eth0\n\n[Network]\nAddress={wan}\nGateway={gateway}\n",
        "/etc/systemd/network/10-lan.network": "[Match]\nName=eth1\n\n[Network]\nAddress={lan}\n",
    },
)


def give_to(pair: Pair, node: str, owner: Owner) -> None:
    """From the next boot on, which is waited for, this one looks after the ports, and ifupdown after none."""
    plan = NODES[node]
    for path, text in owner.files.items():
        pair.lab.exec(node, "tee", path, text=text.format(wan=plan.wan, lan=plan.lan, gateway=WAN_GATEWAY))
    _then_boot(pair, node, f"mv {INTERFACES} {ASIDE}; systemctl -q enable {owner.unit}")


def give_to_ifupdown(pair: Pair, node: str, owner: Owner) -> None:
    """As it was before `give_to`."""
    _then_boot(pair, node, f"systemctl -q disable {owner.unit}; rm {' '.join(owner.files)}; mv {ASIDE} {INTERFACES}")


def _then_boot(pair: Pair, node: str, commands: str) -> None:
    pair.lab.exec(node, "sh", "-c", commands)
    pair.lab.reboot(node, PATIENCE)
    pair.lab.booted(node)
    # One can log in before the last services have started.
    pair.lab.exec(node, "systemctl", "is-system-running", "--wait", check=False, timeout=PATIENCE)
