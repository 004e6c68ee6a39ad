"""Wants made real, all or none, and remembered over a restart of the agent so that nothing is done twice.

`have.json` in the run folder (gone after a reboot, like the state of the machine) lists what is in place. Before the
first step it is marked unsettled and lists what may come to be in place, too; after the last step it is settled. An
agent that finds it unsettled was killed half-way: it does everything again, and takes away what is not wanted.

What could not be done at the start (a port was missing, say) is still out of place: each later change tries it again,
and is not held up by it.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from gemel.core import want as wants_module
from gemel.core.codec import Malformed, decode, encode
from gemel.core.step import Step, lost_with, steps
from gemel.core.want import Ruleset, Service, Want
from gemel.effects.disk import Disk
from gemel.effects.machine import Failed, Machine

log = logging.getLogger(__name__)


class Transaction:
    """What the machine has, and the way to what it should have."""

    def __init__(self, machine: Machine, ledger: Path, disk: Disk | None = None) -> None:
        self._machine = machine
        self._ledger = ledger
        self._disk = disk or Disk()
        self._have: dict[tuple[str, ...], Want] = {}
        self._failed: dict[tuple[str, ...], Want] = {}
        self.faults: tuple[str, ...] = ()

    @property
    def have(self) -> tuple[Want, ...]:
        """What is in place."""
        return tuple(self._have.values())

    def start(self, wants: Sequence[Want]) -> int:
        """Bring a machine that has just started, or an agent that was restarted, to `wants`; returns the number of
        steps.

        What fails is left out and named in `faults`: a missing device must not leave the node without a firewall.
        """
        self._recall(wants)
        return self.again(wants)

    def again(self, wants: Sequence[Want], returned: Iterable[str] = ()) -> int:
        """Do what is left to do, after a `start` in which something failed or after devices have `returned`; the rest
        is as there."""
        self.faults, self._failed = (), {}
        lost = lost_with(returned, self._have.values())
        for want in lost:
            self._have.pop(want.key)
        deaf = [Step(None, want) for want in lost if isinstance(want, Service)]
        todo = deaf + steps(self._have.values(), wants)
        self._begin(todo)
        for step in todo:
            if found := self._fault(step):
                self.faults += (found,)
                if step.want is not None:
                    self._failed[step.want.key] = step.want
        self._remember(settled=True)
        return len(todo)

    def _is_known_to_fail(self, want: Want | None) -> bool:
        return want is not None and self._failed.get(want.key) == want

    def check(self, wants: Iterable[Want]) -> None:
        """Dry-run.

        Raises:
            Failed: it would not work.
        """
        self._machine.check([w for w in wants if self._have.get(w.key) != w and not self._is_known_to_fail(w)])

    def apply(self, wants: Sequence[Want]) -> int:
        """Bring the machine to `wants`; returns the number of steps. What could not be done at the start, is wanted as
        it was then, and still cannot be done, stays in `faults`.

        Raises:
            Failed: a step did not work; everything has been undone and the machine is as it was. What could not be
                undone is named.
        """
        todo = steps(self._have.values(), wants)
        if not todo:
            return 0
        self._begin(todo)
        done: list[Step] = []
        faults: list[str] = []
        try:
            for step in todo:
                if self._is_known_to_fail(step.want):
                    faults.append(self._fault(step))
                else:
                    done.append(step)
                    self._perform(step)
        except Exception as error:  # whatever it was: half of a configuration must not stay
            left = self._undo(done)
            self._remember(settled=not left)
            self.faults = (*(f for f in self.faults if f not in left), *left)
            also = f"; and could not be undone: {'; '.join(left)}" if left else ""
            raise Failed(f"{error}{also}") from error
        self._remember(settled=True)
        self.faults = tuple(filter(None, faults))
        wanted = {w.key: w for w in wants}
        self._failed = {k: w for k, w in self._failed.items() if wanted.get(k) == w and self._have.get(k) != w}
        return len(todo)

    def _fault(self, step: Step) -> str:
        """Do what the others are done without; what was wrong with it, or nothing."""
        try:
            self._perform(step)
        except Exception as error:
            log.error("%s", error, exc_info=not isinstance(error, Failed))
            return str(error) or type(error).__name__
        return ""

    def _perform(self, step: Step) -> None:
        self._machine.perform(step)
        if step.want is None:
            self._have.pop(step.subject.key, None)
        else:
            self._have[step.want.key] = step.want

    def _undo(self, done: list[Step]) -> tuple[str, ...]:
        left = []
        for step in reversed(done):
            try:
                self._perform(step.undo)
            except Exception as error:
                left.append(str(error))
        return tuple(left)

    def _begin(self, todo: Sequence[Step]) -> None:
        self._remember(settled=False, coming=[s.want for s in todo if s.want is not None])

    def _remember(self, settled: bool, coming: Iterable[Want] = ()) -> None:
        there = (*self._have.values(), *coming)
        kept = [{"kind": type(w).__name__, "mark": _mark(w), "want": _portable(w)} for w in there]
        self._disk.write(self._ledger, json.dumps({"settled": settled, "have": kept}).encode())

    def _recall(self, wants: Sequence[Want]) -> None:
        """Take up what an earlier agent had put in place. Of an unsettled ledger only what has to go is believed."""
        try:
            kept = json.loads(self._ledger.read_bytes())
        except (FileNotFoundError, ValueError):
            return
        keys, by_mark = {w.key for w in wants}, {_mark(w): w for w in wants}
        for entry in kept["have"]:
            want = by_mark.get(entry["mark"]) or _from_ledger(entry)
            if want is None or (not kept["settled"] and want.key in keys):
                continue
            self._have[want.key] = want
            self._machine.assume(want)


def _mark(want: Want) -> str:
    value = want.program.fingerprint if isinstance(want, Ruleset) else json.dumps(encode(want), sort_keys=True)
    return hashlib.blake2b(f"{want.key}{value}".encode(), digest_size=16).hexdigest()


def _portable(want: Want) -> Any:
    """A ruleset is not kept: it is compiled again from the configuration, and recognised by its fingerprint."""
    return {"name": want.name} if isinstance(want, Ruleset) else encode(want)


def _from_ledger(entry: dict[str, Any]) -> Want | None:
    if entry["kind"] == Ruleset.__name__:
        return None
    try:
        shape: type[Want] = getattr(wants_module, entry["kind"])
        return decode(shape, entry["want"])
    except (AttributeError, Malformed):
        return None
