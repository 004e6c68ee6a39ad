"""What pages say after a change, and after a refusal."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from gemel.control.agent import NO_PRIVILEGE, NO_SESSION, Changed, Finding
from gemel.control.door import Refused
from gemel.core.model import Model
from gemel.core.problem import from_validation
from gemel.web.form import Field, Wrong, beside

ALONE = ("text", "number", "masked", "choice")
"""Kinds of fields that mean something without the rest of the configuration (names of aliases do not)."""


def said(changed: Changed) -> str:
    """What to say after a change: nothing where the banner says it."""
    return f"Saved and applied: revision {changed.revision} runs." if changed.revision else ""


def refused(no: Refused, area: str, names: Any) -> Wrong:
    """What a refusal says about a form.

    Raises:
        Refused: the very same, where it is about the session or the account and not about the form.
    """
    if {str(p.get("path")) for p in no.problems} & {NO_SESSION, NO_PRIVILEGE}:
        raise no
    wrong = beside((p for p in no.problems if p.get("level") != "warning"), area, names)
    if not wrong:
        return Wrong({}, [str(no)])
    return wrong


def in_all(
    wrong: Iterable[Finding], model: type[Model], values: Mapping[str, Any], fields: Mapping[str, Field]
) -> list[Finding]:
    """What is wrong with the form itself, and with single fields besides: the agent is not asked in vain, and nobody
    mends one field only to be told of the next."""
    found = list(wrong)
    said = {finding.path for finding in found}
    try:
        model.model_validate({"id": "new", **values} if "id" in model.model_fields else dict(values))
    except ValidationError as error:
        single = ((str(p["loc"][0]), p) for p in error.errors(include_url=False) if len(p["loc"]) == 1)
        telling = {name for name, _ in single if name in fields and fields[name].kind in ALONE and name not in said}
        found += [Finding(p.path, p.text, "error") for p in from_validation(error, "") if p.path in telling]
    return found
