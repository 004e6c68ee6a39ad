"""What the web server may ask of the agent on behalf of the peer: one XML-RPC call, with all that vouches for it.

webd parses and carries, the agent decides: a taken webd can neither forge a call's signature nor skip a check.
"""

import enum
from dataclasses import dataclass
from typing import Any

from gemel.control.door import Question


class Fault(enum.IntEnum):
    """XML-RPC fault codes. The first two and the -32xxx family are those that other products of the kind use."""

    BAD_LOGIN = -1
    NO_PRIVILEGE = -2
    TOO_MANY_FAILURES = -3
    NOT_PAIRED = 10
    OTHER_KEY = 11
    BAD_SIGNATURE = 12
    SESSION_OVER = 13
    CONFLICT = 20
    DIFFERENT_VERSION = 21
    DIFFERENT_INTERFACES = 22
    NOT_PREPARED = 30
    NOT_APPLIED = 31
    NOT_INSTALLED = 32
    AWAY = -32300
    NOT_XML = -32700
    NOT_A_CALL = -32600
    NO_SUCH_METHOD = -32601
    BAD_PARAMETERS = -32602
    INTERNAL = -32603


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """What goes back on the wire: a JSON-able `value`, or a fault (`fault` not 0) with its `text` in words."""

    value: Any = None
    fault: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class PeerCall(Question[PeerAnswer]):
    """One call as it came in. `params` are JSON-able; `remote` and `local` are IP addresses.

    `username` and `password` are HTTP Basic's, None where no credentials came; `signature` is the header
    ``Gemel-Signature`` as it stands.
    """

    method: str
    params: tuple[Any, ...]
    username: str | None
    password: str | None
    remote: str
    local: str
    signature: str | None
    answer_shape = PeerAnswer


QUESTIONS = (PeerCall,)
