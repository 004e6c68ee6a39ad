"""A browser without a screen: cookies, redirects, the CSRF token of the last page. Talks to the application itself."""

import asyncio
import functools
import html
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from gemel.api.app import app as api_app
from gemel.control.door import Caller
from gemel.daemons.agent.accounts import hashed
from gemel.web.app import app
from gemel.web.security import COOKIE, session_of
from tests.unit.daemons.agent import Agent, running

WEB = Caller(2, 33, 33)
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Page:
    """What came back; `text` as it is, `words` as people read it."""

    status: int
    headers: dict[str, str]
    text: str
    address: str

    @property
    def words(self) -> str:
        """Without tags, white space as one blank."""
        return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", self.text).split()))

    def json(self) -> Any:
        """The answer of REST."""
        return json.loads(self.text)

    def wrong(self, field_name: str) -> str:
        """What stands beside a field."""
        found = re.findall(rf'id="{field_name}-wrong-\d+">([^<]*)<', self.text)
        return html.unescape(" ".join(found))

    def value(self, name: str) -> str:
        """What an input field has in it."""
        tag = re.search(rf'<input[^>]*name="{name}"[^>]*>', self.text)
        assert tag, f"there is no field {name}"
        value = re.search(r'value="([^"]*)"', tag[0])
        return html.unescape(value[1]) if value else ""

    def chosen(self, name: str) -> str:
        """What a drop-down shows as chosen."""
        part = re.search(rf'<select[^>]*name="{name}".*?</select>', self.text, re.DOTALL)
        assert part, f"there is no drop-down {name}"
        found = re.search(r"<option[^>]*selected>([^<]*)<", part[0])
        return html.unescape(found[1]) if found else ""

    def choices(self, name: str) -> list[str]:
        """The words of a drop-down."""
        part = re.search(rf'<select[^>]*name="{name}".*?</select>', self.text, re.DOTALL)
        assert part, f"there is no drop-down {name}"
        return [html.unescape(w) for w in re.findall(r"<option[^>]*>([^<]*)<", part[0])]


@dataclass
class Browser:
    """One visitor."""

    application: Any
    cookies: dict[str, str] = field(default_factory=dict)
    csrf: str = ""
    set_cookie: str = ""

    def get(self, address: str, follow: bool = True, **headers: str) -> Page:
        """Load a page; redirects are followed."""
        return self._kept(self.request("GET", address, b"", headers), follow)

    def post(self, address: str, /, follow: bool = True, **fields: Any) -> Page:
        """Send a form with the CSRF token of the last page. `again` and `text` fields: ``password__again``."""
        pairs = [(k.replace("__", "-"), v) for k, vs in fields.items() for v in (vs if isinstance(vs, list) else [vs])]
        body = urlencode([*pairs, ("csrf", self.csrf)]).encode()
        said = {"content-type": "application/x-www-form-urlencoded"}
        return self._kept(self.request("POST", address, body, said), follow)

    def send(self, method: str, address: str, value: Any = None, token: str = "", **headers: str) -> Page:
        """A call of REST."""
        said = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
        body = b"" if value is None else json.dumps(value).encode()
        return self.request(method, f"/api/v1{address}", body, said | headers)

    def _kept(self, page: Page, follow: bool) -> Page:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
        self.csrf = found[1] if found else self.csrf
        if follow and page.status == 303:
            return self.get(page.headers["location"])
        return page

    def request(self, method: str, address: str, body: bytes, headers: dict[str, str]) -> Page:
        """One request, as it is."""
        path, _, query = address.partition("?")
        said = {"host": "fw1.example", "cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()), **headers}
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
            "raw_path": path.encode(), "root_path": "", "query_string": query.encode(), "scheme": "https",
            "headers": [(k.replace("_", "-").lower().encode(), v.encode()) for k, v in said.items()],
            "client": ("192.168.1.50", 40000), "server": ("192.168.1.2", 443),
        }  # fmt: skip
        status, got, text = asyncio.run(_run(self.application, scope, body))
        for name, value in got:
            if name == "set-cookie":
                self.set_cookie = value
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0].strip('"')
        return Page(status, dict(got), text, address)


async def _run(application: Any, scope: Any, body: bytes) -> tuple[int, list[tuple[str, str]], str]:
    parts = [{"type": "http.request", "body": body, "more_body": False}]
    status, headers, text = 0, list[tuple[str, str]](), b""

    async def receive() -> Any:
        return parts.pop(0) if parts else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal status, headers, text
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = [(k.decode().lower(), v.decode()) for k, v in message["headers"]]
        else:
            text += message.get("body", b"")

    await application(scope, receive, send)
    return status, headers, text.decode(errors="replace")


class _Way:
    """From the application, which is made once, to the agent of the test that runs."""

    agent: Agent

    def __call__(self, question: Any, /) -> Any:
        return self.agent(question, WEB)


_way = _Way()


@functools.cache
def _application() -> Any:
    return app(_way, api=api_app(_way, session_of))


@functools.cache
def _password() -> dict[str, str]:
    """What the password is kept as; made once, as it is meant to be slow."""
    return hashed("anybody", PASSWORD)


def node(folder: Path) -> tuple[Agent, Any]:
    """The recipe's primary with two more accounts, boss and reader, and the application in front of its agent."""
    agent = _way.agent = running(folder)
    agent.change("users", "add", apply=True, name="reader", privileges=["read-only"], **_password())
    agent.change("users", "add", apply=True, name="boss", privileges=["all"], **_password())
    return agent, _application()


def logged_in(application: Any, username: str = "boss") -> Browser:
    """A visitor after the log-in."""
    browser = Browser(application)
    browser.post("/login", username=username, password=PASSWORD, follow=False)
    assert browser.cookies[COOKIE]
    browser.get("/account/password")
    return browser
