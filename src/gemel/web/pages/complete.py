"""What forms and lists fetch on their own: names that complete what is typed, and how often rules have matched."""

from starlette.responses import JSONResponse, Response

from gemel.control.agent import Complete, RuleHits
from gemel.web.visit import Page, Visit

MOST_IDS = 200


def aliases(visit: Visit) -> Response:
    """Names of aliases with ``q`` in them; of ports with ``ports=1``."""
    typed = visit.query.get("q").strip()[:100]
    return JSONResponse(visit.ask(Complete(typed, visit.query.get("ports") == "1")) if typed else ())


def hits(visit: Visit) -> Response:
    """Rule id -> packets and bytes, for the rules on a page."""
    return JSONResponse(visit.ask(RuleHits(tuple(visit.query.all("id")[:MOST_IDS]))))


PAGES = (
    Page("/complete/aliases", aliases, methods=("GET",)),
    Page("/firewall/rules/hits", hits, methods=("GET",)),
)
