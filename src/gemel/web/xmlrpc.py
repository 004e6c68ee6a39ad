"""``/xmlrpc.php``: reads a call within its limits, puts it to the agent, and writes the answer or the fault.

Faults go out with HTTP 200, as clients expect (reference/xmlrpc.md §1). Whether the caller may do anything is the
agent's affair; here only who fails to log in too often is kept waiting.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gemel.control.door import Refused, Unreachable
from gemel.control.peer import Fault, PeerAnswer, PeerCall
from gemel.core.attempts import Attempts
from gemel.sync.xmlrpc import Faulted, NotXmlRpc, read_call, write_fault, write_response

AskAgent = Callable[[PeerCall], PeerAnswer]
"""Puts the call to the agent; raises `Refused` or `Unreachable` as `control.door.ask` does."""


@dataclass(frozen=True, slots=True)
class Post:
    """One HTTP request: body, headers (names in lower case), both ends' addresses."""

    body: bytes
    headers: Mapping[str, str]
    remote: str
    local: str


class Endpoint:
    """What happens between the bytes of a request and the bytes of its response. Used from several threads."""

    def __init__(self, ask: AskAgent) -> None:
        self._ask = ask
        self._attempts = Attempts()

    def answer(self, post: Post, now: float) -> bytes:
        """The response's body. `now` is monotonic, in seconds."""
        wait = self._attempts.wait(post.remote, now)
        if wait:
            return write_fault(Fault.TOO_MANY_FAILURES, f"too many failed log-ins; try again in {wait:.0f} seconds")
        try:
            method, params = read_call(post.body)
        except (NotXmlRpc, Faulted) as error:
            return write_fault(Fault.NOT_XML, f"parse error: {error}")
        username, password = _credentials(post.headers.get("authorization", ""))
        signature = post.headers.get("gemel-signature")
        try:
            answer = self._ask(PeerCall(method, params, username, password, post.remote, post.local, signature))
        except Unreachable:
            return write_fault(Fault.AWAY, "the agent does not answer; it is being started, or has stopped")
        except Refused as no:
            return write_fault(Fault.INTERNAL, str(no))
        if answer.fault == Fault.BAD_LOGIN:
            self._attempts.failed(post.remote, now)
        elif username is not None and not answer.fault:
            self._attempts.succeeded(post.remote)
        return write_fault(answer.fault, answer.text) if answer.fault else write_response(answer.value)


def _credentials(header: str) -> tuple[str | None, str | None]:
    """HTTP Basic's user and password (RFC 7617, UTF-8); None twice where there are none to read."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        username, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None, None
    return (username, password) if colon else (None, None)
