"""A configuration with accounts of each kind, and clocks that somebody turns."""

import functools
from typing import Any

import pytest

from gemel.control.agent import Login, LoginCode, Session
from gemel.control.door import Caller, Refused
from gemel.core.config import Config
from gemel.daemons.agent.access import Access
from gemel.daemons.agent.accounts import hashed
from gemel.daemons.agent.remembered import Remembered
from tests.unit.areas.cluster import added, changed, node

PASSWORD = "correct horse battery"
ROOT, WEB = Caller(1, 0, 0), Caller(2, 33, 33)
EPOCH = 1_800_000_000.0


@functools.cache
def staffed() -> Config:
    """A node with an account of each kind, all with one password."""
    fields = hashed("admin", PASSWORD)
    config = changed(node(1), "admin", **fields)
    for name, privileges in (("ann", "all"), ("bob", "read-only"), ("sync", "ha-sync"), ("nil", "")):
        config = added(config, "users", name, name=name, privileges=privileges, **fields)
    return config


class Office:
    """Who comes and goes."""

    def __init__(self) -> None:
        self.config = staffed()
        self.now = 1000.0
        self.remembered = Remembered()
        self.heard: list[tuple[str, str, bool]] = []
        self.restart()

    def restart(self) -> None:
        """The agent is started again; it remembers what it has written."""
        self.access = Access(
            lambda: self.config, lambda: self.now, lambda *said: self.heard.append(said), lambda: EPOCH + self.now,
            self.remembered,
        )  # fmt: skip

    @property
    def wall(self) -> float:
        return EPOCH + self.now

    def login(self, name: str, password: str = PASSWORD, remote: str = "10.0.0.1", code: str = "") -> Session:
        return self.access.login(Login(name, password, remote, code))

    def second_step(self, session: Session, code: str, remote: str = "10.0.0.1") -> Session:
        return self.access.login_code(LoginCode(session.ticket, code, remote))

    def refusal(self, name: str, password: str = PASSWORD, remote: str = "10.0.0.1", code: str = "") -> str:
        with pytest.raises(Refused) as no:
            self.login(name, password, remote, code)
        return str(no.value)

    def may(self, question: Any, caller: Caller = WEB) -> bool:
        try:
            self.access.who(question, caller)
        except Refused:
            return False
        return True
