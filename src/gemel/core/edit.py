"""One change of one area, as a person or a program asks for it, applied to a configuration without side effects."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from gemel.core.area import Area
from gemel.core.config import Config, Schema, digest
from gemel.core.model import HIDDEN, Item, Model, is_marked, plain
from gemel.core.problem import Invalid, Problem, from_validation

Verb = Literal["set", "add", "delete", "move", "replace"]


@dataclass(frozen=True, slots=True)
class Edit:
    """`verb` in `area`; an item is meant by its id or by what people call it.

    set      the fields in `values` of the area itself (`item` empty) or of the item
    add      a new item of `values` at `position`: top, bottom, before:ID, after:ID
    delete   the item
    move     the item to `position`
    replace  the whole area by `values`
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
    return digest(plain(model))[:16]


def edited(schema: Schema, config: Config, edit: Edit) -> Edited:
    """Carry out one edit.

    Raises:
        Invalid: no such area, item or field, or a value that a field does not take. Relations between areas are the
            business of ``Schema.check``, later, on the whole.
    """
    area = schema.area(edit.area)
    dump = schema.dump(config)["areas"]
    data = dump[area.name]
    if edit.verb == "replace":
        data, item = _replaced(area, edit.values or {}, data), ""
    elif edit.verb == "set" and not edit.item:
        _same_etag(edit, config.named(area.name), area.name)
        data, item = {**data, **_revealed(area.model, edit.values or {}, data)}, ""
    else:
        item = _edit_items(area, config, edit, data, lambda: schema.names(dump))
    try:
        dump[area.name] = data
        model = area.model.model_validate(data, context={"names": schema.names(dump)})
    except ValidationError as error:
        raise Invalid(needed(schema, config, [edit], from_validation(error, area.name, data))) from None
    return Edited(schema.settled(config.having(**{area.name: model})), item)


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
    words = []
    for edit in edits:
        if edit.verb != "delete":
            return list(found)
        area = schema.area(edit.area)
        item = before.named(area.name).items[find(area, before, edit.item)]  # type: ignore[attr-defined]
        words.append((*item.called(), item.id)[0])
    text = f"this needs {' or '.join(words)}: change it first, then delete"
    return [Problem(p.path, text) if p.level == "error" else p for p in found]


def _edit_items(
    area: Area[Any], config: Config, edit: Edit, data: dict[str, Any], names: Callable[[], Any]
) -> str:
    """Change the list in `data` and return the id of the item that was meant."""
    if area.item is None:
        raise Invalid([Problem(area.name, f"{area.label} is no list: it has fields only")])
    items: list[dict[str, Any]] = data["items"]
    if edit.verb == "add":
        values = _revealed(area.item, edit.values or {}, {})
        new = {"id": area.item.id_for(values, [i["id"] for i in items]), **values}
        if any(i["id"] == new["id"] for i in items):
            raise Invalid([Problem(f"{area.name}[{new['id']}]", "there is one with this id already")])
        items.insert(_place(area, items, _stored_group(area, new, names), edit.position), new)
        return str(new["id"])
    index = find(area, config, edit.item)
    old = items[index]
    _same_etag(edit, config.named(area.name).items[index], f"{area.name}[{old['id']}]")  # type: ignore[attr-defined]
    if edit.verb == "set":
        values = edit.values or {}
        if values.get("id", old["id"]) != old["id"]:
            raise Invalid([Problem(f"{area.name}[{old['id']}].id", "an id cannot be changed")])
        items[index] = {**old, **_revealed(area.item, values, old)}
    else:
        del items[index]
        if edit.verb == "move":
            items.insert(_place(area, items, old, edit.position), old)
    return str(old["id"])


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


def _stored_group(area: Area[Any], new: dict[str, Any], names: Callable[[], Any]) -> dict[str, Any]:
    """The new item with its group (the interface SYNC, say) as it is stored, so that its place among them is found."""
    if area.grouped_by is None or area.item is None:
        return new
    try:
        item = area.item.model_validate(new, context={"names": names()})
    except ValidationError:
        return new  # which is said of the whole list in a moment
    return {**new, area.grouped_by: getattr(item, area.grouped_by)}


def _place(area: Area[Any], items: list[dict[str, Any]], new: dict[str, Any], position: str) -> int:
    """Where in the whole list an item goes, so that it stands there within its own group (interface)."""
    if position.startswith(("before:", "after:")):
        where, _, other = position.partition(":")
        for index, item in enumerate(items):
            if item["id"] == other:
                return index + (where == "after")
        raise Invalid([Problem(area.name, f"there is no item {other!r} to stand {where}")])
    if position not in ("top", "bottom"):
        raise Invalid([Problem(area.name, f"position is top, bottom, before:ID or after:ID, not {position!r}")])
    group = area.grouped_by
    same = [i for i, item in enumerate(items) if group is None or item.get(group) == new.get(group)]
    if position == "top":
        return same[0] if same else len(items)
    return same[-1] + 1 if same else len(items)
