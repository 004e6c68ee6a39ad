"""What comes next in the upgrade of a pair, and when to stop. Pure: looks and moments in, one order out.

    phase        done before it            what must come about in time          what ends it at once
    there        send, install there       new version, BACKUP, states in sync   apt failed; this node lost a role
    hand over    maintenance mode on       MASTER there, BACKUP here
    here         install here              new version, BACKUP, states in sync   apt failed; the peer lost a role
    hand back    maintenance mode off      MASTER here, safe to fail over

A phase whose end is there already is passed over, so that an upgrade that stopped goes on when it is begun again.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from gemel.daemons.upgrade.sight import Node, Pair

Kind = Literal["install there", "hand over", "install here", "hand back", "wait", "done", "stop"]

COMES_BACK = 600.0  # seconds for an installation and what starts after it, on a slow machine
HANDS_OVER = 120.0
SETTLES = 300.0

OTHER_VERSION = "runs Gemel "
"""In the problem that two nodes with configurations of different versions have: an upgrade makes it, and ends it."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to do now; `text` says it, or why not to go on and where it stands."""

    kind: Kind
    text: str = ""


@dataclass(frozen=True, slots=True)
class Installation:
    """How it stands on the node whose turn it is: ``none``, ``running``, ``done``, ``failed``."""

    state: str = "none"
    text: str = ""


