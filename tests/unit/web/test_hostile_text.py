"""A script in every text field of every area is text: on lists, forms, the preview, the history, the dashboard."""

from html import unescape
from pathlib import Path
from typing import Any

import pytest

from gemel.areas.every import AREAS
from gemel.control import agent as ask
from gemel.control.door import Refused
from gemel.web.app import app
from gemel.web.menu import addresses, place
from tests.unit.web.browser import Browser, logged_in, node
from tests.unit.web.hostile import XSS, Place, harmless, places
from tests.unit.web.test_every_page import Door

SCRIPT = "<script>alert(1)</script>"
"""What is left of it where a text is cut, or follows another."""


@pytest.fixture
def there(tmp_path: Path) -> tuple[Door, Browser]:
    agent, _ = node(tmp_path)
    agent.change("aliases", "add", apply=True, name="web", type="host", entries=["192.0.2.1"])
    door = Door(agent)
    return door, logged_in(app(door))


def item_of(door: Door, field: Place) -> str | None:
    """An item to try it on; empty for the area itself, None where there is none."""
    if not field.item:
        return ""
    items = getattr(door.agent.desk.candidate.named(field.area.name), "items", ())
    return str(items[-1].id) if items else None


def taken(door: Door) -> list[Place]:
    """Put it wherever the agent takes it, and apply."""
    found = []
    for field in places():
        item = item_of(door, field)
        if item is not None:
            try:
                door.agent.change(field.area.name, "set", item, **{field.name: field.value})
            except Refused:
                continue
            found.append(field)
    return found


def pages(door: Door) -> list[str]:
    """Everything that shows what is configured."""
    found = ["/changes", "/system/history", f"/system/history/compare?before=1&after={door.agent.desk.number}"]
    for area in AREAS:
        found.append(place(area.name))
        items = () if area.own_faces else getattr(door.agent.desk.candidate.named(area.name), "items", ())
        found += [f"{place(area.name)}/{item.id}" for item in items]
        found += [f"{place(area.name)}?if={i.id}" for i in door.agent.desk.config.named("interfaces").items]  # type: ignore[attr-defined]
    return [*dict.fromkeys([*found, *addresses()])]


def test_what_is_stored_shows_as_text_everywhere(there: tuple[Door, Browser]) -> None:
    door, browser = there
    fields = taken(door)
    assert {f"{f.area.name}.{f.name}" for f in fields} >= {
        "rules.description", "aliases.description", "virtual_ips.description", "outbound_nat.description",
        "port_forwards.description", "gateways.description", "users.description",
    }  # fmt: skip
    before = [browser.get(address) for address in pages(door)]
    try:
        door.agent(ask.Apply(message=XSS))
    except Refused:  # some of it may be saved and not applied: as it is, it is shown all the same
        door.agent.change(
            "rules", "set", door.agent.desk.config.named("rules").items[0].id, apply=True, description=XSS
        )  # type: ignore[attr-defined]
    after = [browser.get(address) for address in pages(door)]
    for page in (*before, *after):
        assert page.status == 200 and harmless(page.text), page.address
    shown = {page.address.partition("?")[0] for page in (*before, *after) if SCRIPT in unescape(page.text)}
    assert {place(f.area.name) for f in fields if f.name == "description" and f.item} <= shown
    assert {"/changes", "/system/history"} <= shown


def test_what_is_refused_comes_back_as_text(there: tuple[Door, Browser]) -> None:
    browser = there[1]
    came_back = 0
    for area in AREAS:
        fields = [f for f in places() if f.area is area]
        for item in (True, False):
            values: dict[str, Any] = {f.name: XSS for f in fields if f.item is item}
            values |= {f"{name}__text": XSS for name in list(values)} | {f"{name}__mask": XSS for name in list(values)}
            if values:
                address = (
                    place(area.name) if area.item is None else f"{place(area.name)}/{'new' if item else 'settings'}"
                )
                page = browser.post(address, **values)
                assert page.status in (200, 422, 409) and harmless(page.text), address
                came_back += XSS in unescape(page.text)
                assert harmless(browser.get(f"{place(area.name)}?q={'%22%3E%3Cscript%3Ealert(1)%3C/script%3E'}").text)
    assert came_back > 8


def test_rest_answers_json_that_no_browser_takes_for_a_page(there: tuple[Door, Browser]) -> None:
    door, browser = there
    taken(door)
    for address in (f"/{area.name}" for area in AREAS if not area.own_faces):
        answer = browser.send("GET", address)
        assert answer.headers["content-type"] == "application/json" and answer.headers["x-content-type-options"]
    for address in (f"/rules/{XSS}", f"/facts/{XSS}", f"/{XSS}"):
        assert browser.send("GET", address.replace("?", "")).headers["content-type"] == "application/json"


def test_a_log_in_page_shows_what_was_typed_as_text(there: tuple[Door, Browser]) -> None:
    stranger = Browser(there[1].application)
    for page in (stranger.post("/login", username=XSS, password=XSS), stranger.get(f"/login?next=/{XSS}"),
                 stranger.post("/login", ticket=XSS, username=XSS, code=XSS), stranger.get(f"/{XSS}")):  # fmt: skip
        assert harmless(page.text)
