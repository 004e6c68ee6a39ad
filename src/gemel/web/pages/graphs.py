"""Status > Traffic Graph: throughput of each interface, states, and how they go to the peer, live."""

from starlette.responses import Response

from gemel.facts.every import fact
from gemel.web.visit import Page, Visit

PLACE = "/status/traffic-graph"
SPANS = (("120", "2 minutes"), ("300", "5 minutes"), ("600", "10 minutes"))


def graphs(visit: Visit) -> Response:
    """The page. What is drawn comes by the event stream, and at first from REST."""
    span = visit.query.get("seconds", "300")
    return visit.show(
        "graphs.html", interfaces=[i for i in visit.frame.interfaces if i[2]], help=fact("graphs").help, spans=SPANS,
        span=span if span in dict(SPANS) else "300",
    )  # fmt: skip


PAGES = (Page(PLACE, graphs, methods=("GET",)),)
