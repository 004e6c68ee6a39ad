"""What is not one area's: pending changes, revisions, the whole configuration, status, and the cluster."""

from typing import Annotated, Any

from fastapi import FastAPI, Path, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from gemel.api import replies
from gemel.api.asking import Asker, SessionOf, answered, body_of
from gemel.api.dhcp import add_dhcp
from gemel.api.replies import NotThere, errors
from gemel.control import agent
from gemel.control.door import Ask

ANYTHING = {"application/json": {"schema": {"type": "object"}}}
Number = Annotated[int, Path(ge=1, le=2**53)]
Revision = Annotated[int, Query(ge=0, le=2**53)]


class Chosen(BaseModel):
    """Only some areas; none named: all of them. `message` is kept in the history."""

    areas: list[str] = Field(default_factory=list, max_length=100)
    message: str = Field("", max_length=200)


class Switch(BaseModel):
    """On or off."""

    on: bool


class HandOver(BaseModel):
    """`force`: also when the other node might not take over."""

    force: bool = False


class StatesToEnd(BaseModel):
    """Options of the view *states* that a state must fit, all of them; or `everything`."""

    filter: str = Field("", max_length=200)
    protocol: str = Field("", max_length=20)
    address: str = Field("", max_length=50)
    port: str = Field("", max_length=5)
    creator: str = Field("", max_length=8)
    everything: bool = False


class Reason(BaseModel):
    """A reason to stand back, as `demotion` of the status names it; empty: all that hold now."""

    reason: str = Field("", max_length=200)


class Fingerprints(BaseModel):
    """Of certificates: this node's, its GUI's, the peer's if it is pinned, and the one that is expected of it."""

    node: str
    web: str
    peer: str | None
    expected: str | None


class Fingerprint(BaseModel):
    """Of the peer's certificate, 32 pairs of hexadecimal digits; empty: forget the pinned one."""

    fingerprint: str = Field(max_length=200)


def add(api: FastAPI, ask: Ask, session_of: SessionOf) -> None:
    """Give the application these routes."""
    _add_changes(api, ask, session_of)
    _add_revisions(api, ask, session_of)
    _add_cluster(api, ask, session_of)
    _add_trust(api, ask, session_of)
    _add_states(api, ask, session_of)
    add_dhcp(api, ask, session_of)


def _add_changes(api: FastAPI, ask: Ask, session_of: SessionOf) -> None:
    @api.get(
        "/diff", tags=["Changes"], operation_id="diff", response_model=None,
        responses={200: {"model": replies.Differences}, **errors(422)},
        summary="What is pending over what runs; or what differs between two revisions (0: what runs).",
    )  # fmt: skip
    async def diff(request: Request, before: Revision = 0, after: Revision | None = None) -> Response:
        asked = agent.Diff(before, -1 if after is None else after, session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))

    @api.post(
        "/apply", tags=["Changes"], operation_id="apply", response_model=None,
        responses={200: {"model": replies.Applied}, **errors(409, 422)},
        summary="Make what is pending real, in one transaction.",
    )  # fmt: skip
    async def apply(request: Request, chosen: Chosen) -> Response:
        asked = agent.Apply(tuple(chosen.areas), chosen.message, session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))

    @api.post("/discard", tags=["Changes"], operation_id="discard", response_model=None, status_code=204,
              responses=errors(422), summary="Forget what is pending.")  # fmt: skip
    async def discard(request: Request, chosen: Chosen) -> Response:
        asked = agent.Discard(tuple(chosen.areas), session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))


def _add_revisions(api: FastAPI, ask: Ask, session_of: SessionOf) -> None:
    @api.get(
        "/revisions", tags=["History"], operation_id="revisions", response_model=None,
        responses={200: {"model": list[replies.RevisionHead]}, **errors()}, summary="The history, newest first.",
    )  # fmt: skip
    async def revisions(request: Request) -> Response:
        return await answered(ask, session_of(request), _heads)

    @api.post(
        "/revisions/{number}/restore", tags=["History"], operation_id="restore", response_model=None,
        responses={200: {"model": replies.Applied}, **errors(404, 409, 422)},
        summary="Apply an old revision again, as a new one.",
    )  # fmt: skip
    async def restore(request: Request, number: Number) -> Response:
        def work(to: Asker) -> agent.Applied:
            if number not in {head.number for head in _heads(to)}:
                raise NotThere(f"there is no revision {number}")
            return to(agent.Restore(number, to.token))

        return await answered(ask, session_of(request), work)

    @api.get(
        "/config", tags=["History"], operation_id="export", response_model=None,
        responses={200: {"content": ANYTHING}, **errors(422)},
        summary="The whole configuration, secrets included. 0: what runs.",
    )  # fmt: skip
    async def export(request: Request, number: Revision = 0) -> Response:
        return await answered(ask, session_of(request), lambda to: to(agent.Export(number, to.token)))

    @api.put(
        "/config", tags=["History"], operation_id="import", response_model=None,
        responses={200: {"model": replies.Applied}, **errors(400, 409, 422)},
        openapi_extra={"requestBody": {"required": True, "content": ANYTHING}},
        summary="Apply a whole configuration, as a new revision.",
    )  # fmt: skip
    async def import_config(request: Request) -> Response:
        asked = agent.Import(await body_of(request), token=session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))


