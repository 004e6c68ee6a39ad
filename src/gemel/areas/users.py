"""System > User Manager: the admin account and further ones. Only hashes get here: the agent makes them."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from gemel.areas.fields import Line
from gemel.core.area import Area
from gemel.core.config import Config
from gemel.core.model import Item, Model, field
from gemel.core.problem import Problem

PRIVILEGES = {
    "all": "Everything",
    "read-only": "See everything, change nothing",
    "ha-sync": "System - HA node sync: the XML-RPC calls of a peer, nothing else",
}
Privilege = Literal["all", "read-only", "ha-sync"]


def _privileges(value: Any) -> Any:
    if isinstance(value, str):
        value = [v.strip() for v in value.split(",") if v.strip()]
    words = {"system - ha node sync": "ha-sync", "everything": "all", "readonly": "read-only"}
    return (
        [words.get(v.lower(), v) if isinstance(v, str) else v for v in value]
        if isinstance(value, list | tuple)
        else value
    )


def user_name(value: str) -> str:
    """A name for an account, or a key. Raises `ValueError` if it will not do."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", value):
        raise ValueError(f"{value!r} is no user name: letters, digits, dot, hyphen and underscore, at most 32")
    return value


def _secret(value: str) -> str:
    if value and not re.fullmatch(r"[A-Z2-7]{16,64}", value):
        raise ValueError("base32, 16 to 64 letters and digits")
    return value


def _hashes(values: tuple[str, ...]) -> tuple[str, ...]:
    if not all(re.fullmatch(r"[0-9a-f]{64}", v) for v in values) or len(values) > 20:
        raise ValueError("SHA-256 in hexadecimal, at most 20 of them")
    return values


TotpSecret = Annotated[str, AfterValidator(_secret)]
RecoveryHashes = Annotated[tuple[str, ...], AfterValidator(_hashes)]


class Admin(Model):
    """The account that is always there and may do everything."""

    password_hash: str = field("", label="Password", help="argon2id; set with `gemel passwd`.", secret=True)
    scram: str = field(
        "", label="SCRAM verifier", help="Proves the password to a peer without sending it.", secret=True
    )
    totp: TotpSecret = field(
        "", label="Second factor", help="What one-time codes are made of; empty: none needed.", secret=True, sealed=True
    )
    recovery: RecoveryHashes = field(
        (), label="Recovery codes", help="SHA-256 of each; good in place of a one-time code.", secret=True, sealed=True
    )


class User(Item):
    """A further account."""

    name: Annotated[str, AfterValidator(user_name)] = field(
        label="Username", help="Letters, digits, dot, hyphen, underscore."
    )
    description: Line = field("", label="Full name", help="For people.")
    disabled: bool = field(False, label="Disabled", help="The account cannot log in.")
    password_hash: str = field("", label="Password", help="argon2id; set with --password-stdin.", secret=True)
    scram: str = field(
        "", label="SCRAM verifier", help="Proves the password to a peer without sending it.", secret=True
    )
    totp: TotpSecret = field(
        "", label="Second factor", help="What one-time codes are made of; empty: none needed.", secret=True, sealed=True
    )
    recovery: RecoveryHashes = field(
        (), label="Recovery codes", help="SHA-256 of each; good in place of a one-time code.", secret=True, sealed=True
    )
    privileges: Annotated[tuple[Privilege, ...], BeforeValidator(_privileges)] = field(
        (), label="Privileges", help="; ".join(f"{key}: {text}" for key, text in PRIVILEGES.items()) + "."
    )

    def called(self) -> tuple[str, ...]:
        return (self.name,)


class Users(Model):
    """All accounts beside the admin's."""

    items: tuple[User, ...] = ()


def _check(config: Config) -> Iterable[Problem]:
    names = {"admin": "", "root": ""}
    for user in config[USERS].items:
        path = f"users[{user.id}]"
        if names.setdefault(user.name.lower(), user.id) != user.id:
            yield Problem(f"{path}.name", f"there is another account called {user.name}")
        if not user.password_hash and not user.disabled:
            yield Problem(f"{path}.password_hash", f"{user.name} has no password and cannot log in", "warning")


ADMIN = Area(
    name="admin",
    label="Admin account",
    noun="admin",
    model=Admin,
    help="The account that may do everything.",
    availability="runs on both",
    sync="admin",
    own_faces=True,
)

USERS = Area(
    name="users",
    label="User Manager",
    noun="user",
    model=Users,
    item=User,
    help="Accounts and what they may do.",
    availability="runs on both",
    sync="users",
    check=_check,
    columns=("name", "description", "disabled", "privileges"),
)
