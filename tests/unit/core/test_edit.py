"""One edit at a time: it does what it says, or nothing, and says why."""

import pytest

from gemel.core.config import Config
from gemel.core.edit import Edit, edited, etag
from gemel.core.model import HIDDEN
from gemel.core.problem import Invalid, Problem
from tests.unit.core.garden import GARDEN, GATE, PLANTS, after, order, planted


def refused(config: Config, edit: Edit) -> dict[str, str]:
    with pytest.raises(Invalid) as no:
        edited(GARDEN, config, edit)
    return {p.path: p.text for p in no.value.problems}


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ("bottom", ["n", "a", "b", "new", "m"]),
        ("top", ["n", "new", "a", "b", "m"]),
        ("before:b", ["n", "a", "new", "b", "m"]),
        ("after:n", ["n", "new", "a", "b", "m"]),
    ],
)
def test_an_item_is_added_where_it_was_wanted_within_its_group(position: str, expected: list[str]) -> None:
    beds = {"n": "north", "a": "south", "b": "south", "m": "north"}
    config = after(planted(*beds), *(Edit("plants", "set", key, {"bed": bed}) for key, bed in beds.items()))
    new = Edit("plants", "add", values={"id": "new", "bed": "south"}, position=position)

    assert order(after(config, new)) == expected


def test_items_move_and_the_others_keep_their_order() -> None:
    config = planted("a", "b", "c", "d")

    assert order(after(config, Edit("plants", "move", "c", position="top"))) == ["c", "a", "b", "d"]
    assert order(after(config, Edit("plants", "move", "a", position="after:c"))) == ["b", "c", "a", "d"]
    assert order(after(config, Edit("plants", "move", "b"))) == ["a", "c", "d", "b"]


def test_only_the_given_fields_change() -> None:
    recipe, soil = Edit("plants", "set", "A", {"recipe": "tea"}), Edit("plants", "set", values={"soil": "sand"})

    config = after(planted("a", height=50), recipe, soil)

    [plant] = config[PLANTS].items
    assert (plant.height, plant.recipe, plant.name, config[PLANTS].soil) == (50, "tea", "a", "sand")


def test_replacing_an_area_forgets_what_is_not_mentioned() -> None:
    config = after(planted("a", "b"), Edit("plants", "replace", values={"items": [{"id": "b", "bed": "east"}]}))

    assert order(config) == ["b"] and config[PLANTS].items[0].name == ""


def test_a_new_item_gets_an_id_of_its_own() -> None:
    config = after(GARDEN.default(), *[Edit("plants", "add", values={"bed": "south"})] * 3)

    assert len(set(order(config))) == 3


@pytest.mark.parametrize(
    ("edit", "path", "sentence"),
    [
        (Edit("weeds", "add"), "weeds", "there is no area 'weeds'; there are plants, gate"),
        (Edit("plants", "set", "x", {}), "plants", "there is none called 'x' in Plants"),
        (Edit("plants", "delete", "x"), "plants", "there is none called 'x' in Plants"),
        (Edit("gate", "add", values={}), "gate", "Gate is no list: it has fields only"),
        (Edit("plants", "set", "a", {"colour": "red"}), "plants[a].colour", "there is no such field"),
        (Edit("plants", "set", "a", {"height": 0}), "plants[a].height", "must be greater than or equal to 1"),
        (Edit("plants", "set", "a", {"no_sync": "perhaps"}), "plants[a].no_sync", "must be true or false"),
        (Edit("plants", "set", "a", {"id": "z"}), "plants[a].id", "an id cannot be changed"),
        (Edit("plants", "add", values={"id": "a", "bed": "x"}), "plants[a]", "there is one with this id already"),
        (Edit("plants", "add", values={"id": "new"}), "plants[new].bed", "this field is needed"),
        (Edit("plants", "add", values={"id": "new", "bed": "x"}, position="left"), "plants", "position is top, bottom"),
        (Edit("plants", "move", "a", position="before:x"), "plants", "there is no item 'x' to stand before"),
        (Edit("gate", "set", values={"open": "no idea"}), "gate.open", "must be true or false"),
    ],
)
def test_what_cannot_be_is_refused_at_its_path(edit: Edit, path: str, sentence: str) -> None:
    assert sentence in refused(planted("a"), edit)[path]


def test_two_of_one_name_are_told_apart_by_id() -> None:
    config = after(planted("a", "b", name="rose"), Edit("plants", "set", "b", {"name": "Rose"}))

    said = refused(config, Edit("plants", "delete", "rose"))["plants"]
    assert said == "2 of Plants are called 'rose': use the id (a, b)"
    assert order(after(config, Edit("plants", "delete", "b"))) == ["a"]


@pytest.mark.parametrize("verb", ["set", "delete", "move"])
def test_nobody_overwrites_what_they_have_not_seen(verb: str) -> None:
    seen = planted("a", "b")
    now = after(seen, Edit("plants", "set", "a", {"height": 20}))
    tag = etag(seen[PLANTS].items[0])

    assert "somebody else has changed this" in refused(now, Edit("plants", verb, "a", {}, etag=tag))["plants[a]"]  # type: ignore[arg-type]
    assert "somebody else" in refused(now, Edit("plants", "set", values={}, etag=etag(seen[PLANTS])))["plants"]
    edited(GARDEN, now, Edit("plants", verb, "a", {}, etag=etag(now[PLANTS].items[0])))  # type: ignore[arg-type]
    edited(GARDEN, now, Edit("plants", verb, "b", {}, etag=etag(seen[PLANTS].items[1])))  # type: ignore[arg-type]


def test_a_secret_that_comes_back_hidden_stays_as_it_is() -> None:
    config = after(planted("a", recipe="tea"), Edit("gate", "set", values={"code": "1234"}))

    for edit in (
        Edit("plants", "set", "a", {"recipe": HIDDEN}),
        Edit("plants", "replace", values={"items": [{"id": "a", "bed": "south", "recipe": HIDDEN}]}),
        Edit("gate", "replace", values={"code": HIDDEN, "open": True}),
    ):
        changed = after(config, edit)
        assert changed[PLANTS].items[0].recipe == "tea" and changed[GATE].code == "1234"
    assert after(config, Edit("plants", "set", "a", {"name": HIDDEN}))[PLANTS].items[0].name == HIDDEN  # no secret


def test_an_edit_leaves_the_configuration_that_it_began_with_alone() -> None:
    before = planted("a", "b")

    after(before, Edit("plants", "delete", "a"), Edit("plants", "set", "b", {"height": 99}))

    assert before == planted("a", "b")


def test_problems_stop_a_change_and_warnings_do_not() -> None:
    assert GARDEN.checked(planted("a", height=250)) == [
        Problem("plants[a].height", "it takes the light from the others", "warning")
    ]
    with pytest.raises(Invalid) as no:
        GARDEN.checked(planted("hogweed", height=250))
    assert {p.level for p in no.value.problems} == {"warning", "error"}
    assert "plants[hogweed].name: it burns the skin" in str(no.value)
