"""What `gemel setup` will do: assignments, edits, and sentences that say so. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_interface
from typing import Any

from gemel.areas.factory import FIRST_RULES
from gemel.control.agent import EditOrder
from gemel.daemons.takeover.seen import Port, Seen

SSH = 22


@dataclass(frozen=True, slots=True)
class Answers:
    """What the administrator says. `others` are device -> description of further ports, in the order of opt1, opt2…"""

    hostname: str
    wan: str
    lan: str
    others: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever does this over SSH: SSH_CONNECTION's client address, and the address here with its port."""

    client: str
    server: str
    port: int = SSH


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done: the edits of the first revision, sentences for people, and what stands against it."""

    edits: tuple[EditOrder, ...]
    lines: tuple[str, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def proposed(seen: Seen) -> Answers:
    """WAN is where the default route leads, LAN the next port with an address, others by name."""
    wan = next((v.device for v in (seen.default, seen.default6) if v and seen.port(v.device)), "")
    rest = sorted((p for p in seen.ports if p.device != wan), key=lambda p: (not p.all, p.device))
    lan = rest[0].device if rest else ""
    others = tuple((p.device, "") for p in rest[1:] if p.all)
    return Answers(seen.hostname, wan, lan, others)


def plan(seen: Seen, answers: Answers, visitor: Visitor | None) -> Plan:
    """The way from what is to a node of Gemel."""
    problems = tuple(_problems(seen, answers))
    if problems:
        return Plan((), (), problems, ())
    assigned = [("wan", "WAN", answers.wan), ("lan", "LAN", answers.lan)]
    assigned += [(f"opt{n}", name, device) for n, (device, name) in enumerate(answers.others, 1)]
    edits: list[EditOrder] = [EditOrder("system", "set", "", _system(seen, answers))]
    lines = [f"host name: {answers.hostname}"]
    warnings = []
    for key, name, device in assigned:
        port = seen.port(device)
        assert port is not None  # `_problems` has looked
        edits.append(EditOrder("interfaces", "add", "", _interface(key, name, port)))
        lines.append(f"{name or key.upper()}: {device} ({port.mac}), {', '.join(port.all) or 'no address'}, as now")
        warnings += [f"{a} on {device} was leased; it is a static address from now on" for a in port.leased]
        warnings += [f"{a} on {device} is not taken over: an interface has one of each family" for a in _surplus(port)]
    ids = {device: key for key, _, device in assigned}
    edits += _routes(seen, ids)
    lines += [f"default route: via {v.gateway} on {v.device}, as now" for v in (seen.default, seen.default6) if v]
    edits += [EditOrder("rules", "add", "", dict(rule)) for rule in FIRST_RULES]
    if visitor and (door := seen.port_with(visitor.server)) and ids.get(door.device, "lan") != "lan":
        edits.append(_ssh_rule(ids[door.device], visitor))
        lines.append(f"a rule on {door.device} lets {visitor.client} in by SSH, as you come from there")
    lines += [f"{owner} no longer looks after these ports" for owner in seen.owners]
    left = [p.device for p in seen.ports if p.all and p.device not in ids]
    warnings += [f"{device} has an address and is not assigned: it has nobody to look after it" for device in left]
    return Plan(tuple(edits), tuple(lines), (), tuple(warnings))


def _problems(seen: Seen, answers: Answers) -> Iterator[str]:
    named = [("WAN", answers.wan), ("LAN", answers.lan), *(("a further port", device) for device, _ in answers.others)]
    taken: dict[str, str] = {}
    for what, device in named:
        if not device:
            yield f"{what}: choose a port; this machine has {_listed(seen)}"
        elif seen.port(device) is None:
            yield f"{what}: there is no port {device}; this machine has {_listed(seen)}"
        elif taken.setdefault(device, what) != what:
            yield f"{what}: {device} is {taken[device]} already"
    for what, device in named[:2]:
        port = seen.port(device)
        if port is not None and not _of(port, 4) and not _of(port, 6):
            yield f"{what}: {device} has no address; give it one first, the way this machine's addresses are set now"


def _listed(seen: Seen) -> str:
    found = [f"{p.device} ({', '.join(p.all) or 'no address'})" for p in seen.ports]
    return ", ".join(found) or "no Ethernet port at all"


def _of(port: Port, version: int) -> list[str]:
    return [a for a in port.all if ip_interface(a).version == version]


def _surplus(port: Port) -> list[str]:
    return _of(port, 4)[1:] + _of(port, 6)[1:]


def _system(seen: Seen, answers: Answers) -> dict[str, Any]:
    values: dict[str, Any] = {"hostname": answers.hostname, "dns_servers": list(seen.nameservers)}
    return {**values, "domain": seen.domain} if seen.domain else values


def _interface(key: str, name: str, port: Port) -> dict[str, Any]:
    values: dict[str, Any] = {"id": key, "device": port.device, "description": name, "enabled": bool(port.all)}
    for family, label in ((4, "ipv4"), (6, "ipv6")):
        if found := _of(port, family):
            values[label] = found[0]
    return values


def _routes(seen: Seen, ids: dict[str, str]) -> Iterator[EditOrder]:
    for via, name, label in ((seen.default, "WANGW", "gateway"), (seen.default6, "WANGW6", "gateway6")):
        if via and via.device in ids:
            values = {"name": name, "interface": ids[via.device], "address": via.gateway}
            yield EditOrder("gateways", "add", "", values)
            yield EditOrder("interfaces", "set", ids[via.device], {label: name})
    defaults = ((seen.default, "WANGW"), (seen.default6, "WANGW6"))
    known = {(via.gateway, via.device): name for via, name in defaults if via}
    for destination, gateway, device in seen.routes:
        if device not in ids:
            continue
        hop = gateway, device
        if hop not in known:
            known[hop] = f"GW{len(known) + 1}"
            values = {"name": known[hop], "interface": ids[device], "address": gateway}
            yield EditOrder("gateways", "add", "", values)
        yield EditOrder("static_routes", "add", "", {"network": destination, "gateway": known[hop]})


def _ssh_rule(interface: str, visitor: Visitor) -> EditOrder:
    values = {
        "interface": interface,
        "protocol": "tcp",
        "family": "inet6" if ":" in visitor.client else "inet",
        "source": visitor.client,
        "destination": "self",
        "destination_port": str(visitor.port),
        "description": "SSH of whoever set this node up",
    }
    return EditOrder("rules", "add", "", values)
