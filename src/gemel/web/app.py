"""The ASGI application behind TLS, and the little one on port 80 that sends everybody there.

Bodies are read within bounds of size, time and number, before a worker thread sees them.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from gemel.control.door import Ask
from gemel.sync.xmlrpc import LARGEST_BODY
from gemel.web.body import Bounded, Unreadable, read_body, said_length
from gemel.web.pages.every import PAGES
from gemel.web.site import LARGEST_FORM, Site
from gemel.web.xmlrpc import Endpoint, Post

SMALL_BODY = 1 << 16  # bytes: everything but an offer, so that slow large ones do not keep the small ones out
LARGE_BODIES_AT_ONCE = 3


def app(ask: Ask, clock: Callable[[], float] = time.monotonic, api: ASGIApp | None = None) -> Starlette:
    """The application; `ask` puts questions, and the peer's calls, to the agent. `api` is served below /api/v1."""
    endpoint = Endpoint(ask)
    site = Site(ask)
    places = asyncio.Semaphore(LARGE_BODIES_AT_ONCE)

    async def xmlrpc(request: Request) -> Response:
        length = said_length(request)
        if length is None:
            return PlainTextResponse("Content-Length is needed\n", status_code=411)
        if length > LARGEST_BODY:
            return PlainTextResponse("too large\n", status_code=413)
        async with contextlib.nullcontext() if length <= SMALL_BODY else places:
            try:
                body = await read_body(request, length)
            except Unreadable as error:
                status = 400 if error.status == 413 else error.status  # it said less than it sent
                return PlainTextResponse(f"{error}\n", status, headers={"Connection": "close"})
            post = Post(
                body, _headers(request), _address(request.scope.get("client")), _address(request.scope.get("server"))
            )
            answer = await to_thread.run_sync(functools.partial(endpoint.answer, post, clock()))
        return Response(answer, media_type="text/xml")

    return Starlette(
        routes=[
            Route("/xmlrpc.php", xmlrpc, methods=["POST"]),
            Route("/healthz", _healthy, methods=["GET"]),
            Mount("/static", site.files),
            *([Mount("/api/v1", Bounded(api, LARGEST_FORM))] if api else []),
            *site.routes(PAGES),
        ],
        exception_handlers={404: site.not_found, HTTPException: _plain},
    )


def redirect_app() -> Starlette:
    """Everything on port 80: the same address, over TLS."""
    return Starlette(routes=[Route("/{path:path}", _to_https, methods=["GET", "HEAD", "POST"])])


async def _plain(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse(f"{error.detail}\n", error.status_code, headers=error.headers)


async def _healthy(_request: Request) -> Response:
    return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})


async def _to_https(request: Request) -> Response:
    host = request.headers.get("host", "")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
    if not name or not all(c.isalnum() or c in ".-:[]" for c in name):
        return PlainTextResponse("use https\n", status_code=400)
    # 307, as what is typed today may be served by another node tomorrow; a POST is not repeated with its secrets.
    return RedirectResponse(str(request.url.replace(scheme="https", netloc=name)), status_code=307)


def _headers(request: Request) -> dict[str, str]:
    return {k: v for k, v in request.headers.items() if k in ("authorization", "gemel-signature")}


def _address(end: tuple[str, int] | None) -> str:
    return end[0] if end else ""
