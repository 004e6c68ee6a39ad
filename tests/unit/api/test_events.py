"""The event stream: one question for all who watch, nothing twice, and an end for those whose session has ended."""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from gemel.api import events
from gemel.api.events import Stream, TooMany
from gemel.control.agent import BY_ITSELF, NO_SESSION, News, NewsReport
from gemel.control.door import Refused, Unreachable
from gemel.core.event import ROLE, Event

MOVED = Event(1.0, ROLE, "WAN@200", "BACKUP → MASTER")


@dataclass
class Node:
    """Answers `News` as an agent would: at once, or when `change` is called."""

    version: int = 1
    happened: list[Event] = field(default_factory=list)
    over: set[str] = field(default_factory=set)
    away: bool = False
    asked: list[News] = field(default_factory=list)
    waiting: int = 0
    most: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, question: Any, /) -> Any:
        assert isinstance(question, News) and question.token.startswith(BY_ITSELF)
        self.asked.append(question)
        if self.away:
            raise Unreachable("nobody")
        if question.token.removeprefix(BY_ITSELF) in self.over:
            raise Refused("the session is over", [{"path": NO_SESSION, "text": "the session is over"}])
        with self.changed:
            self.waiting += question.seconds > 0
            self.most = max(self.most, self.waiting)
            self.changed.wait_for(lambda: question.cursor != self.cursor, min(question.seconds, 0.05))
            self.waiting -= question.seconds > 0
            told = int(question.cursor.rpartition(".")[2]) if question.cursor else len(self.happened)
            return NewsReport(self.cursor, {"n": self.version}, tuple(self.happened[told:]), figures={"states": [7]})

    @property
    def cursor(self) -> str:
        return f"life.{self.version}.{len(self.happened)}"

    def change(self, event: Event | None = None) -> None:
        with self.changed:
            self.version += 1
            self.happened += [event] if event else []
            self.changed.notify_all()


class Listener:
    """What one watcher hears, one event after the other."""

    def __init__(self, stream: Stream, token: str) -> None:
        self._stream, self._token = stream, token

    async def open(self, last: str = "", seconds: int = 0) -> "Listener":
        response = await self._stream.response(self._token, last, seconds)
        self._messages = aiter(response.body_iterator)
        return self

    async def next(self, *names: str) -> tuple[str, Any]:
        """The next event of one of these names."""
        async with asyncio.timeout(5):
            while True:
                message: Any = await anext(self._messages)
                if not names or message.event in names:
                    return message.event, json.loads(message.data)

    async def rest(self) -> list[str]:
        async with asyncio.timeout(5):
            return [m.event async for m in self._messages]  # type: ignore[union-attr]


def run(story: Callable[[Node, Stream], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        node = Node()
        stream = Stream(node)
        try:
            await story(node, stream)
        finally:
            stream.close()

    asyncio.run(whole())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "FIGURES_EVERY", 0.05)
    monkeypatch.setattr(events, "CHECK_EVERY", 0.1)


def test_first_how_things_stand_then_what_changes_and_figures_all_the_time() -> None:
    async def story(node: Node, stream: Stream) -> None:
        listener = await Listener(stream, "anna").open()
        assert await listener.next() == ("status", {"n": 1})
        assert (await listener.next())[1]["states"] == [7]
        assert (await listener.next())[0] == "figures", "the status has not changed"
        node.change(MOVED)
        name, told = await listener.next("happened", "status")
        assert (name, told["subject"], told["text"]) == ("happened", "WAN@200", "BACKUP → MASTER")
        assert await listener.next("happened", "status") == ("status", {"n": 2})

    run(story)


def test_who_comes_back_hears_what_was_missed_and_who_is_new_does_not() -> None:
    async def story(node: Node, stream: Stream) -> None:
        node.change(MOVED)
        back = await Listener(stream, "anna").open(last="life.1.0")
        assert (await back.next())[0] == "happened"
        new = await Listener(stream, "anna").open()
        assert (await new.next())[0] == "status"

    run(story)


def test_one_question_waits_however_many_watch() -> None:
    async def story(node: Node, stream: Stream) -> None:
        listeners = [await Listener(stream, f"user {n}").open() for n in range(10)]
        for listener in listeners:
            await listener.next("figures")
        node.change()
        for listener in listeners:
            while (await listener.next("status"))[1] != {"n": 2}:
                pass
        assert node.most == 1

    run(story)


def test_a_session_that_ends_ends_its_streams_and_no_others() -> None:
    async def story(node: Node, stream: Stream) -> None:
        gone, stays = await Listener(stream, "anna").open(), await Listener(stream, "bert").open()
        node.over.add("anna")
        assert (await gone.next("over"))[1]["text"] == "the session is over"
        assert await gone.rest() == []
        node.change()
        assert (await stays.next("status"))[0] == "status"
        assert stream.watching == 1

    run(story)


def test_without_a_session_there_is_no_stream() -> None:
    async def story(node: Node, stream: Stream) -> None:
        node.over.add("anna")
        with pytest.raises(Refused):
            await Listener(stream, "anna").open()
        assert stream.watching == 0

    run(story)


def test_an_agent_that_was_away_is_heard_again_on_the_same_stream() -> None:
    async def story(node: Node, stream: Stream) -> None:
        listener = await Listener(stream, "anna").open()
        node.away = True
        await asyncio.sleep(0.2)
        node.away = False
        node.change()
        while (await listener.next("status"))[1] != {"n": 2}:
            pass

    run(story)


def test_watchers_are_bounded_and_the_loop_ends_with_the_last() -> None:
    async def story(node: Node, stream: Stream) -> None:
        for _ in range(events.OF_ONE_SESSION):
            await Listener(stream, "anna").open(seconds=1)
        with pytest.raises(TooMany):
            await Listener(stream, "anna").open()
        other = await Listener(stream, "bert").open()
        await other.next("status")
        stream.close()
        assert set(await other.rest()) <= {"figures", "status"}

    run(story)


def test_who_does_not_listen_loses_the_stream_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "BEHIND", 4)

    async def story(node: Node, stream: Stream) -> None:
        await Listener(stream, "anna").open()
        good = await Listener(stream, "bert").open()
        for _ in range(8):
            await good.next("figures")
        assert stream.watching == 1

    run(story)


def test_a_stream_can_be_asked_to_end() -> None:
    async def story(node: Node, stream: Stream) -> None:
        listener = await Listener(stream, "anna").open(seconds=1)
        heard = await listener.rest()
        assert heard[0] == "status" and heard.count("figures") > 3 and stream.watching == 0

    run(story)
