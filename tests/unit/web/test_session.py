"""Log-in, log-out, and that nobody but the session's own pages can act for it."""

from pathlib import Path
from typing import Any

import pytest

from gemel.control import agent as ask
from gemel.control.door import Unreachable
from gemel.web.app import app
from gemel.web.menu import MENUS
from gemel.web.security import COOKIE, HEADERS, csrf_token, is_csrf_token, is_local
from tests.unit.daemons.agent import Agent
from tests.unit.web.browser import PASSWORD, Browser, logged_in, node

RULES = "/firewall/rules"


@pytest.fixture
def there(tmp_path: Path) -> tuple[Agent, Any]:
    return node(tmp_path)


def test_without_a_session_every_menu_entry_leads_to_the_log_in_and_back(there: tuple[Agent, Any]) -> None:
    browser = Browser(there[1])
    for menu in MENUS:
        for entry in menu.entries:
            page = browser.get(entry.address, follow=False)
            assert page.status in (303, 404), entry
            if page.status == 303:
                assert page.headers["location"].startswith("/login")
    asked = browser.get(f"{RULES}?if=lan&q=any", follow=False).headers["location"]
    page = browser.post(asked, username="boss", password=PASSWORD)
    assert (page.status, page.address) == (200, f"{RULES}?if=lan&q=any")


def test_a_wrong_password_is_refused_in_one_form_of_words(there: tuple[Agent, Any]) -> None:
    browser = Browser(there[1])
    said = [browser.post("/login", username=u, password=p).words for u, p in (("boss", "no"), ("nobody", PASSWORD))]
    assert all("Wrong user name or password." in s for s in said)
    assert COOKIE not in browser.cookies


def test_too_many_failures_from_one_address_have_to_wait(there: tuple[Agent, Any]) -> None:
    browser = Browser(there[1])
    said = [browser.post("/login", username="boss", password="no").words for _ in range(6)]
    assert "Too many failed logins" in said[-1]
    assert "Too many failed logins" in browser.post("/login", username="boss", password=PASSWORD).words


def test_an_old_session_in_the_cookie_does_not_keep_one_from_logging_in(there: tuple[Agent, Any]) -> None:
    browser = logged_in(there[1])
    again = Browser(there[1], {COOKIE: browser.cookies[COOKIE]})
    assert again.post("/login", username="boss", password=PASSWORD, follow=False).status == 303
    stale = Browser(there[1], {COOKIE: "over"})
    assert stale.post("/login", username="boss", password=PASSWORD, follow=False).status == 303


def test_an_api_key_is_no_cookie(there: tuple[Agent, Any]) -> None:
    agent, application = there
    key = agent(ask.MakeKey("all", "all", username="boss")).key
    assert Browser(application, {COOKIE: key}).get(RULES, follow=False).status == 303


def test_the_cookie_is_for_this_host_alone_and_out_of_reach_of_scripts(there: tuple[Agent, Any]) -> None:
    said = logged_in(there[1]).set_cookie.lower()
    assert said.startswith("__host-gemel=")
    assert {"secure", "httponly", "path=/", "samesite=strict"} <= {p.strip() for p in said.split(";")}
    assert "domain" not in said


def test_log_out_ends_the_session(there: tuple[Agent, Any]) -> None:
    browser = logged_in(there[1])
    token = browser.cookies[COOKIE]
    browser.post("/logout")
    browser.cookies[COOKIE] = token
    assert browser.get(RULES, follow=False).status == 303


def test_log_out_everywhere_ends_the_others_of_the_account_and_nobody_elses(there: tuple[Agent, Any]) -> None:
    one, other, reader = logged_in(there[1]), logged_in(there[1]), logged_in(there[1], "reader")
    one.post("/logout", everywhere="1")
    assert other.get(RULES, follow=False).status == 303
    assert reader.get(RULES, follow=False).status == 200


