"""What stands on a node's text console: who it is, where, in which role, what is wrong, and how to reach its pages.

The same for who stands at the machine before log-in (``text_for_getty``), for `gemel console` and for REST.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gemel.facts.fact import Fact, Options, Sources

COLUMNS = 78
MOST_VIPS, MOST_PROBLEMS = 8, 4
"""What fits on 24 lines; the rest is counted."""
PAIRS_OF_A_LINE = 16


@dataclass(frozen=True, slots=True)
class PortLine:
    """An assigned interface: its addresses with masks, none where it is switched off."""

    title: str
    device: str
    addresses: tuple[str, ...]
    enabled: bool


@dataclass(frozen=True, slots=True)
class VipLine:
    """A CARP virtual IP: ``WAN@200``, its addresses, and this node's state."""

    name: str
    addresses: tuple[str, ...]
    state: str


@dataclass(frozen=True, slots=True)
class ConsoleView:
    """`gui` is the address of the node's pages, `fingerprint` the SHA-256 one of the certificate there; empty where
    there is none yet."""

    node: str
    role_config: str
    revision: int
    maintenance: bool
    interfaces: tuple[PortLine, ...]
    virtual_ips: tuple[VipLine, ...]
    gui: str
    fingerprint: str
    problems: tuple[str, ...]


def _read(sources: Sources, _options: Options) -> ConsoleView:
    status: Mapping[str, Any] = sources["status"]
    return ConsoleView(
        node=status["node"],
        role_config=status["role_config"],
        revision=status["config_sync"]["revision"],
        maintenance=status["maintenance"],
        interfaces=tuple(
            PortLine(i["title"], i["device"], tuple(a for a in (i["ipv4"], i["ipv6"]) if a), i["enabled"])
            for i in sources["interfaces"]
        ),
        virtual_ips=tuple(
            VipLine(f"{v['description']}@{v['vhid']}", tuple(v["addresses"]), v["state"]) for v in status["carp"]
        ),
        gui=status["web_address"],
        fingerprint=sources["fingerprint"],
        problems=tuple(status["problems"]),
    )


CONSOLE = Fact(
    name="console",
    label="Text console",
    menu="",
    help="What the node's text console shows: name, addresses, roles, problems, where the pages are.",
    shape=ConsoleView,
    read=_read,
    sources=("status", "interfaces", "fingerprint"),
)


def lines(view: ConsoleView) -> list[str]:
    """The view as plain text for 80 columns."""
    maintenance = ", in maintenance mode" if view.maintenance else ""
    shown = [f"Gemel node {view.node} ({view.role_config}{maintenance}), revision {view.revision}", ""]
    shown += _table(
        [p.title, p.device, ", ".join(p.addresses) or "no address" if p.enabled else "(disabled)"]
        for p in view.interfaces
    ) or ["  No interface is assigned."]
    if view.virtual_ips:
        some = view.virtual_ips[:MOST_VIPS]
        shown += ["", *_table([v.name, v.state, ", ".join(v.addresses)] for v in some)]
        shown += _more(len(view.virtual_ips) - len(some))
    if view.gui:
        shown += ["", f"  GUI  {view.gui}"]
        pairs = view.fingerprint.split(":") if view.fingerprint else []
        parts = [":".join(pairs[i : i + PAIRS_OF_A_LINE]) for i in range(0, len(pairs), PAIRS_OF_A_LINE)]
        shown += [f"  {'SHA-256' if n == 0 else '       '}  {part}" for n, part in enumerate(parts)]
    shown += ["", *_problems(view.problems)]
    return [_printable(line) for line in shown]


def text_for_getty(view: ConsoleView) -> str:
    """The same for agetty(8), which reads a backslash as the beginning of a word of its own."""
    below = "Log in as root, and `gemel console` has what one needs where the GUI is out of reach."
    return "\n".join([*lines(view), "", *textwrap.wrap(below, COLUMNS)]).replace("\\", "\\\\") + "\n\n"


def prompt(view: ConsoleView) -> str:
    """The node and its role in a few words, for a shell's prompt: ``fw1 MASTER``, ``fw2 BACKUP, maintenance``, without
    CARP the name alone."""
    states = "/".join(dict.fromkeys(sorted((v.state for v in view.virtual_ips), reverse=True)))
    shown = f"{view.node} {states}".strip() + (", maintenance" if view.maintenance else "")
    return _printable(shown)


def differs(before: ConsoleView | None, after: ConsoleView) -> bool:
    """Whether there is something new to show. Figures in problems change all the time and are no news."""
    return before is None or _without_figures(before) != _without_figures(after)


def _without_figures(view: ConsoleView) -> tuple[Any, ...]:
    problems = tuple(re.sub(r"\d+", "#", problem) for problem in view.problems)
    others = view.node, view.role_config, view.revision, view.maintenance, view.gui, view.fingerprint
    return (*others, view.interfaces, view.virtual_ips, problems)


def _table(rows: Iterable[list[str]]) -> list[str]:
    rows = list(rows)
    widths = [max(len(row[n]) for row in rows) for n in range(2)] if rows else []
    return [
        "  " + "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]


def _problems(problems: tuple[str, ...]) -> Iterator[str]:
    if not problems:
        yield "  No problems."
    for problem in problems[:MOST_PROBLEMS]:
        yield from textwrap.wrap(problem, COLUMNS, initial_indent="  ! ", subsequent_indent="    ")
    yield from _more(len(problems) - MOST_PROBLEMS)


def _more(count: int) -> list[str]:
    return [f"  and {count} more: `gemel status`"] if count > 0 else []


def _printable(line: str) -> str:
    """What others have told this node (a peer, a stranger on the wire) must not drive the terminal."""
    return "".join(c if c.isprintable() else "?" for c in line)
