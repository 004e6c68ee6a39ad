"""The routes of every area: list, get, add, set, delete, move; made of its model."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from gemel.api import separators
from gemel.api.asking import Asker, SessionOf, answered, body_of
from gemel.api.replies import Changed, NotThere, Stale, errors
from gemel.areas.every import AREAS
from gemel.control.agent import Change, EditOrder, List, Show
from gemel.control.agent import Changed as ChangedAnswer
from gemel.control.door import Ask
from gemel.core.area import Area
from gemel.core.model import Model, is_marked

Id = Annotated[str, Path(description="Id of the item.", max_length=200)]
ApplyNow = Annotated[bool, Query(description="Make it real at once, and nothing else that is pending.")]
Text = Annotated[str, Query(max_length=200)]
Whole = Annotated[int, Query(ge=0, le=10_000_000)]
Limit = Annotated[int, Query(ge=1, le=1000)]
Running = Annotated[bool, Query(description="Without pending changes.")]
Position = Annotated[str, Query(description="top, bottom, before:ID or after:ID", max_length=200)]


class Move(BaseModel):
    """Where to: top, bottom, before:ID or after:ID."""

    position: str


def add(api: FastAPI, ask: Ask, session_of: SessionOf, areas: Iterable[Area[Any]] = AREAS) -> None:
    """Give the application the routes of these areas."""
    for area in areas:
        if area.own_faces:
            continue
        routes = _Routes(area, ask, session_of)
        routes.add_own(api)
        if "separators" in area.model.model_fields:
            separators.add(api, ask, session_of, area)
        if area.item is not None:
            routes.add_items(api)


class _Routes:
    def __init__(self, area: Area[Any], ask: Ask, session_of: SessionOf) -> None:
        self._area = area
        self._ask = ask
        self._session_of = session_of
        self._path = f"/{area.name}"

    # Routes ---------------------------------------------------------------------------------------------------------

    def add_own(self, api: FastAPI) -> None:
        """The area's own fields: below /settings where the area is a list."""
        area = self._area
        if not [n for n in area.model.model_fields if n not in ("items", "separators")]:
            return
        path = self._path if area.item is None else f"{self._path}/settings"
        shown = {200: {"content": _content(_shown_schema(area.model))}, **errors()}

        async def get(request: Request, running: Running = False) -> Response:
            return await self._answer(request, lambda to: self._own(to, running))

        async def patch(request: Request, apply: ApplyNow = False) -> Response:
            values = await body_of(request)
            etag = _etag(request)
            order = EditOrder(area.name, "set", "", values, etag=etag)
            return await self._answer(request, lambda to: _change(to, order, apply))

        self._route(api, "GET", path, get, f"The fields of {area.label}.", shown)
        self._route(api, "PATCH", path, patch, f"Change fields of {area.label}.", _changed(400, 422, 409),
                    _body(_given_schema(area.model)))  # fmt: skip

    def add_items(self, api: FastAPI) -> None:
        """The area's list."""
        area, path = self._area, self._path
        assert area.item is not None
        item = _shown_schema(area.item)

        async def lists(
            request: Request, group: Text = "", search: Text = "", sort: Text = "", offset: Whole = 0,
            limit: Limit = 100, running: Running = False,
        ) -> Response:  # fmt: skip
            asked = List(area.name, group, search, sort, offset, limit, (), running, token=self._session_of(request))
            return await self._answer(request, lambda to: _page(to, asked))

        async def get(request: Request, id: Id, running: Running = False) -> Response:
            return await self._answer(request, lambda to: self._item(to, id, running))

        async def post(request: Request, position: Position = "bottom", apply: ApplyNow = False) -> Response:
            order = EditOrder(area.name, "add", "", await body_of(request), position)
            return await self._answer(request, lambda to: _change(to, order, apply))

        async def patch(request: Request, id: Id, apply: ApplyNow = False) -> Response:
            order = EditOrder(area.name, "set", id, await body_of(request), etag=_etag(request))
            return await self._answer(request, lambda to: self._change_item(to, order, apply))

        async def delete(request: Request, id: Id, apply: ApplyNow = False) -> Response:
            order = EditOrder(area.name, "delete", id, etag=_etag(request))
            return await self._answer(request, lambda to: self._change_item(to, order, apply))

        async def move(request: Request, id: Id, to: Move, apply: ApplyNow = False) -> Response:
            order = EditOrder(area.name, "move", id, position=to.position, etag=_etag(request))
            return await self._answer(request, lambda asker: self._change_item(asker, order, apply))

        given, one = _body(_given_schema(area.item)), f"{path}/{{id}}"
        listed = {200: {"content": _content(_page_schema(item))}, **errors(422)}
        got = {200: {"content": _content(item)}, **errors(404, 422)}
        self._route(api, "GET", path, lists, f"{area.label}: {area.help}", listed)
        self._route(api, "POST", path, post, f"Add to {area.label}.", _changed(400, 409, 422), given)
        self._route(api, "GET", one, get, f"One of {area.label}.", got)
        self._route(api, "PATCH", one, patch, f"Change one of {area.label}.", _changed(400, 404, 409, 422), given)
        self._route(api, "DELETE", one, delete, f"Delete one of {area.label}.", _changed(404, 409, 422))
        if area.ordered:
            self._route(api, "POST", f"{one}/move", move, f"Move one of {area.label}.", _changed(404, 409, 422))

    def _route(
        self, api: FastAPI, method: str, path: str, endpoint: Any, summary: str, responses: Any, extra: Any = None
    ) -> None:
        name = f"{method.lower()}{path.replace('/', '_').replace('{id}', 'item')}"
        api.add_api_route(
            path, endpoint, methods=[method], tags=[self._area.label], summary=summary, responses=responses,
            openapi_extra=extra, operation_id=name, response_model=None,
        )  # fmt: skip

    # Work -----------------------------------------------------------------------------------------------------------

    async def _answer(self, request: Request, work: Any) -> Response:
        return await answered(self._ask, self._session_of(request), work)

    def _own(self, to: Asker, running: bool) -> dict[str, Any]:
        if self._area.item is not None:
            return to(List(self._area.name, limit=1, running=running, token=to.token)).options
        shown = to(Show(self._area.name, running, to.token))
        return {**shown.values, "etag": shown.etags[""]}

    def _item(self, to: Asker, key: str, running: bool) -> dict[str, Any]:
        found = to(List(self._area.name, ids=(key,), limit=1, running=running, token=to.token))
        if not found.items:
            raise NotThere(f"there is none with the id {key!r} in {self._area.label}")
        return {**found.items[0], "etag": found.etags[key]}

    def _change_item(self, to: Asker, order: EditOrder, apply: bool) -> ChangedAnswer:
        there = self._item(to, order.item, False)
        if order.etag and order.etag != there["etag"]:
            raise Stale("somebody else has changed this since you read it: look again, then repeat")
        return _change(to, order, apply)


