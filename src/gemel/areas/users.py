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


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", value):
        raise ValueError(f"{value!r} is no user name: letters, digits, dot, hyphen and underscore, at most 32")
    return value


class Admin(Model):
    """The account that is always there and may do everything."""

    password_hash: str = field("", label="Password", help="argon2id; set with `gemel passwd`.", secret=True)
    scram: str = field(
        "", label="SCRAM verifier", help="Proves the password to a peer without sending it.", secret=True
    )


class User(Item):
    """A further account."""

    name: Annotated[str, AfterValidator(_name)] = field(
        label="Username", help="Letters, digits, dot, hyphen, underscore."
    )
    description: Line = field("", label="Full name", help="For people.")
    disabled: bool = field(False, label="Disabled", help="The account cannot log in.")
    password_hash: str = field("", label="Password", help="argon2id; set with --password-stdin.", secret=True)
    scram: str = field(
        "", label="SCRAM verifier", help="Proves the password to a peer without sending it.", secret=True
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
