"""Separators: coloured lines with a title between the items of a list. For people only; nothing is made of them.

A separator stands *above* an item of its group, or, with no item named, below the last one. So it travels with a list
in any form, and a node that holds back some of the items still knows where it belongs. Several above one item stand in
the order of the list of separators.

    place of an item     where it comes to stand
    top, bottom          above or below everything in its group, separators included
    before:X, after:X    next to the row X, which is an item or a separator
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import ValidationError

from gemel.core.model import Item, Model, field, plain
from gemel.core.problem import Invalid, Problem, from_validation

Color = Literal["blue", "green", "orange", "red"]
NOUN = "separator"
"""What stands in the place of an item's id in an edit that adds one."""


class Separator(Item):
    """One line."""

    group: str = field("", label="List", help="The interface in whose list it stands, where there is one each.")
    title: str = field("", label="Title", help="What the lines below it have in common.", max_length=120)
    color: Color = field("blue", label="Colour", help="blue, green, orange or red.")
    above: str = field("", label="Above", help="Id of the item that it stands above; empty below the last one.")


Separators = tuple[Separator, ...]


def separators() -> Any:
    """The field of an area's model that holds them."""
    return field((), label="Separators", help="Coloured lines between the items, for people.")


def separators_of(model: Model) -> Separators:
    """The separators of an area; none if it cannot have any."""
    found: Separators = getattr(model, "separators", ())
    return found


def find(separators: Separators, key: str) -> Separator | None:
    """The one of that id."""
    return next((s for s in separators if s.id == key), None)


def kept(
    separators: Separators, before: Sequence[Item], after: Sequence[Item], group: str | None, moved: str = ""
) -> Separators:
    """The separators after items have gone, or the item `moved` has left its place: what stood above such an item now
    stands above the one that came after it in the same group."""
    if not separators:
        return separators
    there = {i.id: _group(i, group) for i in after if i.id != moved}
    following: dict[str, str] = {}  # item that is gone -> the next one that is not
    next_of: dict[str, str] = {}
    for item in reversed(before):
        home = _group(item, group)
        if there.get(item.id) == home:
            next_of[home] = item.id
        else:
            following[item.id] = next_of.get(home, "")
    found = [s if there.get(s.above) == s.group else _above(s, following.get(s.above, "")) for s in separators]
    return in_order(tuple(found), after)


def in_order(separators: Separators, items: Sequence[Item]) -> Separators:
    """In the order of the rows, so that those above one item keep the order that they are seen in."""
    place = {item.id: index for index, item in enumerate(items)}
    return tuple(sorted(separators, key=lambda s: place.get(s.above, len(items))))


def added(
    separators: Separators, new: Separator, items: Sequence[Item], group: str | None, position: str
) -> Separators:
    """With `new` at a position: top, bottom, before:ROW or after:ROW.

    Raises:
        Invalid: there is no such row in its list.
    """
    here = [i.id for i in items if _group(i, group) == new.group]
    others = list(separators)
    where, _, row = position.partition(":")
    beside = find(separators, row)
    if beside is not None:
        index = others.index(beside) + (where == "after")
        return (*others[:index], _above(new, beside.above), *others[index:])
    if where in ("before", "after") and row not in here:
        raise Invalid([Problem("", f"there is no row {row!r} to stand {where}")])
    match where:
        case "top":
            above = here[0] if here else ""
        case "before":
            above = row
        case "after":
            above = next(iter(here[here.index(row) + 1 :]), "")
        case "bottom":
            above = ""
        case _:
            raise Invalid([Problem("", f"position is top, bottom, before:ID or after:ID, not {position!r}")])
    new = _above(new, above)
    first = where in ("top", "after")  # of those above the same item
    return in_order((new, *others) if first else (*others, new), items)


def place_of(separators: Separators, position: str) -> str:
    """The position among the items alone that a position among all rows comes to."""
    beside = find(separators, position.partition(":")[2])
    if beside is None:
        return position
    return f"before:{beside.above}" if beside.above else "bottom"


def parted(separators: Separators, new: Item, group: str | None, position: str) -> Separators:
    """The separators after the item `new` came to a position among the rows: those that are above it now."""
    where, _, row = position.partition(":")
    home = _group(new, group)
    beside = find(separators, row)
    if beside is not None:
        index = separators.index(beside) + (where == "after")
        over = {s.id for s in separators[:index] if s.above == beside.above and s.group == beside.group}
    elif where == "before":
        over = {s.id for s in separators if s.above == row}
    elif where == "bottom":
        over = {s.id for s in separators if not s.above and s.group == home}
    else:
        over = set()
    return tuple(_above(s, new.id) if s.id in over else s for s in separators)


def _above(separator: Separator, item: str) -> Separator:
    return separator if separator.above == item else separator.model_copy(update={"above": item})


def _group(item: Any, group: str | None) -> str:
    return str(getattr(item, group)) if group else ""


# Edits ---------------------------------------------------------------------------------------------------------------


def edited(
    separators: Separators, items: Sequence[Item], group: str | None, verb: str, key: str, values: dict[str, Any],
    position: str,
) -> tuple[Separators, str]:  # fmt: skip
    """Add a separator (`key` is `NOUN`), or set, move or delete the one of that id; returns its id, too.

    Raises:
        Invalid: a value that a field does not take, or a position that there is not.
    """
    if verb == "add":
        new = _read(values)
        return added(separators, new, items, group, position), new.id
    old = find(separators, key)
    assert old is not None
    others = tuple(s for s in separators if s is not old)
    match verb:
        case "delete":
            return others, key
        case "move":
            return added(others, old, items, group, position), key
    changed = _read({**plain(old), **values, "id": old.id, "group": old.group, "above": old.above})
    return tuple(changed if s is old else s for s in separators), key


def _read(values: dict[str, Any]) -> Separator:
    try:
        return Separator.model_validate(values)
    except ValidationError as error:
        raise Invalid(from_validation(error, "", values)) from None
