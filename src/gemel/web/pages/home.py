"""The first page after the log-in, where nobody wanted another: it leads to the dashboard, once there is one."""

from starlette.responses import RedirectResponse, Response

from gemel.web.menu import PLACES
from gemel.web.visit import Page, Visit


def home(_visit: Visit) -> Response:
    """Send the browser on."""
    return RedirectResponse(PLACES["rules"], 303)


PAGES = (Page("/", home, methods=("GET",)),)
