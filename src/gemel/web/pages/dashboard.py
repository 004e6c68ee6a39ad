"""The dashboard: what is wrong first, then the roles of both nodes, synchronisation, gateways. And the metrics."""

from starlette.responses import PlainTextResponse, Response

from gemel.control.agent import AskFact, List, Status
from gemel.facts.metrics import CONTENT_TYPE
from gemel.web.pages.nodes import standings
from gemel.web.pages.status_carp import vips
from gemel.web.visit import Page, Visit

GRAPHS = 6  # interfaces whose throughput is drawn there; Status > Traffic Graph has all


def dashboard(visit: Visit) -> Response:
    """The first page after the log-in."""
    status = visit.ask(Status())
    listed = visit.ask(List("virtual_ips", limit=1000, running=True))
    shown = [i for i in visit.frame.interfaces if i[2]][:GRAPHS]
    return visit.show(
        "dashboard.html", now=status, vips=vips(status, listed.items, listed.words), peer=status.get("peer"),
        safe=status["safe_to_fail_over"], gateways=status.get("gateways", ()), nodes=standings(status),
        interfaces=shown, more=len(visit.frame.interfaces) - len(shown),
    )  # fmt: skip


def metrics(visit: Visit) -> Response:
    """What Prometheus reads, with the token of a log-in as Bearer, or a browser's session."""
    scheme, _, token = visit.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        visit.token = token.strip()
    if not visit.token:
        return PlainTextResponse("log in first\n", 401, headers={"WWW-Authenticate": "Bearer"})
    return PlainTextResponse(visit.ask(AskFact("metrics"))["text"], headers={"Content-Type": CONTENT_TYPE})


PAGES = (
    Page("/", dashboard, methods=("GET",)),
    Page("/metrics", metrics, methods=("GET",), session=False),
)
