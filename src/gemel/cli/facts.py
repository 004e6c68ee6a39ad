"""What a person looks at: a command for each of the facts that people ask for by name, and `show` for all of them."""

from datetime import datetime
from typing import Annotated, Any

import typer

from gemel.cli.console import Json, call, out, print_json, print_table
from gemel.control.agent import AskFact
from gemel.core.event import KINDS
from gemel.facts.every import FACTS
from gemel.facts.fact import Column, Fact

Filter = Annotated[str, typer.Option("--filter", help="Only rows that contain all these words.")]
Limit = Annotated[int, typer.Option("--limit", min=0, help="How many rows at most.")]


def transitions(words: Filter = "", limit: Limit = 20, as_json: Json = False) -> None:
    """Role changes, newest first: when, why, and how long no master was heard before."""
    _tell("transitions", {"filter": words, "limit": str(limit)}, as_json, "No role has changed yet.")


def events(
    kind: Annotated[str, typer.Option(help=f"Only of this kind: {', '.join(KINDS)}.")] = "",
    words: Filter = "",
    limit: Limit = 30,
    as_json: Json = False,
) -> None:
    """What happened to this node, newest first."""
    _tell("events", {"kind": kind, "filter": words, "limit": str(limit)}, as_json, "Nothing has happened yet.")


def gateways(as_json: Json = False) -> None:
    """Whether each gateway answers, and how quickly."""
    _tell("gateways", {}, as_json, "There are no gateways.")


def log(
    name: Annotated[
        str, typer.Argument(help="agent, carpd, flowd, webd, a service's name, or firewall; all processes without one.")
    ] = "",
    words: Filter = "",
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many at most.")] = 50,
    level: Annotated[str, typer.Option(help="Only as grave as this, or graver: debug, info, warning, error.")] = "",
    as_json: Json = False,
) -> None:
    """What the processes say, or what the firewall has logged."""
    options = {"filter": words, "lines": str(lines)}
    if name == "firewall":
        _tell("firewall-log", options, as_json, "The firewall has logged nothing since the agent was started.")
        return
    answer = call(AskFact("log", {"log": name, "level": level, **options}))
    if as_json:
        print_json(answer)
        return
    for line in answer["rows"]:
        when = "" if line["at"] is None else _text(Column("at", "When", "time"), line["at"])
        grave = f"{line['level'].upper()}: " if line["level"] in ("warning", "error") else ""
        out.print(f"{when} {line['process']}: {grave}{line['text']}", markup=False, soft_wrap=True)


def show(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(f.name for f in FACTS)}.")],
    option: Annotated[list[str] | None, typer.Option("--option", "-o", help="NAME=VALUE; repeatable.")] = None,
    as_json: Json = False,
) -> None:
    """Any view, by name."""
    given = dict(o.partition("=")[::2] for o in option or ())
    _tell(name, given, as_json, "Nothing.")


def _tell(name: str, options: dict[str, str], as_json: bool, empty: str) -> None:
    answer = call(AskFact(name, options))
    found = next((f for f in FACTS if f.name == name and f.columns), None)
    if as_json or found is None:
        print_json(answer)
    else:
        _table(found, answer, empty)


def _table(found: Fact[Any], answer: dict[str, Any], empty: str) -> None:
    rows = [[_text(column, row[column.name]) for column in found.columns] for row in answer["rows"]]
    print_table([column.label for column in found.columns], rows, empty)


def _text(column: Column, value: Any) -> Any:
    if value is None:
        return ""
    match column.kind:
        case "time":
            return datetime.fromtimestamp(value).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        case "seconds":
            return f"{value:g} s"
        case "bytes" | "rate":
            return _scaled(float(value)) + ("/s" if column.kind == "rate" else "")
        case "share":
            return f"{value:.0%}"
    return value


def _scaled(value: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
