"""Separators among items: every edit does to the rows what a person sees it do, and a peer comes to the same rows."""

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.area import Area
from gemel.core.config import Config, Schema
from gemel.core.edit import Edit, edited
from gemel.core.exchange import area_hashes, merged, outgoing, section_hashes
from gemel.core.model import Item, Model, field
from gemel.core.problem import Invalid
from gemel.core.revision import diff
from gemel.core.separator import NOUN, Separators, separators


class Page(Item):
    book: str = field("a", label="Book", help="Which.")
    no_sync: bool = field(False, label="Ours", help="Not for the neighbours.")


class Pages(Model):
    items: tuple[Page, ...] = ()
    separators: Separators = separators()


PAGES = Area("pages", "Pages", "page", Pages, "What is read.", "local", item=Page, ordered=True, grouped_by="book",
             sync="pages")  # fmt: skip
SCHEMA = Schema((PAGES,), names=lambda _areas: None)


def change(config: Config, verb: Literal["set", "add", "delete", "move"], item: str = "", position: str = "bottom",
           **values: Any) -> Config:  # fmt: skip
    return edited(SCHEMA, config, Edit("pages", verb, item, values, position)).config


def rows(config: Config, book: str = "a") -> list[str]:
    """Ids of items and separators as they are seen."""
    model = config[PAGES]
    found: list[str] = []
    for item in model.items:
        if item.book == book:
            found += [s.id for s in model.separators if s.above == item.id] + [item.id]
    here = {i.id for i in model.items if i.book == book}
    return found + [s.id for s in model.separators if s.group == book and s.above not in here]


def shelf(*ids: str) -> Config:
    """Lower case for items, upper case for separators... by their first letter: ``s`` for a separator."""
    config = SCHEMA.default()
    for key in ids:
        config = added(config, key, "bottom")
    return config


def added(config: Config, key: str, position: str) -> Config:
    if key.startswith("s"):
        return change(config, "add", NOUN, position, id=key, group="a", title=key)
    return change(config, "add", "", position, id=key, book="a")


def test_rows_stand_as_they_were_added() -> None:
    assert rows(shelf("s1", "p1", "s2", "s3", "p2", "s4")) == ["s1", "p1", "s2", "s3", "p2", "s4"]


def test_top_is_above_everything() -> None:
    config = added(added(shelf("s1", "p1"), "p0", "top"), "s0", "top")
    assert rows(config) == ["s0", "p0", "s1", "p1"]


def test_a_deleted_item_leaves_its_separator_where_it_stood() -> None:
    config = change(shelf("p1", "s1", "p2", "s2", "p3"), "delete", "p2")
    assert rows(config) == ["p1", "s1", "s2", "p3"]
    assert rows(change(config, "delete", "p3")) == ["p1", "s1", "s2"]


def test_an_item_that_changes_its_list_leaves_its_separator_behind() -> None:
    config = change(shelf("s1", "p1", "p2"), "set", "p1", book="b")
    assert (rows(config), rows(config, "b")) == (["s1", "p2"], ["p1"])


def test_what_a_separator_says_can_be_changed_and_where_it_stands_cannot_by_that() -> None:
    config = change(shelf("s1", "p1"), "set", "s1", title="Mail", color="red", above="nowhere")
    (line,) = config[PAGES].separators
    assert (line.title, line.color, line.above) == ("Mail", "red", "p1")
    with pytest.raises(Invalid, match="blue"):
        change(config, "set", "s1", color="mauve")


def test_a_number_is_a_place_among_the_items() -> None:
    config = shelf("p1", "s1", "p2", "p3")
    assert rows(change(config, "move", "p3", "at:2")) == ["p1", "p3", "s1", "p2"]
    assert rows(change(config, "move", "p1", "at:99")) == ["s1", "p2", "p3", "p1"]
    with pytest.raises(Invalid, match="NUMBER"):
        change(config, "move", "p1", "at:-1")


def test_a_row_that_is_not_there_is_said() -> None:
    with pytest.raises(Invalid, match="p9"):
        added(shelf("p1"), "s1", "before:p9")


@given(st.data())
def test_every_edit_does_to_the_rows_what_it_says(data: st.DataObject) -> None:
    config, seen = SCHEMA.default(), list[str]()
    for number in range(data.draw(st.integers(1, 14))):
        places = ["top", "bottom", *(f"{where}:{row}" for where in ("before", "after") for row in seen)]
        verb = data.draw(st.sampled_from(["add item", "add line", "move", "delete"] if seen else ["add item"]))
        if verb in ("move", "delete"):
            key = data.draw(st.sampled_from(seen))
            places = [p for p in places if not p.endswith(f":{key}")]
            seen.remove(key)
        else:
            key = f"{'s' if verb == 'add line' else 'p'}{number}"
        place = data.draw(st.sampled_from(places))
        if verb != "delete":
            where, _, row = place.partition(":")
            at = {"top": 0, "bottom": len(seen)}.get(where) if not row else seen.index(row) + (where == "after")
            seen.insert(at or 0, key)
        match verb:
            case "move" | "delete":
                config = change(config, verb, key, place)  # type: ignore[arg-type]
            case _:
                config = added(config, key, place)
        assert rows(config) == seen


@given(st.lists(st.sampled_from(["s", "p", "local"]), max_size=12))
def test_the_peer_has_the_same_lines_and_proves_it(kinds: list[str]) -> None:
    config = SCHEMA.default()
    for number, kind in enumerate(kinds):
        key = f"{kind[0]}{number}"
        config = added(config, key, "bottom") if kind != "local" else change(config, "add", "", id=key, no_sync=True)
    sections = outgoing(SCHEMA, config, ["pages"])
    theirs = merged(SCHEMA, shelf("p99"), sections)
    assert rows(theirs) == [r for r in rows(config) if not r.startswith("l")]
    assert area_hashes(SCHEMA, theirs, ["pages"]) == section_hashes(sections)


def test_a_line_shows_in_the_differences() -> None:
    before = shelf("p1")
    found = diff(SCHEMA, before, added(before, "s1", "top"))
    assert [(c.path, c.kind, c.after["title"]) for c in found] == [("pages[s1]", "added", "s1")]
