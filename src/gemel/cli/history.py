"""diff, apply, discard, revisions, restore, export, import."""

import json
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from gemel.cli.console import Json, call, fail, out, print_findings, print_json, print_table
from gemel.control.agent import (
    Applied,
    Apply,
    Diff,
    DiffReport,
    Discard,
    Export,
    Import,
    Restore,
    RevisionHead,
    Revisions,
)

SIGNS = {"added": "[green]+[/]", "removed": "[red]-[/]", "changed": "[yellow]~[/]", "moved": "[blue]↕[/]"}


def diff(
    before: Annotated[int, typer.Argument(help="A revision; left out: what runs.")] = 0,
    after: Annotated[int, typer.Argument(help="A revision; left out: what is pending.")] = -1,
    as_json: Json = False,
) -> None:
    """Show what is pending, or what differs between two revisions."""
    report = call(Diff(before, after))
    if as_json:
        print_json(report)
        return
    print_diff(report)
    print_findings(report.problems)


def print_diff(report: DiffReport) -> None:
    """What differs, line by line."""
    if not report.changes:
        out.print("Nothing differs.")
    for change in report.changes:
        path = change.path.replace("[", "\\[")
        match change.kind:
            case "changed" | "moved":
                text = f"{_value(change.before_words)} → {_value(change.after_words)}"
            case _:
                text = _value(change.after_words if change.kind == "added" else change.before_words)
        out.print(f"{SIGNS[change.kind]} {path}  {text}", soft_wrap=True)
    for area, author in report.authors.items():
        out.print(f"[dim]{area}: saved by {author}[/]")


def _value(value: Any) -> str:
    if isinstance(value, dict):
        text = ", ".join(f"{k} {_value(v)}" for k, v in value.items() if k != "id")
    elif value in ("", None, []):
        text = "(none)"
    else:
        text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return text if isinstance(value, dict | list) else text.replace("[", "\\[")


def apply(
    area: Annotated[list[str] | None, typer.Option(help="Only this area; repeatable.")] = None,
    message: Annotated[str, typer.Option("--message", "-m", help="What for; kept in the history.")] = "",
    as_json: Json = False,
) -> None:
    """Make what is pending real, in one transaction. If any of it fails, nothing has changed."""
    _say(call(Apply(tuple(area or ()), message)), as_json)


def _say(applied: Applied, as_json: bool) -> None:
    if as_json:
        print_json(applied)
    else:
        out.print(f"revision {applied.revision} runs ({applied.steps} steps, {applied.seconds * 1000:.0f} ms)")
    print_findings(applied.warnings)


def discard(area: Annotated[list[str] | None, typer.Option(help="Only this area; repeatable.")] = None) -> None:
    """Forget what is pending."""
    call(Discard(tuple(area or ())))


def revisions(as_json: Json = False) -> None:
    """The history: every configuration that ever ran, newest first."""
    heads = call(Revisions())
    if as_json:
        print_json(heads)
        return
    print_table(*revision_rows(heads), "Nothing was ever applied here.")


def revision_rows(heads: Iterable[RevisionHead]) -> tuple[list[str], list[list[Any]]]:
    """Headings and rows of a table of revisions."""
    rows = [
        [
            "→" if h.running else "",
            h.number,
            datetime.fromtimestamp(h.when).strftime("%Y-%m-%d %H:%M:%S"),
            h.who,
            h.where,
            h.message,
        ]
        for h in heads
    ]
    return ["", "No.", "When", "Who", "From", "What for"], rows


def restore(number: Annotated[int, typer.Argument(help="See `gemel revisions`.")], as_json: Json = False) -> None:
    """Apply an old revision again, as a new one."""
    _say(call(Restore(number)), as_json)


def export(
    revision: Annotated[int, typer.Argument(help="Left out: what runs.")] = 0,
    as_json: Json = False,
) -> None:
    """Print the whole configuration, as YAML. It contains secrets."""
    config = call(Export(revision))
    if as_json:
        print_json(config)
    else:
        yaml.safe_dump(config, sys.stdout, sort_keys=False, allow_unicode=True)


def import_file(
    file: Annotated[Path, typer.Argument(help="As `gemel export` prints it, or a revision's; - for standard input.")],
    message: Annotated[str, typer.Option("--message", "-m", help="What for; kept in the history.")] = "",
    as_json: Json = False,
) -> None:
    """Apply a whole configuration from a file, as a new revision."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}")
    try:
        # JSON first: quicker by two orders of magnitude, and every JSON text that YAML reads otherwise is read as
        # meant.
        config = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, _Loader)
    except ValueError as error:
        fail(f"{file} is not JSON: {error}")
    except yaml.YAMLError as error:
        fail(f"{file} is neither JSON nor YAML: {' '.join(str(error).split())}")
    if not isinstance(config, dict):
        fail(f"{file} is neither JSON nor YAML of a configuration: an object with version and areas is needed")
    _say(call(Import(config.get("config", config), message)), as_json)  # a revision's file has the rest around it


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
