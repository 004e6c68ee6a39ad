"""What no program should send, and gets an answer as JSON all the same."""

from pathlib import Path
from typing import Any

import pytest

from gemel.control import agent as ask
from tests.unit.web.browser import Browser, Page, node


@pytest.fixture
def there(tmp_path: Path) -> tuple[Any, str]:
    agent, application = node(tmp_path)
    return application, agent(ask.MakeKey("all", "all", username="boss")).key


def sent(there: tuple[Any, str], method: str, address: str, body: bytes, kind: str = "application/json") -> Page:
    said = {"x-api-key": there[1], "content-type": kind}
    return Browser(there[0]).request(method, f"/api/v1{address}", body, said)


@pytest.mark.parametrize(
    ("method", "address", "body", "status"),
    [
        ("POST", "/maintenance", b"\xff\xff", 400),
        ("POST", "/maintenance", b"{", 422),
        ("PATCH", "/system", b"\xff", 400),
        ("PATCH", "/system", b"[" * 100_000, 400),
        ("DELETE", "/maintenance", b"", 405),
        ("POST", "/status", b"", 405),
        ("GET", "/rules/a\nb", b"", 404),
        ("GET", "/nowhere\n", b"", 404),
        ("GET", "/rules?limit=1e9", b"", 422),
        ("GET", "/rules/\x00", b"", 404),
    ],
)
def test_it_is_said_in_json(there: tuple[Any, str], method: str, address: str, body: bytes, status: int) -> None:
    page = sent(there, method, address, body)
    assert page.status == status, page.text
    assert page.json()["error"] and isinstance(page.json()["problems"], list)


def test_too_much_is_not_read(there: tuple[Any, str]) -> None:
    assert sent(there, "PUT", "/config", b" " * (17 << 20)).status == 413


@pytest.mark.parametrize("text", ["\\ud800", "\\u0000", "a" * 900])
def test_passwords_that_nobody_can_have(there: tuple[Any, str], text: str) -> None:
    body = f'{{"username": "boss", "password": "{text}12345678"}}'.encode()
    status = sent(there, "POST", "/password", body).status
    assert status == (204 if text.startswith("a") else 422)
    refused = 422 if "d800" in text else 401
    assert sent(there, "POST", "/login", body).status == (200 if text.startswith("a") else refused)
