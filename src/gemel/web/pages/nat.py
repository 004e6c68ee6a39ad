"""Firewall > NAT: Outbound, with its mode above the mappings, and Port Forward."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from gemel.areas.nat import OUTBOUND_NAT, PORT_FORWARDS
from gemel.areas.rules import PORT_PROTOCOLS
from gemel.control.agent import Change, EditOrder
from gemel.control.door import Refused
from gemel.web.form import Field, Option, fields_of, vip_word
from gemel.web.pages.area import AreaPages, refused, said
from gemel.web.visit import Visit

MODE_HELP = {
    "automatic": "Rules are generated for every internal network. Mappings below are not used.",
    "hybrid": "The mappings below go first, then the generated rules. For a cluster: the firewall's own traffic keeps "
    "its own address.",
    "manual": "The mappings below only.",
    "disabled": "No outbound NAT at all.",
}


class OutboundPages(AreaPages):
    """Hand-made: the mode with its own Save, and the recipe's words in the form of a mapping."""

    list_template = "outbound.html"
    form_template = "mapping.html"

    def __init__(self) -> None:
        super().__init__(OUTBOUND_NAT)
        # The recipe's own mapping for ISAKMP has a port and no protocol: it means every protocol that has ports.
        self.port_protocols: tuple[str, ...] = ("any", *PORT_PROTOCOLS)

    def fields(self, visit: Visit) -> dict[str, Field]:
        fields = super().fields(visit)
        vips = (Option(f"vip:{key}", vip_word(ip, text)) for key, ip, _, _, text in visit.choices.vips)
        targets = (Option("interface", "Interface Address"), *vips)
        ends = tuple(Option(o.value, "Any") if o.value == "any" else o for o in fields["destination"].options)
        words = {
            "destination": replace(fields["destination"], label="Type", options=ends),
            "destination_port": replace(fields["destination_port"], label="Port"),
            "translation": replace(fields["translation"], label="Address", kind="choice", options=targets),
            "source": replace(fields["source"], options=ends),
        }
        return fields | words

    def starting(self, visit: Visit, fields: Mapping[str, Field]) -> dict[str, Any]:
        return {**super().starting(visit, fields), "source": "network"}

    def around(self, visit: Visit) -> dict[str, Any]:
        mode = fields_of(self.area, self.area.model, visit.choices)["mode"]
        return {"mode": mode, "mode_help": MODE_HELP}

    def list(self, visit: Visit) -> Response:
        """The list; a POST of the mode is applied at once, and nothing else with it."""
        if visit.method != "POST" or "mode" not in visit.form:
            return super().list(visit)
        try:
            changed = visit.ask(Change((EditOrder(self.area.name, "set", "", {"mode": visit.form.get("mode")}),)))
        except Refused as no:
            return self._listed(visit, refused(no, self.area.name, ()))
        return visit.go(self.address, said(changed), changed.warnings)


class PortForwardPages(AreaPages):
    """Hand-made: the form in the order in which one thinks of a forward."""

    form_template = "forward.html"

    def beside_form(self, visit: Visit, values: Mapping[str, Any]) -> dict[str, Any]:
        return {"with_ports": " ".join(PORT_PROTOCOLS)}


OUTBOUND = OutboundPages()
FORWARDS = PortForwardPages(PORT_FORWARDS)