def _heads(to: Asker) -> list[agent.RevisionHead]:
    heads = to(agent.Revisions(to.token))
    return list(heads)


def _add_cluster(api: FastAPI, ask: Ask, session_of: SessionOf) -> None:
    @api.get(
        "/status", tags=["Cluster"], operation_id="status", response_model=None,
        responses={200: {"content": ANYTHING}, **errors()},
        summary="This node's status, as `gemel status --json` prints it.",
    )  # fmt: skip
    async def status(request: Request) -> Response:
        return await answered(ask, session_of(request), lambda to: to(agent.Status(to.token)))

    def verb(path: str, summary: str, asked: Any) -> None:
        async def endpoint(request: Request, switch: Switch) -> Response:
            return await answered(ask, session_of(request), lambda to: to(asked(switch.on, to.token)))

        api.add_api_route(path, endpoint, methods=["POST"], tags=["Cluster"], operation_id=path.strip("/"),
                          status_code=204, response_model=None, responses=errors(409, 422), summary=summary)

    verb("/maintenance", "Enter or leave persistent CARP maintenance mode.", agent.Maintenance)
    verb("/carp", "Enable CARP, or disable it until the next start.", agent.EnableCarp)

    @api.post("/sync", tags=["Cluster"], operation_id="sync", response_model=None, status_code=204,
              responses=errors(409), summary="Push the configuration to the peer now.")  # fmt: skip
    async def sync(request: Request) -> Response:
        return await answered(ask, session_of(request), lambda to: to(agent.SyncNow(to.token)))

    @api.post("/resync", tags=["Cluster"], operation_id="resync", response_model=None, status_code=204,
              responses=errors(409), summary="Send all states to the peer again.")  # fmt: skip
    async def resync(request: Request) -> Response:
        return await answered(ask, session_of(request), lambda to: to(agent.ResyncStates(to.token)))

    @api.post(
        "/failover", tags=["Cluster"], operation_id="failover", response_model=None, status_code=204,
        responses=errors(409, 422), summary="Hand all virtual IPs over to the other node.",
        description="Enters persistent CARP maintenance mode, which `POST /maintenance` leaves. 409 with the reasons "
        "where the other node might not take over, unless `force`.",
    )  # fmt: skip
    async def failover(request: Request, wanted: HandOver) -> Response:
        return await answered(ask, session_of(request), lambda to: to(agent.FailOver(wanted.force, to.token)))

    @api.post("/demotion/reset", tags=["Cluster"], operation_id="reset_demotion", response_model=None,
              responses={200: {"model": dict[str, int]}, **errors(409, 422)},
              summary="No longer count reasons to stand back; the answer is what counted.")  # fmt: skip
    async def reset_demotion(request: Request, which: Reason) -> Response:
        return await answered(ask, session_of(request), lambda to: to(agent.ResetDemotion(which.reason, to.token)))


def _add_trust(api: FastAPI, ask: Ask, session_of: SessionOf) -> None:
    @api.get("/peer", tags=["Cluster"], operation_id="fingerprints", response_model=None,
             responses={200: {"model": Fingerprints}, **errors()},
             summary="Certificates' fingerprints, for comparison by eye.")  # fmt: skip
    async def fingerprints(request: Request) -> Response:
        return await answered(ask, session_of(request), lambda to: to(agent.AskFingerprints(to.token)))

    @api.put("/peer", tags=["Cluster"], operation_id="pin_peer", response_model=None, status_code=204,
             responses=errors(409, 422), summary="Trust the peer with this fingerprint, or forget it.")  # fmt: skip
    async def pin(request: Request, whom: Fingerprint) -> Response:
        return await answered(ask, session_of(request), lambda to: to(agent.PinPeer(whom.fingerprint, to.token)))


def _add_states(api: FastAPI, ask: Ask, session_of: SessionOf) -> None:
    @api.post("/states/end", tags=["Cluster"], operation_id="end_states", response_model=None,
              responses={200: {"model": replies.EndedStates}, **errors(409, 422)},
              summary="End states, on both nodes; asked on the MASTER.")  # fmt: skip
    async def end(request: Request, which: StatesToEnd) -> Response:
        options = {name: text for name, text in which.model_dump(exclude={"everything"}).items() if text}
        asked = agent.EndStates(options, which.everything, session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))

    @api.post("/states/compare", tags=["Cluster"], operation_id="compare_states", response_model=None,
              status_code=204, responses=errors(409),
              summary="Compare both nodes' states now, and repair what differs.")  # fmt: skip
    async def compare(request: Request) -> Response:
        return await answered(ask, session_of(request), lambda to: to(agent.CompareStates(to.token)))
