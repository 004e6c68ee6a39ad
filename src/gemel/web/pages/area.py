"""List and form of any area, made from its model. Pages that are made by hand override what they do better."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from gemel.areas.rules import PORT_PROTOCOLS
from gemel.control.agent import Change, EditOrder, Finding, List, Show
from gemel.control.door import Refused
from gemel.core.area import Area
from gemel.core.model import Item
from gemel.web.form import NEVER, NOTHING_WRONG, Field, Wrong, beside, defaults, fields_of, read, without_ports
from gemel.web.listing import looked, shelf
from gemel.web.menu import TABS, place, title
from gemel.web.pages.asking import in_all
from gemel.web.pages.asking import refused as refused
from gemel.web.pages.asking import said as said
from gemel.web.pages.separators import SeparatorPages
from gemel.web.visit import Page, Visit

NEW = "new"


class AreaPages:
    """The pages of one area. Holds nothing of a visit."""

    list_template = "list.html"
    form_template = "form.html"

    def __init__(self, area: Area[Any]) -> None:
        self.area = area
        self.address = place(area.name)
        self.item: type[Item] | None = area.item
        # Ports without protocol have a meaning in outbound NAT, see there.
        self.port_protocols: tuple[str, ...] = PORT_PROTOCOLS

    def pages(self) -> tuple[Page, ...]:
        """What there is to visit."""
        if self.item is None:
            return (Page(self.address, self.settings),)
        own = [n for n in self.area.model.model_fields if n not in NEVER]
        settings = (Page(f"{self.address}/settings", self.settings),) if own else ()
        lines = SeparatorPages(self.area, self.address).pages()
        return (Page(self.address, self.list), *settings, *lines, Page(f"{self.address}/{{item}}", self.edit))

    # What a page made by hand may say otherwise ---------------------------------------------------------------------

    def fields(self, visit: Visit) -> dict[str, Field]:
        """The fields of an item's form."""
        assert self.item is not None
        return fields_of(self.area, self.item, visit.choices)

    def own_fields(self, visit: Visit) -> dict[str, Field]:
        """The fields of the area itself."""
        return fields_of(self.area, self.area.model, visit.choices)

    def starting(self, visit: Visit, fields: Mapping[str, Field]) -> dict[str, Any]:
        """The values of the form for a new item."""
        values = defaults(fields)
        group = self.area.grouped_by
        if group and visit.query.get("if"):
            values[group] = visit.query.get("if")
        return values

    def meant(self, visit: Visit, values: dict[str, Any]) -> dict[str, Any]:
        """What the form's values mean."""
        return without_ports(values, self.port_protocols) if "protocol" in values else values

    def around(self, visit: Visit) -> dict[str, Any]:
        """What the list's template needs beside the list."""
        return {}

    def beside_form(self, visit: Visit, values: Mapping[str, Any]) -> dict[str, Any]:
        """What the form's template needs beside the fields."""
        return {}

    # The list -------------------------------------------------------------------------------------------------------

    def list(self, visit: Visit) -> Response:
        """The list; a POST deletes, switches or moves items of it."""
        if visit.method == "POST":
            return self._act(visit)
        return self._listed(visit)

    def _listed(self, visit: Visit, wrong: Wrong = NOTHING_WRONG) -> Response:
        group = self.area.grouped_by
        tabs = self._tabs(visit)
        chosen = (visit.query.get("if") or (tabs[0][0] if tabs else "")) if group else ""
        shown = shelf(visit, self.area, looked(self.address, visit.query, chosen), (group,) if group else ())
        return visit.show(
            self.list_template, area=self.area, shelf=shown, tabs=tabs, group=chosen, wrong=wrong,
            path=title(self.area.name, self.area.label), page_tabs=TABS.get(self.area.name, ()),
            address=self.address, **self.around(visit),
        )  # fmt: skip

    def _tabs(self, visit: Visit) -> Sequence[tuple[str, str]]:
        return visit.choices.interfaces if self.area.grouped_by == "interface" else ()

    def _act(self, visit: Visit) -> Response:
        verb, _, item = visit.form.get("do").partition(":")
        items = [item] if item else visit.form.all("id")
        back = looked(self.address, visit.query, visit.query.get("if")).link(page=visit.query.number("page", 1))
        orders: Sequence[EditOrder] = ()
        match verb:
            case "delete":
                orders = [EditOrder(self.area.name, "delete", i) for i in items]
            case "move":
                orders = self._moved(items, visit.form.get("position").strip())
            case "move-to":  # the buttons for a selection
                number = visit.form.get("number").strip()
                orders = self._moved(visit.form.all("id"), item if item != "number" else f"at:{number}")
            case "toggle":
                orders = self._toggled(visit, items)
            case "enable" | "disable":
                orders = self._switched(visit, items, verb == "enable")
        if not orders:
            return visit.go(back, "", [Finding("", "Select something in the list first.", "warning")])
        try:
            changed = visit.ask(Change(tuple(orders)))
        except Refused as no:
            return self._listed(visit, refused(no, self.area.name, ()))
        return visit.go(back, said(changed), changed.warnings)

    def _moved(self, items: Sequence[str], position: str) -> Sequence[EditOrder]:
        """The first to the position, the others below it."""
        places = [position, *(f"after:{i}" for i in items)]
        return [
            EditOrder(self.area.name, "move", i, position=p) for i, p in zip(items, places, strict=False)
        ]

    def _toggled(self, visit: Visit, items: Sequence[str]) -> Sequence[EditOrder]:
        """Each the other way round, as it stands now."""
        name = self._switch()
        there = visit.ask(List(self.area.name, ids=tuple(items), limit=len(items), brief=True)).items if items else ()
        return [EditOrder(self.area.name, "set", i["id"], {name: not i[name]}) for i in there if name in i]

    def _switched(self, visit: Visit, items: Sequence[str], on: bool) -> Sequence[EditOrder]:
        """All on, or all off; those that are so already are left alone."""
        name = self._switch()
        return [o for o in self._toggled(visit, items) if o.values[name] == (on if name == "enabled" else not on)]

    def _switch(self) -> str:
        return "disabled" if self.item and "disabled" in self.item.model_fields else "enabled"

    # The form of an item --------------------------------------------------------------------------------------------

    def edit(self, visit: Visit) -> Response:
        """The form of an item, or of a new one."""
        key = visit.path["item"]
        fields = self.fields(visit)
        found = None if key == NEW else self._there(visit, key)
        if key != NEW and found is None:
            return visit.go(self.address, "", [Finding("", "That item is not there any more.", "warning")])
        if visit.method == "POST":
            return self._save(visit, key, fields, found)
        if found:
            values, etag = found
            return self._form(visit, key, fields, values, etag)
        return self._form(visit, key, fields, self._beginning(visit, fields), "")

    def _there(self, visit: Visit, key: str) -> tuple[dict[str, Any], str] | None:
        listed = visit.ask(List(self.area.name, ids=(key,), limit=1))
        if not listed.items:
            return None
        item, words = listed.items[0], listed.words[key]
        lists = {n: w.split("\n") for n, w in words.items() if isinstance(item[n], list)}
        return item | lists | self._unlisted(visit, item, words), listed.etags[key]

    def _unlisted(self, visit: Visit, item: Mapping[str, Any], words: Mapping[str, str]) -> dict[str, str]:
        """Aliases by their names, where there are too many for the drop-downs to list."""
        known = {f"alias:{key}" for key, _ in (*visit.choices.aliases, *visit.choices.port_aliases)}
        stored = ((n, str(item[n]).removeprefix("!")) for n in words)
        return {n: words[n] for n, value in stored if value.startswith("alias:") and value not in known}

    def _beginning(self, visit: Visit, fields: Mapping[str, Field]) -> dict[str, Any]:
        original = self._there(visit, visit.query.get("copy")) if "copy" in visit.query else None
        if original is None:
            return self.starting(visit, fields)
        secret = {f.name for f in fields.values() if f.kind == "secret"}
        return {k: ("" if k in secret else v) for k, v in original[0].items() if k != "id"}

    def _save(self, visit: Visit, key: str, fields: Mapping[str, Field], found: Any) -> Response:
        values, wrong = read(fields.values(), visit.form, editing=found is not None)
        etag = visit.form.get("etag")
        if wrong:
            assert self.item is not None
            wrong = in_all(wrong, self.item, self.meant(visit, values), fields)
            return self._form(visit, key, fields, values, etag, beside(wrong, self.area.name, fields))
        meant = self.meant(visit, values)
        try:
            if found is None:
                order = EditOrder(self.area.name, "add", "", meant, self._position(visit))
            else:
                order = EditOrder(self.area.name, "set", key, meant, etag=etag)
            changed = visit.ask(Change((order,)))
        except Refused as no:
            return self._form(visit, key, fields, values, etag, refused(no, self.area.name, fields))
        return visit.go(self._list_of(meant), said(changed), changed.warnings)

    def _position(self, visit: Visit) -> str:
        if visit.query.get("copy") and self.area.ordered:
            return f"after:{visit.query.get('copy')}"
        return "top" if visit.query.get("to") == "top" else "bottom"

    def _list_of(self, values: Mapping[str, Any]) -> str:
        group = self.area.grouped_by
        return f"{self.address}?if={quote(str(values[group]))}" if group and values.get(group) else self.address

    def _form(
        self, visit: Visit, key: str, fields: Mapping[str, Field], values: dict[str, Any], etag: str,
        wrong: Wrong = NOTHING_WRONG,
    ) -> Response:  # fmt: skip
        if "password_hash" in values:
            values = {**values, "password": values["password_hash"]}
        return visit.show(
            self.form_template, area=self.area, fields=fields, values={**defaults(fields), **values},
            etag=etag, wrong=wrong, key=key, new=key == NEW, address=visit.address, back=self._list_of(values),
            path=self.way(key, values),
            page_tabs=TABS.get(self.area.name, ()), **self.beside_form(visit, values),
        )  # fmt: skip

    def way(self, key: str, values: Mapping[str, Any]) -> tuple[str, ...]:
        """The way to the form, in the words of the menus."""
        return (*title(self.area.name, self.area.label), "Add" if key == NEW else "Edit")

    # The form of the area itself ------------------------------------------------------------------------------------

    def settings(self, visit: Visit) -> Response:
        """The fields of the area itself."""
        fields = self.own_fields(visit)
        back = self.address
        if visit.method == "POST":
            return self._save_settings(visit, fields, back)
        if self.item is not None:
            listed = visit.ask(List(self.area.name, limit=1))
            return self._settings(visit, fields, listed.options, "", back)
        shown = visit.ask(Show(self.area.name))
        return self._settings(visit, fields, shown.values, shown.etags[""], back)

    def _save_settings(self, visit: Visit, fields: Mapping[str, Field], back: str) -> Response:
        values, wrong = read(fields.values(), visit.form, editing=True)
        etag = visit.form.get("etag")
        if wrong:
            wrong = in_all(wrong, self.area.model, values, fields)
            return self._settings(visit, fields, values, etag, back, beside(wrong, self.area.name, fields))
        try:
            changed = visit.ask(Change((EditOrder(self.area.name, "set", "", values, etag=etag),)))
        except Refused as no:
            return self._settings(visit, fields, values, etag, back, refused(no, self.area.name, fields))
        return visit.go(back, said(changed), changed.warnings)

    def _settings(
        self, visit: Visit, fields: Mapping[str, Field], values: Mapping[str, Any], etag: str, back: str,
        wrong: Wrong = NOTHING_WRONG,
    ) -> Response:  # fmt: skip
        path = title(self.area.name, self.area.label)
        return visit.show(
            self.form_template if self.item is None else "form.html", area=self.area, fields=fields,
            values={**defaults(fields), **values}, etag=etag, wrong=wrong, key="", new=False, address=visit.address,
            back=back if self.item else "", path=path if self.item is None else (*path, "Settings"),
            page_tabs=TABS.get(self.area.name, ()), **self.beside_form(visit, values),
        )  # fmt: skip
