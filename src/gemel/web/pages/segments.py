"""Diagnostics > CARP Scan: who speaks CARP and VRRP in a network, which VHIDs are free, and whether the network
delivers virtual MACs. To be tried before CARP is set up there."""

from starlette.responses import Response

from gemel.control.agent import CarpScan, MacReport, ScanReport, TestVirtualMac
from gemel.control.door import Refused
from gemel.web.form import NOTHING_WRONG, Option
from gemel.web.pages.area import refused
from gemel.web.visit import Page, Visit

PLACE = "/diagnostics/carp-scan"
SECONDS = (("4", "4 seconds"), ("10", "10 seconds"), ("30", "30 seconds"))
SOME_FREE = 8  # VHIDs that are named


def scan(visit: Visit) -> Response:
    """The page; a POST listens, or tests, and shows what came of it."""
    wrong, found, verdict = NOTHING_WRONG, None, None
    values = {"interface": visit.form.get("interface"), "seconds": visit.form.get("seconds", "4")}
    if visit.method == "POST":
        try:
            found, verdict = _done(visit, values)
        except Refused as no:
            wrong = refused(no, "", ())
    there = [(key, name) for key, name, enabled in visit.frame.interfaces if enabled]
    return visit.show(
        "carp_scan.html", wrong=wrong, values=values, found=found, verdict=verdict,
        interfaces=tuple(Option(k, n) for k, n in there), names=dict(there), here=PLACE,
        seconds=tuple(Option(v, w) for v, w in SECONDS), some=SOME_FREE,
    )  # fmt: skip


def _done(visit: Visit, values: dict[str, str]) -> tuple[ScanReport | None, MacReport | None]:
    if visit.form.get("do") == "test":
        return None, visit.ask(TestVirtualMac(values["interface"]))
    seconds = values["seconds"] if values["seconds"] in dict(SECONDS) else "4"
    return visit.ask(CarpScan(values["interface"], float(seconds))), None


PAGES = (Page(PLACE, scan),)
