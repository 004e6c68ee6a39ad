"""Asking for an interface's addresses and upstream gateways, one after the other, at a text terminal."""

from collections.abc import Iterator
from typing import Any

import typer

from gemel.cli.console import call, fail, out, print_findings, print_table
from gemel.control.agent import Change, EditOrder, Show

NONE = ("none", "-")
FAMILIES = (
    ("IPv4 address with mask, such as 192.168.1.2/24", "ipv4", "gateway"),
    ("IPv6 address with prefix length", "ipv6", "gateway6"),
)

Values = dict[str, Any]


def set_address() -> None:
    """Choose an interface, answer, and it is applied at once; nothing else that is pending is."""
    interfaces: list[Values] = call(Show("interfaces", running=True)).values["items"]
    gateways: list[Values] = call(Show("gateways", running=True)).values["items"]
    if not interfaces:
        fail("no interface is assigned: `gemel setup` makes this machine a node")
    chosen = _chosen(interfaces)
    if chosen is None:
        return
    orders = list(_answers(chosen, {g["id"]: g for g in gateways}))
    changed = call(Change(tuple(orders), True, f"console: addresses of {_title(chosen)}"))
    out.print(f"revision {changed.revision} runs")
    print_findings(changed.warnings)


def _title(interface: Values) -> str:
    return str(interface["description"] or interface["id"].upper())


def _chosen(interfaces: list[Values]) -> Values | None:
    rows = [
        [number, _title(i), i["device"], ", ".join(a for a in (i["ipv4"], i["ipv6"]) if a)]
        for number, i in enumerate(interfaces, 1)
    ]
    print_table(["", "Interface", "Device", "Addresses"], rows, "")
    typed = typer.prompt("\nWhich (Enter: none)", default="", show_default=False).strip()
    if not typed:
        return None
    by_word = {str(n): i for n, i in enumerate(interfaces, 1)} | {_title(i).lower(): i for i in interfaces}
    found = by_word.get(typed.lower())
    if found is None:
        fail(f"there is no interface {typed}")
    return found


def _answers(interface: Values, gateways: dict[str, Values]) -> Iterator[EditOrder]:
    out.print("Enter keeps what stands in brackets; the word none takes it away.")
    values: Values = {}
    stranded: list[EditOrder] = []
    for label, field, upstream in FAMILIES:
        values[field] = _asked(label, interface[field])
        before = gateways.get(interface[upstream])
        address = ""
        if values[field]:
            address = _asked("  Upstream gateway, where it leads to the Internet", before["address"] if before else "")
        if not address:
            values[upstream] = ""
            if before and not values[field]:  # no network is left in which it could be reached
                stranded.append(EditOrder("gateways", "delete", before["id"]))
        elif before is None:
            name = _free_name(interface["id"], gateways, upstream.removeprefix("gateway"))
            yield EditOrder("gateways", "add", "", {"name": name, "interface": interface["id"], "address": address})
            values[upstream] = name
        elif address != before["address"]:
            yield EditOrder("gateways", "set", before["id"], {"address": address})
    values["enabled"] = bool(values["ipv4"] or values["ipv6"])
    yield EditOrder("interfaces", "set", interface["id"], values)
    yield from stranded


def _asked(label: str, before: str) -> str:
    typed = str(typer.prompt(label, default=before, show_default=bool(before))).strip()
    return "" if typed.lower() in NONE else typed


def _free_name(interface: str, gateways: dict[str, Values], suffix: str) -> str:
    taken = {g["name"].lower() for g in gateways.values()}
    name = f"{interface.upper()}GW{suffix}"
    return next(n for n in (name, *(f"{name}_{i}" for i in range(2, 100))) if n.lower() not in taken)
