"""A process in which AREAS and FACTS have one line more each; says as JSON what pages, REST and commands make of it.

    python -m tests.unit.web.new_lines FOLDER

The lists are made longer before anybody reads them: nothing else is told of the new area and the new fact.
"""

import dataclasses
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import gemel.areas.every as areas
import gemel.facts.every as facts
from gemel.core.area import Area
from gemel.core.model import Item, Model, field
from gemel.facts.fact import Column, Fact, Option


class Bell(Item):
    """Something that rings."""

    name: str = field(label="Bell name", help="What it is called.", max_length=9)
    loud: bool = field(False, label="Loud", help="Whether neighbours hear it.")


class Bells(Model):
    """All of them."""

    items: tuple[Bell, ...] = ()


@dataclasses.dataclass(frozen=True)
class Ring:
    at: str
    times: int


@dataclasses.dataclass(frozen=True)
class Rings:
    rows: tuple[Ring, ...]


BELLS = Area("bells", "Bells", "bell", Bells, "What rings.", "local", item=Bell, columns=("name", "loud"))
RINGS = Fact(
    "rings", "Rings", "Status > Rings", "Who rang.", Rings,
    lambda _sources, options: Rings((Ring(options.get("door", ""), 3),)), (),
    (Column("at", "At door"), Column("times", "Times", "count")), (Option("door", "Door", "Which one.", "front"),),
)  # fmt: skip

areas.AREAS = (*areas.AREAS, BELLS)  # type: ignore[assignment]
areas.SCHEMA = dataclasses.replace(areas.SCHEMA, areas=areas.AREAS)
facts.FACTS = (*facts.FACTS, RINGS)


def said(folder: Path) -> dict[str, Any]:
    """What there is of both."""
    browsers = importlib.import_module("tests.unit.web.browser")
    views = importlib.import_module("gemel.daemons.agent.views").Views
    ask = importlib.import_module("gemel.control.agent")
    app = importlib.import_module("gemel.web.app").app
    api = importlib.import_module("gemel.api.app").app
    session_of = importlib.import_module("gemel.web.security").session_of
    agent, _ = browsers.node(folder)
    seen = views(lambda: agent.desk.config, None, None, {})

    def way(question: Any, /) -> Any:
        if isinstance(question, ask.AskFact):
            return seen.answer(question.name, question.options)
        return agent(question, browsers.WEB)

    application = app(way, api=api(way, session_of))
    browser = browsers.logged_in(application)
    token = browser.cookies[browsers.COOKIE]
    form = browser.get("/services/bells/new")
    wrong = browser.post("/services/bells/new", name="much too long")
    listed = browser.post("/services/bells/new", name="front", loud="on")
    made = browser.send("POST", "/bells?apply=true", {"name": "back"}, token)
    typer = importlib.import_module("typer")
    commands = typer.main.get_command(importlib.import_module("gemel.cli.main").build()).commands
    rings = browser.get("/status/rings?door=back")
    return {
        "menu": [w for w in ("Bells", "Rings") if w in browser.get("/changes").words],
        "form": form.words, "wrong": wrong.wrong("name"), "list": listed.words, "made": made.status,
        "rest": browser.send("GET", "/bells", token=token).json()["total"],
        "described": sorted(p for p in browser.send("GET", "/openapi.json", token=token).json()["paths"]
                            if "bells" in p or "rings" in p),
        "fact": rings.words, "fact by rest": browser.send("GET", "/facts/rings", token=token).json(),
        "commands": sorted(commands["bell"].commands), "changes": browser.get("/changes").words,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(said(Path(sys.argv[1]))))
