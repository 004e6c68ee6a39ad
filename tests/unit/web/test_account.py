"""One's own account, the first password, second factors and API keys, as a browser sees them."""

import re
import time
from pathlib import Path
from typing import Any

import pyotp
import pytest

from gemel.areas.users import USERS
from gemel.control import agent as ask
from gemel.web.app import app
from gemel.web.security import COOKIE
from tests.unit.daemons.agent import ROOT, WEB, Agent, running
from tests.unit.web.browser import PASSWORD, Browser, logged_in, node

NEW = "a new long one"
FACTOR = "/account/second-factor"


@pytest.fixture
def there(tmp_path: Path) -> tuple[Agent, Any]:
    return node(tmp_path)


def enrolled(browser: Browser) -> tuple[str, list[str]]:
    """Set up a second factor; returns its secret and the recovery codes."""
    browser.get(FACTOR)
    page = browser.post(FACTOR, do="start", password=PASSWORD)
    secret = page.value("secret")
    assert re.search(r"<svg[^>]*>", page.text) and "style=" not in page.text
    page = browser.post(FACTOR, do="confirm", secret=secret, address=page.value("address"), code=now(secret))
    codes = re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", page.text)
    assert len(codes) == 8
    return secret, codes


def now(secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(int(time.time()) + 30 * steps)


def test_a_new_password_needs_the_old_one_ends_the_session_and_works(there: tuple[Agent, Any]) -> None:
    browser = logged_in(there[1], "reader")
    place = "/account/password"
    differ = browser.post(place, old=PASSWORD, password=NEW, password__again="another long one")
    assert "the two entries differ" in differ.wrong("password")
    assert "not the password" in browser.post(place, old="no", password=NEW, password__again=NEW).wrong("old")
    short = browser.post(place, old=PASSWORD, password="short", password__again="short")
    assert "at least 8" in short.wrong("password")
    browser.post(place, old=PASSWORD, password=NEW, password__again=NEW)
    assert browser.get("/firewall/rules", follow=False).status == 303
    assert browser.post("/login?next=/changes", username="reader", password=NEW).address == "/changes"


def test_with_a_second_factor_the_password_is_half_the_way(there: tuple[Agent, Any]) -> None:
    agent, application = there
    secret, _ = enrolled(logged_in(application))
    browser = Browser(application)
    page = browser.post("/login?next=/changes", username="boss", password=PASSWORD)
    assert "enter the code" in page.words and COOKIE not in browser.cookies and PASSWORD not in page.text
    said: dict[str, Any] = {"ticket": page.value("ticket"), "username": "boss"}
    wrong = browser.post("/login?next=/changes", **said, code="000000")
    assert "The code is wrong" in wrong.words and COOKIE not in browser.cookies
    done = browser.post("/login?next=/changes", **said, code=now(secret, 1))
    assert done.address == "/changes" and browser.cookies[COOKIE]
    assert "one-time code after the password" in browser.get(FACTOR).words
    assert secret not in str(agent(ask.Show("users"))) and secret not in str(agent(ask.Diff(1, 0)))


def test_a_wrong_first_code_leaves_all_as_it_was_and_can_be_repeated(there: tuple[Agent, Any]) -> None:
    agent, application = there
    browser = logged_in(application)
    browser.get(FACTOR)
    assert "not the password" in browser.post(FACTOR, do="start", password="no").wrong("password")
    page = browser.post(FACTOR, do="start", password=PASSWORD)
    secret, address = page.value("secret"), page.value("address")
    page = browser.post(FACTOR, do="confirm", secret=secret, address=address, code="000000")
    assert "not the code" in page.wrong("code") and page.value("secret") == secret
    assert not [u for u in agent.desk.config[USERS].items if u.totp]
    assert "Recovery Codes" in browser.post(FACTOR, do="confirm", code=now(secret)).words


def test_a_recovery_code_works_once_and_without_any_an_administrator_resets(there: tuple[Agent, Any]) -> None:
    _, application = there
    _, codes = enrolled(logged_in(application, "reader"))

    def by_code(code: str) -> Browser:
        browser = Browser(application)
        page = browser.post("/login", username="reader", password=PASSWORD)
        browser.post("/login", ticket=page.value("ticket"), username="reader", code=code, follow=False)
        return browser

    assert by_code(codes[0].upper().replace("-", " ")).cookies.get(COOKIE)
    assert COOKIE not in by_code(codes[0]).cookies
    boss = logged_in(application)
    key = next(u.id for u in there[0].desk.config[USERS].items if u.name == "reader")
    assert "Each login of this account needs a one-time code" in boss.get(f"/system/users/{key}").words
    assert "needs no one-time codes" in boss.post(f"/system/users/{key}", do="reset-totp").words
    assert logged_in(application, "reader").cookies[COOKIE]


def test_the_first_visitor_with_the_consoles_code_sets_the_password(tmp_path: Path) -> None:
    agent = running(tmp_path, blank=True)
    application = app(lambda question, /: agent(question, WEB))
    browser = Browser(application)
    page = browser.get("/login")
    assert page.address == "/setup" and "gemel setup-code" in page.words
    fields = {"password": NEW, "password__again": NEW}
    assert "no such code" in browser.post("/setup", code="ABCD-EFGH", **fields).wrong("code")
    code = agent(ask.SetupCode(), ROOT).code
    assert "on the console" in str(agent.refusal(ask.SetupCode(), WEB))
    assert "the two entries differ" in browser.post("/setup", code=code, password=NEW, password__again="x").words
    assert "at least 8" in browser.post("/setup", code=code, password="short", password__again="short").words
    browser.post("/setup", code=code.lower(), **fields, follow=False)
    assert browser.cookies[COOKIE]
    assert Browser(application).get("/setup").address == "/login"
    assert Browser(application).post("/setup", code=code, **fields).address == "/login"
    assert "a password already" in str(agent.refusal(ask.SetupCode(), ROOT))
    again = Browser(application)
    again.post("/login", username="admin", password=NEW, follow=False)
    assert again.cookies[COOKIE]


def test_the_user_manager_says_where_admin_is(there: tuple[Agent, Any]) -> None:
    words = logged_in(there[1]).get("/system/users").words
    assert "admin is always there" in words and "gemel passwd" in words, "boss is somebody else"


def test_a_key_is_made_shown_once_used_and_revoked(there: tuple[Agent, Any]) -> None:
    _, application = there
    browser = logged_in(application)
    keys = "/system/api-keys"
    assert "There are no API keys" in browser.get(keys).words
    wrong = browser.post(keys, do="make", name="no blanks", account="boss", privilege="read-only", expires="never")
    assert "no user name" in wrong.wrong("name") and "no date" in wrong.wrong("expires")
    page = browser.post(keys, do="make", name="monitoring", account="boss", privilege="read-only", expires="")
    [key] = re.findall(r"gemel_\w{8}_[\w-]{43}", page.text.split("For example")[0])
    listed = browser.get(keys)
    assert key not in listed.text and "monitoring boss Read only never never" in listed.words
    program = Browser(application)
    assert program.send("GET", "/rules", token=key).status == 200
    assert program.send("GET", "/rules", **{"x-api-key": key}).status == 200
    assert "monitoring boss Read only never never" not in browser.get(keys).words, "it has been used"
    [revoke] = re.findall(r'value="(revoke:\w+)"', browser.get(keys).text)
    assert "There are no API keys" in browser.post(keys, do=revoke).words
    assert program.send("GET", "/rules", token=key).status == 401


def test_a_reader_sees_keys_and_makes_none(there: tuple[Agent, Any]) -> None:
    _, application = there
    reader = logged_in(application, "reader")
    assert "New API Key" not in reader.get("/system/api-keys").words
    assert reader.post("/system/api-keys", do="make", name="x", privilege="all", account="boss").status == 403
