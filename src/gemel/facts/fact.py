"""What a fact is: everything that page, REST, command line and metrics need to know of a view.

A fact is to what a person looks at what an area is to what a person configures. It names the *sources* that it is made
of, from a closed list (`SOURCES`): the agent fetches those and no others, and `read` makes the answer of them. A new
fact is one module (or a few lines in one) and one line in `every.FACTS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

A = TypeVar("A")

Options = Mapping[str, str]
"""What the asker wants of a view, by the names of `Fact.options`; texts, as they stand in an address or a command."""

Sources = Mapping[str, Any]
"""What was fetched, by name; the values are described in `SOURCES`."""

SOURCES = {
    "now": "seconds since the epoch",
    "status": "the status of the node, `facts.status.status`, JSON values",
    "events": "core.event.Event, newest first, of the kinds in the option `kind` if the fact has it",
    "flows": "what flowd says, `control.flowd.FlowReport` as JSON values; None: no answer",
    "creators": "a callable: keys of states -> host ids of the nodes where they began, empty texts if nobody knows",
    "conntrack": "an iterable of ctnetlink messages: a listing of the whole table",
    "links": "what `ip -json -statistics link` lists",
    "addresses": "what `ip -json address` lists",
    "neighbours": "what `ip -json neighbour` lists",
    "samples": "facts.samples.Sample, oldest first, one a second",
    "interfaces": "the assigned interfaces as JSON values: id, device, title, enabled, ipv4, ipv6",
    "fingerprint": "SHA-256 of the GUI's certificate, as pairs of hexadecimal digits; empty: there is none yet",
    "gateways": "the configured gateways as JSON values, with the last measurements (facts.gateways.Probe)",
    "rules": "the rules as JSON values: id, interface, action, description, disabled",
    "leases": "report (control.leased.LeaseReport or None), leases (Kea's JSON), mappings of both families, vendors "
    "(by MAC), subnets (interface id by Kea's number), problem",
    "counters": "rule id (or built-in label) -> (packets, bytes)",
    "services": "the supervisor's report on each process, JSON values",
    "log": "files: process -> lines of its log, newest last; journal: lines of JSON; processes: names that have one",
    "packets": "core.packet_log.Logged, oldest first: what the firewall logged",
}
"""The closed list of sources, with the shape of each."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: the name of a field of a row, its heading, and what it holds.

    `kind` tells pages how to show it: text, time (epoch), seconds, count, bytes, rate (bytes per second), state
    (MASTER…), level, yes.
    """

    name: str
    label: str
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Option:
    """Something that can be asked for. `choices` are the values it can have; none: any text."""

    name: str
    label: str
    help: str
    default: str = ""
    choices: tuple[str, ...] = ()


class Unreadable(ValueError):
    """An option has a value that means nothing; the text says what would."""


@dataclass(frozen=True, eq=False)
class Fact(Generic[A]):
    """One read-only view.

    `name` is its word in addresses and commands, `menu` where the page is (``Status > Gateways``, empty: part of
    another page). `shape` is the frozen dataclass that `read(sources, options)` returns; if it has a field ``rows``,
    `columns` say how the table of them looks. `read` is pure and raises nothing but `Unreadable`.
    """

    name: str
    label: str
    menu: str
    help: str
    shape: type[A]
    read: Callable[[Sources, Options], A]
    sources: tuple[str, ...]
    columns: tuple[Column, ...] = ()
    options: tuple[Option, ...] = field(default=())


def number(options: Options, name: str, default: int, most: int) -> int:
    """The option as a number from 0 to `most`.

    Raises:
        Unreadable: it is none.
    """
    text = options.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Unreadable(f"{name}: {text!r} is no number")
    return min(int(text), most)


LIMIT = Option("limit", "Rows", "How many rows at most.", "100")
FILTER = Option("filter", "Filter", "Only rows that contain all these words.")


def matches(text: str, words: str) -> bool:
    """Whether a row, as one text, contains all words; upper and lower case are the same."""
    low = text.lower()
    return all(word in low for word in words.lower().split())
