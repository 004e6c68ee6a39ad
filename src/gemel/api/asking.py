"""From a request to a question and back: whose session, and the work in a thread, as the agent may take a while."""

import functools
import json
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gemel.api.replies import NotThere, Stale, status_of
from gemel.control.door import Ask, Question, Refused, Unreachable
from gemel.core.codec import encode

A = TypeVar("A")
SessionOf = Callable[[Request], str]
"""The session that a request may use; empty: none."""


class Wrong(Exception):
    """The request itself is not of the shape that is needed."""


class Asker:
    """What a route's function is given: asks with the session of the request."""

    def __init__(self, ask: Ask, token: str) -> None:
        self.put = ask
        self.token = token

    def __call__(self, question: Question[A]) -> A:
        """Put a question; its `token` is the session's.

        Raises:
            Refused, Unreachable: as `control.door.ask`.
        """
        return self.put(question)


def refusal(status: int, text: str, problems: list[dict[str, Any]] | None = None) -> Response:
    """A refusal as JSON."""
    said = [{"path": str(p.get("path", "")), "text": str(p.get("text", "")), "level": str(p.get("level", "error"))}
            for p in problems or ()]  # fmt: skip
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return JSONResponse({"error": text, "problems": said}, status, headers)


def no_session() -> Response:
    """To who has none."""
    return refusal(401, "log in first: POST /api/v1/login gives a token")


def failed(error: Refused | Unreachable) -> Response:
    """What becomes of a question that the agent refused or never answered."""
    if isinstance(error, Refused):
        return refusal(status_of(error), str(error), error.problems)
    return refusal(503, "the agent does not answer; it is being started, or has stopped")


class Guard:
    """Around the application: who comes without a session hears that, and nothing of what is behind the door."""

    def __init__(self, inner: ASGIApp, session_of: SessionOf, public: Collection[str]) -> None:
        self._inner = inner
        self._session_of = session_of
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope.get("path", "")).removeprefix(scope.get("root_path", ""))
        if scope["type"] == "http" and path not in self._public and not self._session_of(Request(scope)):
            await no_session()(scope, receive, send)
        else:
            await self._inner(scope, receive, send)


async def answered(ask: Ask, token: str, work: Callable[[Asker], Any], public: bool = False) -> Response:
    """Do the work in a thread; its value as JSON, or why not."""
    if not token and not public:
        return no_session()
    try:
        value = await to_thread.run_sync(functools.partial(_done, work, Asker(ask, token)))
    except (Refused, Unreachable) as error:
        return failed(error)
    except NotThere as error:
        return refusal(404, str(error))
    except Stale as error:
        return refusal(409, str(error))
    except Wrong as error:
        return refusal(400, str(error))
    return JSONResponse(value) if value is not None else Response(status_code=204)


def _done(work: Callable[[Asker], Any], asker: Asker) -> Any:
    value = work(asker)
    return None if value is None else encode(value)


async def body_of(request: Request) -> dict[str, Any]:
    """The request's JSON object.

    Raises:
        Wrong: there is none.
    """
    try:
        value = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise Wrong("a JSON object is needed") from None
    if not isinstance(value, dict):
        raise Wrong("a JSON object is needed")
    return value
