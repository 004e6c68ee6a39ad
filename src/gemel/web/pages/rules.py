"""Firewall > Rules: a tab for each interface, from the top, the first match wins."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gemel.areas.rules import ICMP_TYPES, PORT_PROTOCOLS, RULES
from gemel.web.form import Field, Option
from gemel.web.pages.area import AreaPages
from gemel.web.visit import Visit

ICMP_WORDS = {
    "echoreq": "Echo request", "echorep": "Echo reply", "unreach": "Destination unreachable", "timex": "Time exceeded",
    "paramprob": "Parameter problem", "redir": "Redirect", "routersol": "Router solicitation",
    "routeradv": "Router advertisement", "squench": "Source quench", "timereq": "Timestamp", "timerep":
    "Timestamp reply", "maskreq": "Address mask request", "maskrep": "Address mask reply", "trace": "Traceroute",
    "toobig": "Packet too big", "neighbrsol": "Neighbor solicitation", "neighbradv": "Neighbor advertisement",
    "groupqry": "Group query", "grouprep": "Group report", "groupterm": "Group termination",
}  # fmt: skip


class RulesPages(AreaPages):
    """Hand-made: icons of what a rule does, the form in sections, fields that do not apply out of the way."""

    list_template = "rules.html"
    form_template = "rule.html"

    def fields(self, visit: Visit) -> dict[str, Field]:
        fields = super().fields(visit)
        types = tuple(Option(name, ICMP_WORDS.get(name, name)) for name in ICMP_TYPES)
        return {**fields, "icmp_types": replace(fields["icmp_types"], kind="choices", options=types)}

    def meant(self, visit: Visit, values: dict[str, Any]) -> dict[str, Any]:
        meant = super().meant(visit, values)
        return meant if meant.get("protocol", "icmp") == "icmp" else {**meant, "icmp_types": []}

    def beside_form(self, visit: Visit, values: Mapping[str, Any]) -> dict[str, Any]:
        return {"with_ports": " ".join(PORT_PROTOCOLS)}


PAGES = RulesPages(RULES)
