"""System Logs: what the processes of this node say, from the journal or from their files, in one order of time."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gemel.facts.fact import FILTER, Column, Fact, Option, Options, Sources, Unreadable, matches, number

LEVELS = ("debug", "info", "warning", "error")
_BY_PRIORITY = ("error", "error", "error", "error", "warning", "info", "info", "debug")  # syslog(3)
_STAMPED = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})Z (\S+) ([A-Z]+): ?(.*)$")
_OF_KEA = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) ([A-Z]+) +\[[^]]*\] (.*)$")
"""Kea's own form, in the node's time zone: logger, process and thread in brackets."""
_OF_UNBOUND = re.compile(r"^\[(\d{9,11})\] \S+ ([a-z]+): (.*)$")
_NAME = re.compile(r"^[a-z0-9@._-]{1,64}$")

LINES = Option("lines", "Lines", "How many lines at most, counted from the newest.", "200")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. `at` is seconds since the epoch, None for what was written before any line with a time."""

    at: float | None
    process: str
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class LogLines:
    """The newest lines that fit, oldest first, and the names of all processes that have a log."""

    rows: tuple[LogLine, ...]
    processes: tuple[str, ...]


def from_file(process: str, lines: Iterable[str]) -> Iterator[LogLine]:
    """The lines of a file. One without a time (of a trace, or by a program that writes none) belongs to the one above
    it."""
    at, level = None, "info"
    for line in lines:
        whose, text = process, line
        if found := _STAMPED.match(line):
            at, level = datetime.fromisoformat(f"{found[1]}+00:00").timestamp(), _level(found[3])
            whose, text = found[2], found[4]
        elif found := _OF_KEA.match(line):
            at, level, text = datetime.fromisoformat(found[1]).timestamp(), _level(found[2]), found[3]
        elif found := _OF_UNBOUND.match(line):
            at, level, text = float(found[1]), _level(found[2]), found[3]
        yield LogLine(at, whose, level, text)


def _level(word: str) -> str:
    low = word.lower()
    others = {"critical": "error", "fatal": "error", "warn": "warning", "notice": "info"}
    return low if low in LEVELS else others.get(low, "info")


def from_journal(lines: Iterable[str]) -> Iterator[LogLine]:
    """Lines of ``journalctl --output json``."""
    for line in lines:
        try:
            entry: Mapping[str, Any] = json.loads(line)
            at = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
        except (ValueError, KeyError, TypeError):
            continue
        unit = str(entry.get("_SYSTEMD_UNIT") or entry.get("UNIT") or entry.get("SYSLOG_IDENTIFIER") or "")
        process = unit.removesuffix(".service").removeprefix("gemel-") or "system"
        said = entry.get("MESSAGE")
        if isinstance(said, list):  # bytes that are no UTF-8
            said = bytes(b for b in said if isinstance(b, int) and 0 <= b < 256).decode(errors="replace")
        priority = str(entry.get("PRIORITY", "6"))
        level = _BY_PRIORITY[int(priority)] if priority in "01234567" else "info"
        yield LogLine(at, process, level, str(said or ""))


def _log(sources: Sources, options: Options) -> LogLines:
    wanted, most = options.get("filter", ""), number(options, "lines", 200, 5000)
    name, level = options.get("log", ""), options.get("level", "")
    if name and not _NAME.match(name):
        raise Unreadable(f"log: {name!r} is no name of a process")
    said = sources["log"]
    found = [line for process, lines in said["files"].items() for line in from_file(process, lines)]
    found += from_journal(said["journal"])
    least = LEVELS.index(level) if level in LEVELS else 0
    fits = [
        line
        for line in found
        if name in ("", line.process)
        and LEVELS.index(line.level) >= least
        and (not wanted or matches(f"{line.process} {line.text}", wanted))
    ]
    fits.sort(key=lambda line: line.at or 0.0)
    return LogLines(tuple(fits[-most:] if most else ()), tuple(sorted(said["processes"])))


LOG = Fact(
    name="log",
    label="System",
    menu="Status > System Logs",
    help="What the processes of this node say, in one order of time.",
    shape=LogLines,
    read=_log,
    sources=("log",),
    columns=(
        Column("at", "When", "time"),
        Column("process", "Process"),
        Column("level", "Level", "level"),
        Column("text", "Message"),
    ),
    options=(
        Option("log", "Process", "Whose lines: agent, carpd, flowd, webd, or a service's name. Empty: all."),
        Option("level", "Level", "Only lines as grave as this, or graver.", "", LEVELS),
        FILTER,
        LINES,
    ),
)