@pytest.mark.parametrize("forged", ["", "0" * 64, csrf_token("another session")])
def test_a_post_without_the_sessions_own_token_changes_nothing(there: tuple[Agent, Any], forged: str) -> None:
    agent, application = there
    browser = logged_in(application)
    before = agent.desk.candidate
    browser.csrf = forged
    page = browser.post(f"{RULES}/new?if=lan", interface="lan", action="pass")
    assert page.status == 403
    assert agent.desk.candidate == before


@pytest.mark.parametrize("said", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}])
def test_a_post_from_another_site_is_refused_even_with_the_token(there: tuple[Agent, Any], said: Any) -> None:
    browser = logged_in(there[1])
    headers = {"content-type": "application/x-www-form-urlencoded", **said}
    assert browser.request("POST", "/changes", f"csrf={browser.csrf}&do=apply".encode(), headers).status == 403
    assert Browser(there[1]).request("POST", "/login", b"username=boss", headers).status == 403


def test_every_answer_has_the_headers(there: tuple[Agent, Any]) -> None:
    browser = logged_in(there[1])
    pages = [
        browser.get(a, follow=False)
        for a in ("/login", RULES, "/nowhere", "/api/v1/rules", "/api/v1/nowhere", "/changes", "/static/gemel.js")
    ]
    for page in (*pages, Browser(there[1]).get(RULES, follow=False)):
        assert {k: page.headers[k.lower()] for k in HEADERS} == HEADERS, page.address
    assert {p.headers["cache-control"] for p in pages if not p.address.startswith("/static")} == {"no-store"}


def test_no_page_has_script_or_style_inside_it(there: tuple[Agent, Any]) -> None:
    browser = logged_in(there[1])
    for address in (RULES, f"{RULES}/new", "/login", "/system/high-availability", "/firewall/nat/outbound"):
        text = browser.get(address).text
        assert "style=" not in text and "<style" not in text and "onclick" not in text, address
        assert "<script>" not in text and text.count("<script src=") == text.count("<script "), address


def test_who_may_only_read_sees_no_button_and_can_change_nothing(there: tuple[Agent, Any]) -> None:
    agent, application = there
    browser = logged_in(application, "reader")
    before = agent.desk.candidate
    page = browser.get(f"{RULES}?if=lan")
    assert "web_servers" in page.words and 'value="delete' not in page.text
    for address, fields in (
        (f"{RULES}/new", {"interface": "lan", "source": "any"}), (RULES, {"do": "delete", "id": "x"}),
        ("/system/general", {"hostname": "mine"}), ("/changes", {"do": "apply"}), ("/changes", {"do": "discard"}),
        ("/system/history", {"number": "1"}), ("/firewall/nat/outbound", {"mode": "disabled"}),
        ("/interfaces", {"do": "assign", "device": "x"}),
    ):  # fmt: skip
        assert browser.post(address, **fields).status == 403, address
    assert agent.desk.candidate == before


def test_an_agent_that_does_not_answer_is_said_in_words() -> None:
    def gone(_question: Any, /) -> Any:
        raise Unreachable("nobody there")

    browser = Browser(app(gone), {COOKIE: "x"})
    page = browser.get(RULES)
    assert page.status == 503 and "The agent does not answer" in page.words
    browser.csrf = csrf_token("")
    assert Browser(app(gone)).post("/login", username="a", password="b").status == 503


@pytest.mark.parametrize("address", ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "/a\nb", ""])
def test_the_way_back_never_leads_elsewhere(there: tuple[Agent, Any], address: str) -> None:
    assert not is_local(address)
    browser = Browser(there[1])
    page = browser.post(f"/login?next={address}".replace("\n", "%0A"), follow=False, username="boss", password=PASSWORD)
    assert page.headers["location"] == "/"


def test_a_csrf_token_is_its_sessions_alone() -> None:
    assert is_csrf_token("one", csrf_token("one")) and not is_csrf_token("one", csrf_token("two"))
    assert not is_csrf_token("one", "") and not is_csrf_token("one", "é")
