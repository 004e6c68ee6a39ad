"""The answers about accounts: the first password, one's own, second factors, API keys."""

import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gemel.areas.api_keys import API_KEYS, OWNER_ADMIN, ApiKey
from gemel.areas.system import SYSTEM
from gemel.areas.users import ADMIN, USERS
from gemel.control import agent as ask
from gemel.control.door import Caller, Refused
from gemel.core.attempts import Attempts
from gemel.core.edit import Edit, find
from gemel.core.model import new_id
from gemel.core.problem import Invalid, Problem
from gemel.core.revision import Origin
from gemel.daemons.agent.access import Access, account_of
from gemel.daemons.agent.accounts import ADMIN_NAME, Account, account, knows, password_edits
from gemel.daemons.agent.desk import Desk
from gemel.daemons.agent.remembered import digest
from gemel.daemons.agent.second_factor import address, new_secret, plain_code, recovery_codes, recovery_hash, step_of

SETUP_SECONDS = 900
SETUP_TRIES = 10
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that looks like another
ENROL_SECONDS = 900.0
MOST_ENROLLING = 64


@dataclass(slots=True)
class _Code:
    """The setup code that is good now."""

    hash: str
    until: float
    tries: int = 0


class Entrance:
    """Answers for the questions of `control.agent.accounts` and the logins; `public` ones need no session."""

    def __init__(self, desk: Desk, access: Access, clock: Callable[[], float] = time.monotonic) -> None:
        self._desk = desk
        self._access = access
        self._clock = clock
        self._code: _Code | None = None
        self._proofs = Attempts(5)
        self._enrolling: dict[str, tuple[str, float]] = {}
        self.public: Mapping[type, Callable[[Any, Caller], Any]] = {
            ask.Login: lambda q, _: access.login(q),
            ask.LoginCode: lambda q, _: access.login_code(q),
            ask.AskSetup: lambda *_: self._unset(),
            ask.SetupCode: self._setup_code,
            ask.SetUp: self._set_up,
        }
        self.answers: Mapping[type, Callable[[Any, str], Any]] = {
            ask.Logout: lambda q, _: access.logout(q.token),
            ask.LogoutEverywhere: lambda _, who: access.logout_everywhere(who),
            ask.SetPassword: self._set_password,
            ask.AskAccount: self._own,
            ask.ChangePassword: self._change_password,
            ask.StartTotp: self._start_totp,
            ask.ConfirmTotp: self._confirm_totp,
            ask.EndTotp: self._end_totp,
            ask.ResetTotp: self._reset_totp,
            ask.Keys: lambda *_: tuple(self._shown(key) for key in desk.config[API_KEYS].items),
            ask.MakeKey: self._make_key,
            ask.RevokeKey: self._revoke_key,
        }

    # The first password ---------------------------------------------------------------------------------------------

    def _unset(self) -> bool:
        return not self._desk.config[ADMIN].password_hash

    def _setup_code(self, _question: ask.SetupCode, caller: Caller) -> ask.SetupCodeGiven:
        if caller.uid != 0:
            raise Refused("setup codes are made on the console, by root")
        if not self._unset():
            raise Refused("the admin has a password already: `gemel passwd` sets another one")
        letters = "".join(secrets.choice(LETTERS) for _ in range(8))
        self._code = _Code(digest(letters), self._clock() + SETUP_SECONDS)
        return ask.SetupCodeGiven(f"{letters[:4]}-{letters[4:]}", SETUP_SECONDS)

    def _set_up(self, question: ask.SetUp, _caller: Caller) -> ask.Session:
        self._access.slow_down(question.remote)
        if not self._unset():
            raise Refused("this node is set up already: log in")
        self._check_setup_code(question)
        edits = password_edits(self._desk.config, ADMIN_NAME, question.password)
        self._save(edits, Origin(f"setup from {question.remote or 'this machine'}", "the web", time.time()), "set up")
        self._code = None
        found = account(self._desk.config, ADMIN_NAME)
        assert found is not None
        return self._access.opened(found, question.remote)

    def _check_setup_code(self, question: ask.SetUp) -> None:
        code = self._code
        if code is None or code.until < self._clock():
            self._access.failed(ADMIN_NAME, question.remote)
            raise _wrong("code", "there is no such code, or it is too old: `gemel setup-code` on the console makes one")
        said = "".join(c for c in question.code.upper() if c.isalnum())
        if not hmac.compare_digest(code.hash, digest(said)):
            code.tries += 1
            if code.tries >= SETUP_TRIES:
                self._code = None
            self._access.failed(ADMIN_NAME, question.remote)
            raise _wrong("code", "that is not the code: `gemel setup-code` on the console makes a new one")

    # One's own account ----------------------------------------------------------------------------------------------

    def _mine(self, who: str) -> Account:
        found = account(self._desk.config, who)
        if found is None:
            raise Refused("root on the console has no account: see `gemel passwd` and `gemel totp-reset`")
        return found

    def _own(self, _question: ask.AskAccount, who: str) -> ask.OwnAccount:
        mine = self._mine(who)
        left = set(mine.recovery) - self._access.remembered.used(mine.name)
        return ask.OwnAccount(mine.name, bool(mine.totp), len(left))

    def _change_password(self, question: ask.ChangePassword, who: str) -> None:
        mine = self._mine(who)
        self._prove(mine, question.old, "old")
        edits = password_edits(self._desk.config, mine.name, question.password)
        self._save(edits, self._access.origin(question, who), f"password of {mine.name}")

    def _set_password(self, question: ask.SetPassword, who: str) -> None:
        edits = password_edits(self._desk.config, question.username, question.password)
        # Applied as edits, so that pending changes of the same area do not bring the old password back.
        self._save(edits, self._access.origin(question, who), f"password of {question.username}")

    def _prove(self, mine: Account, password: str, field: str) -> None:
        """It is really they, and not somebody at their desk."""
        self._slow_down(mine)
        if not knows(self._desk.config, mine.name, password):
            self._proofs.failed(mine.name, self._clock())
            raise _wrong(field, "that is not the password of this account")

    def _slow_down(self, mine: Account) -> None:
        if wait := self._proofs.wait(mine.name, self._clock()):
            raise Refused(f"too many wrong entries: try again in {int(wait) + 1} s")

    def _start_totp(self, question: ask.StartTotp, who: str) -> ask.TotpSecret:
        mine = self._mine(who)
        self._prove(mine, question.password, "password")
        now = self._clock()
        self._enrolling = {k: v for k, v in self._enrolling.items() if v[1] >= now}
        if len(self._enrolling) >= MOST_ENROLLING:
            del self._enrolling[next(iter(self._enrolling))]
        secret = new_secret()
        self._enrolling[digest(question.token)] = secret, now + ENROL_SECONDS
        return ask.TotpSecret(secret, address(secret, mine.name, self._desk.config[SYSTEM].hostname))

    def _confirm_totp(self, question: ask.ConfirmTotp, who: str) -> ask.RecoveryCodes:
        mine = self._mine(who)
        key = digest(question.token)
        secret, until = self._enrolling.get(key, ("", 0.0))
        if until < self._clock():
            raise Refused("that took too long: begin again")
        self._slow_down(mine)
        step = step_of(secret, plain_code(question.code), self._access.wall(), -1)
        if step is None:
            self._proofs.failed(mine.name, self._clock())
            raise _wrong("code", "that is not the code which the app shows now; is its clock right?")
        codes = recovery_codes()
        fields = {"totp": secret, "recovery": [recovery_hash(code) for code in codes]}
        edits = _account_edits(mine.name, fields)
        self._save(edits, self._access.origin(question, who), f"second factor of {mine.name}")
        self._enrolling.pop(key, None)
        self._access.remembered.use_step(mine.name, step)
        return ask.RecoveryCodes(codes)

    def _end_totp(self, question: ask.EndTotp, who: str) -> None:
        mine = self._mine(who)
        self._prove(mine, question.password, "password")
        edits = _account_edits(mine.name, _NO_FACTOR)
        self._save(edits, self._access.origin(question, who), f"no second factor for {mine.name}")

    def _reset_totp(self, question: ask.ResetTotp, who: str) -> None:
        found = account(self._desk.config, question.username)
        if found is None:
            raise _wrong("username", f"there is no account {question.username!r}")
        if not found.totp:
            raise Refused(f"{found.name} has no second factor")
        text = f"second factor of {found.name} reset"
        self._save(_account_edits(found.name, _NO_FACTOR), self._access.origin(question, who), text)

    # API keys -------------------------------------------------------------------------------------------------------

    def _shown(self, key: ApiKey) -> ask.KeyShown:
        names = {OWNER_ADMIN: ADMIN_NAME, **{u.id: u.name for u in self._desk.config[USERS].items}}
        used = self._access.remembered.key_used(key.id)
        wrong = self._access.key_wrong(key)
        return ask.KeyShown(key.id, key.name, names.get(key.user, "?"), key.privilege, key.expires, used, wrong)

    def _make_key(self, question: ask.MakeKey, who: str) -> ask.KeyMade:
        username = question.username or (ADMIN_NAME if who == "root" else account_of(who))
        owner = self._owner_id(username)
        key_id = new_id()
        token = f"{ask.KEY_PREFIX}{key_id}_{secrets.token_urlsafe(32)}"
        values = {
            "id": key_id, "name": question.name, "user": owner, "privilege": question.privilege,
            "expires": question.expires, "key_hash": digest(token),
        }  # fmt: skip
        edit = Edit(API_KEYS.name, "add", values=values)
        self._save([edit], self._access.origin(question, who), f"API key {question.name}")
        return ask.KeyMade(key_id, token)

    def _owner_id(self, username: str) -> str:
        if username.lower() == ADMIN_NAME:
            return OWNER_ADMIN
        for user in self._desk.config[USERS].items:
            if user.name == username:
                return user.id
        raise Invalid([Problem("username", f"there is no account {username!r}")])

    def _revoke_key(self, question: ask.RevokeKey, who: str) -> None:
        config = self._desk.config
        key = config[API_KEYS].items[find(API_KEYS, config, question.key)]
        edit = Edit(API_KEYS.name, "delete", key.id)
        self._save([edit], self._access.origin(question, who), f"API key {key.name} revoked")

    def _save(self, edits: list[Edit], origin: Origin, message: str) -> None:
        self._desk.save(edits, origin, True, message)


_NO_FACTOR: dict[str, Any] = {"totp": "", "recovery": []}


def _account_edits(username: str, fields: dict[str, Any]) -> list[Edit]:
    if username == ADMIN_NAME:
        return [Edit(ADMIN.name, "set", values=fields)]
    return [Edit(USERS.name, "set", username, fields)]


def _wrong(field: str, text: str) -> Refused:
    return Refused(text, [{"path": field, "text": text, "level": "error"}])
