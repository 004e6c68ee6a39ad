"""REST in front of a real agent: who may ask what, what comes back, and that OpenAPI tells all of it."""

from pathlib import Path
from typing import Any

import pytest

from gemel.areas.every import AREAS
from gemel.areas.rules import RULES
from tests.unit.daemons.agent import Agent
from tests.unit.web.browser import PASSWORD, Browser, logged_in, node


class Client:
    """One session of REST."""

    def __init__(self, application: Any, username: str = "boss") -> None:
        self._browser = Browser(application)
        answer = self._browser.send("POST", "/login", {"username": username, "password": PASSWORD})
        assert answer.status == 200, answer.text
        self.token = answer.json()["token"]

    def __call__(self, method: str, address: str, value: Any = None, **headers: str) -> tuple[int, Any]:
        page = self._browser.send(method, address, value, self.token, **headers)
        return page.status, page.json() if page.text else None


@pytest.fixture
def there(tmp_path: Path) -> tuple[Agent, Any]:
    return node(tmp_path)


def test_every_area_has_its_routes_and_every_route_its_refusals(there: tuple[Agent, Any]) -> None:
    openapi = Client(there[1])("GET", "/openapi.json")[1]
    for area in AREAS:
        if not area.own_faces:
            assert f"/{area.name}" in openapi["paths"], area.name
    for path, methods in openapi["paths"].items():
        for method, route in methods.items():
            assert {"401", "403", "503"} <= set(route["responses"]), (method, path)
    given = openapi["paths"]["/rules"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert given["source"]["title"] == "Source" and given["action"]["enum"] == ["pass", "block", "reject"]


def test_with_the_pages_own_session(there: tuple[Agent, Any]) -> None:
    browser = logged_in(there[1])
    assert browser.send("GET", "/rules").status == 200
    answer = browser.send("POST", "/rules", {"interface": "LAN"}, "", **{"x-csrf-token": browser.csrf})
    assert answer.status == 200


def test_a_rule_from_beginning_to_end(there: tuple[Agent, Any]) -> None:
    agent, application = there
    ask = Client(application)
    status, made = ask("POST", "/rules?position=top", {"interface": "SYNC", "source": "SYNC net", "description": "one"})
    key = made["items"][0]
    assert (status, made["revision"]) == (200, 0)
    status, found = ask("GET", f"/rules/{key}")
    assert (status, found["source"], found["description"]) == (200, "net:opt1", "one")
    assert ask("PATCH", f"/rules/{key}", {"description": "two"}, **{"if-match": found["etag"]})[0] == 200
    status, error = ask("PATCH", f"/rules/{key}", {"description": "three"}, **{"if-match": found["etag"]})
    assert (status, "somebody else" in error["error"]) == (409, True)
    status, page = ask("GET", "/rules?group=opt1&search=two")
    assert (page["matched"], page["words"][key]["source"]) == (1, "SYNC net")
    assert ask("POST", f"/rules/{key}/move", {"position": "bottom"})[0] == 200
    assert [c["kind"] for c in ask("GET", "/diff")[1]["changes"]] == ["added"]
    status, applied = ask("POST", "/apply", {"message": "by REST"})
    assert (status, applied["revision"]) == (200, agent.desk.number)
    assert ask("GET", "/revisions")[1][0]["message"] == "by REST"
    assert ask("DELETE", f"/rules/{key}?apply=true")[1]["revision"] == agent.desk.number
    assert ask("POST", f"/revisions/{applied['revision']}/restore")[0] == 200
    assert key in [r.id for r in agent.desk.config[RULES].items]


@pytest.mark.parametrize(
    ("method", "address", "value", "status", "path"),
    [
        ("POST", "/rules", {"interface": "LAN", "source": "nix"}, 422, "source"),
        ("POST", "/rules", {"interface": "LAN", "colour": "red"}, 422, "colour"),
        ("POST", "/rules?position=nowhere", {"interface": "LAN"}, 422, "rules"),
        ("PATCH", "/rules/nobody", {}, 404, None),
        ("DELETE", "/rules/nobody", None, 404, None),
        ("GET", "/rules/nobody", None, 404, None),
        ("GET", "/rules?limit=0", None, 422, "limit"),
        ("POST", "/rules", [1], 400, None),
        ("POST", "/apply", {}, 422, ""),
        ("POST", "/apply", {"areas": ["nix"]}, 422, "nix"),
        ("POST", "/revisions/999/restore", None, 404, None),
        ("GET", "/diff?before=999", None, 422, ""),
        ("PATCH", "/system", {"hostname": "-"}, 422, "hostname"),
        ("PUT", "/config", {"areas": {}}, 422, "version"),
        ("POST", "/maintenance", {"on": "perhaps"}, 422, "on"),
        ("GET", "/nowhere", None, 404, None),
        ("POST", "/password", {"username": "boss", "password": "short"}, 422, "password"),
    ],
)
def test_what_is_wrong_has_a_status_and_a_sentence(
    there: tuple[Agent, Any], method: str, address: str, value: Any, status: int, path: str | None
) -> None:
    got, answer = Client(there[1])(method, address, value)
    assert got == status, answer
    assert answer["error"] and isinstance(answer["problems"], list)
    if path is not None:
        assert any(p["path"].endswith(path) and p["text"] for p in answer["problems"]), answer


def test_no_secret_is_shown(there: tuple[Agent, Any]) -> None:
    ask = Client(there[1])
    for area in AREAS:
        said = str([ask("GET", f"/{area.name}")[1], ask("GET", f"/{area.name}/settings")[1]])
        assert "$argon2" not in said and "secret" not in said, area.name


def test_export_and_import(there: tuple[Agent, Any]) -> None:
    _agent, application = there
    ask = Client(application)
    config = ask("GET", "/config")[1]
    config["areas"]["system"]["domain"] = "corp.example"
    assert ask("PUT", "/config", config)[0] == 200
    assert ask("GET", "/system")[1]["domain"] == "corp.example"


def test_a_wrong_password_is_401_and_log_out_ends_the_token(there: tuple[Agent, Any]) -> None:
    assert Browser(there[1]).send("POST", "/login", {"username": "boss", "password": "no"}).status == 401
    ask = Client(there[1])
    assert ask("POST", "/logout")[0] == 204
    assert ask("GET", "/rules")[0] == 401
