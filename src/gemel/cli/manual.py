"""Manual pages of `gemel`, made of its own help: one for the command, one for each command below it.

A page holds all that stands below its command (``gemel nat outbound add`` is in gemel-nat). Ready-made generators walk
trees of click's own classes, which typer's are not.
"""

import gzip
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from gemel.cli.main import build


def pages() -> Iterator[tuple[str, str]]:
    """Name and text (roff) of each page: ``gemel``, ``gemel-status`` and so on."""
    top = typer.main.get_command(build())
    context = _context(top, "gemel", None)
    yield "gemel", _page(context, [*_commands(context), _section("SEE ALSO", _others(context))])
    for below in _below(context):
        parts = [part for inner in _below(below) for part in _with_all_below(inner)]
        title = [".SH COMMANDS"] if parts else []
        yield _name(below), _page(below, [*title, *parts, _section("SEE ALSO", r"\fBgemel\fR(1)")])


def write(folder: Path) -> None:
    """Every page as ``NAME.1.gz`` in `folder`, which must be there."""
    for name, text in pages():
        (folder / f"{name}.1.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def _context(command: Any, name: str, parent: Any) -> Any:
    return command.context_class(command, info_name=name, parent=parent)


def _below(context: Any) -> list[Any]:
    """The contexts of a group's commands, in the order of its help."""
    commands = getattr(context.command, "commands", {})
    return [_context(command, name, context) for name, command in commands.items() if not command.hidden]


def _name(context: Any) -> str:
    return str(context.command_path).replace(" ", "-")


def _page(context: Any, rest: list[str]) -> str:
    name, paragraphs = _name(context), _paragraphs(context)
    lines = [
        f'.TH {name.upper()} 1 "" "gemel" "Gemel"',
        _section("NAME", rf"{_roff(name)} \- {_roff(_first_sentence(paragraphs))}"),
        _section("SYNOPSIS", _usage(context)),
        _section("DESCRIPTION", "\n.PP\n".join(map(_roff, paragraphs))),
        *_parameters(context, ".SH ARGUMENTS", "argument"),
        *_parameters(context, ".SH OPTIONS", "option"),
        *rest,
    ]
    return "\n".join(lines) + "\n"


def _section(title: str, text: str) -> str:
    return f".SH {title}\n{text}"


def _others(context: Any) -> str:
    return ",\n".join(rf"\fB{_roff(_name(below))}\fR(1)" for below in _below(context))


def _commands(context: Any) -> Iterator[str]:
    yield ".SH COMMANDS"
    for below in _below(context):
        yield f".TP\n\\fB{_roff(below.command_path)}\\fR\n{_roff(_first_sentence(_paragraphs(below)))}."


def _with_all_below(context: Any) -> Iterator[str]:
    """A command as part of a page: how it is called, what it does, its arguments and options."""
    yield f".SS {_roff(context.command_path)}"
    yield f"{_usage(context)}\n.PP\n" + "\n.PP\n".join(map(_roff, _paragraphs(context)))
    for kind in ("argument", "option"):
        yield from _parameters(context, "", kind)
    for below in _below(context):
        yield from _with_all_below(below)


def _parameters(context: Any, title: str, kind: str) -> list[str]:
    """The arguments or options; ``--help``, which every command has, is told of where they have a title."""
    found = [p for p in context.command.get_params(context) if p.param_type_name == kind]
    records = [p.get_help_record(context) for p in found if title or p.name != "help"]
    lines = [f".TP\n\\fB{_roff(left)}\\fR\n{_roff(text)}" for left, text in filter(None, records)]
    return [title, *lines] if title and lines else lines


def _usage(context: Any) -> str:
    pieces = " ".join(context.command.collect_usage_pieces(context))
    return rf"\fB{_roff(context.command_path)}\fR {_roff(pieces)}".rstrip()


def _paragraphs(context: Any) -> list[str]:
    """The help's paragraphs, each in one line."""
    return [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", (context.command.help or "").strip())]


def _first_sentence(paragraphs: list[str]) -> str:
    return re.split(r"(?<=[.!?])\s", paragraphs[0])[0].rstrip(".")


def _roff(text: str) -> str:
    """Text as roff: signs that mean something there, or are typeset as others, are spelled out; `code` is bold, and a
    long ``a|b|c`` may be broken."""
    text = text.replace("\\", r"\e")
    for sign, spelled in (("-", r"\-"), ("'", r"\(aq"), ("^", r"\(ha"), ("~", r"\(ti"), ("|", r"|\:")):
        text = text.replace(sign, spelled)
    text = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", text).replace("`", r"\(ga")
    return rf"\&{text}" if text.startswith(".") else text


if __name__ == "__main__":
    write(Path(sys.argv[1]))
