"""System > Configuration History: every configuration that ran, what differs, and the way back."""

from starlette.responses import Response

from gemel.control.agent import Diff, Restore, Revisions
from gemel.control.door import Refused
from gemel.web.form import NOTHING_WRONG
from gemel.web.pages.area import refused
from gemel.web.pages.changes import MOST_SHOWN, line
from gemel.web.visit import Page, Visit

ON_A_PAGE = 50


def history(visit: Visit) -> Response:
    """The revisions, newest first; a POST restores one."""
    wrong = NOTHING_WRONG
    if visit.method == "POST":
        try:
            applied = visit.ask(Restore(visit.form.number("number", 0)))
        except Refused as no:
            wrong = refused(no, "", ())
        else:
            text = f"Revision {visit.form.get('number')} has been restored: it runs as revision {applied.revision}."
            return visit.go("/system/history", text, applied.warnings)
    heads = visit.ask(Revisions())
    page = max(1, visit.query.number("page", 1))
    shown = heads[(page - 1) * ON_A_PAGE : page * ON_A_PAGE]
    older = page + 1 if len(heads) > page * ON_A_PAGE else 0
    before = heads[page * ON_A_PAGE].number if older else 0  # what the last one on the page is compared with
    return visit.show("history.html", heads=shown, page=page, older=older, before=before, wrong=wrong)


def compare(visit: Visit) -> Response:
    """What one revision changed over another."""
    before, after = visit.query.number("before", 0), visit.query.number("after", 0)
    report = visit.ask(Diff(before, after))
    lines = [line(c) for c in report.changes[:MOST_SHOWN]]
    return visit.show(
        "compare.html", lines=lines, more=len(report.changes) - len(lines), before=before, after=after,
        problems=(), authors={}, wrong=NOTHING_WRONG,
    )  # fmt: skip


PAGES = (Page("/system/history", history), Page("/system/history/compare", compare, methods=("GET",)))
