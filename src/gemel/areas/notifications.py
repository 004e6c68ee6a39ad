"""System > Advanced > Notifications: who is told, by mail or by a webhook, when something happens. Stays on each node;
applied at Save."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

from gemel.areas.fields import Line
from gemel.core.area import Area
from gemel.core.config import Config
from gemel.core.event import LOGIN, PROBLEM, ROLE, STATES, SYNC
from gemel.core.model import Model, field
from gemel.core.problem import Problem

EVENTS = (ROLE, SYNC, STATES, PROBLEM, LOGIN)
_ADDRESS = re.compile(r"^[^\s@<>,;]+@[^\s@<>,;]+$")


def _listed(value: Any) -> Any:
    return tuple(v.strip() for v in value.split(",") if v.strip()) if isinstance(value, str) else value


def _mail(value: str) -> str:
    if value and not _ADDRESS.match(value):
        raise ValueError(f"{value!r} is no mail address such as admin@example.org")
    return value


def _recipients(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_mail(v) for v in values))


def _events(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if value not in EVENTS:
            raise ValueError(f"{value!r} is no kind of event; there are {', '.join(EVENTS)}")
    return tuple(dict.fromkeys(values))


def _url(value: str) -> str:
    if not value:
        return ""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or any(ord(c) <= 32 for c in value):
        raise ValueError(f"{value!r} is no address such as https://chat.example.org/hook")
    return value


class Notifications(Model):
    """The fields of the page, in its order."""

    smtp_server: Line = field("", label="SMTP server", help="Name or address of the mail server; empty: no mail.")
    smtp_port: int = field(25, label="SMTP port", help="Usually 25, 587 with STARTTLS, 465 with TLS.", ge=1, le=65535)
    smtp_tls: Literal["none", "starttls", "tls"] = field(
        "none", label="Encryption", help="none, starttls (begins in clear) or tls from the first byte."
    )
    username: Line = field("", label="SMTP user", help="Empty where the server asks for none.")
    password: str = field("", label="SMTP password", help="The password of that user.", secret=True)
    sender: Annotated[str, AfterValidator(_mail)] = field(
        "", label="From", help="The sender's address; empty: gemel@ this node's name."
    )
    recipients: Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_recipients)] = field(
        (), label="To", help="Mail addresses."
    )
    webhook: Annotated[str, AfterValidator(_url)] = field(
        "", label="Webhook", help="An http or https address that gets each notification as JSON.", secret=True
    )
    events: Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_events)] = field(
        (ROLE, SYNC, STATES, PROBLEM), label="Notify about", help=f"Some of {', '.join(EVENTS)}."
    )


def _check(config: Config) -> Iterable[Problem]:
    model = config[NOTIFICATIONS]
    if model.recipients and not model.smtp_server:
        yield Problem("notifications.smtp_server", "mail needs a server")
    if model.smtp_server and not model.recipients:
        yield Problem("notifications.recipients", "nobody gets mail: enter an address", "warning")
    if model.username and model.smtp_tls == "none":
        yield Problem("notifications.smtp_tls", "the password goes over the network in clear", "warning")


NOTIFICATIONS = Area(
    name="notifications",
    label="Notifications",
    noun="notifications",
    model=Notifications,
    help="Mail and a webhook on role changes, synchronisation failures and problems.",
    availability="local",
    at_save=True,
    check=_check,
)
