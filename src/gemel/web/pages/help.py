"""Help: the recipe, step by step, and its pictures."""

import re

from starlette.responses import Response

from gemel.web.recipe import DOCS, PICTURES, PLACE, recipe
from gemel.web.visit import Page, Visit


def shown(visit: Visit) -> Response:
    """The whole recipe, its steps beside it."""
    found = recipe()
    return visit.show("recipe.html", recipe=found, path=("Help", found.title))


def picture(visit: Visit) -> Response:
    """A picture of the recipe."""
    name = visit.path["name"]
    there = DOCS / "pictures" / name
    if not re.fullmatch(r"[a-z0-9-]+\.png", name) or not there.is_file():
        return Response("there is no such picture\n", 404, media_type="text/plain")
    return Response(there.read_bytes(), media_type="image/png", headers={"Cache-Control": "max-age=3600"})


PAGES = (
    Page(PLACE, shown, methods=("GET",)),
    Page(f"{PICTURES}/{{name}}", picture, methods=("GET",)),
)
