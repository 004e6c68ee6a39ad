"""System Logs: files and the journal become the same lines, in one order of time."""

import json
import logging
from datetime import datetime

import pytest

from gemel.daemons.logs import formatter
from gemel.facts.every import fact
from gemel.facts.fact import Unreadable
from gemel.facts.logs import LogLine, LogLines, from_file, from_journal


def read(files: dict[str, list[str]], journal: list[str] | None = None, **options: str) -> LogLines:
    found: LogLines = fact("log").read(
        {"log": {"files": files, "journal": journal or [], "processes": list(files)}}, options
    )
    return found


def stamped(second: int, process: str, text: str, level: str = "INFO") -> str:
    return f"2026-11-22T21:39:{second:02}.123Z {process} {level}: {text}"


def test_lines_of_all_processes_stand_in_one_order_of_time() -> None:
    files = {"carpd": [stamped(3, "carpd", "third"), stamped(5, "carpd", "fifth")], "agent": [stamped(4, "agent", "x")]}
    answer = read(files)
    assert [(line.process, line.text) for line in answer.rows] == [
        ("carpd", "third"), ("agent", "x"), ("carpd", "fifth")
    ]  # fmt: skip
    assert answer.processes == ("agent", "carpd")
    assert [line.text for line in read(files, log="carpd", lines="1").rows] == ["fifth"]


def test_they_are_filtered_before_they_are_cut() -> None:
    files = {"carpd": [stamped(i, "carpd", f"line {i}", "WARNING" if i % 2 else "INFO") for i in range(50)]}
    assert [r.text for r in read(files, filter="line 1", lines="3").rows] == ["line 21", "line 31", "line 41"]
    assert [r.text for r in read(files, filter="LINE 1", lines="2", level="warning").rows] == ["line 31", "line 41"]
    for wrong in ({"lines": "many"}, {"log": "../../etc/shadow"}):
        with pytest.raises(Unreadable):
            read(files, **wrong)


def test_a_trace_belongs_to_the_line_above_it() -> None:
    lines = ["before any time", stamped(1, "agent", "it failed", "ERROR"), "Traceback (most recent call last):"]
    first, failed, trace = from_file("agent", lines)
    assert first.at is None and first.level == "info"
    assert (trace.at, trace.level, trace.process) == (failed.at, "error", "agent")


def test_lines_of_kea_and_unbound_have_their_own_time_and_level() -> None:
    kea = "2026-11-28 05:16:09.522 WARN  [kea-dhcp4.dhcpsrv/673.140694] DHCPSRV_X no socket on lan"
    unbound = "[1795842971] unbound[77:0] error: cannot bind"
    [of_kea], [of_unbound] = from_file("kea-dhcp4", [kea]), from_file("unbound", [unbound])
    there = datetime(2026, 11, 28, 5, 16, 9, 522000).timestamp()
    assert of_kea == LogLine(there, "kea-dhcp4", "warning", "DHCPSRV_X no socket on lan")
    assert of_unbound == LogLine(1795842971.0, "unbound", "error", "cannot bind")


def test_what_a_daemon_writes_is_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    record = logging.LogRecord("gemel.carpd", logging.WARNING, "x.py", 1, "lost %s", ("carrier",), None)
    [line] = from_file("carpd", formatter("carpd").format(record).splitlines())
    assert (line.process, line.level, line.text) == ("carpd", "warning", "lost carrier")
    assert line.at is not None and abs(line.at - record.created) < 0.002
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    assert formatter("carpd").format(record) == "<4>lost carrier"


def test_the_journals_lines() -> None:
    entry = {
        "__REALTIME_TIMESTAMP": "1700000000500000", "_SYSTEMD_UNIT": "gemel-flowd.service", "PRIORITY": "4",
        "MESSAGE": "peer gone",
    }  # fmt: skip
    bytewise = {**entry, "MESSAGE": [112, 255], "PRIORITY": "6"}
    first, second = from_journal([json.dumps(entry), "no json", json.dumps({}), json.dumps(bytewise)])
    assert (first.at, first.process, first.level, first.text) == (1700000000.5, "flowd", "warning", "peer gone")
    assert second.text == "p\ufffd" and second.level == "info"
