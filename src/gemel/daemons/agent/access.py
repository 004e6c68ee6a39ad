"""Who comes in, and who may ask what: logins in one or two steps, sessions, API keys.

Privileges are looked up at each question: a taken right is gone at once.
"""

import hmac
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from gemel.areas.admin_access import ADMIN_ACCESS
from gemel.areas.api_keys import API_KEYS, OWNER_ADMIN, ApiKey
from gemel.areas.users import USERS
from gemel.control.agent import (
    BY_ITSELF,
    KEY_PREFIX,
    NO_PRIVILEGE,
    NO_SESSION,
    OWN,
    READING,
    WATCHING,
    Login,
    LoginCode,
    Session,
)
from gemel.control.door import Caller, Refused
from gemel.core.attempts import Attempts
from gemel.core.config import Config
from gemel.core.revision import Origin
from gemel.daemons.agent.accounts import ADMIN_NAME, Account, account, knows
from gemel.daemons.agent.remembered import Open, Remembered, digest
from gemel.daemons.agent.second_factor import is_recovery, plain_code, step_of

FAILURES, WITHIN = 5, 60.0
WRONG_CODES, CODES_WITHIN = 8, 600.0  # of one account, wherever they come from: who gets there knows the password
TICKET_SECONDS = 300
MOST_TICKETS = 256

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Ticket:
    """A login that waits for its one-time code."""

    account: Account
    remote: str
    until: float


