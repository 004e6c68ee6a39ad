"""How answers and refusals look."""

import json
import sys
from collections.abc import Iterable
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from gemel.control import door, paths
from gemel.control.agent import Finding
from gemel.control.door import Question, Refused, Unreachable
from gemel.core.codec import encode

A = TypeVar("A")

REFUSED, UNREACHABLE = 1, 3

WIDTH_OF_PIPES = 160
"""Columns for tables that go to a pipe or a file, which would not say."""

out = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH_OF_PIPES)
err = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else WIDTH_OF_PIPES)

Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


def call(question: Question[A], timeout: float = 120.0) -> A:
    """Ask the agent; a refusal is printed, problem by problem, and ends the command."""
    try:
        return door.ask(paths.AGENT_DOOR, question, timeout)
    except Refused as error:
        if error.problems:
            for problem in error.problems:
                _print_finding(problem["path"], problem["text"], problem["level"])
        else:
            err.print(f"[red]error:[/] {_plain(str(error))}")
        raise typer.Exit(REFUSED) from None
    except Unreachable as error:
        err.print(f"[red]error:[/] the agent does not answer ({_plain(str(error))})")
        err.print("Are you root, and does it run? See `systemctl status gemel-agent`.")
        raise typer.Exit(UNREACHABLE) from None


def fail(text: str) -> NoReturn:
    """Say what is wrong with the call and end the command."""
    err.print(f"[red]error:[/] {_plain(text)}")
    raise typer.Exit(REFUSED)


def print_json(value: Any) -> None:
    """An answer for programs."""
    sys.stdout.write(json.dumps(encode(value), ensure_ascii=False, indent=2) + "\n")


def print_findings(findings: Iterable[Finding]) -> None:
    """Warnings (and errors) on the error channel, so that they never spoil an answer."""
    for finding in findings:
        _print_finding(finding.path, finding.text, finding.level)


def print_table(columns: Iterable[str], rows: Iterable[Iterable[Any]], empty: str) -> None:
    """A table, or a sentence when there is nothing in it."""
    rows = [[text_of(value) for value in row] for row in rows]
    if not rows:
        out.print(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(_plain, row))
    out.print(table)


def text_of(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, list | tuple):
        shown = [str(v) for v in value]
        return ", ".join(shown[:8]) + (f" … ({len(shown)})" if len(shown) > 8 else "")
    return str(value)


def _print_finding(path: str, text: str, level: str) -> None:
    colour = "red" if level == "error" else "yellow"
    where = f"{_plain(path)}: " if path else ""
    err.print(f"[{colour}]{level}:[/] {where}{_plain(text)}", soft_wrap=True)


def _plain(text: str) -> str:
    """Square brackets are the data's, not Rich's."""
    return text.replace("[", "\\[")
