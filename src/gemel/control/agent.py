"""What can be asked of the agent: the one that changes things. Every question carries a session's token.

An empty token is the unix user root, who is admin. webd passes on the token that the person it serves was given, so
that a taken webd is nobody in particular.
"""

from dataclasses import dataclass, field
from typing import Any

from gemel.control.door import Question
from gemel.core.event import Event


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem as it travels: `level` is error or warning."""

    path: str
    text: str
    level: str


@dataclass(frozen=True, slots=True)
class Session:
    """What a login gives: valid for `seconds` after each use."""

    token: str
    username: str
    privileges: tuple[str, ...]
    seconds: int


@dataclass(frozen=True, slots=True)
class Login(Question[Session]):
    """Trade name and password for a session. Refused in one form of words, whatever was wrong."""

    username: str
    password: str
    remote: str = ""
    answer_shape = Session


@dataclass(frozen=True, slots=True)
class Logout(Question[None]):
    """End this session."""

    token: str
    answer_shape = None


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
    counts items by the field that the area is grouped by. `options` are the area's own fields, `etag` its own.
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


@dataclass(frozen=True, slots=True)
class List(Question[Listed]):
    """One page of an area's items: searched, sorted and cut where they are, so that 10,000 of them need not travel.

    `search` are words that must all occur in what people see of an item; `sort` is a field, with ``-`` in front from
    the other end, empty for the list's own order. With `ids` only those items.
    """

    area: str
    group: str = ""
    search: str = ""
    sort: str = ""
    offset: int = 0
    limit: int = 100
    ids: tuple[str, ...] = ()
    running: bool = False
    token: str = ""
    answer_shape = Listed


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


@dataclass(frozen=True, slots=True)
class SetPassword(Question[None]):
    """Give an account a new password (its own, or with all privileges anybody's). Applied at once."""

    username: str
    password: str
    token: str = ""
    answer_shape = None


@dataclass(frozen=True, slots=True)
class Status(Question[dict[str, Any]]):
    """The status of this node, as ``gemel status --json`` prints it (facts.status)."""

    token: str = ""
    answer_shape = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Maintenance(Question[None]):
    """Enter or leave persistent CARP maintenance mode."""

    on: bool
    token: str = ""
    answer_shape = None


@dataclass(frozen=True, slots=True)
class EnableCarp(Question[None]):
    """Enable CARP, or disable it until it is enabled again or the node reboots."""

    on: bool
    token: str = ""
    answer_shape = None


@dataclass(frozen=True, slots=True)
class Overheard:
    """Somebody who speaks for a VHID on an interface: CARP, VRRPv2 or VRRPv3. `whose` is "ours" for a VHID
    that is configured here, and empty for a stranger's."""

    interface: str
    vhid: int
    kind: str
    source: str
    says: str
    whose: str


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What was heard, and VHIDs that nobody uses, by interface."""

    heard: tuple[Overheard, ...]
    free: dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class CarpScan(Question[ScanReport]):
    """Listen for CARP and VRRP, `seconds` long (at most 60), on one interface (id or description) or on all."""

    interface: str = ""
    seconds: float = 4.0
    token: str = ""
    answer_shape = ScanReport


@dataclass(frozen=True, slots=True)
class MacReport:
    """`verdict`: works, fails, or unknown; `text` says what it means and what to change."""

    verdict: str
    text: str


@dataclass(frozen=True, slots=True)
class TestVirtualMac(Question[MacReport]):
    """Does the network of this interface deliver frames to and from a virtual MAC?"""

    interface: str
    token: str = ""
    answer_shape = MacReport


@dataclass(frozen=True, slots=True)
class SyncNow(Question[None]):
    """Push the configuration to the peer now; how it went is in the status."""

    token: str = ""
    answer_shape = None


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Certificates' fingerprints: this node's, its GUI's, and the peer's if it is pinned."""

    node: str
    web: str
    peer: str | None
    expected: str | None


@dataclass(frozen=True, slots=True)
class AskFingerprints(Question[Fingerprints]):
    """For comparison by eye."""

    token: str = ""
    answer_shape = Fingerprints


@dataclass(frozen=True, slots=True)
class PinPeer(Question[None]):
    """Trust the peer with this fingerprint (empty: forget the pinned one)."""

    fingerprint: str
    token: str = ""
    answer_shape = None


@dataclass(frozen=True, slots=True)
class LogoutEverywhere(Question[None]):
    """End all sessions of the account that asks."""

    token: str = ""
    answer_shape = None


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page shows around its own matter.

    `pending` is area -> who saved it last. `overwritten` are the areas that the primary's next push replaces here.
    `interfaces` are id, name and whether it is enabled, in their order.
    """

    node: str
    role: str
    username: str
    privileges: tuple[str, ...]
    revision: int
    pending: dict[str, str]
    overwritten: tuple[str, ...]
    peer: str
    interfaces: tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True, slots=True)
class AskFrame(Question[Frame]):
    """For the frame of a page; quick, as no other process is asked."""

    token: str = ""
    answer_shape = Frame


@dataclass(frozen=True, slots=True)
class Choices:
    """What references can lead to, each a list of stored id and people's words, pending changes included.

    `vips` are followed by their type, interface (stored) and description; `vhids` are those in use, by interface id;
    `devices` are the machine's network devices that no interface has.
    """

    interfaces: tuple[tuple[str, str], ...]
    gateways: tuple[tuple[str, str], ...]
    vips: tuple[tuple[str, str, str, str, str], ...]
    aliases: tuple[tuple[str, str], ...]
    port_aliases: tuple[tuple[str, str], ...]
    vhids: dict[str, tuple[int, ...]]
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AskChoices(Question[Choices]):
    """For the drop-downs of a form."""

    token: str = ""
    answer_shape = Choices


@dataclass(frozen=True, slots=True)
class AskFact(Question[dict[str, Any]]):
    """One view of `facts.every.FACTS`, by name; `options` by the names of its `Fact.options`, as texts.

    The answer is its typed one as JSON values: `core.codec.decode(fact.shape, answer)` gives it back. Refused: there is
    no such fact, or an option means nothing.
    """

    name: str
    options: dict[str, str] = field(default_factory=dict)
    token: str = ""
    answer_shape = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewsReport:
    """The status now, the events since, oldest first, and the cursor to ask with next time.

    `missed`: more happened than is told here; ask the fact *events*.
    """

    cursor: str
    status: dict[str, Any]
    events: tuple[Event, ...]
    missed: bool = False


@dataclass(frozen=True, slots=True)
class News(Question[NewsReport]):
    """Wait for the next change of the status, or event, after `cursor`, at most `seconds` (25 at most): a long poll.

    An empty cursor is answered at once. When nothing happens within `seconds` the answer is how things stand then, so
    that asking with 1 gives figures every second. It does not keep a session from running out. Ask once for all who
    watch: a bounded number may wait.
    """

    cursor: str = ""
    seconds: float = 25.0
    token: str = ""
    answer_shape = NewsReport


@dataclass(frozen=True, slots=True)
class RolesChanged(Question[None]):
    """carpd says that a VHID changed its state: look now. Root only."""

    answer_shape = None


QUESTIONS = (
    Login, Logout, Show, Change, Diff, Apply, Discard, Revisions, Restore, Export, Import, SetPassword, Status,
    Maintenance, EnableCarp, SyncNow, AskFingerprints, PinPeer, List, LogoutEverywhere, AskFrame, AskChoices,
    AskFact, News, RolesChanged, CarpScan, TestVirtualMac,
)  # fmt: skip

READING = (
    Show, List, Diff, Revisions, Status, AskFingerprints, AskFrame, AskChoices, Logout, LogoutEverywhere, AskFact,
    News,
)  # fmt: skip
"""What the privilege *read-only* may ask."""

WATCHING = (News,)
"""Asked by pages on their own, without a person: no reason to keep a session open."""

NO_SESSION = "session"
NO_PRIVILEGE = "privilege"
"""The paths of the problems with which a question is refused for want of a session, or of the right to ask it."""
