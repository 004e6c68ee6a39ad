"""The one path of a change: look, save, compare, apply, and the history of what ran."""

from dataclasses import dataclass, field
from typing import Any

from gemel.control.door import Question


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem as it travels: `level` is error or warning."""

    path: str
    text: str
    level: str


@dataclass(frozen=True, slots=True)
class Shown:
    """An area's values, secrets hidden, as they would be after Apply (or as they run).

    `values` are stored ones, `words` the same where people use other words (``net:opt1`` -> ``SYNC net``), by item id
    and field (the area's own fields under ""). `etags` by item id.
    """

    area: str
    values: dict[str, Any]
    words: dict[str, dict[str, str]]
    etags: dict[str, str]
    pending: bool


@dataclass(frozen=True, slots=True)
class Show(Question[Shown]):
    """One area: pending changes included unless `running`."""

    area: str
    running: bool = False
    token: str = ""
    answer_shape = Shown


@dataclass(frozen=True, slots=True)
class Listed:
    """Some items of an area in its order, secrets hidden, words and etags as in `Shown`.

    `total` are all items of the group, `matched` those that the search left, of which `items` are one page. `groups`
    counts items by the field that the area is grouped by. `options` are the area's own fields. `separators` are those
    among the items where these stand in their own order. `lengths` are, by item id and field, those of lists of which
    only the beginning is there, as `List.brief` asked.
    """

    area: str
    items: tuple[dict[str, Any], ...]
    words: dict[str, dict[str, str]]
    etags: dict[str, str]
    total: int
    matched: int
    groups: dict[str, int]
    options: dict[str, Any]
    pending: bool
    separators: tuple[dict[str, Any], ...] = ()
    lengths: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class List(Question[Listed]):
    """One page of an area's items: searched, sorted and cut where they are, so that 10,000 of them need not travel.

    `search` are words that must all occur in what people see of an item; `sort` is a field, with ``-`` in front from
    the other end, empty for the list's own order. With `ids` only those rows. `brief`: for looking only, without etags
    and with the beginning of long fields (an alias of 100,000 entries).
    """

    area: str
    group: str = ""
    search: str = ""
    sort: str = ""
    offset: int = 0
    limit: int = 100
    ids: tuple[str, ...] = ()
    running: bool = False
    brief: bool = False
    token: str = ""
    answer_shape = Listed


@dataclass(frozen=True, slots=True)
class Complete(Question[tuple[str, ...]]):
    """The names of aliases, of `ports` or of addresses, with `typed` in them: first those that begin so; 20 at most."""

    typed: str
    ports: bool = False
    token: str = ""
    answer_shape = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleHits(Question[dict[str, tuple[int, int]]]):
    """Rule id -> packets that began a flow and bytes since the rule was loaded, for those of `ids` that are loaded."""

    ids: tuple[str, ...]
    token: str = ""
    answer_shape = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class EditOrder:
    """One edit, see `core.edit.Edit`."""

    area: str
    verb: str
    item: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    position: str = "bottom"
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """The items made or touched, the warnings, and the revision if it was applied at once (0: it is pending)."""

    items: tuple[str, ...]
    warnings: tuple[Finding, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class Change(Question[Changed]):
    """Save edits, all or none. With `apply`, or where the page only says *Save*, they are made real at once."""

    edits: tuple[EditOrder, ...]
    apply: bool = False
    message: str = ""
    token: str = ""
    answer_shape = Changed


@dataclass(frozen=True, slots=True)
class Difference:
    """One change of a diff: `before` and `after` in stored values, and the same in people's words."""

    path: str
    kind: str
    before: Any
    after: Any
    before_words: Any = None
    after_words: Any = None


@dataclass(frozen=True, slots=True)
class DiffReport:
    """What differs, who saved it, and what would be said about it."""

    changes: tuple[Difference, ...]
    authors: dict[str, str]
    problems: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Diff(Question[DiffReport]):
    """What is pending over what runs; or between two revisions (0: what runs)."""

    before: int = 0
    after: int = -1
    token: str = ""
    answer_shape = DiffReport


@dataclass(frozen=True, slots=True)
class Applied:
    """A revision that now runs. `steps` is how many things on the machine had to change, `seconds` how long it took."""

    revision: int
    steps: int
    seconds: float
    warnings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Apply(Question[Applied]):
    """Make what is pending real, in one transaction; only some `areas` if named."""

    areas: tuple[str, ...] = ()
    message: str = ""
    token: str = ""
    answer_shape = Applied


@dataclass(frozen=True, slots=True)
class Discard(Question[None]):
    """Forget what is pending; only some `areas` if named."""

    areas: tuple[str, ...] = ()
    token: str = ""
    answer_shape = None


@dataclass(frozen=True, slots=True)
class RevisionHead:
    """One line of the history."""

    number: int
    who: str
    where: str
    when: float
    message: str
    running: bool


@dataclass(frozen=True, slots=True)
class Revisions(Question[tuple[RevisionHead, ...]]):
    """The history, newest first."""

    token: str = ""
    answer_shape = tuple[RevisionHead, ...]


@dataclass(frozen=True, slots=True)
class Restore(Question[Applied]):
    """Apply an old revision again, as a new one."""

    number: int
    token: str = ""
    answer_shape = Applied


@dataclass(frozen=True, slots=True)
class Export(Question[dict[str, Any]]):
    """The whole configuration as JSON values, secrets included (root and admins only). 0: what runs."""

    number: int = 0
    token: str = ""
    answer_shape = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Import(Question[Applied]):
    """Apply a whole configuration as a new revision."""

    config: dict[str, Any]
    message: str = ""
    token: str = ""
    answer_shape = Applied
