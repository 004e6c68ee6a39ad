"""A list as a page shows it: what is looked for, which page of it, and the links that change that."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from gemel.control.agent import List, Listed
from gemel.core.area import Area
from gemel.web.form import NEVER
from gemel.web.visit import Fields, Visit
from gemel.web.words import option_word, port_word

ON_A_PAGE = 100


@dataclass(frozen=True, slots=True)
class Looked:
    """What the address of a list asks for."""

    address: str
    group: str = ""
    search: str = ""
    sort: str = ""
    page: int = 1

    def link(self, **changes: Any) -> str:
        """The address with something else looked for; a change of it begins at the first page."""
        new = replace(self, **({"page": 1} | changes))
        said = {"if": new.group, "q": new.search, "sort": new.sort, "page": new.page if new.page > 1 else ""}
        query = urlencode({k: v for k, v in said.items() if v})
        return f"{new.address}?{query}" if query else new.address

    def by(self, column: str) -> str:
        """The address sorted by a column; again: from the other end; once more: as the list stands."""
        following = {column: f"-{column}", f"-{column}": ""}.get(self.sort, column)
        return self.link(sort=following)

    def direction(self, column: str) -> str:
        """How the list is sorted by a column, for ``aria-sort``."""
        return {column: "ascending", f"-{column}": "descending"}.get(self.sort, "none")

    @property
    def in_order(self) -> bool:
        """Whether the list is shown as it stands, so that places in it mean something."""
        return not self.search and not self.sort


def looked(address: str, query: Fields, group: str = "") -> Looked:
    """What a list's address asks for."""
    return Looked(
        address, group, query.get("q").strip()[:200], query.get("sort")[:60], max(1, query.number("page", 1))
    )


@dataclass(frozen=True, slots=True)
class Shelf:
    """One page of a list with what the template needs: columns are field and title."""

    looked: Looked
    listed: Listed
    columns: Sequence[tuple[str, str]]
    area: Area[Any]

    @property
    def pages(self) -> int:
        """How many there are, at least one."""
        return max(1, -(-self.listed.matched // ON_A_PAGE))

    def near(self) -> list[int]:
        """The pages to link to: the first, the last, and those around this one."""
        around = range(self.looked.page - 2, self.looked.page + 3)
        return sorted({n for n in (1, *around, self.pages) if 1 <= n <= self.pages})

    def cell(self, item: dict[str, Any], name: str) -> str:
        """What people read of a field of an item."""
        words = self.listed.words.get(item["id"], {})
        value = item.get(name)
        if isinstance(value, list):
            shown = words[name].split("\n") if name in words else value
            return cell(self.area.name, name, shown, self.listed.lengths.get(item["id"], {}).get(name, 0))
        if name.endswith("_port") and isinstance(value, str):
            return port_word(value, words.get(name, value))
        return words[name] if name in words else cell(self.area.name, name, value)

    def rows(self) -> Iterator[tuple[int, dict[str, Any], dict[str, Any] | None]]:
        """What stands below one another: an item's number and the item, or a separator (as 0, nothing and it)."""
        first = (self.looked.page - 1) * ON_A_PAGE + 1
        above: dict[str, list[dict[str, Any]]] = {}
        here = {item["id"] for item in self.listed.items}
        for line in self.listed.separators:
            above.setdefault(line["above"] if line["above"] in here else "", []).append(line)
        for number, item in enumerate(self.listed.items, first):
            yield from ((0, {}, line) for line in above.get(item["id"], ()))
            yield number, item, None
        yield from ((0, {}, line) for line in above.get("", ()))

    @property
    def may_separate(self) -> bool:
        """Whether this list can have separators."""
        return "separators" in self.area.model.model_fields

    @property
    def switch(self) -> str:
        """The field that switches an item on or off, if it has one."""
        fields = self.area.item.model_fields if self.area.item else {}
        return next((n for n in ("disabled", "enabled") if n in fields), "")

    def off(self, item: dict[str, Any]) -> bool:
        """Whether an item is switched off."""
        return bool(item.get("disabled")) or item.get("enabled") is False


def cell(area: str, name: str, value: Any, length: int = 0) -> str:
    """A stored value as people read it; `length` of a list that was cut."""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, list | tuple):
        words = [option_word(area, name, v) for v in value]
        return ", ".join(words[:5]) + (f" … ({length or len(words)})" if max(length, len(words)) > 5 else "")
    if value is None or value == "":
        return ""
    return option_word(area, name, value)


def shelf(visit: Visit, area: Area[Any], look: Looked, hidden: Sequence[str] = ()) -> Shelf:
    """Ask for the page of the list that is looked for."""
    offset = (look.page - 1) * ON_A_PAGE
    listed = visit.ask(List(area.name, look.group, look.search, look.sort, offset, ON_A_PAGE, brief=True))
    if look.page > 1 and not listed.items and listed.matched:  # deleting emptied the last page
        return shelf(visit, area, replace(look, page=1), hidden)
    assert area.item is not None
    names = area.columns or tuple(n for n in area.item.model_fields if n not in NEVER)[:6]
    columns = [(n, str(area.item.model_fields[n].title)) for n in names if n not in hidden]
    return Shelf(look, listed, columns, area)
