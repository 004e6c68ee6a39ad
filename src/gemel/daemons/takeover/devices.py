"""Network devices as `ip -d -json` shows them, and the edits that have Gemel make again at each boot those that no
hardware brings: VLANs, bonds, bridges. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from gemel.areas.links import Bond
from gemel.control.agent import EditOrder

THERE = ("", "dsa", "veth")
"""Kinds that are there by themselves; the last in a container, whose ports they are."""

COME_AND_GO = ("veth", "tun")
"""Kinds of what virtual machines and containers are joined by; whoever runs them makes these again."""

MODES = get_args(Bond.model_fields["mode"].annotation)
HASHES = get_args(Bond.model_fields["hash"].annotation)
FIRST = "the way this machine's network is set now"


@dataclass(frozen=True, slots=True)
class Device:
    """One network device: `kind` (empty: a port of the machine), the device that it is carried by, the one that it is
    a part of, MTU in bytes, all addresses without masks (link-local ones, too), and what `ip -d` says of its kind."""

    name: str
    kind: str = ""
    over: str = ""
    master: str = ""
    mtu: int = 1500
    addresses: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Again:
    """What it takes to have devices again after a boot: edits, and what people are to know."""

    edits: list[EditOrder] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def devices(links: Iterable[dict[str, Any]]) -> tuple[Device, ...]:
    """Of `ip -d -json address`: all of them."""
    return tuple(
        Device(
            link["ifname"],
            link.get("linkinfo", {}).get("info_kind", ""),
            str(link.get("link") or ""),
            link.get("master", ""),
            link.get("mtu", 1500),
            tuple(i["local"] for i in link.get("addr_info", ()) if "local" in i),
            link.get("linkinfo", {}).get("info_data", {}),
        )
        for link in links
    )


def members(found: Iterable[Device], group: str) -> list[Device]:
    """The parts of a bond or bridge."""
    return [d for d in found if d.master == group]


def worth_proposing(found: Iterable[Device], device: Device | None) -> bool:
    """Whether it looks like a way to a network, rather than to this machine's own containers and virtual machines."""
    if device is None or device.kind in ("", "dsa", "vlan", "bond"):
        return True
    return device.kind == "bridge" and any(d.kind not in COME_AND_GO for d in members(found, device.name))


def made_again(found: Iterable[Device], wanted: Iterable[str]) -> Again:
    """How to have these again, and what they stand on. Those that no hardware brings and Gemel cannot make are
    problems."""
    by_name = {d.name: d for d in found}
    again, todo = Again(), list(dict.fromkeys(wanted))
    for name in todo:  # grows on the way
        device = by_name.get(name)
        if device is None or device.kind in THERE:
            continue
        if said := _impossible(device, by_name):
            again.problems.append(said)
            continue
        below = [device.over] if device.kind == "vlan" else [d.name for d in _kept(device, by_name, again)]
        if not below:
            again.problems.append(f"{name}: nothing in it is there at boot; add a port to it first, {FIRST}")
            continue
        again.edits.append(_edit(device, tuple(below), again))
        again.lines.append(f"{name}: a {device.kind} {'on' if device.kind == 'vlan' else 'of'} {', '.join(below)}, "
                           f"made by Gemel from now on")  # fmt: skip
        todo += [b for b in below if b not in todo]
    return again


def _impossible(device: Device, by_name: Mapping[str, Device]) -> str:
    name, data = device.name, device.data
    match device.kind:
        case "vlan" if device.over not in by_name:
            return f"{name} is a VLAN of something that this machine does not see: choose another port"
        case "vlan" if data.get("protocol", "802.1Q").upper() != "802.1Q":
            return f"{name} is a VLAN of {data['protocol']}, Gemel has 802.1Q only: choose another port"
        case "vlan" if name != (proper := f"{device.over}.{data.get('id')}"):
            return f"{name}: Gemel calls VLAN {data.get('id')} of {device.over} {proper}; rename it first, {FIRST}"
        case "bond" if data.get("mode") not in MODES:
            modes = " and ".join(MODES)
            return f"{name} is a bond of mode {data.get('mode')}, Gemel has {modes}: change it first, {FIRST}"
        case "bridge" if data.get("vlan_filtering"):
            return f"{name} is a bridge that tells VLANs apart, Gemel's do not: make VLANs on its ports first, {FIRST}"
        case "vlan" | "bond" | "bridge":
            return ""
    return f"{name} is of kind {device.kind}, which Gemel cannot make at boot: choose a port, VLAN, bond or bridge"


def _kept(device: Device, by_name: Mapping[str, Device], again: Again) -> Iterator[Device]:
    """The members that are there at boot."""
    for member in members(by_name.values(), device.name):
        if device.kind == "bridge" and member.kind in COME_AND_GO:
            again.warnings.append(
                f"{member.name} in {device.name} is not taken over: whoever made it has to add it again"
            )
        else:
            yield member


def _edit(device: Device, below: tuple[str, ...], again: Again) -> EditOrder:
    data = device.data
    if device.kind == "vlan":
        priority = next((q["to"] for q in data.get("egress_qos", ()) if q.get("from") == 0), 0)
        return EditOrder("vlans", "add", "", {"parent": device.over, "tag": data.get("id"), "priority": priority})
    values: dict[str, Any] = {"name": device.name, "members": list(below)}
    if device.kind == "bridge":
        return EditOrder("bridges", "add", "", {**values, "stp": bool(data.get("stp_state"))})
    values["mode"] = data["mode"]
    if data["mode"] == "active-backup":
        values["primary"] = data.get("primary", "")
    else:
        values["lacp_rate"] = data.get("ad_lacp_rate", "slow")
        values["hash"] = data.get("xmit_hash_policy", "layer2")
        if values["hash"] not in HASHES:
            again.warnings.append(f"{device.name} chooses its port by layer2+3 and no longer by {values['hash']}")
            values["hash"] = "layer2+3"
    return EditOrder("bonds", "add", "", values)
