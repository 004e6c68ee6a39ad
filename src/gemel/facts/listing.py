"""A page of a long list: searched, sorted and cut, so that 10,000 rules are as quick to look at as ten."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from gemel.core.area import Area
from gemel.core.model import Item, is_marked

Words = Callable[[Mapping[str, Any]], Mapping[str, str]]
"""Field -> what people see, for the fields of an item whose stored value reads otherwise (areas.names.words_of)."""

MOST = 1000  # items on one page


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which items: of `group` (empty: all), with every word of `search`, sorted by the field `sort` (``-`` in front:
    from the other end; empty: as they stand), `limit` of them from `offset` on. With `ids` only those."""

    group: str = ""
    search: str = ""
    sort: str = ""
    offset: int = 0
    limit: int = 100
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The page, and how many there are: in the group, and left by the search."""

    items: Sequence[Item]
    total: int
    matched: int
    groups: Mapping[str, int]


def found(area: Area[Any], items: Sequence[Item], wanted: Wanted, words: Words) -> Found:
    """The page of `items` that is wanted. An unknown field to sort by leaves them as they stand."""
    group = area.grouped_by
    groups = Counter(getattr(i, group) for i in items) if group else Counter()
    here = [i for i in items if getattr(i, group) == wanted.group] if group and wanted.group else list(items)
    total = len(here)
    if wanted.ids:
        chosen = set(wanted.ids)
        here = [i for i in here if i.id in chosen]
    here = _searched(area, here, wanted.search, words)
    here = _sorted(area, here, wanted.sort, words)
    limit = max(1, min(wanted.limit, MOST))
    offset = max(0, wanted.offset)
    return Found(here[offset : offset + limit], total, len(here), groups)


def _searched(area: Area[Any], items: list[Item], search: str, words: Words) -> list[Item]:
    looked_for = search.lower().split()
    if not looked_for or area.item is None:
        return items
    kinds = area.item.model_fields.items()
    fields = [(n, _Read(n, words)) for n, i in kinds if i.annotation is not bool and not is_marked(i, "secret")]
    # From the items' own dictionaries: a model's attribute takes three times as long, ten thousand times sixteen.
    texts = (" ".join([read[values[name]] for name, read in fields]) for values in (i.__dict__ for i in items))
    return [i for i, text in zip(items, texts, strict=True) if all(w in text for w in looked_for)]


class _Read(dict[Any, str]):
    """Value of a field -> what people see of it, in lower case; read once, as thousands of items share few values."""

    def __init__(self, name: str, words: Words) -> None:
        super().__init__()
        self._name = name
        self._words = words

    def __missing__(self, value: Any) -> str:
        if isinstance(value, str):
            text = self._words({self._name: value}).get(self._name, value)
        else:
            text = " ".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)
        self[value] = text.lower()
        return self[value]


def _sorted(area: Area[Any], items: list[Item], sort: str, words: Words) -> list[Item]:
    name = sort.removeprefix("-")
    if area.item is None or name not in area.item.model_fields or is_marked(area.item.model_fields[name], "secret"):
        return items
    return sorted(items, key=lambda i: _order(getattr(i, name), name, words), reverse=sort.startswith("-"))


def _order(value: Any, name: str, words: Words) -> tuple[int, int, str]:
    """Numbers and addresses by their value, other text by its letters; what is empty comes last."""
    if value is None or value == "":
        return (9, 0, "")
    if isinstance(value, int):
        return (0, int(value), "")
    if not isinstance(value, str):
        return (2, len(value), "")
    text = words({name: value}).get(name, value)
    if not text[:1].isdigit() and ":" not in text:
        return (2, 0, text.lower())
    low = text.partition("-")[0]
    if low.isdecimal():
        return (1, int(low), text)
    try:
        return (1, int(ip_address(text.partition("/")[0])), text)
    except ValueError:
        return (2, 0, text.lower())
