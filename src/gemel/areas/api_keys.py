"""System > User Manager > API Keys: programs that act for an account. Only hashes get here: the agent makes the keys.

A key is 256 random bits, so that a plain hash of it tells nobody anything.
"""

import re
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator

from gemel.areas.users import USERS, user_name
from gemel.core.area import Area
from gemel.core.config import Config
from gemel.core.model import Item, Model, field
from gemel.core.problem import Problem

OWNER_ADMIN = "admin"
"""What `user` is for the admin; else it is the id of an account in `users`."""


def _day(value: str) -> str:
    if not value:
        return ""
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise ValueError(f"{value!r} is no date such as 2027-01-31") from None


def _hash(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError("keys are made on the page, or with `gemel key add`")
    return value


class ApiKey(Item):
    """One key."""

    name: Annotated[str, AfterValidator(user_name)] = field(label="Name", help="What it is for.")
    user: str = field(OWNER_ADMIN, label="Account", help="For whom it acts; with a disabled account it opens nothing.")
    privilege: Literal["read-only", "all"] = field(
        "read-only", label="Privilege", help="At most what the account may do."
    )
    expires: Annotated[str, AfterValidator(_day)] = field(
        "", label="Expires", help="The last day on which it is good, such as 2027-01-31; empty: no end."
    )
    key_hash: Annotated[str, AfterValidator(_hash)] = field(
        label="Key", help="SHA-256 of the key.", secret=True, sealed=True
    )

    def called(self) -> tuple[str, ...]:
        return (self.name,)


class ApiKeys(Model):
    """All keys."""

    items: tuple[ApiKey, ...] = ()


def _check(config: Config) -> Iterable[Problem]:
    accounts = {OWNER_ADMIN, *(user.id for user in config[USERS].items)}
    names: dict[str, str] = {}
    for key in config[API_KEYS].items:
        path = f"api_keys[{key.id}]"
        if names.setdefault(key.name.lower(), key.id) != key.id:
            yield Problem(f"{path}.name", f"there is another key called {key.name}")
        if key.user not in accounts:
            yield Problem(f"{path}.user", f"the account of the key {key.name} is gone: it opens nothing", "warning")


API_KEYS = Area(
    name="api_keys",
    label="API Keys",
    noun="key",
    model=ApiKeys,
    item=ApiKey,
    help="Programs that act for an account.",
    availability="runs on both",
    sync="users",
    check=_check,
    own_faces=True,
    columns=("name", "user", "privilege", "expires"),
)
