"""Pending changes over what runs, and the differences between two configurations."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.edit import Edit
from gemel.core.model import HIDDEN
from gemel.core.pending import Pending, only
from gemel.core.problem import Invalid
from gemel.core.revision import Change, Origin, diff
from tests.unit.core.garden import GARDEN, GATE, PLANTS, after, planted

ANN, BOB = Origin("ann", "the web", 1.0), Origin("bob", "the console", 2.0)


def test_pending_changes_lie_over_whatever_runs() -> None:
    running = planted("a")
    pending = Pending().saving("plants", planted("a", "b")[PLANTS], running, ANN)
    opened = after(running, Edit("gate", "set", values={"open": True}))

    assert pending.over(running) == planted("a", "b")
    assert pending.over(opened)[GATE].open and len(pending.over(opened)[PLANTS].items) == 2
    assert pending.origins == {"plants": ANN}


def test_what_is_back_at_what_runs_is_not_pending() -> None:
    running = planted("a")
    pending = Pending().saving("plants", planted("a", "b")[PLANTS], running, ANN)

    assert pending.saving("plants", running[PLANTS], running, BOB) == Pending()
    assert pending.rebased(planted("a", "b")) == Pending()
    assert pending.rebased(running) == pending


def test_some_of_what_is_pending() -> None:
    running = GARDEN.default()
    opened = after(running, Edit("gate", "set", values={"open": True}))
    both = Pending().saving("plants", planted("a")[PLANTS], running, ANN).saving("gate", opened[GATE], running, BOB)

    assert set(only(GARDEN, both, {"gate"}).models) == {"gate"}
    assert both.without({"gate"}).origins == {"plants": ANN}
    with pytest.raises(Invalid, match="no area 'weeds'"):
        only(GARDEN, both, {"weeds"})


def test_a_diff_names_what_came_what_went_and_what_changed() -> None:
    old = planted("a", "b")
    new = after(
        old,
        Edit("plants", "delete", "a"),
        Edit("plants", "add", values={"id": "c", "bed": "east", "height": 33}),
        Edit("plants", "set", "b", {"height": 44}),
        Edit("gate", "set", values={"open": True}),
    )

    assert diff(GARDEN, old, new) == [
        Change("plants[a]", "removed", before={"id": "a", "bed": "south", "name": "a"}),
        Change("plants[b].height", "changed", 10, 44),
        Change("plants[c]", "added", after={"id": "c", "bed": "east", "height": 33}),
        Change("gate.open", "changed", False, True),
    ]
    assert diff(GARDEN, new, new) == []


def test_a_diff_never_shows_a_secret() -> None:
    old = planted("a", recipe="tea")
    new = after(
        old,
        Edit("plants", "set", "a", {"recipe": "soup"}),
        Edit("plants", "add", values={"id": "b", "bed": "x", "recipe": "cake"}),
        Edit("gate", "set", values={"code": "1234"}),
    )

    found = diff(GARDEN, old, new)

    assert {c.path: (c.before, c.after) for c in found} == {
        "plants[a].recipe": (HIDDEN, HIDDEN),
        "plants[b]": (None, {"id": "b", "bed": "x", "recipe": HIDDEN}),
        "gate.code": ("", HIDDEN),
    }
    assert not any(word in str(found + diff(GARDEN, new, old)) for word in ("tea", "soup", "cake", "1234"))


def test_one_item_that_moved_is_one_line() -> None:
    old = planted(*"abcdefgh")

    new = after(old, Edit("plants", "move", "g", position="top"))

    assert diff(GARDEN, old, new) == [Change("plants[g]", "moved", 7, 1)]


@given(st.permutations("abcdefgh"))
def test_putting_the_moved_ones_back_restores_the_order(new_order: list[str]) -> None:
    old, new = planted(*"abcdefgh"), planted(*new_order)

    moved = {c.path[7:-1] for c in diff(GARDEN, old, new)}

    stayed = [key for key in new_order if key not in moved]
    assert stayed == sorted(stayed)  # what is not named kept its order…
    assert len(stayed) == longest_run(new_order)  # …and no fewer could have been named


def longest_run(keys: list[str]) -> int:
    best: list[int] = []
    for i, key in enumerate(keys):
        best.append(1 + max((best[j] for j in range(i) if keys[j] < key), default=0))
    return max(best)


def test_a_long_list_in_another_order_is_compared_at_once() -> None:
    keys = [f"k{i}" for i in range(2000)]
    old = GARDEN.load({"version": 1, "areas": {"plants": {"items": [{"id": k, "bed": "x"} for k in keys]}}})
    random.Random(1).shuffle(keys)
    items = {p.id: p for p in old[PLANTS].items}
    new = old.having(plants=old[PLANTS].model_copy(update={"items": tuple(items[k] for k in keys)}))

    assert {c.kind for c in diff(GARDEN, old, new)} == {"moved"}
