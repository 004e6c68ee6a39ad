"""What comes next in the upgrade of a pair, and when to stop. Pure: looks and moments in, one order out.

    phase        done before it            what must come about in time          what ends it at once
    there        send, install there       apt done, new version, BACKUP,        apt failed; this node lost a role
                                           states in sync
    hand over    maintenance mode on       MASTER there, BACKUP here
    here         install here              as there                              apt failed; the peer lost a role
    hand back    maintenance mode off      MASTER here, safe to fail over

A phase whose end is there already is passed over, so that an upgrade that stopped goes on when it is begun again; the
first look makes sure that no node's package is half installed, as its agent may run all the same.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from gemel.daemons.upgrade.fitness import (
    is_back_here,
    is_back_there,
    lost_here,
    lost_there,
    nothing,
    serves_here,
    serves_there,
    standing,
    unfinished,
    unfit,
)
from gemel.daemons.upgrade.sight import Installation, Node, Pair

Kind = Literal["install there", "hand over", "install here", "hand back", "wait", "done", "stop"]

COMES_BACK = 600.0  # seconds for an installation and what starts after it, on a slow machine
HANDS_OVER = 120.0
SETTLES = 300.0


@dataclass(frozen=True, slots=True)
class Order:
    """What to do now; `text` says it, or why not to go on and where it stands."""

    kind: Kind
    text: str = ""


Sentences = Callable[[Pair, Node, str], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Phase:
    """One line of the table. `passed`: whether there is nothing to do; `advice`: what to do when it ended in it."""

    order: Kind
    says: str
    passed: Callable[[Pair, Node, str], bool]
    lacks: Sentences
    breaks: Sentences
    patience: float
    advice: str


class Upgrade:
    """From the first look to the last. `target` is the new version; a node has `comes_back` seconds for it; `ours`
    says that maintenance mode here, if it is on at first, is from an upgrade that stopped."""

    def __init__(self, target: str, comes_back: float = COMES_BACK, ours: bool = False) -> None:
        self._target = target
        self._comes_back = comes_back
        self._ours = ours
        self._phases: list[Phase] | None = None
        self._until: float | None = None
        self._names = {"here": "this node", "there": "the other node", "version": target}
        self._first: Pair | None = None
        self._seen: Pair | None = None
        self._blind = False

    def next(
        self, pair: Pair | None, now: float, here: Installation | None = None, there: Installation | None = None
    ) -> Order:
        """What to do, with the pair as it looks now (None: this node's agent does not answer) and how installations
        stand on the two nodes (None: not asked): both are wanted first, then that of the node whose turn it is."""
        self._look(pair)
        if self._phases is None:
            wrong = [*unfit(pair, self._target, self._ours)] or [
                *unfinished(self._names["here"], here), *unfinished(self._names["there"], there),
            ]  # fmt: skip
            if wrong:
                stands = f" {standing(pair)}" if pair and pair.here.maintenance else ""
                return Order("stop", f"{_joined(wrong)}\nNothing has been changed.{stands}")
            self._phases, self._first = list(PHASES), pair
        while self._phases:
            phase = self._phases[0]
            order = self._begin(phase, pair, now) if self._until is None else None
            if order is None and self._until is not None:
                order = self._judge(phase, pair, now, there if phase.order == "install there" else here)
            if order is not None:
                return order
            self._phases.pop(0)
            self._until = None
        return Order("done", "Both nodes run {version}.".format(**self._names))

    def failed(self, why: str) -> Order:
        """It ends here; where it stands is as it was seen last."""
        assert self._phases
        stands = standing(self._seen, self._first) if self._seen else ""
        if self._blind:
            stands = f"Seen last: {stands}"
        return Order("stop", f"{why}\n{stands} {self._phases[0].advice.format(**self._names)}")

    def not_done(self, why: str, pair: Pair | None) -> Order:
        """The last order could not be carried out; the pair as it looks after that."""
        self._look(pair)
        return self.failed(why)

    def _look(self, pair: Pair | None) -> None:
        self._blind = pair is None
        if pair is not None and pair.there is not None:
            self._seen = pair
            self._names |= {"here": pair.here.name, "there": pair.there.name}

    def _begin(self, phase: Phase, pair: Pair | None, now: float) -> Order | None:
        """None: there is nothing to do in it."""
        if pair is None or pair.there is None:
            return self.failed("this node's agent does not answer, or has not heard of its peer")
        if phase.passed(pair, pair.there, self._target):
            return None
        self._until = now + self._patience(phase)
        return Order(phase.order, phase.says.format(**self._names))

    def _judge(self, phase: Phase, pair: Pair | None, now: float, installation: Installation | None) -> Order | None:
        """None: its end is there."""
        assert self._until is not None
        installs = "install" in phase.order
        if installs and installation and installation.state in ("none", "failed", "broken"):
            # `none` after it was begun: not even its log could be written.
            said = installation.text or "it left no trace, is the disk full?"
            return self.failed(f"the package could not be installed: {said}")
        broken = list(phase.breaks(pair, pair.there, self._target)) if pair and pair.there else []
        if broken:
            return self.failed(_joined(broken))
        lacking = list(_lacking(phase, pair, self._target))
        if installs and (installation is None or installation.state != "done"):
            lacking.append(_goes_on(self._names["there" if phase.order == "install there" else "here"], installation))
        if not lacking:
            return None
        if now < self._until:
            return Order("wait")
        return self.failed(f"waited {self._patience(phase):.0f} s in vain: {_joined(lacking)}")

    def _patience(self, phase: Phase) -> float:
        return self._comes_back if "install" in phase.order else phase.patience


def _joined(sentences: Iterable[str]) -> str:
    return "; ".join(sentences)


def _lacking(phase: Phase, pair: Pair | None, target: str) -> Iterable[str]:
    if pair is None or pair.there is None:
        return ("this node's agent does not answer",)
    return phase.lacks(pair, pair.there, target)


def _goes_on(name: str, installation: Installation | None) -> str:
    text = installation.text if installation else ""
    if installation and installation.state == "running":
        return f"apt is still at work on {name}, and is going to restart Gemel there by itself; it says: {text}"
    return f"{name} does not say how the installation stands: {text}"


AGAIN = "When that is mended, `gemel upgrade` goes on from here."

LOG = "`journalctl -b -u 'gemel-*'` and /var/lib/gemel/upgrade/log"

PHASES = (
    Phase(
        "install there", "{there} gets {version}; {here} goes on serving",
        lambda _pair, there, target: there.version == target,
        is_back_there, lost_here, COMES_BACK, f"Look at {{there}}: {LOG}. {AGAIN}",
    ),
    Phase(
        "hand over", "{there} runs {version} and stands by; the virtual IPs go there",
        lambda pair, there, target: pair.here.version == target
        or (pair.here.maintenance and not [*serves_there(pair, there, target)]),
        serves_there, nothing, HANDS_OVER, f"Look at both: `gemel status`. {AGAIN}",
    ),
    Phase(
        "install here", "{there} serves; {here} gets {version}",
        lambda pair, _there, target: pair.here.version == target,
        is_back_here, lost_there, COMES_BACK, f"Look here: `gemel status`, {LOG}. {AGAIN}",
    ),
    Phase(
        "hand back", "{here} runs {version}; the virtual IPs come back",
        lambda pair, _there, _target: not pair.here.maintenance,
        serves_here, nothing, SETTLES, "`gemel status` says what is missing.",
    ),
)  # fmt: skip
