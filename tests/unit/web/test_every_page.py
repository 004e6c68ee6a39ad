"""Every page, taken from the application's own routes: who gets in, and who may do what."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Mount, Route

from gemel.areas.every import AREAS
from gemel.control import agent as ask
from gemel.control.door import Refused
from gemel.web.app import app
from gemel.web.menu import place
from gemel.web.pages.every import PAGES
from gemel.web.security import COOKIE, HEADERS, csrf_token
from tests.unit.daemons.agent import Agent
from tests.unit.facts.node import node_status
from tests.unit.web.browser import WEB, Browser, logged_in, node
from tests.unit.web.test_facts import with_peer

OPEN = ("/login", "/setup", "/healthz", "/xmlrpc.php", "/metrics")
"""What has a door of its own: the log-in, the peer's calls, and figures for a token."""

ACTING = ("/diagnostics/ping", "/diagnostics/packet-capture", "/diagnostics/run/")
"""Pages that show nothing but what one does there oneself."""


@dataclass
class Door:
    """The real agent with a made-up machine; remembers what it answered, and to whom."""

    agent: Agent
    done: list[Any] = field(default_factory=list)

    def __call__(self, question: Any, /) -> Any:
        answer = self._answer(question)
        self.done.append(question)
        return answer

    def _answer(self, question: Any) -> Any:
        if isinstance(question, ask.Status | ask.AskFact):
            self.agent(ask.AskFrame(question.token), WEB)  # whether they may
        match question:
            case ask.Status():
                return with_peer(node_status())
            case ask.AskFact():
                return {"rows": [], "text": ""}
        try:
            return self.agent(question, WEB)
        except AttributeError:
            raise Refused("there is no machine here") from None


@pytest.fixture
def there(tmp_path: Path) -> tuple[Door, Any]:
    agent, _ = node(tmp_path)
    agent.change("aliases", "add", apply=True, name="web", type="host", entries=["192.0.2.1"])
    door = Door(agent)
    return door, app(door)


def routes(application: Any) -> list[tuple[str, frozenset[str]]]:
    """Every address of a page with its methods."""
    found = [r for r in application.routes if isinstance(r, Route)]
    mounted = {r.path for r in application.routes if isinstance(r, Mount)}
    assert mounted <= {"/static", "/api/v1"} and len(found) + len(mounted) == len(application.routes)
    return [(r.path, frozenset(r.methods or ())) for r in found]


def addresses(path: str, door: Door) -> list[str]:
    """Addresses that the route's path can be: of an item that is there, and of a new one."""
    if "{" not in path:
        return [path]
    base = path.partition("/{")[0].removesuffix("/separators")
    area = next((a for a in AREAS if place(a.name) == base), None)
    items = getattr(door.agent.desk.config.named(area.name), "items", ()) if area else ()
    keys = [*(i.id for i in items[:1]), "new", "nobody"]
    return [re.sub(r"\{\w+\}", key, path) for key in keys]


def test_nobody_sees_a_page_without_logging_in(there: tuple[Door, Any]) -> None:
    door, application = there
    seen = 0
    for path, methods in routes(application):
        for address in addresses(path, door):
            for method in methods & {"GET", "POST"} if path not in OPEN else ():
                for cookies in ({}, {COOKIE: "made up"}):
                    browser = Browser(application, dict(cookies), csrf_token(cookies.get(COOKIE, "")))
                    page = browser.get(address, False) if method == "GET" else browser.post(address, False)
                    assert page.status == 303 and page.headers["location"].startswith("/login"), (method, address)
                    seen += 1
    assert seen > 200 and not door.done
    stranger = Browser(application)
    assert stranger.get("/metrics").status == 401
    assert stranger.get("/nowhere").status == 404 and "gemel" not in stranger.get("/nowhere").words
    assert {p.address for p in PAGES if not p.session} == {"/login", "/setup", "/metrics"}


@pytest.mark.parametrize("forged", ["", "0" * 64, csrf_token("another session")])
def test_every_post_needs_the_sessions_own_token(there: tuple[Door, Any], forged: str) -> None:
    door, application = there
    browser = logged_in(application)
    door.done.clear()
    posts = [a for path, methods in routes(application) if "POST" in methods and path not in OPEN
             for a in addresses(path, door)]  # fmt: skip
    for address in posts:
        browser.csrf = forged
        page = browser.post(address, follow=False, do="delete", id="x", password="x", everywhere="1")
        assert page.status == 403 and "Nothing was changed" in page.words, address
    assert len(posts) > 30 and {type(q) for q in door.done} <= {ask.AskFrame}


def test_who_may_only_read_reads_all_and_changes_nothing(there: tuple[Door, Any]) -> None:
    door, application = there
    boss, reader = logged_in(application), logged_in(application, "reader")
    door.done.clear()
    desk = door.agent.desk
    before = desk.candidate, desk.number, desk.node
    for path, methods in routes(application):
        if path in (*OPEN, "/logout"):
            continue
        for address in addresses(path, door):
            if "GET" in methods:
                page, theirs = reader.get(address), boss.get(address)
                expected = (403, address) if path.startswith(ACTING) else (theirs.status, theirs.address)
                assert (page.status, page.address) == expected, address
            seen = boss.get(address).text if "POST" in methods else ""
            for do in {"", *re.findall(r'name="do" value="([^"]*)"', seen)} if seen else ():
                assert _posted(reader, address, do, seen).status < 500, address
    mine = [q for q in door.done if getattr(q, "token", "") == reader.cookies[COOKIE]]
    assert mine, "the reader was somebody"
    assert {type(q) for q in mine} <= {*ask.READING, *ask.OWN}
    assert (desk.candidate, desk.number, desk.node) == before


def _posted(browser: Browser, address: str, do: str, seen: str) -> Any:
    """The page's own form, as an administrator sees it, sent back by somebody else."""
    fields = {
        name: value for name, value in re.findall(r'<input[^>]* name="([\w-]+)"[^>]* value="([^"]*)"', seen)
        if name not in ("csrf", "do", "id")
    }  # fmt: skip
    ids = re.findall(r'data-id="(\w+)"', seen)[:1]
    pairs = {name.replace("-", "__"): value for name, value in fields.items()}
    return browser.post(address, False, **pairs | {"do": do, "id": ids, "position": "top", "number": "1"})


def test_every_page_has_the_headers_and_no_script_or_style_inside(there: tuple[Door, Any]) -> None:
    door, application = there
    browser = logged_in(application)
    for path, methods in routes(application):
        for address in addresses(path, door) if "GET" in methods else ():
            page = browser.get(address)
            for name, value in HEADERS.items():
                assert path == "/healthz" or page.headers[name.lower()] == value, (address, name)
            if page.headers["content-type"].startswith("text/html"):
                assert page.headers["cache-control"] == "no-store"
                assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", page.text), address
