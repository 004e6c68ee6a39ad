"""What answers look like, for OpenAPI, and which status a refusal has."""

from typing import Any

from pydantic import BaseModel

from gemel.control.agent import NO_PRIVILEGE, NO_SESSION
from gemel.control.door import Refused


class Problem(BaseModel):
    """One sentence about one field; `path` reads like ``rules[3fa9c2d1].source``. level: error or warning."""

    path: str
    text: str
    level: str


class Error(BaseModel):
    """Why a request was refused. Nothing has been changed."""

    error: str
    problems: list[Problem]


class Changed(BaseModel):
    """What a change came to: the items made or touched, and the revision if it runs already (0: it is pending)."""

    items: list[str]
    warnings: list[Problem]
    revision: int


class Applied(BaseModel):
    """A revision that now runs."""

    revision: int
    steps: int
    seconds: float
    warnings: list[Problem]


class EndedStates(BaseModel):
    """How many states were ended; `left` had ended by themselves."""

    ended: int
    left: int


class Difference(BaseModel):
    """One difference, in stored values and in people's words."""

    path: str
    kind: str
    before: Any
    after: Any
    before_words: Any
    after_words: Any


class Differences(BaseModel):
    """What differs, who saved it, and what would be said about it."""

    changes: list[Difference]
    authors: dict[str, str]
    problems: list[Problem]


class RevisionHead(BaseModel):
    """One line of the history."""

    number: int
    who: str
    where: str
    when: float
    message: str
    running: bool


class NotThere(Exception):
    """Nothing has that name."""


class Stale(Exception):
    """It was changed since the one who asks read it."""


_MEANING = {
    400: "no JSON, or not of the shape that is needed", 401: "no session, or it is over", 403: "not this account",
    404: "no such thing", 409: "it cannot be done now, or was changed meanwhile", 413: "too large",
    422: "a value that will not do", 429: "too many at once", 503: "the agent does not answer",
}  # fmt: skip


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documented refusals of a route: these, and those that every route has."""
    always = (400, 401, 403, 408, 413, 503)
    return {s: {"model": Error, "description": _MEANING.get(s, "refused")} for s in (*always, *statuses)}


def status_of(no: Refused) -> int:
    """The status of a refusal."""
    paths = {str(p.get("path")) for p in no.problems}
    if NO_SESSION in paths:
        return 401
    if NO_PRIVILEGE in paths:
        return 403
    return 422 if no.problems else 409
