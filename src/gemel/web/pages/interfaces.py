"""Interfaces: Assignments, and one page for each interface."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from gemel.areas.interfaces import INTERFACES
from gemel.control.agent import Change, EditOrder
from gemel.control.door import Refused
from gemel.web.form import Field, Option
from gemel.web.pages.area import AreaPages, refused
from gemel.web.visit import Visit

STATIC = "static"
FAMILIES = ("ipv4", "ipv6")


class InterfacePages(AreaPages):
    """Hand-made: the configuration types, addresses only where they are static, and the ports that are still free."""

    list_template = "interfaces.html"
    form_template = "interface.html"

    def fields(self, visit: Visit) -> dict[str, Field]:
        fields = super().fields(visit)
        devices = tuple(Option(d, d) for d in visit.choices.devices)
        return fields | {
            "enabled": replace(fields["enabled"], label="Enable Interface"),
            "device": replace(fields["device"], kind="choice", options=devices),
        }

    def meant(self, visit: Visit, values: dict[str, Any]) -> dict[str, Any]:
        none = {"ipv4": {"ipv4": "", "gateway": ""}, "ipv6": {"ipv6": "", "gateway6": ""}}
        for family in FAMILIES:
            if visit.form.get(f"{family}-type", STATIC) != STATIC:
                values = values | none[family]
        return values

    def around(self, visit: Visit) -> dict[str, Any]:
        return {"devices": visit.choices.devices}

    def beside_form(self, visit: Visit, values: Mapping[str, Any]) -> dict[str, Any]:
        chosen = {f: visit.form.get(f"{f}-type") or (STATIC if values.get(f) else "none") for f in FAMILIES}
        gateways = {"gateway": 4, "gateway6": 6}
        return {"types": chosen, "gateways": gateways}

    def list(self, visit: Visit) -> Response:
        """Assignments; *Add* gives a free network port an interface, which is enabled on its own page."""
        if visit.method != "POST" or visit.form.get("do") != "assign":
            return super().list(visit)
        order = EditOrder(self.area.name, "add", "", {"device": visit.form.get("device")})
        try:
            changed = visit.ask(Change((order,), True, f"assigned {visit.form.get('device')[:15]}"))
        except Refused as no:
            return self._listed(visit, refused(no, self.area.name, ()))
        key = changed.items[0]
        text = f"Interface has been added: {visit.form.get('device')[:15]} is {key.upper()} now. Enable it here."
        return visit.go(f"{self.address}/{key}", text, changed.warnings)

    def way(self, key: str, values: Mapping[str, Any]) -> tuple[str, ...]:
        return ("Interfaces", str(values.get("description") or key.upper()))

    def _list_of(self, values: Mapping[str, Any]) -> str:
        return self.address


PAGES = InterfacePages(INTERFACES)
