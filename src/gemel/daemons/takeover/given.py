"""What is answered before it is asked: the YAML file of `gemel setup --answers`, and flags above it."""

from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from gemel.core.problem import Invalid, Problem, from_validation


class Given(BaseModel):
    """`other` are PORT or PORT=NAME; None: nothing was said of them, empty: there are none."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    hostname: str = ""
    wan: str = ""
    lan: str = ""
    other: list[str] | None = None
    password: str = ""


def given(text: str, **flags: Any) -> Given:
    """What the file's text says, and above it what those flags say that are not empty.

    Raises:
        Invalid: the text is no YAML, or a field is not what it must be; each problem has its field.
    """
    try:
        found = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise Invalid([Problem("", f"this is no YAML: {error}")]) from None
    if not isinstance(found, dict):
        raise Invalid([Problem("", f"must say {', '.join(Given.model_fields)}, each as NAME: VALUE")])
    found |= {name: value for name, value in flags.items() if value}
    try:
        return Given.model_validate(found)
    except ValidationError as error:
        raise Invalid(_in_words(p, found) for p in from_validation(error, "")) from None


def _in_words(problem: Problem, found: dict[str, Any]) -> Problem:
    field = problem.path.partition("[")[0]
    if field == "other" and not isinstance(found[field], list):
        return Problem(field, "must be a list, such as [eth2=SYNC]; leave it out to have what is proposed")
    if problem.text == "must be text":
        return Problem(problem.path, "must be text: put it in quotes")
    return problem


def ports(given: Given) -> tuple[tuple[str, str], ...] | None:
    """Device and description of further ports, or None if nothing was said of them."""
    if given.other is None:
        return None
    return tuple((device, name) for device, _, name in (one.partition("=") for one in given.other))
