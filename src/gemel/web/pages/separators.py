"""The form of a separator: a coloured title between the items of a list."""

from typing import Any

from starlette.responses import Response

from gemel.control.agent import Change, EditOrder, Finding, List
from gemel.control.door import Refused
from gemel.core.area import Area
from gemel.core.separator import NOUN, Separator
from gemel.web.form import NOTHING_WRONG, Wrong
from gemel.web.listing import looked
from gemel.web.menu import TABS, title
from gemel.web.pages.asking import refused, said
from gemel.web.visit import Page, Visit

NEW = "new"
COLORS = {"blue": "Blue", "green": "Green", "orange": "Orange", "red": "Red"}
FIELDS = ("title", "color")


class SeparatorPages:
    """The pages of an area's separators, if it can have any."""

    def __init__(self, area: Area[Any], address: str) -> None:
        self._area = area
        self._address = address

    def pages(self) -> tuple[Page, ...]:
        """What there is to visit."""
        if "separators" not in self._area.model.model_fields:
            return ()
        return (Page(f"{self._address}/separators/{{item}}", self.edit),)

    def edit(self, visit: Visit) -> Response:
        """The form of one, or of a new one."""
        key = visit.path["item"]
        values = {"title": "", "color": "blue"} if key == NEW else self._there(visit, key)
        if values is None:
            text = "That separator is not there any more."
            return visit.go(self._list(visit), "", [Finding("", text, "warning")])
        if visit.method != "POST":
            return self._form(visit, key, values)
        said_values = {name: visit.form.get(name).strip() for name in FIELDS}
        if key == NEW:
            new = said_values | {"group": visit.query.get("if")}
            order = EditOrder(self._area.name, "add", NOUN, new, "top" if visit.query.get("to") == "top" else "bottom")
        else:
            order = EditOrder(self._area.name, "set", key, said_values)
        try:
            changed = visit.ask(Change((order,)))
        except Refused as no:
            return self._form(visit, key, said_values, refused(no, self._area.name, FIELDS))
        return visit.go(self._list(visit), said(changed), changed.warnings)

    def _there(self, visit: Visit, key: str) -> dict[str, Any] | None:
        return next(iter(visit.ask(List(self._area.name, ids=(key,), limit=1)).separators), None)

    def _list(self, visit: Visit) -> str:
        return looked(self._address, visit.query, visit.query.get("if")).link(page=visit.query.number("page", 1))

    def _form(
        self, visit: Visit, key: str, values: dict[str, Any], wrong: Wrong = NOTHING_WRONG, status: int = 200
    ) -> Response:
        path = (*title(self._area.name, self._area.label), "Separator")
        return visit.show(
            "separator.html", status, area=self._area, values=values, wrong=wrong, new=key == NEW, colors=COLORS,
            back=self._list(visit), path=path, page_tabs=TABS.get(self._area.name, ()), etag="",
            longest=next(m.max_length for m in Separator.model_fields["title"].metadata if hasattr(m, "max_length")),
        )  # fmt: skip
