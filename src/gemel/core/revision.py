"""Revisions: configurations that were applied, and the differences between two of them."""

import bisect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gemel.core.config import Config, Schema
from gemel.core.model import HIDDEN, Model, is_marked


@dataclass(frozen=True, slots=True)
class Origin:
    """Who did it, when (seconds since the epoch) and from where (console, an address, ``sync from NODE``)."""

    who: str
    where: str
    when: float


def origin_of(data: Mapping[str, Any]) -> Origin:
    """The origin in what was kept of it; what is not there, or no time, is empty."""
    when = data.get("when")
    time = float(when) if isinstance(when, int | float) else 0.0
    return Origin(str(data.get("who", "")), str(data.get("where", "")), time)


@dataclass(frozen=True, slots=True)
class Revision:
    """One applied configuration. `number` counts from 1; `message` says what for, if anybody said it."""

    number: int
    origin: Origin
    message: str
    config: Config


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `path` as in problems; `before` or `after` is None where an item is added or removed."""

    path: str
    kind: Literal["added", "removed", "changed", "moved"]
    before: Any = None
    after: Any = None


def diff(schema: Schema, old: Config, new: Config) -> list[Change]:
    """Every difference, area by area; secrets are named but not shown."""
    return [
        change
        for area in schema.areas
        if old.named(area.name) != new.named(area.name)
        for change in _model_diff(area.name, old.named(area.name), new.named(area.name))
    ]


def _model_diff(path: str, old: Model, new: Model) -> Iterator[Change]:
    for name, info in type(new).model_fields.items():
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        if name in ("items", "separators"):
            yield from _items_diff(path, before, after)
        elif is_marked(info, "secret"):
            yield Change(f"{path}.{name}", "changed", HIDDEN if before else "", HIDDEN if after else "")
        else:
            yield Change(f"{path}.{name}", "changed", _value(before), _value(after))


def _items_diff(path: str, old: tuple[Any, ...], new: tuple[Any, ...]) -> Iterator[Change]:
    before, after = {i.id: i for i in old}, {i.id: i for i in new}
    for key, item in before.items():
        if key not in after:
            yield Change(f"{path}[{key}]", "removed", before=_shown(item))
    for key, item in after.items():
        if key not in before:
            yield Change(f"{path}[{key}]", "added", after=_shown(item))
        elif item != before[key]:
            yield from _model_diff(f"{path}[{key}]", before[key], item)
    stayed_before = [k for k in before if k in after]
    stayed_after = [k for k in after if k in before]
    if stayed_before != stayed_after:
        for key in _moved(stayed_before, stayed_after):
            yield Change(f"{path}[{key}]", "moved", stayed_before.index(key) + 1, stayed_after.index(key) + 1)


def _moved(before: list[str], after: list[str]) -> list[str]:
    """The items to name as moved: those off the longest run that kept its order (patience sorting, n log n)."""
    place = {key: i for i, key in enumerate(before)}
    tops: list[int] = []  # the smallest place on which a run of each length can end
    ends: list[str] = []
    below: dict[str, str | None] = {}
    for key in after:
        at = bisect.bisect_left(tops, place[key])
        below[key] = ends[at - 1] if at else None
        tops[at : at + 1] = [place[key]]
        ends[at : at + 1] = [key]
    kept: set[str] = set()
    key_or_none = ends[-1] if ends else None
    while key_or_none is not None:
        kept.add(key_or_none)
        key_or_none = below[key_or_none]
    return [key for key in after if key not in kept]


def _shown(item: Model) -> dict[str, Any]:
    """An item as JSON values without fields that are at their default, and without secrets."""
    shown: dict[str, Any] = {}
    for name, info in type(item).model_fields.items():
        value = getattr(item, name)
        if is_marked(info, "secret"):
            if value:
                shown[name] = HIDDEN
        elif name == "id" or value != info.get_default(call_default_factory=True):
            shown[name] = _value(value)
    return shown


def _value(value: Any) -> Any:
    if isinstance(value, Model):
        return _shown(value)
    if isinstance(value, tuple | list):
        return [_value(v) for v in value]
    return value
