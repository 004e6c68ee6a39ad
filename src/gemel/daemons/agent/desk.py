"""The configuration's desk: every change goes over it, whoever asks (command, page, REST, peer, import).

pending ─check─► problems? ─compile─► wants ─steps(have, want)─► apply ─► revision N ─► peer
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from gemel.areas.conntrack_helpers import lacking
from gemel.areas.system import SYSTEM
from gemel.core.area import NodeState
from gemel.core.config import Config, Schema
from gemel.core.edit import Edit, edited_all, needed
from gemel.core.model import Model
from gemel.core.pending import Pending, only
from gemel.core.problem import Invalid, Problem, errors
from gemel.core.revision import Change, Origin, Revision, diff
from gemel.core.want import Want
from gemel.daemons.agent.transaction import Transaction
from gemel.effects.machine import Failed
from gemel.effects.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Saved:
    """What edits came to: the items made or touched, warnings, and the revision if one was made (else 0)."""

    items: tuple[str, ...]
    warnings: tuple[Problem, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class Made:
    """A revision that now runs."""

    revision: int
    steps: int
    seconds: float
    warnings: tuple[Problem, ...]


class Desk:
    """The running configuration, what is pending over it, and the only way from one to the other.

    `changed(before, after)` is called after each new revision; it must not take long. `witnessed(before, after)` says
    what an edit brings that does not go together with what this node sees around it, which no check can know.
    `lacks()` names the conntrack helpers that this kernel does not have.
    """

    def __init__(
        self,
        schema: Schema,
        store: Store,
        transaction: Transaction,
        changed: Callable[[Config, Config], None],
        witnessed: Callable[[Config, Config], Iterable[Problem]] = lambda before, after: (),
        lacks: Callable[[], tuple[str, ...]] = lambda: (),
    ) -> None:
        self.schema = schema
        self._store = store
        self._transaction = transaction
        self._changed = changed
        self._witnessed = witnessed
        self._lacks = lacks
        self._lock = threading.RLock()
        self._pending = Pending()
        self.number = 0
        self.config = schema.default()
        self.node = NodeState()
        self.notices: tuple[str, ...] = ()
        self.last: Revision | None = None  # the one that was made last, since the agent runs

    def start(self) -> None:
        """Read what is stored and bring the machine to it. A machine that was never configured is left alone.

        What does not read keeps no agent from starting: `unread` says so, and the newest revision that reads runs.
        """
        with self._lock:
            self.node = replace(self._store.node_state(), lacks=self._lacks())
            running = self._store.running()
            if running is not None:
                self.number, self.config = running.number, running.config
                self._pending = self._store.pending(running.config).rebased(running.config)
                done = self._transaction.start(self._wants(self.config))
                log.info("revision %d runs (%d steps)", self.number, done)
        for said in self.unread:
            log.error("%s", said)

    @property
    def unread(self) -> tuple[str, ...]:
        """What could not be read at the start, and what runs therefore: sentences, none once all is well again."""
        return tuple(said for said in (self._store.unread, self._store.left_out) if said)

    @property
    def fell_back(self) -> str:
        """Why another revision runs than the one that should; empty where it does."""
        return self._store.unread

    def again(self, returned: Iterable[str]) -> bool:
        """Do what could not be done at the start, as a port was missing, and anew what went with one that has returned;
        whether all is done."""
        with self._lock:
            if tried := self._transaction.again(self._wants(self.config), returned):
                log.info("revision %d: %d steps, %d failed", self.number, tried, len(self._transaction.faults))
            return not self._transaction.faults

    @property
    def candidate(self) -> Config:
        """The running configuration with what is pending."""
        return self._pending.over(self.config)

    @property
    def pending(self) -> Pending:
        """What is saved and not applied."""
        return self._pending

    def save(self, edits: Iterable[Edit], origin: Origin, apply: bool, message: str = "") -> Saved:
        """Save edits, all or none. Edits of pages that only say *Save* are made real at once, and nothing else with
        them.

        Raises:
            Invalid: a field, or what it means for another area; nothing has been saved.
            Failed: it could not be applied; the machine is as it was, nothing has been saved.
        """
        edits = list(edits)
        with self._lock:
            before = self.candidate
            candidate, items = self._edited(before, edits)
            seen = list(self._witnessed(before, candidate))
            if errors(seen):
                raise Invalid(seen)
            known = set(lacking(before, self.node))
            lacks = [problem for problem in lacking(candidate, self.node) if problem not in known]
            if apply or (edits and all(self._at_save(e) for e in edits)):
                running, _ = self._edited(self.config, [_named(e, i) for e, i in zip(edits, items, strict=True)])
                try:
                    made = self._make(running, origin, message or self._title(edits))
                except Invalid as error:
                    raise Invalid(needed(self.schema, before, edits, error.problems)) from None
                self._keep(self._saving(candidate, before, origin).rebased(self.config))
                result = Saved(items, (*made.warnings, *lacks), made.revision)
            else:
                warnings = self._new_problems(before, candidate, edits)
                self._keep(self._saving(candidate, before, origin))
                result = Saved(items, (*warnings, *lacks), 0)
        return result

    def apply(self, areas: Iterable[str], origin: Origin, message: str = "") -> Made:
        """Make what is pending real, in one transaction.

        Raises:
            Invalid: there is nothing pending, or it has errors.
            Failed: as `save`.
        """
        with self._lock:
            chosen = only(self.schema, self._pending, set(areas)) if areas else self._pending
            if not chosen.models:
                raise Invalid([Problem("", "nothing is pending")])
            made = self._make(chosen.over(self.config), origin, message)
            self._keep(self._pending.without(set(chosen.models)).rebased(self.config))
        return made

    def discard(self, areas: Iterable[str]) -> None:
        """Forget what is pending, all of it or in some areas."""
        with self._lock:
            chosen = only(self.schema, self._pending, set(areas)) if areas else self._pending
            self._keep(self._pending.without(set(chosen.models)))

    def replace(self, config: Config, origin: Origin, message: str) -> Made:
        """Apply a whole configuration (restore, import, first boot).

        Raises:
            Invalid, Failed: as `save`.
        """
        with self._lock:
            made = self._make(config, origin, message)
            self._keep(self._pending.rebased(self.config))
        return made

    def prepared(self, config: Config) -> list[Problem]:
        """Would this configuration do? Checks, compiles and dry-runs; changes nothing.

        Raises:
            Failed: the machine would not take it.
        """
        problems = self.schema.check(config)
        if not errors(problems):
            self._transaction.check(self._wants(config))
        return problems

    def overtake(self, config: Config, expected: int, areas: Iterable[str], origin: Origin) -> Made:
        """Apply what a peer pushed. Pending changes in its `areas` are kept as a readable diff, and forgotten.

        Raises:
            Invalid, Failed: as `save`; also if the running revision is no longer the `expected` one.
        """
        with self._lock:
            if self.number != expected:
                raise Failed("this node's own configuration changed meanwhile")
            lost = [name for name in areas if name in self._pending.models]
            changes = diff(self.schema, self.config, self.config.having(**{n: self._pending.models[n] for n in lost}))
            made = (
                self._make(config, origin, "synchronised") if config != self.config else Made(self.number, 0, 0.0, ())
            )
            if changes:
                text = "\n".join(f"{c.kind} {c.path}: {c.before} -> {c.after}" for c in changes) + "\n"
                path = self._store.keep_overtaken(self.number, text)
                what = f"pending changes in {', '.join(lost)}"
                notice = f"{what} were overtaken by a push of {origin.who} and are kept in {path}"
                self.notices = (*self.notices[-4:], notice)
                log.warning("%s", notice)
            self._keep(self._pending.without(set(lost)).rebased(self.config))
        return made

    def set_node(self, node: NodeState) -> None:
        """Change what the node remembers beside its configuration (maintenance), and make it real.

        Raises:
            Failed: as `save`.
        """
        with self._lock:
            before, self.node = self.node, node
            try:
                self._transaction.apply(self._wants(self.config))
            except Failed:
                self.node = before
                raise
            self._store.keep_node_state(node)

    def differences(self, before: int, after: int) -> tuple[list[Change], Mapping[str, Origin], list[Problem]]:
        """What differs between two revisions; 0 is what runs, -1 what is pending over it."""
        with self._lock:
            old, new = self._at(before), self._at(after)
            problems = self.schema.check(new) if after == -1 else []
            return diff(self.schema, old, new), self._pending.origins if after == -1 else {}, problems

    def at(self, number: int) -> Config:
        """The configuration of a revision, 0 for the running one.

        Raises:
            Invalid: there is none of that number.
        """
        return self._at(number)

    def heads(self) -> list[tuple[int, Origin, str]]:
        """The history, newest first."""
        return self._store.heads()

    def _at(self, number: int) -> Config:
        if number == -1:
            return self.candidate
        return self.config if number in (0, self.number) else self._store.revision(number).config

    def _edited(self, config: Config, edits: list[Edit]) -> tuple[Config, tuple[str, ...]]:
        return edited_all(self.schema, config, edits)

    def _at_save(self, edit: Edit) -> bool:
        area = self.schema.area(edit.area)
        return area.at_save and (area.items_at_save or (edit.verb == "set" and not edit.item))

    def _title(self, edits: list[Edit]) -> str:
        return f"saved {', '.join(dict.fromkeys(self.schema.area(e.area).label for e in edits))}"

    def _summary(self, before: Config, after: Config) -> str:
        """What a change is about, for a history whose author said nothing."""
        areas = self.schema.areas
        changed = [a.label for a in areas if before.named(a.name) != after.named(a.name)]
        return f"changed {', '.join(changed)}" if changed else "nothing changed"

    def _new_problems(self, before: Config, after: Config, edits: list[Edit]) -> list[Problem]:
        """What the change brings: its errors refuse it; an error that was pending before does not forbid mending
        another."""
        known = set(self.schema.check(before))
        found = [p for p in self.schema.check(after) if p not in known]
        if errors(found):
            raise Invalid(needed(self.schema, before, edits, found))
        return found

    def _keep(self, pending: Pending) -> None:
        self._store.keep_pending(pending)
        self._pending = pending

    def _saving(self, candidate: Config, before: Config, origin: Origin) -> Pending:
        pending = self._pending
        for area in self.schema.areas:
            model: Model = candidate.named(area.name)
            if model != before.named(area.name) or area.name in pending.models:
                by = origin if model != before.named(area.name) else pending.origins[area.name]
                pending = pending.saving(area.name, model, self.config, by)
        return pending

    def _wants(self, config: Config) -> list[Want]:
        return self.schema.compile(config, self.node)

    def _prune(self) -> None:
        try:
            self._store.prune(self.config[SYSTEM].revisions_kept)
        except OSError as error:  # nothing that the change itself depends on
            log.warning("old revisions could not be removed: %s", error)

    def _make(self, config: Config, origin: Origin, message: str) -> Made:
        """One transaction: check, compile, store, apply, make current; on failure everything as before."""
        began = time.monotonic()
        before = self.config
        warnings = self.schema.checked(config)
        wants = self._wants(config)
        number = max([self.number, *self._store.numbers()[-1:]]) + 1
        revision = Revision(number, origin, message or self._summary(before, config), config)
        self._store.add(revision)
        try:
            done = self._transaction.apply(wants)
        except BaseException:
            self._store.drop(number)
            raise
        try:
            self._store.make_current(number)
        except OSError as error:
            # The file of the revision stays: on a failing disk `current` may name it already. Either one is whole.
            self._transaction.again(self._wants(before))
            self._store.make_current(self.number)
            raise Failed(f"revision {number} could not be kept: {error.strerror or error}") from error
        self.number, self.config, self.last = number, config, revision
        self._prune()
        took = time.monotonic() - began
        log.info("revision %d by %s from %s: %d steps in %.3f s", number, origin.who, origin.where, done, took)
        self._changed(before, config)
        return Made(number, done, took, tuple(warnings))


def _named(edit: Edit, item: str) -> Edit:
    """The same edit for a second place: a new item gets the id that it was given, and the etag has been seen to."""
    values = {**(edit.values or {}), "id": item} if edit.verb == "add" else edit.values
    return replace(edit, values=values, etag="")
