"""`gemel setup` as it is typed: what it asks, and what it says when something unforeseen goes wrong."""

import pytest
import typer
from typer.testing import CliRunner

from gemel.daemons.takeover import cli, memory
from gemel.daemons.takeover.around import Around
from gemel.daemons.takeover.memory import Memory
from gemel.effects.commands import CommandFailed
from tests.unit.daemons.test_takeover_plan import MACHINE

app = typer.Typer()
app.command()(cli.setup)


@pytest.fixture
def begun(monkeypatch, tmp_path):
    """A machine on which root says `gemel setup`; what is begun on it."""
    found = []
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(cli.systemd, "RUNTIME", tmp_path)
    monkeypatch.setattr(memory, "PLACE", tmp_path / "setup.json")
    monkeypatch.setattr(cli, "look", lambda: MACHINE)
    monkeypatch.setattr(cli, "around", Around)
    monkeypatch.setattr(cli, "of_this_process", lambda: None)
    monkeypatch.setattr(cli.features, "missing", lambda: iter(()))
    monkeypatch.setattr(cli.run, "begin", lambda now, plan, password, within: found.append((plan, password)))
    return found


def said(*arguments, text=""):
    done = CliRunner().invoke(app, arguments, input=text)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, " ".join((done.stdout + done.stderr).split())


def test_a_password_on_standard_input_is_no_answer_to_a_question(begun):
    code, words = said("--password-stdin", text="secret-secret\n")
    assert code == 0
    assert "secret-secret" not in words
    ((plan, password),) = begun
    assert password == "secret-secret"
    assert plan.edits[0].values["hostname"] == MACHINE.hostname


def test_what_stands_against_it_is_said_before_the_password_is_asked_for(begun):
    code, words = said("--yes", "--other", "ens5=lan")
    assert code == 1
    assert "error: interfaces[opt1].description: lan is what the interface lan is called already" in words
    assert "Password" not in words
    assert begun == []


def test_answers_of_another_type_are_refused_at_their_field(begun, tmp_path):
    (tmp_path / "answers").write_text("other: eth2\n")
    code, words = said("--answers", str(tmp_path / "answers"))
    assert (code, begun) == (1, [])
    assert "other: must be a list, such as [eth2=SYNC]" in words


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (None, "this machine is as it was"),
        (Memory("trial", MACHINE, (), {}, {}, {}), "on trial and goes back by itself; `gemel setup --undo`"),
        (Memory("confirmed", MACHINE, (), {}, {}, {}), "counts as a node; `gemel setup --undo` gives it back"),
    ],
)
def test_what_nobody_foresaw_is_said_with_the_state_of_the_machine(begun, monkeypatch, kept, words):
    def broken(*_arguments):
        raise CommandFailed("systemctl: no")

    if kept:
        kept.keep()
    monkeypatch.setattr(cli, "look", broken)
    monkeypatch.setattr(cli.run, "confirm", broken)
    code, found = said("--confirm") if kept else said("--yes")
    assert code == 1
    assert found.startswith("error: systemctl: no; ")
    assert words in found


def test_on_a_node_nothing_is_asked(begun):
    Memory("confirmed", MACHINE, (), {}, {}, {}).keep()
    code, words = said()
    assert (code, begun) == (1, [])
    assert "is a node already (confirmed)" in words


def test_a_damaged_memory_of_the_machine_is_said_and_nothing_is_begun(begun):
    memory.PLACE.write_text('{"stage": "tri')
    code, words = said("--yes", "--password-stdin", text="secret-secret\n")
    assert (code, begun) == (1, [])
    assert "setup.json, which says how this machine was before, is damaged" in words
    assert str(memory.PLACE.with_name("before")) in words.replace(" ", "")
