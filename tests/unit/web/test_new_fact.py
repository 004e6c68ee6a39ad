"""A fact that nobody has heard of gets its page, its place in REST and its row of a table from its declaration."""

from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from gemel.api import facts as rest
from gemel.control import agent as ask
from gemel.core.codec import encode
from gemel.facts.fact import FILTER, Column, Fact, Option, Options, Sources, matches
from gemel.web.menu import fact_place
from gemel.web.pages.facts import page
from gemel.web.security import COOKIE, session_of
from gemel.web.site import Site
from tests.unit.web.browser import PASSWORD, Browser, node


@dataclass(frozen=True, slots=True)
class Bell:
    """One bell, and how often it rang."""

    name: str
    rang: int


@dataclass(frozen=True, slots=True)
class Bells:
    """All of them."""

    rows: tuple[Bell, ...]
    loudest: str


def _bells(sources: Sources, options: Options) -> Bells:
    rows = [Bell(**b) for b in sources["bells"] if matches(b["name"], options.get("filter", ""))]
    return Bells(tuple(rows), "the big one")


BELLS = Fact(
    name="bells",
    label="Bells",
    menu="Status > Bells",
    help="What rings.",
    shape=Bells,
    read=_bells,
    sources=("bells",),
    columns=(Column("name", "Bell"), Column("rang", "Rang", "count")),
    options=(FILTER, Option("tone", "Tone", "Which.", "high", ("high", "low"))),
)


def test_from_a_declaration_to_page_and_rest(tmp_path: Any, monkeypatch: Any) -> None:
    agent, _ = node(tmp_path)
    monkeypatch.setattr("gemel.web.menu.FACTS", (BELLS,))

    def asked(question: Any, /) -> Any:
        if isinstance(question, ask.AskFact):
            said = [{"name": "door", "rang": 12345}, {"name": "<b>phone", "rang": 0}]
            return encode(BELLS.read({"bells": said}, question.options))
        return agent(question)

    api = FastAPI()
    rest.add(api, asked, session_of, (BELLS,))
    routes = [Mount("/api/v1", api), *Site(asked).routes((page(BELLS),))]
    browser = Browser(Starlette(routes=routes), {COOKIE: ""})
    browser.cookies[COOKIE] = agent_session(agent)

    shown = browser.get(fact_place(BELLS))
    assert fact_place(BELLS) == "/status/bells" and "What rings." in shown.words
    assert "door 12,345" in shown.words and "<b>phone" in shown.words and "<b>phone" not in shown.text
    assert "Loudest the big one" in shown.words and shown.chosen("tone") == "high"
    assert "door" not in browser.get("/status/bells?filter=phone").words
    assert browser.send("GET", "/facts/bells?filter=door").json() == {
        "rows": [{"name": "door", "rang": 12345}], "loudest": "the big one"
    }  # fmt: skip
    options = browser.send("GET", "/openapi.json").json()["paths"]["/facts/bells"]["get"]["parameters"]
    assert [o["name"] for o in options] == ["filter", "tone"] and options[1]["schema"]["enum"] == ["", "high", "low"]


def agent_session(agent: Any) -> str:
    """A log-in of somebody who may only look."""
    return str(agent(ask.Login("reader", PASSWORD)).token)
