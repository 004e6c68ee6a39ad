"""Diagnostics > Backup & Restore: the whole configuration as a file, and a file as the configuration."""

import json

from starlette.responses import Response

from gemel.control.agent import Export, Import
from gemel.control.door import Refused
from gemel.web.form import NOTHING_WRONG, Wrong
from gemel.web.pages.area import refused
from gemel.web.visit import Page, Visit

PLACE = "/diagnostics/backup"


def backup(visit: Visit) -> Response:
    """The page; a POST restores the file that came with it."""
    wrong = NOTHING_WRONG
    if visit.method == "POST":
        try:
            config = json.loads(visit.files.get("file", b""))
            if not isinstance(config, dict):
                raise ValueError
            applied = visit.ask(Import(config, message="restored from a file"))
        except (ValueError, RecursionError):
            wrong = Wrong({}, ["The file is no configuration: choose one that was downloaded here."])
        except Refused as no:
            wrong = refused(no, "", ())
        else:
            text = f"The configuration of the file runs as revision {applied.revision}."
            return visit.go(PLACE, text, applied.warnings)
    return visit.show("backup.html", wrong=wrong)


def download(visit: Visit) -> Response:
    """The configuration that runs, secrets included, under the node's name and revision. Admins only: the agent says
    so to others. A POST, so that no link makes a browser fetch secrets."""
    text = json.dumps(visit.ask(Export()), indent=2, sort_keys=True, ensure_ascii=False)
    node = "".join(c if c.isalnum() or c == "-" else "-" for c in visit.frame.node if c.isascii()) or "gemel"
    name = f"{node}-revision-{visit.frame.revision}.json"
    said = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(f"{text}\n", media_type="application/json", headers=said)


PAGES = (Page(PLACE, backup), Page(f"{PLACE}/download", download, methods=("POST",)))
