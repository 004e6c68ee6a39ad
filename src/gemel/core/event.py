"""What happened, as it is remembered for people: one shape for role changes, synchronisation, problems, logins."""

from dataclasses import dataclass, field
from typing import Any

ROLE, SYNC, STATES, PROBLEM, CONFIG, LOGIN, NOTICE, HOOK = (
    "role", "sync", "states", "problem", "config", "login", "notice", "hook",
)  # fmt: skip

KINDS = {
    ROLE: "Role changes",
    SYNC: "Configuration synchronisation",
    STATES: "State synchronisation",
    PROBLEM: "Problems",
    CONFIG: "Configuration",
    LOGIN: "Logins",
    NOTICE: "Notifications that could not be sent",
    HOOK: "Hooks that were run after a role change",
}
"""Every kind of event, with its name for people."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `at` is seconds since the epoch, `kind` one of `KINDS`; `subject` says what it is about (``LAN@1``,
    a user's name), `text` what happened, in a sentence.

    `good` is None where it is neither good nor bad: a problem that went is good, one that came is not. `data` holds
    JSON values that only this kind has. `number` is the store's: it only grows.
    """

    at: float
    kind: str
    subject: str
    text: str
    good: bool | None = None
    data: dict[str, Any] = field(default_factory=dict)
    number: int = 0