Sentences = Callable[[Pair, Node, str], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Phase:
    """One line of the table. `passed`: whether there is nothing to do; `stands`: where it stands, ended in it."""

    order: Kind
    says: str
    passed: Callable[[Pair, Node, str], bool]
    lacks: Sentences
    breaks: Sentences
    patience: float
    stands: str


class Upgrade:
    """From the first look to the last. `target` is the new version; a node has `comes_back` seconds for it."""

    def __init__(self, target: str, comes_back: float = COMES_BACK) -> None:
        self._target = target
        self._comes_back = comes_back
        self._phases: list[Phase] | None = None
        self._until: float | None = None
        self._names = {"here": "this node", "there": "the other node", "version": target}

    def next(self, pair: Pair | None, now: float, installation: Installation | None = None) -> Order:
        """What to do, with the pair as it looks now (None: this node's agent does not answer) and, in its phases, how
        the installation stands (None: nobody says)."""
        there = pair.there if pair else None
        if pair is not None and there is not None:
            self._names |= {"here": pair.here.name, "there": there.name}
        if self._phases is None:
            unfit = list(_unfit(pair, self._target))
            if unfit:
                return Order("stop", f"{_joined(unfit)}\nNothing has been changed.")
            self._phases = list(PHASES)
        return self._go_on(pair, there, now, installation)

    def failed(self, why: str) -> Order:
        """The last order could not be carried out."""
        assert self._phases
        stands = self._phases[0].stands.format(**self._names)
        return Order("stop", f"{why}\n{stands}")

    def _go_on(self, pair: Pair | None, there: Node | None, now: float, installation: Installation | None) -> Order:
        assert self._phases is not None
        while self._phases:
            phase = self._phases[0]
            if self._until is None:
                if pair is None or there is None:
                    return self.failed("this node's agent does not answer, or has not heard of its peer")
                if not phase.passed(pair, there, self._target):
                    self._until = now + self._patience(phase)
                    return Order(phase.order, phase.says.format(**self._names))
            else:
                if installation is not None and installation.state == "failed" and "install" in phase.order:
                    return self.failed(f"the package could not be installed: {installation.text}")
                broken = list(phase.breaks(pair, there, self._target)) if pair and there else []
                if broken:
                    return self.failed(_joined(broken))
                lacking = list(_lacking(phase, pair, there, self._target))
                if lacking and now < self._until:
                    return Order("wait")
                if lacking:
                    return self.failed(f"waited {self._patience(phase):.0f} s in vain: {_joined(lacking)}")
            self._phases.pop(0)
            self._until = None
        return Order("done", "Both nodes run {version}.".format(**self._names))

    def _patience(self, phase: Phase) -> float:
        return self._comes_back if "install" in phase.order else phase.patience


def _joined(sentences: Iterable[str]) -> str:
    return "; ".join(sentences)


def _lacking(phase: Phase, pair: Pair | None, there: Node | None, target: str) -> Iterable[str]:
    if pair is None or there is None:
        return ("this node's agent does not answer",)
    return phase.lacks(pair, there, target)


# Looks at the pair ---------------------------------------------------------------------------------------------------


def _unfit(pair: Pair | None, target: str) -> Iterator[str]:
    """Why it cannot be begun, or gone on with."""
    if pair is None:
        yield "this node's agent does not answer: `gemel status`"
        return
    if pair.role != "primary":
        yield f"this node is {pair.role}: a pair is upgraded from its primary"
        return
    there = pair.there
    if there is None or pair.silent:
        yield f"nothing is heard of the peer: {pair.silent}"
    elif not there.version:
        yield f"{there.name} does not tell its version: it cannot be upgraded from here"
    elif there.version == target:
        if pair.here.version != target and not pair.here.maintenance:
            yield from _stands_by(pair, there)
    else:
        if pair.here.maintenance:
            yield f"{pair.here.name} is in persistent CARP maintenance mode: `gemel carp maintenance off` first"
        yield from pair.here.not_all("MASTER")
        yield from pair.unsafe


def _stands_by(pair: Pair, there: Node) -> Iterator[str]:
    """Why the peer could not take over, connections and all, as far as a difference of versions lets one ask."""
    if pair.silent:
        yield f"nothing is heard of {there.name}: {pair.silent}"
        return
    yield from there.not_all("BACKUP")
    if there.roles.keys() != pair.here.roles.keys():
        yield f"{there.name} and {pair.here.name} do not have the same virtual IPs"
    if there.maintenance:
        yield f"{there.name} is in persistent CARP maintenance mode"
    yield from there.hindered
    yield from pair.behind
    yield from (f"{there.name}: {p}" for p in there.problems if OTHER_VERSION not in p)


def _is_back_there(pair: Pair, there: Node, target: str) -> Iterator[str]:
    if there.version != target:
        yield f"{there.name} runs {there.version}, not {target}"
    yield from _stands_by(pair, there)


def _serves_there(pair: Pair, there: Node, _target: str) -> Iterator[str]:
    if pair.silent:
        yield f"nothing is heard of {there.name}: {pair.silent}"
    yield from there.not_all("MASTER")
    yield from pair.here.not_all("BACKUP")


def _is_back_here(pair: Pair, there: Node, target: str) -> Iterator[str]:
    here = pair.here
    if here.version != target:
        yield f"{here.name} runs {here.version}, not {target}"
    yield from _serves_there(pair, there, target)
    yield from here.hindered
    yield from pair.behind


def _serves_here(pair: Pair, there: Node, _target: str) -> Iterator[str]:
    yield from pair.here.not_all("MASTER")
    yield from there.not_all("BACKUP")
    yield from pair.unsafe


def _lost_here(pair: Pair, _there: Node, _target: str) -> Iterable[str]:
    return pair.here.not_all("MASTER")


def _lost_there(pair: Pair, there: Node, _target: str) -> Iterable[str]:
    return () if pair.silent else there.not_all("MASTER")


def _nothing(_pair: Pair, _there: Node, _target: str) -> Iterable[str]:
    return ()


def _here_is_new(pair: Pair, _there: Node, target: str) -> bool:
    return pair.here.version == target


AGAIN = "When that is mended, `gemel upgrade` goes on from here."

PHASES = (
    Phase(
        "install there", "{there} gets {version}; {here} goes on serving",
        lambda _pair, there, target: there.version == target,
        _is_back_there, _lost_here, COMES_BACK,
        "{here} serves as before, with the old version. Look at {there}: `journalctl -b -u 'gemel-*'` and "
        f"/var/lib/gemel/upgrade/log. {AGAIN}",
    ),
    Phase(
        "hand over", "{there} runs {version} and stands by; the virtual IPs go there",
        lambda pair, there, target: pair.here.version == target
        or (pair.here.maintenance and not [*_serves_there(pair, there, target)]),
        _serves_there, _nothing, HANDS_OVER,
        "{there} runs {version}, {here} still the old one and is in maintenance mode: `gemel carp maintenance off` "
        f"brings the virtual IPs back. {AGAIN}",
    ),
    Phase(
        "install here", "{there} serves; {here} gets {version}",
        _here_is_new, _is_back_here, _lost_there, COMES_BACK,
        "{there} serves with {version}; {here} stands back in maintenance mode. Look here: `gemel status`, `journalctl "
        f"-b -u 'gemel-*'` and /var/lib/gemel/upgrade/log. {AGAIN}",
    ),
    Phase(
        "hand back", "{here} runs {version}; the virtual IPs come back",
        lambda pair, _there, _target: not pair.here.maintenance,
        _serves_here, _nothing, SETTLES,
        "Both nodes run {version}, and maintenance mode is off on {here}. `gemel status` says what is left.",
    ),
)  # fmt: skip
