"""Passwords, sessions, and who may ask what. Privileges are looked up at each question: a taken right is gone at
once."""

import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from gemel.areas.high_availability import HIGH_AVAILABILITY
from gemel.areas.users import ADMIN, USERS
from gemel.control.agent import BY_ITSELF, NO_PRIVILEGE, NO_SESSION, READING, WATCHING, Login, Session
from gemel.control.door import Caller, Refused
from gemel.core.config import Config
from gemel.core.edit import Edit
from gemel.sync.trust import scram_verifier

SESSION_SECONDS = 4 * 3600
FAILURES_BEFORE_LOCK = 5
LOCK_SECONDS = 60.0
FORGET_SECONDS = 600.0
SHORTEST_PASSWORD = 8
ADMIN_NAME = "admin"

log = logging.getLogger(__name__)
_hasher = PasswordHasher()
_NOBODY = _hasher.hash(secrets.token_hex(8))


@dataclass(frozen=True, slots=True)
class Account:
    """One account as it is now."""

    name: str
    password_hash: str
    scram: str
    privileges: tuple[str, ...]
    disabled: bool = False

    def may(self, privilege: str) -> bool:
        """Whether it holds that privilege, or all."""
        return not self.disabled and (privilege in self.privileges or "all" in self.privileges)


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0
    until: float = 0.0


@dataclass(slots=True)
class _Open:
    username: str
    password_hash: str
    until: float


def account(config: Config, username: str) -> Account | None:
    """The account of that name."""
    if username.lower() == ADMIN_NAME:
        admin = config[ADMIN]
        return Account(ADMIN_NAME, admin.password_hash, admin.scram, ("all",))
    for user in config[USERS].items:
        if user.name == username:
            return Account(user.name, user.password_hash, user.scram, tuple(user.privileges), user.disabled)
    return None


def knows(config: Config, username: str, password: str) -> bool:
    """Whether these are the credentials of an account that is not disabled. Takes as long for an unknown one."""
    found = account(config, username)
    try:
        _hasher.verify(found.password_hash if found and found.password_hash else _NOBODY, password)
    except (Argon2Error, InvalidHashError):
        return False
    return bool(found and found.password_hash and not found.disabled)


def hashed(username: str, password: str) -> dict[str, str]:
    """The fields that a password becomes.

    Raises:
        Refused: it is too short, or the user's name.
    """
    if len(password) < SHORTEST_PASSWORD:
        raise Refused("the password is too short", [_finding(f"at least {SHORTEST_PASSWORD} characters are needed")])
    if password.lower() == username.lower():
        raise Refused("the password is the user name", [_finding("must not be the user name")])
    return {"password_hash": _hasher.hash(password), "scram": scram_verifier(password)}


def _finding(text: str) -> dict[str, Any]:
    return {"path": "password", "text": text, "level": "error"}


def _no_session(text: str) -> Refused:
    return Refused(text, [{"path": NO_SESSION, "text": text, "level": "error"}])


def password_edits(config: Config, username: str, password: str) -> list[Edit]:
    """What giving an account of `config` a new password comes to.

    Raises:
        Refused: there is no such account, or the password will not do.
    """
    fields = hashed(username, password)
    if username.lower() != ADMIN_NAME:
        if account(config, username) is None:
            raise Refused(f"there is no account {username!r}")
        return [Edit(USERS.name, "set", username, fields)]
    edits = [Edit(ADMIN.name, "set", values=fields)]
    ha = config[HIGH_AVAILABILITY]
    if ha.synchronize_admin and (ha.username or ADMIN_NAME) == ADMIN_NAME:
        # The peer's admin gets this password by the next push; ours must go on working after it.
        edits.append(Edit(HIGH_AVAILABILITY.name, "set", values={"password": password}))
    return edits


class Access:
    """Sessions, and the decision for each question."""

    def __init__(
        self,
        config: Callable[[], Config],
        clock: Callable[[], float],
        told: Callable[[str, str, bool], None] = lambda *_: None,
    ) -> None:
        self._config = config
        self._told = told  # of each login: who, from where, whether it worked
        self._clock = clock
        self._sessions: dict[str, _Open] = {}
        self._failures: dict[str, _Failures] = {}
        self._lock = threading.Lock()
        self._one_by_one = threading.Lock()  # a hash takes 64 MiB: many guesses at once must not fill the memory

    def login(self, asked: Login) -> Session:
        """Open a session.

        Raises:
            Refused: wrong name or password, no privilege that needs a session, or too many failures.
        """
        config = self._config()
        with self._one_by_one:
            now = self._clock()
            failures = self._failures.get(asked.remote)
            if failures and failures.until > now:
                raise Refused(f"too many failed logins: try again in {int(failures.until - now) + 1} s")
            if not knows(config, asked.username, asked.password):
                self._failed(asked, now)
                raise Refused("wrong user name or password")
            self._failures.pop(asked.remote, None)
        found = account(config, asked.username)
        assert found is not None
        if not (found.may("read-only") or found.may("all")):
            raise Refused("this account may not log in here")
        with self._lock:
            self._sessions = {t: s for t, s in self._sessions.items() if s.until > now}
            token = secrets.token_urlsafe(32)
            self._sessions[token] = _Open(found.name, found.password_hash, now + SESSION_SECONDS)
        self._told(found.name, asked.remote, True)
        return Session(token, found.name, found.privileges, SESSION_SECONDS)

    def logout(self, token: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(token, None)

    def logout_everywhere(self, username: str) -> None:
        """End every session of an account."""
        with self._lock:
            self._sessions = {t: s for t, s in self._sessions.items() if s.username != username}

    def privileges(self, username: str) -> tuple[str, ...]:
        """What an account may do, as it is now."""
        found = account(self._config(), username)
        return found.privileges if found else ()

    def who(self, question: Any, caller: Caller) -> str:
        """The name of whoever asks, if they may ask this.

        Raises:
            Refused: they may not.
        """
        token = getattr(question, "token", "")
        if not token:
            if caller.uid == 0:
                return "root"
            raise _no_session("log in first")
        by_itself, token = token.startswith(BY_ITSELF), token.removeprefix(BY_ITSELF)
        now = self._clock()
        with self._lock:
            session = self._sessions.get(token)
            if session is None or session.until < now:
                raise _no_session("the session is over: log in again")
            if not (by_itself or isinstance(question, WATCHING)):
                session.until = now + SESSION_SECONDS
        found = account(self._config(), session.username)
        if found is None or found.disabled:
            raise _no_session("the account is gone or disabled")
        if found.password_hash != session.password_hash:
            raise _no_session("the password was changed: log in again")
        if not found.may("all") and not (found.may("read-only") and isinstance(question, READING)):
            text = f"{session.username} may not do this: the privilege 'all' is needed"
            raise Refused(text, [{"path": NO_PRIVILEGE, "text": text, "level": "error"}])
        return session.username

    def _failed(self, asked: Login, now: float) -> None:
        log.warning("failed login as %r from %s", asked.username[:64], asked.remote or "this machine")
        self._told(asked.username[:64], asked.remote, False)
        recent = {r: f for r, f in self._failures.items() if f.last > now - FORGET_SECONDS}
        failures = recent.setdefault(asked.remote, _Failures())
        failures.count, failures.last = failures.count + 1, now
        if failures.count >= FAILURES_BEFORE_LOCK:
            failures.count, failures.until = 0, now + LOCK_SECONDS
        self._failures = recent
