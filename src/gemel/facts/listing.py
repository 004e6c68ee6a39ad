"""A page of a long list: searched, sorted and cut, so that 10,000 rules are as quick to look at as ten."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from gemel.core.area import Area
from gemel.core.model import Item, is_marked
from gemel.core.remember import OfEach

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


class Reader:
    """What people see of each item of an area, in lower case. Kept as long as the item lives: one that changes is a new
    one, and of 10,000 the others need not be read again."""

    def __init__(self, area: Area[Any], words: Words) -> None:
        self.area = area
        self.words = words
        kinds = area.item.model_fields.items() if area.item else ()
        self._fields = [
            (n, _Read(n, words)) for n, i in kinds if i.annotation is not bool and not is_marked(i, "secret")
        ]
        self.text: OfEach[Item, str] = OfEach(self._text)

    def _text(self, item: Item) -> str:
        values = item.__dict__  # a model's attribute takes three times as long, ten thousand times sixteen
        return " ".join([read[values[name]] for name, read in self._fields])


class Index:
    """A list that is looked at again and again: groups, texts and orders are made when they are first asked for."""

    def __init__(self, reader: Reader, items: Sequence[Item]) -> None:
        self._reader = reader
        self._items = items
        self._groups: dict[str, list[Item]] = {}
        self._by_id: dict[str, Item] = {}
        self._orders: dict[tuple[str, str], list[Item]] = {}
        group = reader.area.grouped_by
        for item in items if group else ():
            self._groups.setdefault(getattr(item, str(group)), []).append(item)

    def found(self, wanted: Wanted) -> Found:
        """The page that is wanted. An unknown field to sort by leaves the items as they stand."""
        grouped = bool(self._reader.area.grouped_by and wanted.group)
        here: Sequence[Item] = self._groups.get(wanted.group, []) if grouped else self._items
        total = len(here)
        if wanted.sort:
            here = self._sorted(here, wanted.group if grouped else "", wanted.sort)
        if wanted.ids:
            here = self._chosen(wanted.ids, set(map(id, here)) if grouped else None, wanted.sort)
        looked_for = wanted.search.lower().split()
        if looked_for:
            text = self._reader.text
            here = [item for item in here if _has(text(item), looked_for)]
        limit, offset = max(1, min(wanted.limit, MOST)), max(0, wanted.offset)
        counts = {group: len(items) for group, items in self._groups.items()}
        return Found(here[offset : offset + limit], total, len(here), counts)

    def _chosen(self, ids: Sequence[str], among: set[int] | None, sort: str) -> Sequence[Item]:
        """The items of these ids, in the order in which they stand."""
        if not self._by_id:
            self._by_id = {item.id: item for item in self._items}
        found = {id(i): i for key in ids if (i := self._by_id.get(key)) and (among is None or id(i) in among)}
        if len(found) < 2:
            return list(found.values())
        order = self._sorted(self._items, "", sort) if sort else self._items
        return [item for item in order if id(item) in found]

    def _sorted(self, items: Sequence[Item], group: str, sort: str) -> Sequence[Item]:
        name = sort.removeprefix("-")
        fields = self._reader.area.item.model_fields if self._reader.area.item else {}
        if name not in fields or is_marked(fields[name], "secret"):
            return items
        if (group, sort) not in self._orders:
            keys = _Order(name, self._reader.words)
            by_value = sorted(items, key=lambda i: keys[getattr(i, name)], reverse=sort.startswith("-"))
            self._orders[group, sort] = by_value
        return self._orders[group, sort]


def found(area: Area[Any], items: Sequence[Item], wanted: Wanted, words: Words) -> Found:
    """A page of items that are looked at once."""
    return Index(Reader(area, words), items).found(wanted)


def _has(text: str, words: Sequence[str]) -> bool:
    return all(word in text for word in words)


class _Read(dict[Any, str]):
    """Value of a field -> what people see of it, in lower case; read once, as thousands of items share few values."""

    def __init__(self, name: str, words: Words) -> None:
        super().__init__()
        self._name = name
        self._words = words

    def __missing__(self, value: Any) -> str:
        if isinstance(value, tuple):  # seldom the same twice, and long
            return self._words({self._name: value}).get(self._name, " ".join(map(str, value))).lower()
        text = self._words({self._name: value}).get(self._name, value) if isinstance(value, str) else value
        self[value] = "" if text is None else str(text).lower()
        return self[value]


class _Order(dict[Any, tuple[int, int, str]]):
    """Value of a field -> by what it is sorted."""

    def __init__(self, name: str, words: Words) -> None:
        super().__init__()
        self._name = name
        self._words = words

    def __missing__(self, value: Any) -> tuple[int, int, str]:
        key = _order(value, self._name, self._words)
        self[value] = key
        return key


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
