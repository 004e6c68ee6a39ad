"""What a person looks at: every fact has its page, a table by its columns under a small form of its options."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from gemel.control.agent import AskFact
from gemel.control.door import Refused
from gemel.facts.every import FACTS
from gemel.facts.fact import Column, Fact
from gemel.web.form import NOTHING_WRONG
from gemel.web.furniture import moment
from gemel.web.menu import HAND_MADE_PAGES, fact_place, fact_tabs
from gemel.web.pages.area import refused
from gemel.web.visit import Page, Visit

LONGEST_OPTION = 200
MOST_IN_A_LINE = 5  # figures of one kind; more of them are a table
NUMERIC = ("count", "bytes", "rate", "seconds", "share")
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as a page shows it; `machine` is a time for scripts, `state` the class of a badge."""

    text: str
    kind: str
    machine: str = ""
    state: str = ""


def cell(kind: str, value: Any) -> Cell:
    """A value in the words of its column's kind; what is not known is empty."""
    if value is None:
        return Cell("", kind)
    match kind:
        case "time":
            return Cell(moment(value), kind, moment(value, True))
        case "state":
            return Cell(str(value), kind, state=str(value).lower().partition(" ")[0])
        case "yes":
            return Cell("yes" if value else "no", kind)
        case "bytes":
            return Cell(sized(value), kind)
        case "rate":
            return Cell(f"{sized(value)}/s", kind)
        case "share":
            return Cell(f"{value:.0%}", kind)
        case "seconds":
            return Cell(f"{value:g} s", kind)
        case "count":
            return Cell(f"{value:,}" if isinstance(value, int) else f"{value:g}", kind)
    return Cell(_text(value), kind)


def sized(octets: float) -> str:
    """A number of bytes as people read it."""
    power = 0
    while octets >= 1024 and power < len(_UNITS) - 1:
        octets, power = octets / 1024, power + 1
    return f"{octets:.0f} {_UNITS[power]}" if power == 0 else f"{octets:.1f} {_UNITS[power]}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_text(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text(v) for v in value)
    return str(value)


@dataclass(frozen=True, slots=True)
class Aside:
    """What an answer says besides its rows: a line (`text`), or a small table (`heads`, `rows`)."""

    label: str
    text: str = ""
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def table(columns: Iterable[Column], rows: Iterable[Mapping[str, Any]]) -> list[list[tuple[Column, Cell]]]:
    """The rows as cells under their columns."""
    heads = tuple(columns)
    return [[(c, cell(c.kind, row.get(c.name))) for c in heads] for row in rows]


def asides(answer: Mapping[str, Any]) -> list[Aside]:
    """What stands beside the rows."""
    return [_aside(name, value) for name, value in answer.items() if name != "rows"]


def _aside(name: str, value: Any) -> Aside:
    label = _label(name)
    if value is None:
        return Aside(label)
    if isinstance(value, Mapping) and len(value) > MOST_IN_A_LINE:
        return Aside(label, heads=("what", "count"), rows=tuple((str(k), _text(v)) for k, v in value.items()))
    if isinstance(value, list | tuple) and value and all(isinstance(v, Mapping) for v in value):
        heads = tuple(str(k) for k in value[0])
        return Aside(label, heads=heads, rows=tuple(tuple(_text(v.get(h, "")) for h in heads) for v in value))
    return Aside(label, _text(value))


def _label(name: str) -> str:
    """A field's name as a heading."""
    words = name.replace("_", " ").capitalize().removesuffix(" ms").removesuffix(" id")
    return words + (" (ms)" if name.endswith("_ms") else " ID" if name.endswith("_id") else "")


def shown(visit: Visit, fact: Fact[Any]) -> Response:
    """The page of one fact; an option that means nothing is said above what it would have been."""
    options = {o.name: visit.query.get(o.name, o.default).strip()[:LONGEST_OPTION] for o in fact.options}
    wrong, answer = NOTHING_WRONG, dict[str, Any]()
    try:
        answer = visit.ask(AskFact(fact.name, {k: v for k, v in options.items() if v}))
    except Refused as no:
        wrong = refused(no, "", ())
    rows = answer.get("rows", ())
    choices = {"log": answer.pop("processes", ())} if fact.name == "log" else {}
    lines = rows if rows and isinstance(rows[0], str) else ()
    return visit.show(
        "fact.html", fact=fact, options=options, wrong=wrong, lines=lines, asides=asides(answer),
        rows=() if lines else table(fact.columns, rows), tabs=fact_tabs(fact), here=fact_place(fact),
        numeric=NUMERIC, choices=choices,
    )  # fmt: skip


def page(fact: Fact[Any]) -> Page:
    """The page of a fact, where the menu leads."""
    return Page(fact_place(fact), lambda visit: shown(visit, fact), methods=("GET",))


PAGES = tuple(page(fact) for fact in FACTS if fact.menu and fact.name not in HAND_MADE_PAGES)
