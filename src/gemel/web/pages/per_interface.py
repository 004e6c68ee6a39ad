"""Areas with at most one item for each interface: the interface's tab is its form, also while there is none yet.

The recipe's reader opens the LAN tab and fills in the fields: there is no list to look through, nothing to add first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from gemel.areas.dhcp import DHCP
from gemel.areas.dhcp6 import DHCP6
from gemel.areas.interfaces import INTERFACES
from gemel.areas.router_advertisements import ROUTER_ADVERTISEMENTS
from gemel.control.agent import Change, EditOrder, List
from gemel.control.door import Refused
from gemel.core.area import Area
from gemel.web.form import Field
from gemel.web.menu import title
from gemel.web.pages.area import NEW, AreaPages, refused, said
from gemel.web.visit import Page, Visit

MOST = 1000  # interfaces


class PerInterfacePages(AreaPages):
    """One form for each interface. `family` is the interface's field for the address that the service needs there."""

    form_template = "per_interface.html"

    def __init__(self, area: Area[Any], family: str) -> None:
        super().__init__(area)
        self._family = family

    def pages(self) -> tuple[Page, ...]:
        return (Page(self.address, self.tab), Page(f"{self.address}/{{item}}", self.edit))

    def tab(self, visit: Visit) -> Response:
        """The form of an interface; without one in the address that of the interface where it matters most."""
        items = visit.ask(List(self.area.name, limit=MOST, brief=True)).items
        there = {str(item["interface"]): str(item["id"]) for item in items}
        chosen = visit.query.get("if") or self._first(visit, there)
        here = replace(visit, path={"item": there.get(chosen, NEW), "interface": chosen})
        if here.method == "POST" and here.form.get("do") == "delete":
            return self._delete(here)
        return super().edit(here)

    def edit(self, visit: Visit) -> Response:
        """An item by its id, as other pages lead to it: its interface's tab."""
        listed = visit.ask(List(self.area.name, ids=(visit.path["item"],), limit=1, brief=True)).items
        interface = str(listed[0]["interface"]) if listed else visit.query.get("if")
        return visit.go(self._tab_of(interface) if interface else self.address)

    def fields(self, visit: Visit) -> dict[str, Field]:
        """The tab says which interface it is."""
        return {name: field for name, field in super().fields(visit).items() if name != "interface"}

    def starting(self, visit: Visit, fields: Mapping[str, Field]) -> dict[str, Any]:
        return super().starting(visit, fields) | {"interface": visit.path["interface"]}

    def meant(self, visit: Visit, values: dict[str, Any]) -> dict[str, Any]:
        return super().meant(visit, values) | {"interface": visit.path["interface"]}

    def beside_form(self, visit: Visit, values: Mapping[str, Any]) -> dict[str, Any]:
        return {"tabs": visit.choices.interfaces, "group": visit.path["interface"], "tab_address": self.address}

    def way(self, key: str, values: Mapping[str, Any]) -> tuple[str, ...]:
        return title(self.area.name, self.area.label)

    def _delete(self, visit: Visit) -> Response:
        back = self._tab_of(visit.path["interface"])
        if visit.path["item"] == NEW:
            return visit.go(back)
        try:
            changed = visit.ask(Change((EditOrder(self.area.name, "delete", visit.path["item"]),)))
        except Refused as no:
            fields = self.fields(visit)
            found = self._there(visit, visit.path["item"])
            values, etag = found or (self.starting(visit, fields), "")
            return self._form(visit, visit.path["item"], fields, values, etag, refused(no, self.area.name, ()))
        return visit.go(back, said(changed), changed.warnings)

    def _first(self, visit: Visit, there: Mapping[str, str]) -> str:
        """One that has settings; else the first local network with such an address; else simply the first."""
        interfaces: Sequence[Mapping[str, Any]] = visit.ask(List(INTERFACES.name, limit=MOST)).items
        gateway = {"ipv4": "gateway", "ipv6": "gateway6"}[self._family]
        configured = [i for i in interfaces if i["id"] in there]
        local = [i for i in interfaces if i[self._family] and not i[gateway]]
        found = [*configured, *local, *interfaces]
        return str(found[0]["id"]) if found else ""

    def _tab_of(self, interface: str) -> str:
        return f"{self.address}?if={quote(interface)}"


SERVERS = PerInterfacePages(DHCP, "ipv4")
SERVERS6 = PerInterfacePages(DHCP6, "ipv6")
ADVERTISED = PerInterfacePages(ROUTER_ADVERTISEMENTS, "ipv6")
