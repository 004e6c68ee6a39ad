"""Interfaces > VLANs, LAGGs, Bridges: network devices that a node makes itself, to be assigned like any port.

They stay on each node, like the assignments: the ports of two machines need not have the same names. A VLAN is called
after what carries it (``eth0.10``), bonds and bridges have names of their own. Reference pfsense-semantics §1.2.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator

from gemel.areas.fields import DeviceName, Line
from gemel.areas.high_availability import HIGH_AVAILABILITY
from gemel.areas.interfaces import INTERFACES
from gemel.core.area import Area
from gemel.core.config import Config
from gemel.core.model import Item, Model, field
from gemel.core.problem import Invalid, Problem

LONGEST_NAME = 15
NOT_FOR_DEVICES = ("lo", "all", "default")


def _own_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,14}", value) or value in NOT_FOR_DEVICES:
        raise ValueError(
            f"{value!r} is no name for a network device made here: a letter, then letters, digits, _ and -, at most 15"
        )
    return value


OwnName = Annotated[str, AfterValidator(_own_name)]


class Vlan(Item):
    """One 802.1Q VLAN on a port, a bond or a bridge."""

    parent: DeviceName = field(
        label="Parent Interface", help="The network device that carries it: a port such as eth1, a bond, a bridge."
    )
    tag: int = field(label="VLAN Tag", help="802.1Q VLAN tag, 1 to 4094.", ge=1, le=4094)
    priority: int = field(0, label="VLAN Priority", help="802.1Q priority of what is sent, 0 to 7.", ge=0, le=7)
    description: Line = field("", label="Description", help="For people.")

    @property
    def device(self) -> str:
        """The name of its network device."""
        return f"{self.parent}.{self.tag}"

    def called(self) -> tuple[str, ...]:
        return (self.device,)


class Vlans(Model):
    """All VLANs of this node."""

    items: tuple[Vlan, ...] = ()


class Bond(Item):
    """Several ports that are one (LAGG): together as the switch agrees, or one in place of another."""

    name: OwnName = field(label="Name", help="Of its network device, for example bond0.")
    members: tuple[DeviceName, ...] = field(label="Members", help="Its ports. None of them may be assigned.")
    mode: Literal["802.3ad", "active-backup"] = field(
        "802.3ad",
        label="Protocol",
        help="802.3ad: LACP, all ports at once; the switch has to speak it. active-backup: one port, the others in "
        "reserve; any switch will do.",
    )
    primary: str = field(
        "",
        label="Failover Master",
        help="With active-backup: the member that is used whenever it has a link. Empty: whichever is in use.",
    )
    lacp_rate: Literal["slow", "fast"] = field(
        "slow",
        label="LACP Timeout",
        help="With 802.3ad: ask the switch for a sign of life every 30 seconds (slow), or every second (fast).",
    )
    hash: Literal["layer2", "layer2+3", "layer3+4"] = field(
        "layer2+3", label="Hash Algorithm", help="With 802.3ad: what decides which port a packet leaves by."
    )
    description: Line = field("", label="Description", help="For people.")

    @property
    def device(self) -> str:
        """The name of its network device."""
        return self.name

    def called(self) -> tuple[str, ...]:
        return (self.name,)


class Bonds(Model):
    """All bonds of this node."""

    items: tuple[Bond, ...] = ()


class Bridge(Item):
    """Several ports that are one network, as those of a switch are."""

    name: OwnName = field(label="Name", help="Of its network device, for example br0.")
    members: tuple[DeviceName, ...] = field(
        label="Member Interfaces",
        help="Its ports: network devices, bonds, VLANs. None of them may be assigned. What passes from one to another "
        "is not filtered.",
    )
    stp: bool = field(
        True,
        label="Enable STP",
        help="Spanning Tree: a loop of bridges is noticed and cut. A port passes nothing for its first 30 seconds.",
    )
    description: Line = field("", label="Description", help="For people.")

    @property
    def device(self) -> str:
        """The name of its network device."""
        return self.name

    def called(self) -> tuple[str, ...]:
        return (self.name,)


class Bridges(Model):
    """All bridges of this node."""

    items: tuple[Bridge, ...] = ()


def made(config: Config) -> tuple[str, ...]:
    """The network devices that this node makes itself."""
    return tuple(_by_id(config).values())


def _by_id(config: Config) -> dict[tuple[str, str], str]:
    """Area and id of what is made -> its network device."""
    found = {("bonds", b.id): b.device for b in config[BONDS].items}
    found |= {("bridges", b.id): b.device for b in config[BRIDGES].items}
    return found | {("vlans", v.id): v.device for v in config[VLANS].items}


def members(config: Config) -> dict[str, str]:
    """Port -> the bond or bridge that it is a member of."""
    groups: tuple[Bond | Bridge, ...] = (*config[BONDS].items, *config[BRIDGES].items)
    return {member: group.name for group in groups for member in group.members}


# What does not go together ------------------------------------------------------------------------------------------


def _check_vlans(config: Config) -> Iterator[Problem]:
    owners = members(config)
    seen: dict[str, str] = {}
    vlans = {v.device for v in config[VLANS].items}
    for item in config[VLANS].items:
        path = f"vlans[{item.id}]"
        if seen.setdefault(item.device, item.id) != item.id:
            yield Problem(f"{path}.tag", f"{item.parent} has a VLAN {item.tag} already")
        if len(item.device) > LONGEST_NAME:
            text = f"the device would be called {item.device}: that is longer than {LONGEST_NAME} characters"
            yield Problem(f"{path}.parent", text)
        if item.parent in vlans:
            yield Problem(f"{path}.parent", f"{item.parent} is a VLAN itself: QinQ is not supported")
        if item.parent in owners:
            group = owners[item.parent]
            yield Problem(f"{path}.parent", f"{item.parent} is a member of {group}: put the VLAN on {group}")
        yield from _check_mtu(item, config)
    yield from _check_strangers(config)


def _check_strangers(config: Config) -> Iterator[Problem]:
    """A machine that had a bond before it was taken over has it until it is started again."""
    here = {*made(config)}
    for interface in config[INTERFACES].items:
        if re.fullmatch(r".+\.[0-9]+|bond[0-9]+|br[0-9]+", interface.device) and interface.device not in here:
            text = f"{interface.device} is no VLAN, bond or bridge of this node: after a boot it may be gone"
            yield Problem(f"interfaces[{interface.id}].device", text, "warning")


def _check_mtu(item: Vlan, config: Config) -> Iterator[Problem]:
    sizes = {i.device: (i.id, i.mtu) for i in config[INTERFACES].items if i.enabled and i.mtu}
    mine, carrier = sizes.get(item.device), sizes.get(item.parent)
    if mine and carrier and (mine[1] or 0) > (carrier[1] or 0):
        text = f"not above the {carrier[1]} bytes of {item.parent}, which carries this VLAN"
        yield Problem(f"interfaces[{mine[0]}].mtu", text)


def _check_bonds(config: Config) -> Iterator[Problem]:
    here = {*made(config)}
    for bond in config[BONDS].items:
        path = f"bonds[{bond.id}]"
        yield from _check_group(bond, path, config)
        for member in bond.members:
            if member in here and member != bond.name:
                yield Problem(f"{path}.members", f"{member} is no port: a bond takes ports of the machine only")
        if bond.primary and bond.mode != "active-backup":
            yield Problem(f"{path}.primary", "only active-backup has one")
        elif bond.primary and bond.primary not in bond.members:
            yield Problem(f"{path}.primary", f"{bond.primary} is none of its members")


def _check_bridges(config: Config) -> Iterator[Problem]:
    bridges = {b.name for b in config[BRIDGES].items}
    for bridge in config[BRIDGES].items:
        path = f"bridges[{bridge.id}]"
        yield from _check_group(bridge, path, config)
        for member in bridge.members:
            if member in bridges and member != bridge.name:
                yield Problem(f"{path}.members", f"{member} is a bridge itself")
            if any(v.device == member and v.parent == bridge.name for v in config[VLANS].items):
                yield Problem(f"{path}.members", f"{member} is carried by {bridge.name} itself")
        if len(bridge.members) > 1 and not bridge.stp and config[HIGH_AVAILABILITY].peer_ip:
            text = "if the other node bridges the same networks, too, they are a loop, which only STP cuts"
            yield Problem(f"{path}.stp", text, "warning")


def _check_group(group: Bond | Bridge, path: str, config: Config) -> Iterator[Problem]:
    """What holds for the members of a bond as for those of a bridge."""
    if not group.members:
        yield Problem(f"{path}.members", "at least one member is needed")
    if made(config).count(group.name) > 1:
        yield Problem(f"{path}.name", f"there is another device called {group.name}")
    assigned = {i.device: i.title for i in config[INTERFACES].items}
    groups: tuple[Bond | Bridge, ...] = (*config[BONDS].items, *config[BRIDGES].items)
    for number, member in enumerate(group.members):
        if member in group.members[:number]:
            yield Problem(f"{path}.members", f"{member} is named twice")
        if member in assigned:
            yield Problem(f"{path}.members", f"{member} is assigned to {assigned[member]}: free it there first")
        other = next((g for g in groups if g is not group and member in g.members), None)
        if other is not None:
            yield Problem(f"{path}.members", f"{member} is a member of {other.name} already")
        if member == group.name:
            yield Problem(f"{path}.members", "it cannot be a member of itself")


VLANS = Area(
    name="vlans",
    label="VLANs",
    noun="vlan",
    model=Vlans,
    item=Vlan,
    help="802.1Q VLANs. Each is a network device that can be assigned at Interfaces > Assignments.",
    availability="local",
    check=_check_vlans,
    columns=("parent", "tag", "priority", "description"),
)

BONDS = Area(
    name="bonds",
    label="LAGGs (bonds)",
    noun="bond",
    model=Bonds,
    item=Bond,
    help="Several ports as one network device: LACP, or one in reserve.",
    availability="local",
    check=_check_bonds,
    columns=("name", "members", "mode", "description"),
)

BRIDGES = Area(
    name="bridges",
    label="Bridges",
    noun="bridge",
    model=Bridges,
    item=Bridge,
    help="Several network devices as one network. What passes from one member to another is not filtered.",
    availability="local",
    check=_check_bridges,
    columns=("name", "members", "stp", "description"),
)


def followed(before: Config, after: Config) -> Config:
    """`after`, where an interface whose device has got another name (another tag, another parent) has that one.

    Raises:
        Invalid: a device is made no more, and an interface has it all the same.
    """
    old, new = _by_id(before), _by_id(after)
    if old == new:
        return after
    renamed = {old[key]: new[key] for key in old.keys() & new.keys() if old[key] != new[key]}
    gone = set(old.values()) - set(new.values()) - set(renamed)
    interfaces, problems = after[INTERFACES], []
    for item in interfaces.items:
        if item.device in gone:
            text = f"{item.device} is assigned to {item.title}: give it another port first, or delete it"
            problems.append(Problem(f"interfaces[{item.id}].device", text))
    if problems:
        raise Invalid(problems)
    items = tuple(i.model_copy(update={"device": renamed.get(i.device, i.device)}) for i in interfaces.items)
    return after.having(interfaces=interfaces.model_copy(update={"items": items})) if renamed else after
