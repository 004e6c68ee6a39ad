"""Accounts and their passwords."""

import secrets
from dataclasses import dataclass
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from gemel.areas.high_availability import HIGH_AVAILABILITY
from gemel.areas.users import ADMIN, USERS
from gemel.control.door import Refused
from gemel.core.config import Config
from gemel.core.edit import Edit
from gemel.sync.trust import BadPassword, scram_verifier

SHORTEST_PASSWORD = 8
ADMIN_NAME = "admin"

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
    totp: str = ""
    recovery: tuple[str, ...] = ()

    def may(self, privilege: str) -> bool:
        """Whether it holds that privilege, or all."""
        return not self.disabled and (privilege in self.privileges or "all" in self.privileges)


def account(config: Config, username: str) -> Account | None:
    """The account of that name."""
    if username.lower() == ADMIN_NAME:
        admin = config[ADMIN]
        return Account(ADMIN_NAME, admin.password_hash, admin.scram, ("all",), False, admin.totp, admin.recovery)
    for user in config[USERS].items:
        if user.name == username:
            return Account(
                user.name, user.password_hash, user.scram, tuple(user.privileges), user.disabled, user.totp,
                user.recovery,
            )  # fmt: skip
    return None


def knows(config: Config, username: str, password: str) -> bool:
    """Whether these are the credentials of an account that is not disabled. Takes as long for an unknown one."""
    found = account(config, username)
    try:
        _hasher.verify(found.password_hash if found and found.password_hash else _NOBODY, password)
    except (Argon2Error, InvalidHashError, UnicodeEncodeError):
        return False
    return bool(found and found.password_hash and not found.disabled)


def hashed(username: str, password: str) -> dict[str, str]:
    """The fields that a password becomes.

    Raises:
        Refused: it is too short, the user's name, or has characters that no password can have.
    """
    if len(password) < SHORTEST_PASSWORD:
        raise Refused("the password is too short", [_finding(f"at least {SHORTEST_PASSWORD} characters are needed")])
    if password.lower() == username.lower():
        raise Refused("the password is the user name", [_finding("must not be the user name")])
    try:
        scram = scram_verifier(password)
    except BadPassword as error:
        raise Refused("the password will not do", [_finding(str(error))]) from None
    return {"password_hash": _hasher.hash(password), "scram": scram}


def _finding(text: str) -> dict[str, Any]:
    return {"path": "password", "text": text, "level": "error"}


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
