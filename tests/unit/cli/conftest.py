"""The command line in front of a real agent's answers, over a real door, on a machine in memory."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.testing
from typer.testing import CliRunner

from gemel.cli.main import build
from gemel.control import paths
from gemel.control.agent import QUESTIONS, AskFact, Status
from gemel.control.door import Door
from gemel.core.config import Config
from gemel.daemons.agent.desk import Desk
from gemel.daemons.agent.views import assigned
from gemel.facts.console import CONSOLE
from gemel.facts.peer import peer_section, safe_to_fail_over
from gemel.facts.status import status
from tests.unit.daemons.agent import ROOT, Agent, running
from tests.unit.facts.test_status import WELL

APP = build()
COMMAND: Any = typer.main.get_command(APP)


@dataclass
class Shell:
    """Somebody at a node's console."""

    agent: Agent

    @property
    def desk(self) -> Desk:
        return self.agent.desk

    @property
    def config(self) -> Config:
        return self.agent.desk.config

    def run(self, line: str, given: str = "", **more: str) -> Any:
        """A command without its ``gemel``; `more` are options whose values have spaces."""
        options = [part for name, value in more.items() for part in (f"--{name.replace('_', '-')}", value)]
        return CliRunner().invoke(APP, [*line.split(), *options], input=given)

    def ok(self, line: str, given: str = "", **more: str) -> str:
        """What a command prints that works."""
        result = self.run(line, given, **more)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, line: str, given: str = "", **more: str) -> Any:
        return json.loads(self.ok(f"{line} --json", given, **more))

    def refused(self, line: str, given: str = "", **more: str) -> str:
        """Why a command is refused: status 1, and nothing on standard output."""
        result = self.run(line, given, **more)
        assert (result.exit_code, result.stdout) == (1, ""), result.output
        return " ".join(result.stderr.split())


def _shell(folder: Path, monkeypatch: pytest.MonkeyPatch, blank: bool) -> Iterator[Shell]:
    # The tree of commands is built once, not for each command.
    monkeypatch.setattr(typer.testing, "_get_command", lambda _: COMMAND)
    agent = running(folder, blank)
    path = str(folder / "agent.sock")
    monkeypatch.setattr(paths, "AGENT_DOOR", path)
    report = status(replace(WELL, web_address="https://192.168.1.2"))
    report |= {"peer": peer_section(None), "safe_to_fail_over": safe_to_fail_over(report, None)}

    def answer(question: Any, _: Any) -> Any:
        if isinstance(question, AskFact):  # one is enough here
            sources = {"status": report, "interfaces": assigned(agent.desk.config), "fingerprint": "AB:CD"}
            return CONSOLE.read(sources, {})
        return report if isinstance(question, Status) else agent.answers(question, ROOT)

    door = Door(path, QUESTIONS, answer)
    yield Shell(agent)
    door.close()


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """On the recipe's primary."""
    yield from _shell(tmp_path, monkeypatch, blank=False)


@pytest.fixture
def blank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """On a machine that nobody has configured."""
    yield from _shell(tmp_path, monkeypatch, blank=True)
