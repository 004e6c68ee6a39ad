"""A batch of the peer's states becomes a short conversation with this kernel, because what the peer knows and what we
hold may differ:

    first     create what is new to us, update what we know, delete what ended; check what a listing of the peer names
    check     GET it: like ours, update it, else replace it (the tuple was used again while we were not told)
              ENOENT      we lost it: create
    create    EEXIST      we have the tuple: GET it, and if it is translated alike update it, else replace it
              ENOENT      its master is missing: once more at the end of the batch, then without the master
              EOPNOTSUPP  no such helper here: without
              ENOSPC      no labels here: without
    update    ENOENT      we lost it: create
              EBUSY       ours is of an earlier use of the tuple: replace it
    replace   EEXIST      another state sits on its translated port: end that one, then create
    expect    any         the expectation is there already, or its master is not: no harm

A master does not let its own states be replaced or ended by the peer: it sees their packets, the peer does not.
"""

from collections.abc import Iterable
from typing import NamedTuple

from gemel.flows.attributes import Malformed
from gemel.flows.ctnetlink import CREATE, EXCL, NEW, delete, delete_reply, get, reply_of, request
from gemel.flows.injection import bare, create, expect, inject, unexpect, unlabelled, update
from gemel.flows.ledger import Ledger
from gemel.flows.quick import quick

ENOENT, EBUSY, EEXIST, ENOSPC, ENOMEM, EOPNOTSUPP = 2, 16, 17, 28, 12, 95
MOST_TRIES = 4  # about one state
_QUIET = 0xFFFFFFFF  # index of a request whose outcome does not matter

Ask = tuple[str, bytes, bytes, int]
"""One request: verb (one of those above, or get, bare, plain, unexpect), key, message, tries."""


class Reply(NamedTuple):
    """What the kernel says to request `number`: an error number, or the message that was asked for."""

    number: int
    error: int
    message: bytes = b""


class Conversation:
    """Requests and answers about one batch at a time. `to_ask` is filled by whoever reads the batch."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.role: bool | None = None
        self.to_ask: list[Ask] = []
        self.errors: dict[str, int] = {}
        self.counters = {"replaced": 0, "not understood": 0, "table full": 0}
        self._asked: list[Ask] = []

    def forget(self) -> None:
        """The batch was cut off."""
        self.to_ask, self._asked = [], []

    def requests(self) -> list[bytes]:
        """What to ask the kernel now, in this order. Answer with `answered`."""
        self._asked, self.to_ask = self.to_ask, []
        made: list[bytes] = []
        for index, (verb, key, message, _) in enumerate(self._asked):
            try:
                if verb == "create":
                    made.append(quick(message, index, True) or create(message, index))
                elif verb == "update":
                    made.append(quick(message, index, False) or update(message, index))
                else:
                    made += self._rare(verb, key, message, index)
            except Malformed:
                self.counters["not understood"] += 1
        return made

    def _rare(self, verb: str, key: bytes, message: bytes, index: int) -> list[bytes]:
        match verb:
            case "delete":
                return [delete(key, index)]
            case "get" | "check":
                return [get(key, index)]
            case "expect":
                return [expect(message, index)]
            case "unexpect":
                return [unexpect(message, index)]
        state = inject(message)
        body = unlabelled(state.body) if verb == "plain" else state.body
        once = bare(state.once) if verb in ("bare", "plain") else state.once
        creating = request(NEW, CREATE | EXCL, index, body + once)
        if verb == "replace":
            return [delete(key, _QUIET), delete_reply(message, _QUIET), creating]
        return [creating]

    def answered(self, replies: Iterable[Reply]) -> None:
        """The kernel's errors, and the states it was asked for; silence about a request means that it was done."""
        for reply in replies:
            if reply.number >= len(self._asked):
                continue
            ask = self._asked[reply.number]
            if reply.message:
                self._compared(ask, reply.message)
            else:
                self._failed(ask, reply.error)
        self._asked = []

    def _compared(self, ask: Ask, mine: bytes) -> None:
        """We hold a state with this tuple: the same flow, or another one?"""
        try:
            alike = reply_of(mine) == reply_of(ask[2])
        except Malformed:
            alike = False
        if alike:
            if self.role is True and ask[0] == "get":
                # A backup that was restarted takes all it holds for its own. We know better who began this one.
                self.ledger.entries.pop(ask[1], None)
            self._try(ask, "update")
        elif self.role is not True:
            self.counters["replaced"] += 1
            self._try(ask, "replace")

    def _failed(self, ask: Ask, error: int) -> None:
        match ask[0], error:
            case ("delete", 2) | ("expect" | "unexpect", _):
                pass
            case ("create" | "bare" | "plain", 17):
                self._try(ask, "get")
            case ("get", 2):  # not the tuple is taken but the translated port
                self._try(ask, "replace" if self.role is not True else "")
            case ("update" | "check", 2):
                self._try(ask, "create")
            case ("update", 16):
                self._try(ask, "replace" if self.role is not True else "")
            case ("create" | "replace", 2 | 95):
                self._try(ask, "bare")
            case ("create" | "replace" | "bare", 28) if ask[3] < MOST_TRIES:
                self._try(ask, "plain")
            case _:
                self._give_up(ask, error)

    def _try(self, ask: Ask, verb: str) -> None:
        if verb and ask[3] < MOST_TRIES:
            self.to_ask.append((verb, ask[1], ask[2], ask[3] + 1))
        else:
            self.ledger.entries.pop(ask[1], None)

    def _give_up(self, ask: Ask, error: int) -> None:
        if error in (ENOMEM, ENOSPC):
            self.counters["table full"] += 1
        name = f"{ask[0]}: error {error}"
        self.errors[name] = self.errors.get(name, 0) + 1
        self.ledger.entries.pop(ask[1], None)
