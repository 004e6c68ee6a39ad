"""The routes of separators: titles between the items of a list. Lists tell of those on their page."""

from typing import Annotated, Any

from fastapi import FastAPI, Path, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from gemel.api.asking import Asker, SessionOf, answered, body_of
from gemel.api.replies import Changed, NotThere, errors
from gemel.control.agent import Change, EditOrder, List
from gemel.control.agent import Changed as ChangedAnswer
from gemel.control.door import Ask
from gemel.core.area import Area
from gemel.core.separator import NOUN, Separator

Id = Annotated[str, Path(description="Id of the separator.", max_length=200)]
ApplyNow = Annotated[bool, Query(description="Make it real at once, and nothing else that is pending.")]
Position = Annotated[str, Query(description="top, bottom, before:ROW or after:ROW", max_length=200)]


class Place(BaseModel):
    """Where to: top, bottom, before:ID or after:ID, of items or separators."""

    position: str


def schema(*without: str) -> dict[str, Any]:
    """A separator as JSON schema."""
    made = Separator.model_json_schema()
    properties = {k: v for k, v in made["properties"].items() if k not in without}
    return {"type": "object", "title": "Separator", "properties": properties}


def add(api: FastAPI, ask: Ask, session_of: SessionOf, area: Area[Any]) -> None:
    """Give the application the routes of an area's separators."""

    async def changed(request: Request, order: EditOrder, apply: bool) -> Response:
        def work(to: Asker) -> ChangedAnswer:
            if order.verb != "add" and not to(List(area.name, ids=(order.item,), token=to.token)).separators:
                raise NotThere(f"there is no separator {order.item!r} in {area.label}")
            return to(Change((order,), apply, token=to.token))

        return await answered(ask, session_of(request), work)

    async def post(request: Request, position: Position = "bottom", apply: ApplyNow = False) -> Response:
        return await changed(request, EditOrder(area.name, "add", NOUN, await body_of(request), position), apply)

    async def patch(request: Request, id: Id, apply: ApplyNow = False) -> Response:
        return await changed(request, EditOrder(area.name, "set", id, await body_of(request)), apply)

    async def delete(request: Request, id: Id, apply: ApplyNow = False) -> Response:
        return await changed(request, EditOrder(area.name, "delete", id), apply)

    async def move(request: Request, id: Id, to: Place, apply: ApplyNow = False) -> Response:
        return await changed(request, EditOrder(area.name, "move", id, position=to.position), apply)

    path, one = f"/{area.name}/separators", f"/{area.name}/separators/{{id}}"
    given = {"requestBody": {"required": True, "content": {"application/json": {"schema": schema("id", "above")}}}}
    for method, where, act, words, statuses, extra in (
        ("POST", path, post, "Add a separator", (400, 409, 422), given),
        ("PATCH", one, patch, "Change a separator", (400, 404, 409, 422), given),
        ("DELETE", one, delete, "Delete a separator", (404, 409, 422), None),
        ("POST", f"{one}/move", move, "Move a separator", (404, 409, 422), None),
    ):
        name = f"{method.lower()}{where.replace('/', '_').replace('{id}', 'item')}"
        api.add_api_route(
            where, act, methods=[method], tags=[area.label], summary=f"{words} of {area.label}.", operation_id=name,
            responses={200: {"model": Changed}, **errors(*statuses)}, response_model=None, openapi_extra=extra,
        )  # fmt: skip
