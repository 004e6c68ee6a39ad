"""Every route of REST, taken from the description: nobody gets in without a right to, and none is forgotten."""

from pathlib import Path
from typing import Any

import pytest

from gemel.api.accounts import PUBLIC
from gemel.api.app import app as api_app
from gemel.areas.every import AREAS
from gemel.control import agent as ask
from gemel.control.door import Refused
from gemel.web.app import app
from gemel.web.security import COOKIE, session_of
from tests.unit.api.samples import Call, calls
from tests.unit.daemons.agent import WEB, Agent
from tests.unit.web.browser import Browser, logged_in, node

OWN = ("/account/password", "/account/totp", "/account/totp/confirm", "/account/totp/end", "/logout",
       "/logout-everywhere")  # fmt: skip
"""What everybody may do to the own account."""

NEEDS_MACHINE = ("/status", "/events", "/failover", "/peer")
"""What looks at a machine, and is read in the lab."""

NOT_FOR_REST = {
    ask.AskFrame: "the frame of pages", ask.AskChoices: "the drop-downs of pages", ask.News: "GET /events",
    ask.RolesChanged: "carpd's", ask.SetupCode: "the console's", ask.LoginCode: "POST /login takes both at once",
    ask.AskRuns: "the list on the pages", ask.AskSources: "the drop-downs of pages",
    ask.UpgradePeer: "root's, with a file of this machine", ask.AskPeerInstall: "root's, during an upgrade",
    ask.Complete: "completes what one types on pages", ask.RuleHits: "GET /facts/rules has all of them",
}  # fmt: skip
"""Questions to the agent that REST does not put, and why."""


@pytest.fixture
def there(tmp_path: Path) -> tuple[Agent, Any]:
    agent, application = node(tmp_path)
    agent.change("aliases", "add", apply=True, name="web", type="host", entries=["192.0.2.1"])
    for area in ("rules", "outbound_nat", "port_forwards"):
        agent.change(area, "add", "separator", apply=True, title="A line")
    agent(ask.MakeKey("reading", "read-only", username="boss"))
    return agent, application


def description(application: Any) -> dict[str, Any]:
    found = logged_in(application).send("GET", "/openapi.json").json()
    assert isinstance(found, dict)
    return found


def address(call: Call, agent: Agent) -> str:
    """Where something is, if there is anything of the kind."""
    names = {area.name for area in AREAS}
    items = getattr(agent.desk.config.named(call.area), "items", ()) if call.area in names else ()
    if "/separators" in call.path:
        items = agent.desk.config.named(call.area).separators  # type: ignore[attr-defined]
    return call.at(id=items[0].id if items else "nobody", number="1", key="reading")


def answer(browser: Browser, call: Call, agent: Agent, token: str = "", **headers: str) -> int:
    return browser.send(call.method, address(call, agent), call.body, token, **headers).status


def test_without_a_session_every_route_refuses_before_it_looks_at_anything(there: tuple[Agent, Any]) -> None:
    agent, application = there
    stranger = Browser(application)
    for call in calls(description(application)):
        if call.path not in PUBLIC:
            assert answer(stranger, call, agent) == 401, call
            assert answer(stranger, call, agent, "made up") in (401, 422), call
            assert stranger.send(call.method, address(call, agent), [], **{"x-api-key": "gemel_a_b"}).status in (
                400, 401, 422,
            ), call  # fmt: skip
    assert stranger.send("GET", "/openapi.json").status == 401
    assert stranger.send("GET", "/nowhere").status == 401, "not even what there is not"


def test_a_made_up_token_gets_nowhere_with_the_right_body(there: tuple[Agent, Any]) -> None:
    agent, application = there
    stranger = Browser(application)
    for call in calls(description(application)):
        if call.path not in PUBLIC:
            assert answer(stranger, call, agent, "made up") == 401, call


def test_with_the_pages_cookie_every_change_needs_the_csrf_token(there: tuple[Agent, Any]) -> None:
    agent, application = there
    browser = logged_in(application)
    before = agent.desk.candidate
    changing = [c for c in calls(description(application)) if c.method != "GET" and c.path not in PUBLIC]
    for call in changing:
        assert answer(browser, call, agent) == 401, call
        assert answer(browser, call, agent, **{"x-csrf-token": "0" * 64}) == 401, call
        forged = {"x-csrf-token": browser.csrf, "origin": "https://evil.example"}
        assert answer(browser, call, agent, **forged) == 401, call
    assert len(changing) > 50 and agent.desk.candidate == before


def test_who_may_only_read_changes_nothing_by_any_route(there: tuple[Agent, Any]) -> None:
    agent, application = there
    reader = logged_in(application, "reader").cookies[COOKIE]
    key = agent(ask.MakeKey("looking", "read-only", username="boss")).key
    before, number, state = agent.desk.candidate, agent.desk.number, agent.desk.node
    browser = Browser(application)
    for call in calls(description(application)):
        if call.path in PUBLIC or call.method == "GET":
            continue
        refused = (403, 404) if "/nobody" in address(call, agent) else (403,)
        if call.path not in OWN:
            assert answer(browser, call, agent, reader) in refused, call
        assert answer(browser, call, agent, key) in refused, call
    assert (agent.desk.candidate, agent.desk.number, agent.desk.node) == (before, number, state)


def test_who_may_only_read_can_read_all_but_secrets(there: tuple[Agent, Any]) -> None:
    agent, application = there
    reader = logged_in(application, "reader").cookies[COOKIE]
    browser = Browser(application)
    refused = set()
    for call in calls(description(application)):
        if call.method == "GET" and call.path not in (*PUBLIC, *NEEDS_MACHINE):
            status = answer(browser, call, agent, reader)
            if status == 403:
                refused.add(call.path)
            elif status not in (200, 404):
                raise AssertionError((call, status))
    assert refused == {"/config", "/diagnostics/runs/{id}", "/diagnostics/runs/{id}/file"}


def test_every_question_to_the_agent_can_be_put_by_rest(there: tuple[Agent, Any]) -> None:
    agent, application = there
    put: set[type] = set()

    def listening(question: Any, /) -> Any:
        put.add(type(question))
        try:
            return agent(question, WEB)
        except AttributeError:
            raise Refused("there is no machine here") from None

    browser = Browser(app(listening, api=api_app(listening, session_of)))
    key = agent(ask.MakeKey("all", "all", username="boss")).key
    for call in calls(description(application)):
        if call.path != "/events":
            browser.send(call.method, address(call, agent), call.body, key)
    assert set(ask.QUESTIONS) - put == set(NOT_FOR_REST)
