"""The pages' own files. Their addresses carry a stamp, so that browsers keep them and still notice an upgrade."""

import hashlib
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from gemel.web.security import guarded

STATIC = Path(__file__).parent / "static"
KEPT = "public, max-age=31536000, immutable"


class Files(StaticFiles):
    """Everything below a folder, read only."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder)
        # By content, so that both nodes and all starts agree; a megabyte is hashed in a few milliseconds.
        self._stamps = {
            str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()[:10]
            for p in folder.rglob("*")
            if p.is_file()
        }

    def address(self, name: str) -> str:
        """Where a file is served. Raises `KeyError` if there is none: ``scripts/setup`` brings those in vendor/."""
        return f"/static/{name}?v={self._stamps[name]}"

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if b"v=" in scope.get("query_string", b"") and response.status_code in (200, 304):
            response.headers["Cache-Control"] = KEPT
        return guarded(response, store=True)
