"""Ping, packet capture, and what can be tried on an interface before CARP is set up there."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Path, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from gemel.api.asking import SessionOf, answered
from gemel.api.replies import errors
from gemel.control import agent
from gemel.control.door import Ask

F = TypeVar("F", bound=Callable[..., Any])
Text = Annotated[str, Field(max_length=300)]
Id = Annotated[str, Path(max_length=64, description="Id of the ping or capture.")]
After = Annotated[int, Query(ge=0, le=10_000_000, description="Only what it said after so many lines.")]
Seconds = Annotated[float, Query(ge=0, le=5, description="Wait so long for more.")]
Offset = Annotated[int, Query(ge=0, le=1 << 30, description="From this byte on.")]


class Echo(BaseModel):
    """Whom to ping, from where. `source`: an interface or virtual IP; empty: as the route has it."""

    host: Text
    source: Text = ""
    family: Text = "any"
    count: int = Field(3, ge=1, le=100)


class Wanted(BaseModel):
    """Which packets. `protocol`: any, icmp, tcp, udp, arp, carp, pfsync, esp, ah; `snap`: bytes of each, 0: all."""

    interface: Text
    family: Text = "any"
    protocol: Text = "any"
    host: Text = ""
    port: Text = ""
    packets: int = Field(1000, ge=1, le=100_000)
    seconds: int = Field(60, ge=1, le=600)
    snap: int = Field(0, ge=0, le=65_535)
    promiscuous: bool = False


class Run(BaseModel):
    """How a ping or capture stands; `ended` says how it ended, empty while it runs."""

    id: str
    kind: str
    title: str
    running: bool
    seconds: float
    lines: list[str]
    next: int
    dropped: int
    packets: int
    octets: int
    ended: str


class Piece(BaseModel):
    """A part of a file: bytes in base64, and how large the file is now."""

    data: str
    total: int


class Verdict(BaseModel):
    """works, fails, or unknown; `text` says what it means and what to change."""

    verdict: str
    text: str


class Overheard(BaseModel):
    """Somebody who speaks for a VHID; `whose`: ours, or empty for a stranger's."""

    interface: str
    vhid: int
    kind: str
    source: str
    says: str
    whose: str


class Scan(BaseModel):
    """What was heard, and VHIDs that nobody uses, by interface."""

    heard: list[Overheard]
    free: dict[str, list[int]]


class Delivery(BaseModel):
    """How telling somebody went; `error` is empty where it did."""

    way: str
    to: str
    error: str


class Listen(BaseModel):
    """Where and how long; no interface: all."""

    interface: Text = ""
    seconds: float = Field(4.0, ge=1, le=60)


class Where(BaseModel):
    """An interface, by id or description."""

    interface: Text


def add(api: FastAPI, ask: Ask, session_of: SessionOf) -> None:
    """Give the application these routes."""
    _add_runs(api, ask, session_of)
    _add_segments(api, ask, session_of)
    _add_notification(api, ask, session_of)


def _add_runs(api: FastAPI, ask: Ask, session_of: SessionOf) -> None:
    def route(method: str, path: str, summary: str, model: Any) -> Callable[[F], F]:
        made: Callable[[F], F] = api.api_route(
            f"/diagnostics{path}", methods=[method], tags=["Diagnostics"], response_model=None, summary=summary,
            operation_id=f"{method.lower()}_diagnostics{path.replace('/', '_').replace('{id}', 'one')}",
            responses={200: {"model": model}, **errors(409, 422)},
        )  # fmt: skip
        return made

    @route("POST", "/ping", "Send echo requests; ask for its run to see what comes of it.", Run)
    async def ping(request: Request, echo: Echo) -> Response:
        asked = agent.Ping(echo.host, echo.source, echo.family, echo.count, session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))

    @route("POST", "/capture", "Capture packets; ask for its run, and for its file.", Run)
    async def capture(request: Request, wanted: Wanted) -> Response:
        asked = agent.Capture(**wanted.model_dump(), token=session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))

    @route("GET", "/runs/{id}", "How a ping or capture of this session stands.", Run)
    async def run(request: Request, id: Id, after: After = 0, seconds: Seconds = 0.0) -> Response:
        return await answered(ask, session_of(request), lambda to: to(agent.AskRun(id, after, seconds, to.token)))

    @route("POST", "/runs/{id}/stop", "End it now.", Run)
    async def stop(request: Request, id: Id) -> Response:
        return await answered(ask, session_of(request), lambda to: to(agent.StopRun(id, to.token)))

    @route("GET", "/runs/{id}/file", "A part of a capture's pcap file.", Piece)
    async def piece(request: Request, id: Id, offset: Offset = 0) -> Response:
        return await answered(ask, session_of(request), lambda to: to(agent.ReadCapture(id, offset, to.token)))


def _add_notification(api: FastAPI, ask: Ask, session_of: SessionOf) -> None:
    @api.post("/diagnostics/notification", tags=["Diagnostics"], operation_id="test_notification", response_model=None,
              responses={200: {"model": list[Delivery]}, **errors(409, 422)},
              summary="Send a test notification by every way that is set up.")  # fmt: skip
    async def test(request: Request) -> Response:
        asked = agent.TestNotification(session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))


def _add_segments(api: FastAPI, ask: Ask, session_of: SessionOf) -> None:
    @api.post("/diagnostics/carp-scan", tags=["Diagnostics"], operation_id="carp_scan", response_model=None,
              responses={200: {"model": Scan}, **errors(409, 422)},
              summary="Listen for CARP and VRRP: which VHIDs are in use, by whom, and which are free.")  # fmt: skip
    async def scan(request: Request, listen: Listen) -> Response:
        asked = agent.CarpScan(listen.interface, listen.seconds, session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))

    @api.post("/diagnostics/virtual-mac", tags=["Diagnostics"], operation_id="virtual_mac", response_model=None,
              responses={200: {"model": Verdict}, **errors(409, 422)},
              summary="Does the network of this interface deliver frames to a virtual MAC?")  # fmt: skip
    async def virtual_mac(request: Request, where: Where) -> Response:
        asked = agent.TestVirtualMac(where.interface, session_of(request))
        return await answered(ask, asked.token, lambda to: to(asked))
