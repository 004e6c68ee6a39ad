"""What is saved and not applied: the preview, *Apply Changes*, and Discard."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from gemel.areas.every import AREAS
from gemel.control.agent import Apply, Diff, Difference, Discard, Finding
from gemel.control.door import Refused
from gemel.core.separator import Separator
from gemel.web.form import NEVER, NOTHING_WRONG, Wrong
from gemel.web.listing import cell
from gemel.web.pages.area import refused
from gemel.web.security import is_local
from gemel.web.visit import Page, Visit

MOST_SHOWN = 200
_AREAS = {area.name: area for area in AREAS}


@dataclass(frozen=True, slots=True)
class Line:
    """One difference in people's words. `before` and `after` are texts, one of them empty for what is new or gone."""

    kind: str
    area: str
    item: str
    field: str
    before: str
    after: str


def line(change: Difference) -> Line:
    """A difference as the preview shows it."""
    area_name, _, rest = change.path.partition("[") if "[" in change.path else (change.path.partition(".")[0], "", "")
    item, _, field = rest.partition("]") if rest else ("", "", change.path.partition(".")[2])
    field = field.removeprefix(".")
    area = _AREAS.get(area_name)
    label = area.label if area else area_name
    model = (area.item if item and area.item else area.model) if area else None
    fields = model.model_fields if model else {}
    if item and "title" not in fields and _is_separator(change, field):
        label, fields = f"{label}: Separator", Separator.model_fields
    info = fields.get(field)
    before, after = (
        _text(area_name, field, words if words is not None else value, fields)
        for value, words in ((change.before, change.before_words), (change.after, change.after_words))
    )
    return Line(change.kind, label, item, str(info.title) if info else field, before, after)


def _is_separator(change: Difference, field: str) -> bool:
    value = change.after or change.before
    return field in ("title", "color", "above") if field else isinstance(value, dict) and "title" in value


def _text(area: str, field: str, value: Any, titles: Mapping[str, Any]) -> str:
    if isinstance(value, dict):
        parts = [
            f"{titles[k].title}: {_text(area, k, v, titles)}"
            for k, v in value.items()
            if k in titles and k not in (*NEVER, "above")
        ]
        return "; ".join(parts)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return cell(area, field, value)


def changes(visit: Visit) -> Response:
    """The preview; a POST applies or discards."""
    wanted = visit.query.get("back", "/changes")
    back = wanted if is_local(wanted) else "/changes"
    wrong = NOTHING_WRONG
    if visit.method == "POST":
        try:
            if visit.form.get("do") == "discard":
                visit.ask(Discard())
                return visit.go(back, "The changes have been discarded.")
            applied = visit.ask(Apply(message=visit.form.get("message").strip()[:200]))
        except Refused as no:
            wrong = refused(no, "", ())
        else:
            text = f"The changes have been applied: revision {applied.revision} runs ({applied.seconds:.1f} s)."
            return visit.go(back, text, applied.warnings)
    return _shown(visit, wrong)


def _shown(visit: Visit, wrong: Wrong) -> Response:
    report = visit.ask(Diff())
    lines = [line(c) for c in report.changes[:MOST_SHOWN]]
    problems: tuple[Finding, ...] = report.problems
    return visit.show(
        "changes_part.html" if visit.is_part else "changes.html", lines=lines,
        more=len(report.changes) - len(lines), problems=problems, authors=report.authors, wrong=wrong,
    )  # fmt: skip


def around(visit: Visit) -> Response:
    """The parts of the frame that are kept live, for the page whose address is the field `at`."""
    wanted = visit.query.get("at")
    return visit.show("around.html", at=wanted if is_local(wanted) else "/")


PAGES = (Page("/changes", changes), Page("/around", around, methods=("GET",)))
