"""Who is told, and what happens when nobody can be."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from gemel.areas.every import SCHEMA
from gemel.areas.notifications import NOTIFICATIONS, Notifications
from gemel.core.event import NOTICE, PROBLEM, ROLE, Event
from gemel.core.problem import Invalid
from gemel.daemons.agent.notifier import RETRY, Notifier
from gemel.effects.notify import MailServer, NotSent, send_mail
from gemel.facts.notices import SETTLE

MAIL = {
    "smtp_server": "mail.example.org",
    "recipients": "a@example.org, b@example.org",
    "username": "fw",
    "password": "x",
}
HOOK = {"webhook": "https://chat.example.org/secret"}


class World:
    """A mail server and a hook that take everything, or nothing."""

    def __init__(self, **settings: Any) -> None:
        self.up = True
        self.mails: list[tuple[Any, ...]] = []
        self.hooks: list[dict[str, Any]] = []
        self.failed: list[Event] = []
        config = SCHEMA.load({"version": 1, "areas": {"system": {"hostname": "fw1"}, "notifications": settings}})
        self.notifier = Notifier(lambda: config, self.failed.append, self.mail, self.hook)

    def mail(self, server: MailServer, sender: str, recipients: tuple[str, ...], subject: str, text: str) -> None:
        self.taken()
        self.mails.append((server.host, server.username, sender, recipients, subject, text))

    def hook(self, _url: str, body: dict[str, Any]) -> None:
        self.taken()
        self.hooks.append(body)

    def taken(self) -> None:
        if not self.up:
            raise NotSent("nobody there")

    def happens(self, kind: str = ROLE, now: float = 100.0) -> None:
        for name in ("WAN@200", "LAN@1"):
            data = {"after": "MASTER", "reason": "so"}
            self.notifier.take(Event(1.0, kind, name, "BACKUP → MASTER: so", None, data), now)


def test_a_failover_is_told_once_by_each_way() -> None:
    world = World(**MAIL, **HOOK)
    world.happens()
    world.notifier.work(100.0)
    assert not world.mails and not world.hooks, "it waits for what else belongs to it"
    for i in range(5):
        world.notifier.work(100.0 + SETTLE + i)
    [mail], [hook] = world.mails, world.hooks
    assert mail[:4] == ("mail.example.org", "fw", "gemel@fw1.home.arpa", ("a@example.org", "b@example.org"))
    assert mail[4] == hook["subject"] == "[fw1] MASTER of WAN@200, LAN@1 (so)"
    assert hook["node"] == "fw1" and [e["subject"] for e in hook["events"]] == ["WAN@200", "LAN@1"]


def test_it_is_tried_again_until_somebody_takes_it() -> None:
    world = World(**HOOK)
    world.up = False
    world.happens()
    now = 100.0 + SETTLE
    world.notifier.work(now)
    world.up = True
    world.notifier.work(now + RETRY[0] - 1)
    assert not world.hooks
    world.notifier.work(now + RETRY[0])
    assert len(world.hooks) == 1 and not world.failed


def test_what_nobody_takes_is_remembered_and_given_up() -> None:
    world = World(**HOOK)
    world.up = False
    world.happens()
    now = 100.0 + SETTLE
    for pause in (0.0, *RETRY):
        now += pause
        world.notifier.work(now)
    [event] = world.failed
    assert event.kind == NOTICE and event.good is False and "nobody there" in event.text
    world.up = True
    world.notifier.work(now + 1e6)
    assert not world.hooks


def test_nobody_is_told_without_an_address_or_of_what_was_not_asked_for() -> None:
    for world in (World(), World(**HOOK, events="problem")):
        world.happens()
        world.notifier.work(1000.0)
        assert not world.mails and not world.hooks and not world.failed
    world.happens(PROBLEM, 2000.0)
    world.notifier.work(3000.0)
    assert len(world.hooks) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("webhook", "file:///etc/shadow"), ("webhook", "chat"), ("recipients", "nobody"), ("sender", "a@b\nBcc: c@d"),
     ("events", "weather"), ("smtp_port", 0), ("smtp_tls", "ssl3"), ("smtp_server", "a\nb")],
)  # fmt: skip
def test_nonsense_is_refused_at_its_field(field: str, value: Any) -> None:
    with pytest.raises(Invalid) as refused:
        SCHEMA.load({"version": 1, "areas": {"notifications": {field: value}}})
    assert refused.value.problems[0].path.startswith(f"notifications.{field}")


def test_mail_needs_a_server() -> None:
    config = SCHEMA.default().having(notifications=Notifications(recipients=("a@example.org",)))
    assert any(p.path == "notifications.smtp_server" and p.level == "error" for p in SCHEMA.check(config))
    assert NOTIFICATIONS.sync is None


def test_a_test_goes_at_once_and_says_what_is_wrong() -> None:
    world = World(**MAIL, **HOOK)
    mail, hook = world.notifier.test("boss")
    assert (mail.way, mail.to, mail.error) == ("mail", "a@example.org, b@example.org", "")
    assert hook.to == "the webhook" and "secret" not in str(hook)
    assert "boss asked fw1" in world.mails[0][5] and world.hooks[0]["subject"] == "fw1: test notification"
    world.up = False
    assert [d.error for d in world.notifier.test("boss")] == ["nobody there", "nobody there"]
    assert not world.failed and World().notifier.test("boss") == ()


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (MailServer("127.0.0.1", 1, "none"), "nobody listens there: check the port"),
        (MailServer("no-such-host.invalid", 25, "none"), "the name cannot be resolved"),
    ],
)
def test_what_is_wrong_with_a_mail_server_is_said_in_words(server: MailServer, said: str) -> None:
    with pytest.raises(NotSent, match=said):
        send_mail(server, "fw@example.org", ("a@example.org",), "x", "y")


def test_a_server_that_speaks_no_tls_and_one_that_refuses() -> None:
    greeting = (b"220 hello\r\n", b"250 mail\r\n")
    for tls, lines, said in (
        ("starttls", (*greeting, b"454 no TLS today\r\n"), "cannot do that"),
        ("none", (*greeting, b"250 ok\r\n", b"550 unknown\r\n", b"250 ok\r\n"), "a@example.org is refused: 550 unk"),
        ("tls", (b"no tls\r\n",), "no TLS is spoken there"),
    ):
        with speaking(*lines) as port, pytest.raises(NotSent, match=said):
            send_mail(MailServer("127.0.0.1", port, tls), "fw@example.org", ("a@example.org",), "x", "y")


@contextmanager
def speaking(first: bytes, *replies: bytes) -> Iterator[int]:
    """A server that says these lines, the first at once, then one for each line that it hears."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as caller, caller.makefile("rb") as lines, suppress(OSError):
                caller.sendall(first)
                for reply in replies:
                    if not lines.readline():
                        return
                    caller.sendall(reply)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(2)
