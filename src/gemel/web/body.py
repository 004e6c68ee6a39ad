"""Reading what a request carries, within bounds of size and time."""

import asyncio

from starlette.requests import ClientDisconnect, Request

BODY_WITHIN = 30.0  # seconds


class Unreadable(Exception):
    """What was sent is not taken; `status` is the HTTP status to say it with."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


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
