"""Services > DHCP Server, by interface, and Status > DHCP Leases: failover first, then who has which address."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from gemel.areas.dhcp import DHCP_MAPPINGS
from gemel.areas.dhcp6 import DHCP6_MAPPINGS
from gemel.control.agent import AskFact, Finding, ForgetLease, WakeOnLan
from gemel.control.door import Refused
from gemel.facts.dhcp import DHCP_LEASES, KINDS
from gemel.web.form import Field
from gemel.web.menu import fact_place, place
from gemel.web.pages.area import AreaPages, refused
from gemel.web.pages.facts import LONGEST_OPTION
from gemel.web.visit import Page, Visit

FROM_A_LEASE = {DHCP_MAPPINGS.name: ("mac", "client_id", "hostname"), DHCP6_MAPPINGS.name: ("duid", "hostname")}
LEASES = fact_place(DHCP_LEASES)


class MappingPages(AreaPages):
    """A new mapping may begin as a lease that somebody has."""

    def starting(self, visit: Visit, fields: Mapping[str, Field]) -> dict[str, Any]:
        names = FROM_A_LEASE[self.area.name]
        given = {n: visit.query.get(n)[:LONGEST_OPTION] for n in names if n in visit.query}
        return {**super().starting(visit, fields), **given}


def leases(visit: Visit) -> Response:
    """Pools and leases; a POST deletes a lease or wakes a client."""
    if visit.method == "POST":
        return _act(visit)
    options = {name: visit.query.get(name, "").strip()[:LONGEST_OPTION] for name in ("kind", "filter")}
    found = visit.ask(AskFact(DHCP_LEASES.name, {k: v for k, v in options.items() if v}))
    answer = {"pools": (), "rows": (), "problem": "", **found}
    rows = [{**row, "make_static": _mapping_of(row)} for row in answer["rows"]]
    return visit.show("dhcp_leases.html", fact=DHCP_LEASES, answer=answer, rows=rows, options=options, kinds=KINDS)


def _mapping_of(row: Mapping[str, Any]) -> str:
    """Where the form of a new static mapping for this client is."""
    area = (DHCP6_MAPPINGS if ":" in row["address"] else DHCP_MAPPINGS).name
    row = {**row, "duid": row["client_id"]}
    known = {name: row[name] for name in FROM_A_LEASE[area] if row[name]}
    return f"{place(area)}/new?{urlencode({'if': row['interface_id'], **known})}"


def _act(visit: Visit) -> Response:
    verb, _, what = visit.form.get("do").partition(":")
    interface, _, mac = what.partition("/")
    try:
        match verb:
            case "delete":
                visit.ask(ForgetLease(what))
                return visit.go(LEASES, f"The lease of {what} is deleted on both nodes.")
            case "wake":
                visit.ask(WakeOnLan(interface, mac))
                return visit.go(LEASES, f"A magic packet was sent for {mac}.")
    except Refused as no:
        refused(no, "", ())
        return visit.go(LEASES, "", [Finding("", str(no), "error")])
    return visit.go(LEASES)


MAPPINGS = (MappingPages(DHCP_MAPPINGS), MappingPages(DHCP6_MAPPINGS))
PAGES = (Page(LEASES, leases),)
