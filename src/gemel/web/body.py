"""Reading what a request carries, within bounds of size and time."""

import asyncio

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemel.web.security import HEADERS, guarded

BODY_WITHIN = 30.0  # seconds


class Unreadable(Exception):
    """What was sent is not taken; `status` is the HTTP status to say it with."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Bounded:
    """An ASGI application whose requests carry at most `most` bytes, in `BODY_WITHIN` seconds, and whose answers have
    the headers that every answer has."""

    def __init__(self, inner: ASGIApp, most: int) -> None:
        self._inner = inner
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(Request(scope, receive), self._most)
        except Unreadable as error:
            await guarded(JSONResponse({"error": str(error), "problems": []}, error.status))(scope, receive, send)
            return
        given = False

        async def whole() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in {**HEADERS, "Cache-Control": "no-store"}.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._inner(scope, whole, with_headers)


def said_length(request: Request) -> int | None:
    """What the request says of its size; None if it does not."""
    said = request.headers.get("content-length", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 12 else None


async def read_body(request: Request, most: int) -> bytes:
    """The body, at most `most` bytes and `BODY_WITHIN` seconds of it.

    Raises:
        Unreadable: larger, slower, or the caller went away.
    """
    body = bytearray()
    if (said_length(request) or 0) > most:
        raise Unreadable(413, "too large")
    try:
        async with asyncio.timeout(BODY_WITHIN):
            async for piece in request.stream():
                body += piece
                if len(body) > most:
                    raise Unreadable(413, "too large")
    except TimeoutError:
        raise Unreadable(408, "too slow") from None
    except ClientDisconnect:
        raise Unreadable(400, "cut off") from None
    return bytes(body)