def _change(to: Asker, order: EditOrder, apply: bool) -> ChangedAnswer:
    return to(Change((order,), apply, token=to.token))


def _page(to: Asker, asked: List) -> dict[str, Any]:
    found = to(asked)
    items = [{**item, "etag": found.etags[item["id"]]} for item in found.items]
    lines = list(found.separators)
    return {"items": items, "separators": lines, "words": found.words, "total": found.total, "matched": found.matched}


def _etag(request: Request) -> str:
    return request.headers.get("if-match", "").strip().removeprefix("W/").strip('"')


# Schemas --------------------------------------------------------------------------------------------------------------


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": _content(schema)}}


def _changed(*statuses: int) -> dict[int | str, Any]:
    return {200: {"model": Changed}, **errors(*statuses)}


def _given_schema(model: type[Model]) -> dict[str, Any]:
    """What may be sent: the model's own schema, and nothing needed where an item is changed and not made."""
    schema = model.model_json_schema()
    sealed = {n for n, info in model.model_fields.items() if is_marked(info, "sealed")}
    properties = {k: v for k, v in schema["properties"].items() if k not in ("items", "id", *sealed)}
    if "password_hash" in properties:
        # The agent makes the hashes; who has them already may send them all the same.
        properties["password"] = {"type": "string", "title": "Password", "minLength": 8, "writeOnly": True}
    return {"type": "object", "title": schema["title"], "properties": properties}


def _shown_schema(model: type[Model]) -> dict[str, Any]:
    """What is shown: the same with id and etag; secrets read ``(hidden)``, whatever their own limits are."""
    schema = model.model_json_schema()
    hidden = {n for n, info in model.model_fields.items() if is_marked(info, "secret")}
    properties = {
        k: (_hidden(k, v) if k in hidden else v)
        for k, v in schema["properties"].items()
        if k != "items"
    }
    properties["etag"] = {"type": "string", "description": "Send it as If-Match to change what you have seen."}
    return {"type": "object", "title": schema["title"], "properties": properties}


def _hidden(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    kinds = ["string", "array"] if schema.get("type") == "array" else "string"  # an empty list has nothing to hide
    return {"type": kinds, "title": schema.get("title", name), "description": "(hidden) where set"}


def _page_schema(item: dict[str, Any]) -> dict[str, Any]:
    words = {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": {"type": "string"}}}
    properties = {
        "items": {"type": "array", "items": item}, "words": words,
        "separators": {"type": "array", "items": separators.schema()},
        "total": {"type": "integer"}, "matched": {"type": "integer"},
    }  # fmt: skip
    return {"type": "object", "properties": properties, "required": list(properties)}
