"""The application below /api/v1."""

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gemel import __version__
from gemel.api import accounts, areas, diagnostics, events, facts, verbs
from gemel.api.asking import Guard, SessionOf, Wrong, refusal
from gemel.control.door import Ask

DESCRIPTION = """Everything that the pages do. Changes are pending until `POST /apply`; add `?apply=true` to make one
real at once. Send an API key of System > User Manager, or the token that `POST /login` gives, as Bearer; or an API key
as X-API-Key; or use the pages' own session with the header X-CSRF-Token."""
WAYS_IN = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or the token of a login."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
}


def app(ask: Ask, session_of: SessionOf) -> FastAPI:
    """The routes of every area, and those of the whole. ``state.stream`` is to be closed when the process ends."""
    # The pages of FastAPI that show the documentation load their scripts from elsewhere: left out.
    api = FastAPI(
        title="Gemel", version=__version__, description=DESCRIPTION, docs_url=None, redoc_url=None,
        servers=[{"url": "/api/v1"}], root_path_in_servers=False,
    )  # fmt: skip
    accounts.add(api, ask, session_of)
    verbs.add(api, ask, session_of)
    areas.add(api, ask, session_of)
    facts.add(api, ask, session_of)
    diagnostics.add(api, ask, session_of)
    api.state.stream = events.Stream(ask)
    events.add(api, api.state.stream, session_of)

    @api.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        found = [{"path": ".".join(map(str, e["loc"][1:])), "text": str(e["msg"])} for e in error.errors()]
        return refusal(422, "not accepted", found)

    @api.exception_handler(Wrong)
    async def wrong(_request: Request, error: Wrong) -> Response:
        return refusal(400, str(error))

    @api.exception_handler(404)
    async def not_there(_request: Request, _error: Exception) -> Response:
        return refusal(404, "there is no such address")

    @api.exception_handler(HTTPException)
    async def refused(_request: Request, error: HTTPException) -> Response:
        response = refusal(error.status_code, str(error.detail))
        response.headers.update(error.headers or {})
        return response

    api.add_middleware(Guard, session_of=session_of, public=accounts.PUBLIC)
    describe = api.openapi

    def described() -> dict[str, Any]:
        return api.openapi_schema or _with_ways_in(describe())

    api.openapi = described  # type: ignore[method-assign]
    return api


def _with_ways_in(said: dict[str, Any]) -> dict[str, Any]:
    """The description with what each call needs to come in."""
    said["components"]["securitySchemes"] = WAYS_IN
    said["security"] = [{name: []} for name in WAYS_IN]
    for path in accounts.PUBLIC:
        for call in said["paths"][path].values():
            call["security"] = []
    return said
