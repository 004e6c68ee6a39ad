"""One change of one area, as a person or a program asks for it, applied to a configuration without side effects."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, TypeVar, get_origin

from pydantic import ValidationError

from gemel.core import separator
from gemel.core.area import Area
from gemel.core.config import Config, Schema, digest
from gemel.core.model import HIDDEN, Item, Model, is_marked, plain
from gemel.core.problem import Invalid, Problem, errors, from_validation
from gemel.core.remember import OfEach
from gemel.core.separator import place_of, separators_of

S = TypeVar("S", bound=Model)

Verb = Literal["set", "add", "delete", "move", "replace"]


@dataclass(frozen=True, slots=True)
class Edit:
    """`verb` in `area`; an item is meant by its id or by what people call it.

    set      the fields in `values` of the area itself (`item` empty) or of the item
    add      a new item of `values` at `position`: top, bottom, before:ID, after:ID, at:NUMBER (1 is the first)
    delete   the item
    move     the item to `position`
    replace  the whole area by `values`
    Where a list has separators they are rows like the items: set, move and delete take their ids, and ``add`` of the
    item ``separator`` makes one.
    `etag`, if given, is what the asker last saw of the item (or area); a differing one is refused, so that nobody
    overwrites what they have not seen.
    """

    area: str
    verb: Verb
    item: str = ""
    values: dict[str, Any] | None = None
    position: str = "bottom"
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Edited:
    """The configuration after an edit, and the id of the item that it made or touched (empty: the area itself)."""

    config: Config
    item: str


def etag(model: Model) -> str:
    """Changes whenever the model does."""
    return _etag(model)


_etag: OfEach[Model, str] = OfEach(lambda model: digest(plain(model))[:16])


def edited(schema: Schema, config: Config, edit: Edit) -> Edited:
    """Carry out one edit. What it does not touch is not looked at again, so that it can mend one of several errors.

    Raises:
        Invalid: no such area, item or field, or a value that a field does not take. Relations between items and areas
            are the business of ``Schema.check``, later, on the whole.
    """
    found = _edited(schema, config, edit)
    return Edited(schema.settled(schema.followed(config, found.config)), found.item)


def edited_all(schema: Schema, config: Config, edits: Iterable[Edit]) -> tuple[Config, tuple[str, ...]]:
    """Carry out edits one after the other; what follows from them follows when all are done. Returns the ids, too.

    Raises:
        Invalid: as `edited`, for the first that cannot be.
    """
    items, before = [], config
    for edit in edits:
        found = _edited(schema, config, edit)
        config = found.config
        items.append(found.item)
    return schema.settled(schema.followed(before, config)), tuple(items)


def _edited(schema: Schema, config: Config, edit: Edit) -> Edited:
    area = schema.area(edit.area)
    model, item = config.named(area.name), ""
    if edit.verb == "replace":
        values = _replaced(area, edit.values or {}, plain(model))
        model = _validated(area.model, values, area.name, _names(schema, config, {area.name: values}))
    elif edit.verb == "set" and not edit.item:
        _same_etag(edit, model, area.name)
        model = _with_fields(schema, area, config, edit.values or {})
    else:
        changed, item = _edited_rows(schema, area, config, edit)
        model = model.model_copy(update=changed)
    return Edited(config.having(**{area.name: model}), item)


def _with_fields(schema: Schema, area: Area[Any], config: Config, values: dict[str, Any]) -> Model:
    model: Any = config.named(area.name)
    apart = {"items"} & set(area.model.model_fields) - set(values)
    before = plain(model.model_copy(update=dict.fromkeys(apart, ())))
    new: Model = _validated(
        area.model, before | _revealed(area.model, values, before), area.name, _names(schema, config)
    )
    return new.model_copy(update={name: getattr(model, name) for name in apart})


def _edited_rows(schema: Schema, area: Area[Any], config: Config, edit: Edit) -> tuple[dict[str, Any], str]:
    """Items, and separators where the area has any, after the edit; and the id of the row that was meant."""
    if area.item is None:
        raise Invalid([Problem(area.name, f"{area.label} is no list: it has fields only")])
    model: Any = config.named(area.name)
    if "separators" not in area.model.model_fields:
        items, item = _edited_items(schema, area, config, edit)
        return {"items": items}, item
    group, lines = area.grouped_by, separators_of(model)
    if edit.item == separator.NOUN or separator.find(lines, edit.item):
        lines, key = separator.edited(
            lines, model.items, group, edit.verb, edit.item, edit.values or {}, edit.position
        )
        return {"separators": lines}, key
    if edit.verb == "move":  # what stands above it stays, and the new place is one among the rows that are left
        moved = model.items[find(area, config, edit.item)].id
        lines = separator.kept(lines, model.items, model.items, group, moved)
    items, item = _edited_items(schema, area, config, replace(edit, position=place_of(lines, edit.position)))
    if edit.verb in ("set", "delete"):
        lines = separator.kept(lines, model.items, items, group)
    else:
        new = next(i for i in items if i.id == item)
        lines = separator.in_order(separator.parted(lines, new, group, edit.position), items)
    return {"items": items, "separators": lines}, item


def _edited_items(schema: Schema, area: Area[Any], config: Config, edit: Edit) -> tuple[tuple[Item, ...], str]:
    """The list after the edit, and the id of the item that was meant."""
    assert area.item is not None
    items: list[Item] = list(config.named(area.name).items)  # type: ignore[attr-defined]
    if edit.verb == "add":
        values = _revealed(area.item, edit.values or {}, {})
        values = {"id": area.item.id_for(values, [i.id for i in items]), **values}
        if any(i.id == values["id"] for i in items):
            raise Invalid([Problem(f"{area.name}[{values['id']}]", "there is one with this id already")])
        new = _validated_item(schema, area, config, values)
        items.insert(_place(area, items, new, edit.position), new)
        return tuple(items), new.id
    index = find(area, config, edit.item)
    old = items[index]
    _same_etag(edit, old, f"{area.name}[{old.id}]")
    if edit.verb == "set":
        values = edit.values or {}
        if values.get("id", old.id) != old.id:
            raise Invalid([Problem(f"{area.name}[{old.id}].id", "an id cannot be changed")])
        before = plain(old)
        items[index] = _validated_item(schema, area, config, {**before, **_revealed(area.item, values, before)})
    else:
        del items[index]
        if edit.verb == "move":
            items.insert(_place(area, items, old, edit.position), old)
    return tuple(items), old.id


_NONE: Mapping[str, Any] = MappingProxyType({})


def _without_lists(model: Model) -> dict[str, Any]:
    """An area as JSON values, without what is a list in its items: names have no need of 100,000 entries."""
    lists = {
        name
        for item in getattr(model, "items", ())[:1]
        for name, info in type(item).model_fields.items()
        if get_origin(info.annotation) is tuple
    }
    return model.model_dump(mode="json", exclude={"items": {"__all__": lists}} if lists else None)


headings: OfEach[Model, dict[str, Any]] = OfEach(_without_lists)
"""An area as look-ups of names need it."""


class _Areas(Mapping[str, Any]):
    """The areas as JSON values, made when they are looked at; some of them, or an item, as they are going to be."""

    def __init__(self, config: Config, areas: Mapping[str, Any], items: Mapping[str, dict[str, Any]]) -> None:
        self._config, self._changed, self._items = config, areas, items

    def __getitem__(self, name: str) -> Any:
        if name in self._changed:
            return self._changed[name]
        data = headings(self._config.named(name))
        if name not in self._items:
            return data
        new = self._items[name]
        return {**data, "items": [*(i for i in data["items"] if i["id"] != new["id"]), new]}

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _names(
    schema: Schema, config: Config, areas: Mapping[str, Any] = _NONE, items: Mapping[str, dict[str, Any]] = _NONE
) -> Any:
    return schema.names(_Areas(config, areas, items))


def _validated_item(schema: Schema, area: Area[Any], config: Config, values: dict[str, Any]) -> Item:
    assert area.item is not None
    names = _names(schema, config, items={area.name: values})
    return _validated(area.item, values, f"{area.name}[{values['id']}]", names)


def _validated(shape: type[S], values: dict[str, Any], path: str, names: Any) -> S:
    try:
        return shape.model_validate(values, context={"names": names})
    except ValidationError as error:
        raise Invalid(from_validation(error, path, values)) from None


def _replaced(area: Area[Any], values: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """The new content of a whole area; secrets that its author could not see are those that are there."""
    new = _revealed(area.model, values, old)
    items = new.get("items")
    if area.item is None or not isinstance(items, list):
        return new
    known = {i["id"]: i for i in old["items"]}
    kept = [_revealed(area.item, i, known.get(str(i.get("id")), {})) if isinstance(i, dict) else i for i in items]
    return {**new, "items": kept}


def _revealed(model: type[Model], values: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    secret = {name for name, info in model.model_fields.items() if is_marked(info, "secret")}
    return {k: old.get(k, "") if k in secret and v == HIDDEN else v for k, v in values.items()}


def needed(schema: Schema, before: Config, edits: Iterable[Edit], found: Iterable[Problem]) -> list[Problem]:
    """Problems that deleting brought, in words that name what is still needed there; others stay as they are."""
    words, found = [], list(found)
    for edit in edits:
        if edit.verb != "delete":
            return found
        area = schema.area(edit.area)
        item = before.named(area.name).items[find(area, before, edit.item)]  # type: ignore[attr-defined]
        words.append((*item.called(), item.id)[0])
    text = f"this needs {' or '.join(words)}: change it first, then delete"
    paths = dict.fromkeys(p.path for p in errors(found))
    return [Problem(path, text) for path in paths] + [p for p in found if p.level == "warning"]


def find(area: Area[Any], config: Config, name: str) -> int:
    """The position of the item with that id, or which alone is called that.

    Raises:
        Invalid: none, or more than one.
    """
    items: tuple[Item, ...] = config.named(area.name).items  # type: ignore[attr-defined]
    for index, item in enumerate(items):
        if item.id == name:
            return index
    called = [i for i, item in enumerate(items) if name.lower() in (word.lower() for word in item.called())]
    if len(called) == 1:
        return called[0]
    if called:
        ids = ", ".join(items[i].id for i in called)
        text = f"{len(called)} of {area.label} are called {name!r}: use the id ({ids})"
        raise Invalid([Problem(area.name, text)])
    raise Invalid([Problem(area.name, f"there is none called {name!r} in {area.label}")])


def _same_etag(edit: Edit, model: Model, path: str) -> None:
    if edit.etag and edit.etag != etag(model):
        raise Invalid([Problem(path, "somebody else has changed this since you read it: look again, then repeat")])


def _place(area: Area[Any], items: list[Item], new: Item, position: str) -> int:
    """Where in the whole list an item goes, so that it stands there within its own group (interface)."""
    if position.startswith(("before:", "after:")):
        where, _, other = position.partition(":")
        for index, item in enumerate(items):
            if item.id == other:
                return index + (where == "after")
        raise Invalid([Problem(area.name, f"there is no item {other!r} to stand {where}")])
    number = position[3:] if position.startswith("at:") else ""
    if position not in ("top", "bottom") and not (number.isascii() and number.isdigit() and len(number) < 9):
        text = f"position is top, bottom, at:NUMBER, before:ID or after:ID, not {position!r}"
        raise Invalid([Problem(area.name, text)])
    group = area.grouped_by
    same = [i for i, item in enumerate(items) if group is None or getattr(item, group) == getattr(new, group)]
    if position == "top" or number:
        ahead = max(int(number), 1) - 1 if number else 0
        return same[ahead] if ahead < len(same) else same[-1] + 1 if same else len(items)
    return same[-1] + 1 if same else len(items)
