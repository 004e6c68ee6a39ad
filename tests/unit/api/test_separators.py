"""Separators by REST: made, moved, changed, deleted; and what there is not is 404."""

from pathlib import Path
from typing import Any

from tests.unit.api.test_rest import Client
from tests.unit.web.browser import node


def test_a_separator_by_rest(tmp_path: Path) -> None:
    agent, application = node(tmp_path)
    ask = Client(application)
    agent.change("rules", "add", id="r1", interface="wan")

    def lines() -> list[Any]:
        return [(s["title"], s["color"], s["above"]) for s in ask("GET", "/rules?group=wan")[1]["separators"]]

    status, changed = ask("POST", "/rules/separators?position=before:r1", {"group": "wan", "title": "Mail"})
    assert status == 200
    key = changed["items"][0]
    assert lines() == [("Mail", "blue", "r1")]
    assert ask("PATCH", f"/rules/separators/{key}", {"color": "red"})[0] == 200
    assert ask("POST", f"/rules/separators/{key}/move", {"position": "bottom"})[0] == 200
    assert lines() == [("Mail", "red", "")]
    assert ask("PATCH", f"/rules/separators/{key}", {"color": "mauve"})[0] == 422
    assert ask("DELETE", f"/rules/separators/{key}")[0] == 200
    assert lines() == []
    assert ask("DELETE", f"/rules/separators/{key}")[0] == 404
