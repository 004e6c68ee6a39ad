"""``/xmlrpc.php`` between bytes and the agent's door, and the application around it."""

import asyncio
import base64
from typing import Any

import pytest
from starlette.types import ASGIApp

from gemel.control.door import Refused, Unreachable
from gemel.control.peer import Fault, PeerAnswer, PeerCall
from gemel.core.attempts import FAILURES, WITHIN
from gemel.sync.xmlrpc import LARGEST_BODY, Faulted, read_response, write_call
from gemel.web.app import SMALL_BODY, app, redirect_app
from gemel.web.xmlrpc import Endpoint, Post


class Agent:
    """Answers every call alike and remembers it."""

    def __init__(self, answer: PeerAnswer | Exception) -> None:
        self.answer = answer
        self.calls: list[PeerCall] = []

    def __call__(self, call: PeerCall) -> PeerAnswer:
        self.calls.append(call)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


CALL = write_call("gemel.report", ("{}",))


def post(body: bytes = CALL, remote: str = "172.16.1.2", authorization: str = "", signature: str = "") -> Post:
    headers = {"authorization": authorization, "gemel-signature": signature}
    return Post(body, headers, remote, "172.16.1.3")


def basic(pair: bytes) -> str:
    return f"Basic {base64.b64encode(pair).decode()}"


def fault(endpoint: Endpoint, sent: Post, now: float = 0.0) -> int:
    with pytest.raises(Faulted) as faulted:
        read_response(endpoint.answer(sent, now))
    return faulted.value.code


def test_a_call_reaches_the_agent_as_it_came() -> None:
    agent = Agent(PeerAnswer({"ok": [1, True]}))
    sent = post(authorization=basic("ädmin:pä:ss".encode()), signature="s 1 AAAA")
    assert read_response(Endpoint(agent).answer(sent, 0.0)) == {"ok": [1, True]}
    expected = PeerCall("gemel.report", ("{}",), "ädmin", "pä:ss", "172.16.1.2", "172.16.1.3", "s 1 AAAA")
    assert agent.calls == [expected]


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!!", "Bearer x", basic(b"no colon"), basic(b"\xff\xfe:x")])
def test_unreadable_credentials_are_none(header: str) -> None:
    agent = Agent(PeerAnswer(1))
    Endpoint(agent).answer(post(authorization=header), 0.0)
    assert (agent.calls[0].username, agent.calls[0].password) == (None, None)


def test_faults_of_the_agent_go_out_as_faults() -> None:
    assert fault(Endpoint(Agent(PeerAnswer(fault=Fault.CONFLICT, text="both"))), post()) == Fault.CONFLICT


def test_a_silent_or_failing_agent_is_a_fault() -> None:
    assert fault(Endpoint(Agent(Refused("PeerCall failed: KeyError"))), post()) == Fault.INTERNAL
    assert fault(Endpoint(Agent(Unreachable("/run/gemel/agent.sock: refused"))), post()) == Fault.AWAY


def test_no_xml_never_reaches_the_agent() -> None:
    agent = Agent(PeerAnswer(1))
    assert fault(Endpoint(agent), post(b"<html>")) == Fault.NOT_XML
    assert agent.calls == []


def test_guessing_passwords_stops_reaching_the_agent() -> None:
    agent = Agent(PeerAnswer(fault=Fault.BAD_LOGIN, text="no"))
    endpoint = Endpoint(agent)
    faults = [fault(endpoint, post(authorization=basic(b"a:b"))) for _ in range(FAILURES + 5)]
    assert faults == [Fault.BAD_LOGIN] * FAILURES + [Fault.TOO_MANY_FAILURES] * 5
    assert len(agent.calls) == FAILURES
    assert fault(endpoint, post(remote="172.16.1.9")) == Fault.BAD_LOGIN
    agent.answer = PeerAnswer(1)
    assert read_response(endpoint.answer(post(), WITHIN + 1)) == 1


def request(application: ASGIApp, method: str, path: str, body: list[bytes] | None = None, **headers: str) -> Any:
    """One request straight into the application: (status, headers, body)."""
    pieces = [*(body or [b""])]
    answer: dict[str, Any] = {"body": b""}

    async def receive() -> Any:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.update(status=message["status"], headers=dict(message["headers"]))
        else:
            answer["body"] += message.get("body", b"")

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"a=1",
        "scheme": "http",
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
        "client": ("172.16.1.2", 40000),
        "server": ("172.16.1.3", 443),
    }
    asyncio.run(application(scope, receive, send))  # type: ignore[arg-type]
    return answer["status"], answer["headers"], answer["body"]


def test_the_application_answers_calls() -> None:
    agent = Agent(PeerAnswer("fine"))
    said = {"authorization": "x", "content_length": str(len(CALL))}
    status, headers, body = request(app(agent), "POST", "/xmlrpc.php", [CALL[:10], CALL[10:]], **said)
    assert (status, read_response(body)) == (200, "fine")
    assert headers[b"content-type"].startswith(b"text/xml")
    assert (agent.calls[0].remote, agent.calls[0].local) == ("172.16.1.2", "172.16.1.3")


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    assert request(app(Agent(PeerAnswer(1))), "POST", "/xmlrpc.php", content_length=str(LARGEST_BODY + 1))[0] == 413


@pytest.mark.parametrize("said", ["10", str(SMALL_BODY + 1)])
def test_a_body_that_turns_out_larger_than_it_said_is_dropped(said: str) -> None:
    agent = Agent(PeerAnswer(1))
    assert request(app(agent), "POST", "/xmlrpc.php", [b"x" * SMALL_BODY] * 3, content_length=said)[0] == 400
    assert agent.calls == []


@pytest.mark.parametrize("said", ["many", "-1", "9" * 30, ""])
def test_a_body_must_say_how_large_it_is(said: str) -> None:
    assert request(app(Agent(PeerAnswer(1))), "POST", "/xmlrpc.php", content_length=said)[0] == 411
    assert request(app(Agent(PeerAnswer(1))), "POST", "/xmlrpc.php")[0] == 411


def test_only_post_calls() -> None:
    assert request(app(Agent(PeerAnswer(1))), "GET", "/xmlrpc.php")[0] == 405


def test_health_needs_no_agent() -> None:
    assert request(app(Agent(Unreachable("gone"))), "GET", "/healthz")[::2] == (200, b"ok\n")


@pytest.mark.parametrize(
    ("host", "location"),
    [
        ("fw1.example", b"https://fw1.example/some/page?a=1"),
        ("fw1.example:80", b"https://fw1.example/some/page?a=1"),
        ("192.168.1.1", b"https://192.168.1.1/some/page?a=1"),
        ("[fd00::1]:80", b"https://[fd00::1]/some/page?a=1"),
        ("[fd00::1]", b"https://[fd00::1]/some/page?a=1"),
    ],
)
def test_port_80_sends_everybody_to_tls(host: str, location: bytes) -> None:
    status, headers, _ = request(redirect_app(), "GET", "/some/page", host=host)
    assert (status, headers[b"location"]) == (307, location)


@pytest.mark.parametrize("host", ["", "evil.example/@x", "a b", 'x"'])
def test_port_80_does_not_repeat_nonsense(host: str) -> None:
    assert request(redirect_app(), "GET", "/", host=host)[0] == 400
