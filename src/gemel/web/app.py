"""The ASGI application behind TLS, and the little one on port 80 that sends everybody there.

Bodies are read here, within bounds of size, time and number, before a worker thread sees them.
"""

import asyncio
import functools
import time
from collections.abc import Callable

from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from gemel.sync.xmlrpc import LARGEST_BODY
from gemel.web.xmlrpc import AskAgent, Endpoint, Post

BODY_WITHIN = 30.0  # seconds
BODIES_AT_ONCE = 4  # of at most LARGEST_BODY each


def app(ask: AskAgent, clock: Callable[[], float] = time.monotonic) -> Starlette:
    """The application; `ask` puts a peer's call to the agent."""
    endpoint = Endpoint(ask)
    places = asyncio.Semaphore(BODIES_AT_ONCE)

    async def xmlrpc(request: Request) -> Response:
        async with places:
            body = await _bounded_body(request)
            if isinstance(body, Response):
                return body
            post = Post(
                body, _headers(request), _address(request.scope.get("client")), _address(request.scope.get("server"))
            )
            answer = await to_thread.run_sync(functools.partial(endpoint.answer, post, clock()))
        return Response(answer, media_type="text/xml")

    return Starlette(
        routes=[Route("/xmlrpc.php", xmlrpc, methods=["POST"]), Route("/healthz", _healthy, methods=["GET"])]
    )


def redirect_app() -> Starlette:
    """Everything on port 80: the same address, over TLS."""
    return Starlette(routes=[Route("/{path:path}", _to_https, methods=["GET", "HEAD", "POST"])])


async def _healthy(_request: Request) -> Response:
    return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})


async def _to_https(request: Request) -> Response:
    host = request.headers.get("host", "")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
    if not name or not all(c.isalnum() or c in ".-:[]" for c in name):
        return PlainTextResponse("use https\n", status_code=400)
    # 307, as what is typed today may be served by another node tomorrow; a POST is not repeated with its secrets.
    return RedirectResponse(str(request.url.replace(scheme="https", netloc=name)), status_code=307)


async def _bounded_body(request: Request) -> bytes | Response:
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > LARGEST_BODY:
        return PlainTextResponse("too large\n", status_code=413)
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_WITHIN):
            async for piece in request.stream():
                size += len(piece)
                if size > LARGEST_BODY:
                    return PlainTextResponse("too large\n", status_code=413)
                pieces.append(piece)
    except TimeoutError:
        return PlainTextResponse("too slow\n", status_code=408, headers={"Connection": "close"})
    except ClientDisconnect:
        return Response(status_code=400)
    return b"".join(pieces)


def _headers(request: Request) -> dict[str, str]:
    return {k: v for k, v in request.headers.items() if k in ("authorization", "gemel-signature")}


def _address(end: tuple[str, int] | None) -> str:
    return end[0] if end else ""
