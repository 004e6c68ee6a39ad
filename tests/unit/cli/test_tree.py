"""Commands follow from the areas, and each explains itself."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from gemel.areas.every import AREAS
from gemel.cli.generated import HIDDEN_FIELDS, app_for
from gemel.cli.main import build
from gemel.core.model import is_marked

SILENT = {
    "discard", "sync", "passwd", "carp maintenance", "carp enable", "carp disable", "peer pin", "peer forget",
    "carp failover", "resync", "state-sync resync", "state-sync compare", "states kill", "totp-reset", "key revoke",
    "dhcp forget", "dhcp wake",
}  # fmt: skip
"""Commands that print nothing when all is well."""
TOLD_STEP_BY_STEP = {"setup", "upgrade"}
"""Commands whose output is the tale of what is being done, for who sits before it."""


def commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


TREE = {name: c for name, c in commands(typer.main.get_command(build())) if not name.startswith("lab ")}
EDITED = [area for area in AREAS if not area.own_faces]  # the others have commands of their own: passwd, key


@pytest.mark.parametrize("area", EDITED, ids=lambda area: area.name)
def test_an_area_has_its_commands(area: Any) -> None:
    verbs = {"set", "show"} if area.item is None else {"list", "add", "set", "delete"}
    if area.ordered:
        verbs.add("move")

    assert {f"{area.noun} {verb}" for verb in verbs} <= set(TREE)


@pytest.mark.parametrize("name", sorted(set(TREE) - SILENT - TOLD_STEP_BY_STEP))
def test_whatever_shows_something_has_json(name: str) -> None:
    assert "--json" in {option for p in TREE[name].params for option in p.opts}


@pytest.mark.parametrize("name", sorted(TREE))
def test_every_command_and_option_says_what_it_is_for(name: str) -> None:
    assert TREE[name].help and TREE[name].help.strip().endswith(".")
    unexplained = [p.name for p in TREE[name].params if not getattr(p, "help", None) and not p.hidden]
    assert unexplained == []


@pytest.mark.parametrize("area", EDITED, ids=lambda area: area.name)
def test_a_fields_meaning_is_its_options_help(area: Any) -> None:
    model = area.item or area.model
    command = TREE[f"{area.noun} {'add' if area.item else 'set'}"]
    helps = {p.name: getattr(p, "help", "") for p in command.params}

    for name, info in model.model_fields.items():
        if name not in HIDDEN_FIELDS and name != area.grouped_by and not is_marked(info, "sealed"):
            assert helps[name].startswith(f"{info.title}. {info.description}")


def test_choices_are_named_and_completed() -> None:
    command = TREE["rule add"]
    [action] = [p for p in command.params if p.name == "action"]

    assert action.metavar == "pass|block|reject"
    completed = action.shell_complete(command.make_context("add", [], resilient_parsing=True), "re")
    assert [item.value for item in completed] == ["reject"]


@pytest.mark.parametrize("area", AREAS, ids=lambda area: area.name)
def test_the_columns_of_a_list_are_fields(area: Any) -> None:
    assert set(area.columns) <= set((area.item or area.model).model_fields)
    assert area.item is None or area.columns
    app_for(area)
