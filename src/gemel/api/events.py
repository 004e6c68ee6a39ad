"""GET /api/v1/events: what happens on the node, as server-sent events, for pages and for whoever else has a session.

One loop asks the agent for news, for all who watch, with the sessions of those who watch, one after the other; no
watcher, no loop. It keeps no session from running out, and ends the streams of those that have ended.

    event: status     data: the node's status, as GET /status has it; at first, and when something of it changed
    event: happened   data: one event as the fact *events* has it; after a reconnection those since ``Last-Event-ID``
    event: figures    data: ``at`` and the fact *graphs* of the last second; every second: who hears none for longer
                      has lost the node
    event: over       data: why this session may watch no longer; the stream ends

In pages ``static/live.js`` listens and does the rest; its first lines say how a page subscribes.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from anyio import to_thread
from fastapi import FastAPI, Header, Query
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from gemel.api.asking import SessionOf, failed, no_session, refusal
from gemel.api.replies import errors
from gemel.control.agent import BY_ITSELF, NO_PRIVILEGE, NO_SESSION, News, NewsReport
from gemel.control.door import Ask, Refused, Unreachable
from gemel.core.codec import encode

WATCHERS = 48
OF_ONE_SESSION = 12
BEHIND = 64  # messages that a slow watcher may not have taken yet
FIGURES_EVERY = 1.0  # seconds
CHECK_EVERY = 3.0  # seconds between looks at the sessions of those who watch
SENT_WITHIN = 10.0  # seconds, or the watcher is given up

Message = ServerSentEvent
Seconds = Annotated[int, Query(ge=0, le=86_400, description="End after so many seconds; 0: never.")]
DESCRIPTION = """`status`: as `GET /status`, at first and when something changed. `happened`: one event; after a
reconnection those since `Last-Event-ID`. `figures`: rates and counts, every second. `over`: the session has ended.
The stream keeps no session from running out."""


class TooMany(Exception):
    """So many watch already that nobody else can."""


@dataclass(eq=False)
class Watcher:
    """One open stream. None at the end of the queue ends it."""

    token: str
    queue: asyncio.Queue[Message | None] = field(default_factory=lambda: asyncio.Queue(BEHIND))

    def give(self, messages: Iterable[Message | None]) -> bool:
        """Hand over. False: the watcher is too far behind; its stream ends, and it may reconnect."""
        for message in messages:
            if self.queue.full():
                while not self.queue.empty():
                    self.queue.get_nowait()
                self.queue.put_nowait(None)
                return False
            self.queue.put_nowait(message)
        return True


class Stream:
    """All who watch. Everything but `__init__` runs in the event loop."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._watchers: list[Watcher] = []
        self._loop: asyncio.Task[None] | None = None

    @property
    def watching(self) -> int:
        """How many streams are open."""
        return len(self._watchers)

    async def response(self, token: str, last: str, seconds: int) -> EventSourceResponse:
        """The stream for one session: what happened since `last`, how things stand, and from then on what changes.

        Args:
            seconds: End after so long; 0: never.

        Raises:
            Refused, Unreachable: as for `News`.
            TooMany: watch already.
        """
        if len(self._watchers) >= WATCHERS or sum(w.token == token for w in self._watchers) >= OF_ONE_SESSION:
            raise TooMany("too many watch already: close some pages")
        watcher = Watcher(token)
        self._watchers.append(watcher)  # first, so that nothing is missed in between; something may come twice
        try:
            report = await self._asked(token, last, 0.0)
        except BaseException:
            self._forget(watcher)
            raise
        watcher.give(_messages(report, "", figures=True))
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._run(report.cursor))
        return EventSourceResponse(self._told(watcher, seconds), send_timeout=SENT_WITHIN, ping=15, sep="\n")

    def close(self) -> None:
        """End every stream, as the process ends."""
        for watcher in self._watchers:
            watcher.give([None])

    async def _told(self, watcher: Watcher, seconds: int) -> AsyncIterator[Message]:
        until = time.monotonic() + (seconds or float("inf"))
        try:
            while (left := until - time.monotonic()) > 0:
                message = await asyncio.wait_for(watcher.queue.get(), None if seconds == 0 else left)
                if message is None:
                    return
                yield message
        except TimeoutError:
            return
        finally:
            self._forget(watcher)

    def _forget(self, watcher: Watcher) -> None:
        with contextlib.suppress(ValueError):
            self._watchers.remove(watcher)

    async def _asked(self, token: str, cursor: str, seconds: float) -> NewsReport:
        return await to_thread.run_sync(self._ask, News(cursor, seconds, f"{BY_ITSELF}{token}"))

    async def _run(self, cursor: str) -> None:
        figures_at = checked_at = time.monotonic()
        turn = 0
        while tokens := list(dict.fromkeys(w.token for w in self._watchers)):
            turn += 1
            token = tokens[turn % len(tokens)]
            try:
                report = await self._asked(token, cursor, FIGURES_EVERY)
            except Refused as no:
                if not self._ended(token, no):
                    await asyncio.sleep(FIGURES_EVERY)  # the agent has just started
                continue
            except Unreachable:
                await asyncio.sleep(FIGURES_EVERY)
                continue
            now = time.monotonic()
            due = now - figures_at >= 0.9 * FIGURES_EVERY
            messages = list(_messages(report, cursor, due))
            cursor, figures_at = report.cursor, now if due else figures_at
            for watcher in tuple(self._watchers):
                if not watcher.give(messages):
                    self._forget(watcher)
            if now - checked_at >= CHECK_EVERY:
                checked_at = now
                await self._check(t for t in tokens if t != token)

    async def _check(self, tokens: Iterable[str]) -> None:
        for token in tokens:
            try:
                await self._asked(token, "", 0.0)
            except Refused as no:
                self._ended(token, no)
            except Unreachable:
                return

    def _ended(self, token: str, no: Refused) -> bool:
        """Whether that refusal ends the session's streams; then it has."""
        if not {p.get("path") for p in no.problems} & {NO_SESSION, NO_PRIVILEGE}:
            return False
        for watcher in [w for w in self._watchers if w.token == token]:
            watcher.give([_message("over", {"text": str(no)}), None])
            self._forget(watcher)
        return True


def add(api: FastAPI, stream: Stream, session_of: SessionOf) -> None:
    """Give the application the route of this stream."""

    @api.get(
        "/events", tags=["Cluster"], operation_id="events", response_model=None,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}, **errors(422, 429)},
        summary="What happens, as server-sent events: status, happened, figures, over.", description=DESCRIPTION,
    )  # fmt: skip
    async def events(
        request: Request, seconds: Seconds = 0, last_event_id: Annotated[str, Header(max_length=80)] = ""
    ) -> Response:
        token = session_of(request)
        if not token:
            return no_session()
        try:
            return await stream.response(token, last_event_id, seconds)
        except TooMany as many:
            return refusal(429, str(many))
        except (Refused, Unreachable) as error:
            return failed(error)


def _messages(report: NewsReport, before: str, figures: bool) -> Iterable[Message]:
    """What a report tells those who know everything up to the cursor `before`."""
    for event in report.events:
        yield _message("happened", encode(event), report.cursor)
    if _version(report.cursor) != _version(before):
        yield _message("status", report.status, report.cursor)
    if figures:
        yield _message("figures", {"at": round(time.time(), 3), **report.figures}, report.cursor)


def _version(cursor: str) -> str:
    return cursor.rpartition(".")[0]


def _message(event: str, data: Mapping[str, Any], cursor: str | None = None) -> Message:
    return ServerSentEvent(json.dumps(data, separators=(",", ":")), event=event, id=cursor)
