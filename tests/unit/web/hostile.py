"""Text that would run if some page took it for more than text, for every text field that the models have."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from gemel.areas.every import AREAS
from gemel.core.area import Area
from gemel.core.model import Model, is_marked

XSS = "\"><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}'"
RUNS = ("<script>alert(1)", "<img src=x", "onerror=alert(1)>", "49'")
"""What must be nowhere in a page as it is."""

NOT_TEXT = {"id", "items", "separators", "password_hash", "scram"}


@dataclass(frozen=True)
class Place:
    """A text field of an area: of its items, or (`item` false) of the area itself."""

    area: Area[Any]
    name: str
    listed: bool
    item: bool

    @property
    def value(self) -> Any:
        """The text, where the field wants it."""
        return [XSS] if self.listed else XSS


def places() -> Iterator[Place]:
    """Every text field of every area that people fill in."""
    for area in AREAS:
        if not area.own_faces:
            for model, item in ((area.item, True), (area.model, False)):
                yield from _of(area, model, item) if model else ()


def _of(area: Area[Any], model: type[Model], item: bool) -> Iterator[Place]:
    for name, info in model.model_fields.items():
        if name not in NOT_TEXT and not is_marked(info, "sealed"):
            found = _text(info.annotation)
            if found is not None:
                yield Place(area, name, found, item)


def _text(annotation: Any) -> bool | None:
    """Whether it is a list of texts; None: no text at all."""
    if annotation is str:
        return False
    origin, inside = get_origin(annotation), [a for a in get_args(annotation) if a not in (type(None), ...)]
    if origin is tuple:
        return True if _text(inside[0]) is not None else None
    if hasattr(annotation, "__metadata__"):
        return _text(inside[0])
    return next((found for a in inside if (found := _text(a)) is not None), None) if inside else None


def harmless(text: str) -> bool:
    """Whether a page (or its answer) shows such text as text only."""
    return not any(runs in text for runs in RUNS)
