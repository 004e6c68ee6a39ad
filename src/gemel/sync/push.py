"""One push, as a transaction that asks and decides but never speaks.

    hello ─► report ─► in sync already? done
                  └──► prepare ─► commit ─► report ─► is it what was meant?

`transaction` is a generator: it yields the next request, is sent the answer, returns `Pushed` or raises `NotPushed`.
`run` joins it to whoever speaks. Every step may be the last one that happens: until commit nothing has changed on the
peer; at commit the peer applies all or nothing; a commit whose answer got lost is found by the first report of the
next try.
"""

import enum
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from gemel.sync.meeting import findings
from gemel.sync.messages import (
    AskReport,
    Commit,
    Committed,
    Hello,
    Introduction,
    Prepare,
    Prepared,
    Report,
    Request,
    Welcome,
)
from gemel.sync.node import Outgoing

A = TypeVar("A")


class Why(enum.Enum):
    """What kind of no it was; it decides when to try again."""

    AWAY = "away"  # nobody answers: soon
    LOGIN = "login"  # the account or its password: seldom, the peer counts failures
    REFUSED = "refused"  # roles, keys, versions, interface maps: people have to mend something
    FAILED = "failed"  # the peer cannot apply this configuration


class NotPushed(Exception):
    """The push did not happen, or is not proven; the text says cause and cure in words."""

    def __init__(self, why: Why, text: str) -> None:
        super().__init__(text)
        self.why = why


@dataclass(frozen=True, slots=True)
class Pushed:
    """Proven: the peer runs what was meant. `changed` is False if it did so already; `notices` stop nothing."""

    revision: int
    peer: str
    peer_revision: int
    areas: tuple[str, ...]
    changed: bool
    notices: tuple[str, ...] = ()


class Peer(Protocol):
    """Whoever carries a request to the peer and brings its answer."""

    def ask(self, request: Request[A]) -> A:
        """Put one question.

        Raises:
            NotPushed: no answer, or a fault.
        """


Transaction = Generator[Request[Any], Any, Pushed]


def transaction(mine: Introduction, certificate: str, outgoing: Outgoing) -> Transaction:
    """The push of `outgoing` by the node that introduces itself as `mine`, with its `certificate` (PEM).

    Raises:
        NotPushed: see `Why`.
    """
    areas = tuple(outgoing.sections)
    welcome: Welcome = yield Hello(mine, certificate)
    peer = welcome.introduction
    found = findings(mine, peer)
    for finding in found:
        if finding.fault:
            raise NotPushed(Why.REFUSED, finding.text)
    notices = tuple(finding.text for finding in found)

    report: Report = yield AskReport(areas)
    if not _differing(outgoing, report):
        return Pushed(outgoing.revision, peer.name, report.revision, areas, changed=False, notices=notices)

    prepared: Prepared = yield Prepare(outgoing.revision, outgoing.sections)
    wrong = [str(p) for p in prepared.problems if p.level == "error"]
    if wrong or not prepared.token:
        raise NotPushed(
            Why.FAILED, f"{peer.name} cannot take this configuration: {'; '.join(wrong) or 'it gives no reason'}"
        )
    notices += tuple(f"{peer.name}: {p}" for p in prepared.problems)

    committed: Committed = yield Commit(prepared.token)
    report = yield AskReport(areas)
    differing = _differing(outgoing, report)
    if differing:
        where = ", ".join(differing)
        text = f"{peer.name} says that it applied revision {outgoing.revision}, but runs something else in {where}"
        raise NotPushed(Why.FAILED, text)
    revision = max(report.revision, committed.revision)
    return Pushed(outgoing.revision, peer.name, revision, areas, changed=True, notices=notices)


def run(steps: Transaction, peer: Peer) -> Pushed:
    """Let `peer` answer the transaction's questions until it is over.

    Raises:
        NotPushed: from the transaction or from the peer.
    """
    request = next(steps)
    while True:
        answer = peer.ask(request)
        try:
            request = steps.send(answer)
        except StopIteration as over:
            pushed: Pushed = over.value
            return pushed


def _differing(outgoing: Outgoing, report: Report) -> list[str]:
    return [area for area, meant in outgoing.hashes.items() if report.hashes.get(area) != meant]
