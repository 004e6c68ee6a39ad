"""What pages say after a change, and after a refusal."""

from typing import Any

from gemel.control.agent import NO_PRIVILEGE, NO_SESSION, Changed
from gemel.control.door import Refused
from gemel.web.form import Wrong, beside


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
