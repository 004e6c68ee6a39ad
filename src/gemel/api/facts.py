"""The routes of what people look at: one for each fact, made of its line in `facts.every.FACTS`."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from gemel.api.asking import Asker, SessionOf, answered
from gemel.api.replies import errors
from gemel.control.agent import AskFact
from gemel.control.door import Ask
from gemel.facts.every import FACTS
from gemel.facts.fact import Fact, Option

OBJECT = {"application/json": {"schema": {"type": "object"}}}
LONGEST = 200  # characters of an option


def add(api: FastAPI, ask: Ask, session_of: SessionOf, facts: Iterable[Fact[Any]] = FACTS) -> None:
    """Give the application the routes of these facts."""
    for fact in facts:
        _add(api, ask, session_of, fact)


def _add(api: FastAPI, ask: Ask, session_of: SessionOf, fact: Fact[Any]) -> None:
    async def get(request: Request) -> Response:
        given = {o.name: request.query_params.get(o.name, "")[:LONGEST] for o in fact.options}
        wanted = {name: value for name, value in given.items() if value}

        def work(to: Asker) -> dict[str, Any]:
            return to(AskFact(fact.name, wanted, to.token))

        return await answered(ask, session_of(request), work)

    api.add_api_route(
        f"/facts/{fact.name}", get, methods=["GET"], tags=["Facts"], operation_id=f"fact_{fact.name}",
        response_model=None, responses={200: {"content": OBJECT}, **errors(422)}, summary=f"{fact.label}: {fact.help}",
        openapi_extra={"parameters": [_parameter(o) for o in fact.options]},
    )  # fmt: skip


def _parameter(option: Option) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "maxLength": LONGEST}
    if option.choices:
        schema["enum"] = ["", *option.choices]
    if option.default:
        schema["default"] = option.default
    return {"name": option.name, "in": "query", "required": False, "description": option.help, "schema": schema}
