"""The application below /api/v1."""

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response

from gemel import __version__
from gemel.api import areas, diagnostics, events, facts, verbs
from gemel.api.asking import SessionOf, Wrong, refusal
from gemel.control.door import Ask

DESCRIPTION = """Everything that the pages do. Changes are pending until `POST /apply`; add `?apply=true` to make one
real at once. Log in with `POST /login` and send the token as Bearer, or use the pages' own session with the header
X-CSRF-Token."""


def app(ask: Ask, session_of: SessionOf) -> FastAPI:
    """The routes of every area, and those of the whole. ``state.stream`` is to be closed when the process ends."""
    # The pages of FastAPI that show the documentation load their scripts from elsewhere: left out.
    api = FastAPI(
        title="Gemel", version=__version__, description=DESCRIPTION, docs_url=None, redoc_url=None,
        servers=[{"url": "/api/v1"}], root_path_in_servers=False,
    )  # fmt: skip
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

    return api
