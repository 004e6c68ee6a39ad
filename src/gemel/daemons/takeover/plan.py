"""What `gemel setup` will do: assignments, edits, and sentences that say so. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_interface
from typing import Any, cast

from gemel.areas.every import SCHEMA
from gemel.areas.factory import FIRST_RULES
from gemel.areas.fields import domain_name, host_name
from gemel.control.agent import EditOrder
from gemel.core.edit import Edit, Verb, edited_all
from gemel.core.problem import Invalid
from gemel.daemons.takeover.around import NOTHING, Around
from gemel.daemons.takeover.devices import FIRST, Again, made_again, worth_proposing
from gemel.daemons.takeover.routes import routed, surplus, taken
from gemel.daemons.takeover.seen import Port, Seen
from gemel.daemons.takeover.visitor import Visitor, let_in

MTUS = range(576, 9001)
"""Bytes; what an interface takes."""
USUAL_MTU = 1500


@dataclass(frozen=True, slots=True)
class Answers:
    """What the administrator says. `others` are device -> description of further ports, in the order of opt1, opt2…"""

    hostname: str
    wan: str
    lan: str
    others: tuple[tuple[str, str], ...] = ()


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
    rest = sorted((p for p in _worth(seen) if p.device != wan), key=lambda p: (not p.all, p.device))
    lan = rest[0].device if rest else ""
    others = tuple((p.device, "") for p in rest[1:] if p.all)
    return Answers(seen.hostname, wan, lan, others)


def _worth(seen: Seen) -> list[Port]:
    return [p for p in seen.ports if worth_proposing(seen.devices, seen.known(p.device))]


def plan(seen: Seen, answers: Answers, visitor: Visitor | None, around: Around = NOTHING) -> Plan:
    """The way from what is to a node of Gemel. Whatever stands against it is found here, before anything is begun."""
    problems = tuple(_problems(seen, answers))
    if problems:
        return Plan((), (), problems, ())
    assigned = [("wan", "WAN", answers.wan), ("lan", "LAN", answers.lan)]
    assigned += [(f"opt{n}", name, device) for n, (device, name) in enumerate(answers.others, 1)]
    ids = {device: key for key, _, device in assigned}
    below, routes = made_again(seen.devices, ids), routed(seen, ids)
    entry = let_in(seen, ids, visitor) if visitor else Again()
    ports = [(key, name, port) for key, name, device in assigned if (port := seen.port(device))]
    edits = [
        EditOrder("system", "set", "", _system(seen, answers)),
        *below.edits,
        *(EditOrder("interfaces", "add", "", _interface(seen, key, name, port)) for key, name, port in ports),
        *routes.edits,
        *(EditOrder("rules", "add", "", dict(rule)) for rule in FIRST_RULES),
        *entry.edits,
    ]
    wrong, doubtful = _checked(edits)
    lines = [f"host name: {answers.hostname}", *below.lines]
    lines += [f"{name or key.upper()}: {p.device} ({p.mac}), {_addresses(p)}, as now" for key, name, p in ports]
    lines += [*routes.lines, *entry.lines]
    lines += [f"{owner} no longer looks after these ports" for owner in seen.owners]
    warnings = [*_warnings(seen, ids), *below.warnings, *routes.warnings, *entry.warnings]
    problems = (*below.problems, *routes.problems, *entry.problems, *around.problems(), *wrong)
    doubts = (*warnings, *around.warnings(), *doubtful)
    return Plan((), (), problems, doubts) if problems else Plan((*edits,), (*lines, *around.lines()), (), doubts)


def _checked(edits: Iterable[EditOrder]) -> tuple[list[str], list[str]]:
    """What the agent would refuse of this configuration, and what it would warn of."""
    try:
        each = [Edit(e.area, cast(Verb, e.verb), e.item, e.values, e.position) for e in edits]
        found = SCHEMA.check(edited_all(SCHEMA, SCHEMA.default(), each)[0])
    except Invalid as refusal:
        return [str(p) for p in refusal.problems], []
    return [str(p) for p in found if p.level == "error"], [str(p) for p in found if p.level == "warning"]


def _problems(seen: Seen, answers: Answers) -> Iterator[str]:
    try:
        host_name(answers.hostname)
    except ValueError as error:
        yield f"host name: {error}; say another one with --hostname"
    named = [("WAN", answers.wan), ("LAN", answers.lan), *(("a further port", device) for device, _ in answers.others)]
    used: dict[str, str] = {}
    for what, device in named:
        known = seen.known(device)
        if not device:
            yield f"{what}: choose a port; this machine has {_listed(seen)}"
        elif known and known.master:
            yield f"{what}: {device} is a part of {known.master}: choose that, or free the port first, {FIRST}"
        elif seen.port(device) is None:
            yield f"{what}: there is no port {device}; this machine has {_listed(seen)}"
        elif used.setdefault(device, what) != what:
            yield f"{what}: {device} is {used[device]} already"
    for what, device in named[:2]:
        port = seen.port(device)
        if port is not None and not port.all:
            yield f"{what}: {device} has no address; give it one first, {FIRST}"


def _listed(seen: Seen) -> str:
    return ", ".join(f"{p.device} ({_addresses(p)})" for p in seen.ports) or "no Ethernet port at all"


def _addresses(port: Port) -> str:
    return ", ".join(port.all) or "no address"


def _system(seen: Seen, answers: Answers) -> dict[str, Any]:
    values: dict[str, Any] = {"hostname": answers.hostname, "dns_servers": list(seen.nameservers)}
    return {**values, "domain": seen.domain} if seen.domain and not _wrong_domain(seen) else values


def _wrong_domain(seen: Seen) -> str:
    try:
        domain_name(seen.domain)
    except ValueError as error:
        return str(error)
    return ""


def _interface(seen: Seen, key: str, name: str, port: Port) -> dict[str, Any]:
    values: dict[str, Any] = {"id": key, "device": port.device, "description": name, "enabled": bool(port.all)}
    values |= {f"ipv{address.version}": str(address) for address in taken(port)}
    mtu = _mtu(seen, port.device)
    return {**values, "mtu": mtu} if mtu != USUAL_MTU and mtu in MTUS else values


def _mtu(seen: Seen, device: str) -> int:
    known = seen.known(device)
    return known.mtu if known else USUAL_MTU


def _warnings(seen: Seen, ids: Mapping[str, str]) -> Iterator[str]:
    for port in (p for p in seen.ports if p.device in ids):
        kept = taken(port)
        leased = [a for a in port.leased if ip_interface(a) in kept]
        yield from (f"{a} on {port.device} was leased; it is a static address from now on" for a in leased)
        yield from (
            f"{a} on {port.device} is not taken over: an interface has one of each family" for a in surplus(port)
        )
        if (mtu := _mtu(seen, port.device)) not in MTUS:
            yield f"{port.device}'s MTU of {mtu} is not taken over: {MTUS[0]} to {MTUS[-1]} can be set at Interfaces"
    for port in _worth(seen):
        if port.all and port.device not in ids:
            yield f"{port.device} has an address and is not assigned: it has nobody to look after it"
    nobodys = [p.device for p in seen.ports if p.device in ids and p.all] if not seen.owners else []
    if nobodys:
        text = "neither ifupdown nor systemd-networkd nor NetworkManager: it may do so again at the next boot"
        yield f"{' and '.join(nobodys)}: who gave it its address is not known, {text}"
    if not seen.nameservers:
        yield "no name server was found but local ones, which end: set DNS Servers at System > General afterwards"
    if said := _wrong_domain(seen):
        yield f"the search domain is not taken over: {said}; set Domain at System > General"
