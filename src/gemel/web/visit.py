"""What a page's function works with: the request's matter, the agent, and the ways to answer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from starlette.responses import HTMLResponse, RedirectResponse, Response

from gemel.control.agent import BY_ITSELF, AskChoices, AskFrame, Choices, Finding, Frame
from gemel.control.door import Ask, Question
from gemel.web.security import WATCHING_HEADER, csrf_token

A = TypeVar("A")
MOST_FIELDS = 20_000


class Fields:
    """What a form or a query said: names with one or more values, in the order in which they came."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = tuple(pairs)
        self._values: dict[str, list[str]] = {}
        for name, value in self.pairs:
            self._values.setdefault(name, []).append(value)

    @classmethod
    def parsed(cls, text: str) -> "Fields":
        """From ``application/x-www-form-urlencoded``.

        Raises:
            ValueError: more than `MOST_FIELDS`.
        """
        return cls(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def get(self, name: str, default: str = "") -> str:
        """The last value of that name."""
        return self._values.get(name, [default])[-1]

    def all(self, name: str) -> list[str]:
        """Every value of that name."""
        return list(self._values.get(name, ()))

    def number(self, name: str, default: int) -> int:
        """A whole number that is not negative; anything else is the default."""
        text = self.get(name)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to say on the next page: level is success, warning or danger."""

    text: str
    level: str = "success"


class Notices:
    """What is to be said to a session on its next page. Bounded: who never comes back is forgotten."""

    MOST = 256

    def __init__(self) -> None:
        self._by_session: dict[str, tuple[Notice, ...]] = {}

    def leave(self, session: str, notices: Sequence[Notice]) -> None:
        """Keep them for the session's next page."""
        old = self._by_session.pop(session, ())
        if len(self._by_session) >= self.MOST:
            del self._by_session[next(iter(self._by_session))]
        self._by_session[session] = (*old, *notices)[-10:]

    def take(self, session: str) -> tuple[Notice, ...]:
        """What was left for it."""
        return self._by_session.pop(session, ())


Render = Callable[[str, Mapping[str, Any]], str]


@dataclass(slots=True)
class Visit:
    """One request of somebody who is logged in (`token`), or not (empty)."""

    method: str
    address: str
    path: Mapping[str, str]
    query: Fields
    form: Fields
    headers: Mapping[str, str]
    remote: str
    token: str
    asked: Ask
    render: Render
    notices: Notices
    files: Mapping[str, bytes] = field(default_factory=dict)
    _frame: Frame | None = None
    _choices: Choices | None = None

    def ask(self, question: Question[A]) -> A:
        """Put a question of `control.agent` with the visitor's session.

        Raises:
            Refused, Unreachable: as `control.door.ask`. Let through, they become a page.
        """
        token = f"{BY_ITSELF}{self.token}" if self.by_itself else self.token
        return self.asked(replace(question, token=token))  # type: ignore[type-var]

    @property
    def frame(self) -> Frame:
        """What stands around the page."""
        if self._frame is None:
            self._frame = self.ask(AskFrame())
        return self._frame

    def changes(self) -> None:
        """What the visit is about to do may change what stands around the page."""
        self._frame = None

    @property
    def choices(self) -> Choices:
        """What references can lead to."""
        if self._choices is None:
            self._choices = self.ask(AskChoices())
        return self._choices

    @property
    def is_part(self) -> bool:
        """Whether htmx asks for a part of a page."""
        return self.headers.get("hx-request") == "true" and self.headers.get("hx-boosted") != "true"

    @property
    def by_itself(self) -> bool:
        """Whether a script asks again, on a page that somebody has open."""
        return bool(self.headers.get(WATCHING_HEADER))

    def may_change(self) -> bool:
        """Whether the visitor may change anything; the agent asks itself again."""
        return "all" in self.frame.privileges

    def show(self, template: str, status: int = 200, **context: Any) -> Response:
        """The page that this template makes; `visit`, `frame` and the notices are there without being named."""
        around = {
            "visit": self,
            "frame": self.frame if self.token else None,
            "csrf_value": csrf_token(self.token) if self.token else "",
            "notices": self.notices.take(self.token) if self.token and not (self.is_part or self.by_itself) else (),
        }
        return HTMLResponse(self.render(template, {**around, **context}), status)

    def go(self, address: str, said: str = "", warnings: Sequence[Finding] = ()) -> Response:
        """Send the browser there with a GET; `said` and the warnings stand on the page that it gets."""
        notices = [Notice(said)] if said else []
        notices += [Notice(f.text, "warning") for f in warnings]
        if notices:
            self.notices.leave(self.token, notices)
        return RedirectResponse(address, 303)


@dataclass(frozen=True, slots=True)
class Page:
    """An address with its function. ``{name}`` in the address matches one part of it."""

    address: str
    function: Callable[[Visit], Response]
    methods: tuple[str, ...] = ("GET", "POST")
    session: bool = True
