"""What is saved and not applied: the preview, *Apply Changes*, and Discard."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from gemel.areas.every import AREAS
from gemel.areas.high_availability import HIGH_AVAILABILITY
from gemel.control.agent import Apply, Diff, Difference, Discard, Finding, List, Show
from gemel.control.door import Refused
from gemel.core.model import is_marked
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
    """One difference in people's words. `before` and `after` are texts, one of them empty for what is new or gone.
    `shared`: it goes to the other node as well."""

    kind: str
    area: str
    item: str
    field: str
    before: str
    after: str
    shared: bool = False


def line(change: Difference, shared: bool = False) -> Line:
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
    return Line(change.kind, label, item, str(info.title) if info else field, before, after, shared)


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
    shown = report.changes[:MOST_SHOWN]
    shared = _shared(visit, shown) if visit.frame.role == "primary" else set()
    lines = [line(c, c.path in shared) for c in shown]
    problems: tuple[Finding, ...] = report.problems
    return visit.show(
        "changes_part.html" if visit.is_part else "changes.html", lines=lines,
        more=len(report.changes) - len(lines), problems=problems, authors=report.authors, wrong=wrong,
        peer=(visit.frame.peer or "the other node") if visit.frame.role == "primary" else "",
    )  # fmt: skip


def around(visit: Visit) -> Response:
    """The parts of the frame that are kept live, for the page whose address is the field `at`."""
    wanted = visit.query.get("at")
    return visit.show("around.html", at=wanted if is_local(wanted) else "/")


def _shared(visit: Visit, changes: Sequence[Difference]) -> set[str]:
    """The paths of what the other node gets: of areas whose box is ticked, but not what is marked to stay here."""
    boxes = set(visit.ask(Show(HIGH_AVAILABILITY.name)).values["areas"])
    by_area: dict[str, list[str]] = {}
    for path in (c.path for c in changes):
        name = re.split(r"[.\[]", path, maxsplit=1)[0]
        if name in _AREAS and _AREAS[name].sync in boxes:
            by_area.setdefault(name, []).append(path)
    return {path for name, paths in by_area.items() for path in _without_local(visit, name, paths)}


def _without_local(visit: Visit, name: str, paths: Sequence[str]) -> list[str]:
    model = _AREAS[name].item
    kept = {p: m[1] for p in paths if (m := re.search(r"\[([^]]*)\]", p))}
    if model is None or "no_sync" not in model.model_fields or not kept:
        return list(paths)
    local = set[str]()
    for running in (False, True):  # what is deleted is only in what runs
        there = visit.ask(List(name, ids=tuple(set(kept.values())), limit=MOST_SHOWN, running=running, brief=True))
        local |= {i["id"] for i in there.items if i["no_sync"]}
    fields = {f for f, info in model.model_fields.items() if is_marked(info, "local")}
    return [p for p in paths if kept.get(p) not in local and p.rpartition("].")[2] not in fields]


PAGES = (Page("/changes", changes), Page("/around", around, methods=("GET",)))
