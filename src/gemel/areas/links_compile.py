"""What all network devices of a node come to together: ports, VLANs, bonds and bridges as one set of links."""

from collections.abc import Iterable, Iterator

from gemel.areas.interfaces import INTERFACES
from gemel.areas.links import BONDS, BRIDGES, VLANS, Bond, Bridge
from gemel.core.area import NodeState
from gemel.core.config import Config
from gemel.core.want import Link, Sysctl, Want

# Where br_netfilter is loaded, what passes from member to member would meet the firewall's rules, and what comes for a
# virtual MAC would lose its state on its way up (since Linux 6.9), which drops it.
_BRIDGED_IS_FILTERED = tuple(f"net.bridge.bridge-nf-call-{of}" for of in ("arptables", "ip6tables", "iptables"))


def compile_links(config: Config, _node: NodeState) -> Iterable[Want]:
    """One link for each device that is assigned and enabled, made here, or needed by one that is made."""
    mtus = {i.device: i.mtu for i in config[INTERFACES].items if i.enabled}
    groups: tuple[Bond | Bridge, ...] = (*config[BONDS].items, *config[BRIDGES].items)
    links = {device: Link(device, mtu) for device, mtu in mtus.items()}
    for link in _made(config, mtus):
        links[link.device] = link
    for group in groups:
        for member in group.members:
            # A bond gives its MTU to its ports by itself; a bridge has that of the smallest.
            mtu = mtus.get(group.name) if isinstance(group, Bridge) else None
            own = links.get(member, Link(member))
            links[member] = Link(own.device, own.mtu or mtu, own.kind, own.over, group.name, own.settings)
    for vlan in config[VLANS].items:
        # What carries a VLAN must be up, and take its packets, assigned or not.
        carrier = links.get(vlan.parent)
        if carrier is None or (vlan.parent not in mtus and not carrier.master):
            own = carrier or Link(vlan.parent)
            mtu = max((m for m in (own.mtu, mtus.get(vlan.device)) if m), default=None)
            links[vlan.parent] = Link(own.device, mtu, own.kind, own.over, own.master, own.settings)
    filtered = [Sysctl(name, "0") for name in _BRIDGED_IS_FILTERED] if config[BRIDGES].items else []
    return (*filtered, *links.values())


def _made(config: Config, mtus: dict[str, int | None]) -> Iterator[Link]:
    for bond in config[BONDS].items:
        yield Link(bond.name, mtus.get(bond.name), "bond", settings=_bond_settings(bond))
    for bridge in config[BRIDGES].items:
        yield Link(bridge.name, mtus.get(bridge.name), "bridge", settings=(("stp", "yes" if bridge.stp else "no"),))
    for vlan in config[VLANS].items:
        settings = (("tag", str(vlan.tag)), ("priority", str(vlan.priority)))
        yield Link(vlan.device, mtus.get(vlan.device), "vlan", vlan.parent, settings=settings)


def _bond_settings(bond: Bond) -> tuple[tuple[str, str], ...]:
    """Only what its mode has: the kernel refuses the rest."""
    if bond.mode == "802.3ad":
        return (("mode", bond.mode), ("lacp_rate", bond.lacp_rate), ("hash", bond.hash))
    return (("mode", bond.mode), ("primary", bond.primary))
