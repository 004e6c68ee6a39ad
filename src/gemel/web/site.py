"""From a request to a page: who asks, is it really they, what they said; and what went wrong, in words."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from anyio import to_thread
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from gemel.control.agent import NO_PRIVILEGE, NO_SESSION
from gemel.control.door import Ask, Refused, Unreachable
from gemel.web.body import Unreadable, read_body
from gemel.web.files import STATIC, Files
from gemel.web.furniture import furniture
from gemel.web.security import (
    TOKEN_FIELD,
    TOKEN_HEADER,
    WATCHING_HEADER,
    cookie_session,
    forget_session,
    guarded,
    is_csrf_token,
    same_site,
)
from gemel.web.visit import Fields, Notices, Page, Visit

TEMPLATES = Path(__file__).parent / "templates"
LARGEST_FORM = 16 << 20  # bytes: 100,000 alias entries are 2 MiB
HEADERS = (
    "origin", "host", "sec-fetch-site", TOKEN_HEADER, "hx-request", "hx-boosted", "hx-target", "last-event-id",
    "authorization", WATCHING_HEADER,
)  # fmt: skip

log = logging.getLogger(__name__)


class Site:
    """All pages. Templates are read once, at the start."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._notices = Notices()
        self.files = Files(STATIC)
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True, cache_size=-1, auto_reload=False,
        )  # fmt: skip
        self._templates.globals.update(furniture(self.files))

    def routes(self, pages: Iterable[Page]) -> list[BaseRoute]:
        """The routes of these pages."""
        return [Route(page.address, self._endpoint(page), methods=list(page.methods)) for page in pages]

    def render(self, template: str, context: Mapping[str, Any]) -> str:
        """A template as text."""
        return self._templates.get_template(template).render(context)

    def not_found(self, request: Request, _error: Exception) -> Response:
        """A page for an address that there is not. Says nothing to those who are not logged in."""
        if request.url.path.startswith("/api/"):  # an address with a line break in it never gets to the door of REST
            return guarded(JSONResponse({"error": "there is no such address", "problems": []}, 404))
        visit = self._visit(request, Fields(), {})
        return guarded(self._wrong(visit, 404, "There is no such page", "The address leads nowhere."))

    def _endpoint(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            form, files = Fields(), dict[str, bytes]()
            if request.method == "POST":
                try:
                    form, files = await _form(request)
                except Unreadable as error:
                    return guarded(Response(f"{error}\n", error.status, media_type="text/plain"))
            visit = self._visit(request, form, files)
            return guarded(await to_thread.run_sync(self._answered, page, visit))

        return endpoint

    def _visit(self, request: Request, form: Fields, files: Mapping[str, bytes]) -> Visit:
        address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return Visit(
            method=request.method, address=address, path=dict(request.path_params),
            query=Fields.parsed(request.url.query[:100_000]), form=form,
            headers={k: v for k, v in request.headers.items() if k in HEADERS},
            remote=request.client.host if request.client else "", token=cookie_session(request),
            asked=self._ask, render=self.render, notices=self._notices, files=files,
        )  # fmt: skip

    def _answered(self, page: Page, visit: Visit) -> Response:
        try:
            if page.session and not visit.token:
                return _to_login(visit)
            if visit.method == "POST" and not _is_own(visit, page.session):
                text = "The page was too old, or the request came from somewhere else. Load it again and repeat."
                return self._wrong(visit, 403, "Nothing was changed", text)
            if page.session:
                visit.frame  # noqa: B018 - asked first: is it a session; and what is shown is not older than its `news`
                if visit.method == "POST":
                    visit.changes()
            return page.function(visit)
        except Refused as no:
            return self._refused(visit, no)
        except Unreachable as error:
            log.warning("%s", error)
            text = "The agent, which does everything here, does not answer. It is being started, or has stopped."
            return self._wrong(visit, 503, "The agent does not answer", text, framed=False)
        except Exception:
            # A fault of ours: the trace goes to the log, the visitor gets a page and not the end of a connection.
            log.exception("%s %s", visit.method, visit.address)
            return self._wrong(visit, 500, "That went wrong", "It is a fault of this software; the log says more.")

    def _refused(self, visit: Visit, no: Refused) -> Response:
        paths = {str(p.get("path")) for p in no.problems}
        if NO_SESSION in paths:
            response = _to_login(visit)
            forget_session(response)
            return response
        if NO_PRIVILEGE in paths:
            return self._wrong(visit, 403, "This account may not do that", str(no))
        said = [str(p.get("text")) for p in no.problems]
        return self._wrong(visit, 409, f"{str(no)[:1].upper()}{str(no)[1:]}", *said)

    def _wrong(self, visit: Visit, status: int, title: str, *texts: str, framed: bool = True) -> Response:
        """The page of something that went wrong; without its frame where the agent cannot say what is in it."""
        if framed and visit.token:
            try:
                return visit.show("wrong.html", status, title=title, texts=texts)
            except (Refused, Unreachable):
                pass
        visit.token = ""
        return visit.show("wrong.html", status, title=title, texts=texts)


def _is_own(visit: Visit, session: bool) -> bool:
    """Whether a POST comes from one of our own pages. The log-in has no session to prove it with, or an old one."""
    if not same_site(visit.headers):
        return False
    said = visit.headers.get(TOKEN_HEADER) or visit.form.get(TOKEN_FIELD)
    return not session or is_csrf_token(visit.token, said)


def _to_login(visit: Visit) -> Response:
    """To the log-in and, after it, back to where one was."""
    back = f"?next={quote(visit.address)}" if visit.method == "GET" and visit.address != "/" else ""
    if visit.headers.get("hx-request"):
        return Response(status_code=204, headers={"HX-Redirect": "/login"})
    return RedirectResponse(f"/login{back}", 303)


async def _form(request: Request) -> tuple[Fields, dict[str, bytes]]:
    """The fields and the files of a POST.

    Raises:
        Unreadable: too large, too slow, or no form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await read_body(request, LARGEST_FORM)
    try:
        if kind == "multipart/form-data":
            request._body = body  # what starlette reads a form from, now bounded
            async with request.form(max_files=4, max_fields=2000, max_part_size=LARGEST_FORM) as form:
                texts = [(k, v) for k, v in form.multi_items() if isinstance(v, str)]
                files = {k: await v.read() for k, v in form.multi_items() if isinstance(v, UploadFile)}
            return Fields(texts), files
        return Fields.parsed(body.decode()), {}
    except (ValueError, UnicodeDecodeError) as error:
        raise Unreadable(400, f"no form: {error}") from None