class Access:
    """Sessions, and the decision for each question. `clock` is monotonic, `wall` epoch seconds.

    `told` hears of each login: who, from where, whether it worked.
    """

    def __init__(
        self,
        config: Callable[[], Config],
        clock: Callable[[], float],
        told: Callable[[str, str, bool], None] = lambda *_: None,
        wall: Callable[[], float] = time.time,
        remembered: Remembered | None = None,
    ) -> None:
        self._config = config
        self._told = told
        self._clock = clock
        self.wall = wall
        self.remembered = remembered or Remembered()
        self._attempts = Attempts(FAILURES, WITHIN)
        self._codes = Attempts(WRONG_CODES, CODES_WITHIN)
        self._tickets: dict[str, _Ticket] = {}
        self._one_by_one = threading.Lock()  # a hash takes 64 MiB: many guesses at once must not fill the memory

    # Logging in -----------------------------------------------------------------------------------------------------

    def login(self, asked: Login) -> Session:
        """Open a session; where a second factor is needed and no code came along, give a ticket for `login_code`.

        Raises:
            Refused: wrong name, password or code, no privilege that needs a session, or too many failures.
        """
        config = self._config()
        with self._one_by_one:
            self.slow_down(asked.remote)
            if not knows(config, asked.username, asked.password):
                self.failed(asked.username, asked.remote)
                raise Refused("wrong user name or password")
            found = account(config, asked.username)
            assert found is not None
            if not (found.may("read-only") or found.may("all")):
                raise Refused("this account may not log in here")
            if found.totp and not asked.code:
                return self._ticket(found, asked.remote)
            if found.totp:
                self._check_code(found, asked.code, asked.remote)
        return self.opened(found, asked.remote)

    def login_code(self, asked: LoginCode) -> Session:
        """The second step.

        Raises:
            Refused: wrong code, a ticket that is old or somebody else's, or too many failures.
        """
        with self._one_by_one:
            self.slow_down(asked.remote)
            ticket = self._tickets.get(asked.ticket)
            if ticket is None or ticket.until < self._clock() or ticket.remote != asked.remote:
                raise Refused("that took too long: log in again", [_problem(NO_SESSION, "log in again")])
            found = account(self._config(), ticket.account.name)
            if found is None or found.disabled or found.password_hash != ticket.account.password_hash:
                raise Refused("the account has changed: log in again", [_problem(NO_SESSION, "log in again")])
            if found.totp:
                self._check_code(found, asked.code, asked.remote)
            del self._tickets[asked.ticket]
        return self.opened(found, asked.remote)

    def opened(self, found: Account, remote: str) -> Session:
        """A new session of an account that has proven who it is."""
        self._attempts.succeeded(remote)
        now, seconds = self._clock(), self._seconds()
        token = secrets.token_urlsafe(32)
        self.remembered.open(token, Open(found.name, digest(found.password_hash), now + seconds, remote), now)
        self._told(found.name, remote, True)
        return Session(token, found.name, found.privileges, seconds)

    def slow_down(self, remote: str) -> None:
        """Refuse who failed too often."""
        if wait := self._attempts.wait(remote, self._clock()):
            raise Refused(f"too many failed logins: try again in {int(wait) + 1} s")

    def failed(self, username: str, remote: str) -> None:
        """Somebody could not prove who he is."""
        log.warning("failed login as %r from %s", username[:64], remote or "this machine")
        self._attempts.failed(remote, self._clock())
        self._told(username[:64], remote, False)

    def _ticket(self, found: Account, remote: str) -> Session:
        now = self._clock()
        self._tickets = {t: k for t, k in self._tickets.items() if k.until >= now}
        if len(self._tickets) >= MOST_TICKETS:
            del self._tickets[next(iter(self._tickets))]
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = _Ticket(found, remote, now + TICKET_SECONDS)
        return Session("", found.name, (), TICKET_SECONDS, ticket)

    def _check_code(self, found: Account, code: str, remote: str) -> None:
        now = self._clock()
        if wait := self._codes.wait(found.name, now):
            raise Refused(f"too many wrong codes for this account: try again in {int(wait) + 1} s")
        if not self._is_code(found, plain_code(code)):
            self._codes.failed(found.name, now)
            self.failed(found.name, remote)
            raise Refused("the code is wrong, or was used before", [_problem("code", "wrong, or used before")])
        self._codes.succeeded(found.name)

    def _is_code(self, found: Account, code: str) -> bool:
        step = step_of(found.totp, code, self.wall(), self.remembered.step(found.name))
        if step is not None:
            self.remembered.use_step(found.name, step)
            return True
        recovery = is_recovery(code, found.recovery)
        if recovery is None or recovery in self.remembered.used(found.name):
            return False
        self.remembered.use_code(found.name, recovery)
        log.warning("%s logged in with a recovery code", found.name)
        return True

    # Sessions -------------------------------------------------------------------------------------------------------

    def logout(self, token: str) -> None:
        """End a session."""
        self.remembered.end(token.removeprefix(BY_ITSELF))

    def logout_everywhere(self, username: str) -> None:
        """End every session of an account."""
        self.remembered.end_all(account_of(username))

    def alive(self, token: str) -> bool:
        """Whether this session is still open. Asking does not keep it open."""
        if token.startswith(KEY_PREFIX):
            return self._key(token) is not None
        return self.remembered.session(token, self._clock()) is not None

    def origin(self, question: Any, who: str) -> Origin:
        """Who asks this, from where, now: for the history."""
        token = getattr(question, "token", "").removeprefix(BY_ITSELF)
        session = self.remembered.session(token, self._clock())
        where = (session.remote if session else "") or "the web"
        return Origin(who, where if token else "the console", self.wall())

    def privileges(self, username: str) -> tuple[str, ...]:
        """What whoever `who` named may do, as it is now."""
        found = account(self._config(), account_of(username))
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
        if token.startswith(KEY_PREFIX):
            return self._key_may(token, question)
        found = self._session_account(token, by_itself or isinstance(question, WATCHING))
        own = isinstance(question, OWN) and (found.may("read-only") or found.may("all"))
        if not own and not _may(found, question):
            raise _no_privilege(f"{found.name} may not do this: the privilege 'all' is needed")
        return found.name

    def _session_account(self, token: str, watching: bool) -> Account:
        now = self._clock()
        session = self.remembered.session(token, now)
        if session is None:
            raise _no_session("the session is over: log in again")
        found = account(self._config(), session.username)
        if found is None or found.disabled:
            raise _no_session("the account is gone or disabled")
        if digest(found.password_hash) != session.since:
            raise _no_session("the password was changed: log in again")
        if not watching:
            self.remembered.keep_open(token, now + self._seconds())
        return found

    def _seconds(self) -> int:
        return self._config()[ADMIN_ACCESS].session_timeout * 60

    # API keys -------------------------------------------------------------------------------------------------------

    def key_wrong(self, key: ApiKey) -> str:
        """Why a key opens nothing; empty where it does."""
        owner = self._owner(key)
        if owner is None:
            return "its account is gone"
        if owner.disabled:
            return "its account is disabled"
        if not (owner.may("read-only") or owner.may("all")):
            return "its account may not log in"
        if key.expires and date.fromtimestamp(self.wall()) > date.fromisoformat(key.expires):
            return "it has expired"
        return ""

    def _owner(self, key: ApiKey) -> Account | None:
        config = self._config()
        if key.user == OWNER_ADMIN:
            return account(config, ADMIN_NAME)
        return next((account(config, u.name) for u in config[USERS].items if u.id == key.user), None)

    def _key(self, token: str) -> ApiKey | None:
        """The key that this is, if it opens anything."""
        key_id, _, _ = token.removeprefix(KEY_PREFIX).partition("_")
        for key in self._config()[API_KEYS].items:
            if key.id == key_id and hmac.compare_digest(key.key_hash, digest(token)) and not self.key_wrong(key):
                return key
        return None

    def _key_may(self, token: str, question: Any) -> str:
        key = self._key(token)
        if key is None:
            raise _no_session("the API key is unknown, revoked or expired, or its account is gone")
        owner = self._owner(key)
        assert owner is not None
        self.remembered.use_key(key.id, self.wall(), frozenset(k.id for k in self._config()[API_KEYS].items))
        if isinstance(question, OWN):
            raise _no_privilege("that is for a person who logs in, not for an API key")
        if not isinstance(question, READING) and key.privilege != "all":
            raise _no_privilege(f"the API key {key.name} may only read")
        if not _may(owner, question):
            raise _no_privilege(f"{owner.name} may not do this: the privilege 'all' is needed")
        return f"{owner.name}{_BY_KEY}{key.name})"


_BY_KEY = " (API key "  # no user name has a blank in it


def account_of(who: str) -> str:
    """The account behind what `Access.who` said."""
    return who.partition(_BY_KEY)[0]


def _may(found: Account, question: Any) -> bool:
    return found.may("all") or (found.may("read-only") and isinstance(question, READING))


def _problem(path: str, text: str) -> dict[str, Any]:
    return {"path": path, "text": text, "level": "error"}


def _no_session(text: str) -> Refused:
    return Refused(text, [_problem(NO_SESSION, text)])


def _no_privilege(text: str) -> Refused:
    return Refused(text, [_problem(NO_PRIVILEGE, text)])
