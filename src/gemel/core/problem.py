"""What is wrong with a configuration, tied to the field that it is about."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One sentence about one field.

    `path` reads like ``virtual_ips[3fa9c2d1].vhid`` (items by id) or ``high_availability.peer_ip``. An *error* keeps a
    change from being saved or applied; a *warning* is shown and changes nothing.
    """

    path: str
    text: str
    level: Level = "error"

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


class Invalid(Exception):
    """A change or a file was refused. Nothing has been changed; `problems` says why, all of it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(p) for p in self.problems))


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """Only those that stop a change."""
    return [p for p in problems if p.level == "error"]


def from_validation(error: ValidationError, prefix: str, data: Any = None) -> list[Problem]:
    """pydantic's findings as problems; list positions become item ids where `data` (what was validated) has them."""
    return [Problem(_path(prefix, found["loc"], data), _sentence(found)) for found in error.errors(include_url=False)]


def _path(prefix: str, location: tuple[int | str, ...], data: Any) -> str:
    path, here = prefix, data
    for part in location:
        if isinstance(part, int):
            item = here[part] if isinstance(here, list | tuple) and part < len(here) else None
            name = item.get("id", part) if isinstance(item, dict) else part
            path, here = f"{path.removesuffix('.items')}[{name}]", item
        elif not part.startswith(("function-", "constrained-")):
            path = f"{path}.{part}" if path else part
            here = here.get(part) if isinstance(here, dict) else None
    return path


def _sentence(found: Any) -> str:
    """pydantic's message without its preamble, and plainer for the commonest kinds."""
    match found["type"]:
        case "extra_forbidden":
            return "there is no such field"
        case "missing":
            return "this field is needed"
        case "bool_type" | "bool_parsing":
            return "must be true or false"
        case "string_type":
            return "must be text"
        case "literal_error" | "enum":
            return f"must be {found['ctx']['expected']}"
    text = str(found["msg"])
    return text.removeprefix("Value error, ").removeprefix("Assertion failed, ").replace("Input should", "must")
