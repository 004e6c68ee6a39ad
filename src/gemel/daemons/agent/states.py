"""The state table for people: on which node states began, ending some, and comparing."""

from collections.abc import Sequence
from itertools import islice
from typing import TypeVar

from gemel.control import paths
from gemel.control.agent import EndedStates, EndStates
from gemel.control.door import Question, Refused, Unreachable, ask
from gemel.control.flowd import CompareTables, CreatorsOf, FlowStatus
from gemel.core.problem import Invalid, Problem
from gemel.effects import look
from gemel.effects.conntrack import Table
from gemel.facts.fact import Unreadable
from gemel.facts.state_filter import AT_ONCE, CHOOSING, wanted
from gemel.facts.states import meant
from gemel.flows.ctnetlink import delete, key_of

T = TypeVar("T")

PATIENCE = 3.0  # seconds for flowd
TOGETHER = 512  # states ended in one go


def creators(keys: Sequence[bytes]) -> Sequence[str]:
    """The host ids of the nodes on which these states began; empty texts where flowd does not say."""
    found: list[str] = []
    for i in range(0, len(keys), AT_ONCE):
        some = tuple(keys[i : i + AT_ONCE])
        try:
            hosts = ask(paths.FLOWD_DOOR, CreatorsOf(some), PATIENCE)
            found.extend(hosts)
        except (Refused, Unreachable):
            found += [""] * len(some)
    return found


def end(question: EndStates) -> EndedStates:
    """End the states that are meant.

    Raises:
        Refused: this node is BACKUP.
        Invalid: an option means nothing, or none was given.
    """
    known = {option.name for option in CHOOSING}
    if strange := [name for name in question.options if name not in known]:
        raise Invalid([Problem(strange[0], f"there is no such option; there are {', '.join(sorted(known))}")])
    try:
        what = wanted(question.options)
    except Unreadable as error:
        raise Invalid([Problem("", str(error))]) from None
    if what.everything != question.everything:
        text = "say which states, or that you mean all of them" if what.everything else "which: some, or all of them?"
        raise Invalid([Problem("", text)])
    if _role() == "BACKUP":
        raise Refused("this node is BACKUP, and the MASTER would tell it these states again: end them on the MASTER")
    kernel, ended, left = Table(), 0, 0
    chosen = (key_of(message) for message, _ in meant(list(look.conntrack()), what, creators))
    while keys := list(islice(chosen, TOGETHER)):
        failed = len(kernel.exchange([delete(key, i) for i, key in enumerate(keys)]))
        ended, left = ended + len(keys) - failed, left + failed
    return EndedStates(ended, left)


def compare() -> None:
    """Have flowd compare both tables.

    Raises:
        Refused: this node does not compare.
    """
    report = _tell(FlowStatus())
    if report.status not in ("in sync", "bulk"):
        raise Refused(f"nothing can be compared: {report.sending}")
    if report.role != "MASTER":
        raise Refused("only the MASTER compares, as its table is the true one: ask there")
    _tell(CompareTables())


def _role() -> str:
    try:
        return _tell(FlowStatus()).role
    except Refused:
        return ""


def _tell(question: Question[T]) -> T:
    try:
        return ask(paths.FLOWD_DOOR, question, PATIENCE)
    except Unreachable as error:
        raise Refused(f"flowd does not answer: {error}") from None
