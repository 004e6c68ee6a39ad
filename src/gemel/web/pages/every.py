"""The explicit list of pages. What is made by hand stands before what follows from the areas' models."""

from gemel.areas.every import AREAS
from gemel.web.pages import (
    account,
    backup,
    changes,
    complete,
    dashboard,
    dhcp,
    diagnostics,
    facts,
    graphs,
    help,
    high_availability,
    history,
    interfaces,
    links,
    nat,
    notifications,
    per_interface,
    rules,
    segments,
    session,
    status_carp,
    users,
    virtual_ips,
)
from gemel.web.pages.area import AreaPages
from gemel.web.visit import Page

HAND_MADE: tuple[AreaPages, ...] = (
    interfaces.PAGES,
    *links.PAGES,
    rules.PAGES,
    virtual_ips.PAGES,
    nat.FORWARDS,
    nat.OUTBOUND,
    high_availability.PAGES,
    users.PAGES,
    notifications.PAGES,
    per_interface.SERVERS,
    per_interface.SERVERS6,
    per_interface.ADVERTISED,
    *dhcp.MAPPINGS,
)
"""The pages that people live in: made by hand on top of what the models give."""

_by_hand = {pages.area.name for pages in HAND_MADE}

PAGES: tuple[Page, ...] = (
    *session.PAGES,
    *account.PAGES,
    *dashboard.PAGES,
    *status_carp.PAGES,
    *graphs.PAGES,
    *dhcp.PAGES,
    *facts.PAGES,
    *diagnostics.PAGES,
    *segments.PAGES,
    *backup.PAGES,
    *changes.PAGES,
    *complete.PAGES,
    *history.PAGES,
    *help.PAGES,
    *users.KEY_PAGES,
    *(page for pages in HAND_MADE for page in pages.pages()),
    *(page for area in AREAS if area.name not in _by_hand and not area.own_faces for page in AreaPages(area).pages()),
)
