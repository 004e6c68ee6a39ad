"""Tells people, by mail and webhook: in a thread of its own, with patience, and never in anybody's way."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gemel.areas.notifications import NOTIFICATIONS
from gemel.areas.system import SYSTEM
from gemel.control.agent import Delivery
from gemel.core.codec import encode
from gemel.core.config import Config
from gemel.core.event import NOTICE, Event
from gemel.effects.notify import MailServer, NotSent, post_webhook, send_mail
from gemel.facts.notices import Digest, Notice

RETRY = (10.0, 60.0, 300.0, 900.0)
"""Seconds after which a notification that nobody took is tried again: the way out may be down in a failover."""
WAITING = 500

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Outgoing:
    notice: Notice
    by: str
    tries: int
    due: float


class Notifier:
    """Gets every event, tells those that are wanted. `failed` gets an event when telling failed for good."""

    def __init__(
        self,
        config: Callable[[], Config],
        failed: Callable[[Event], None],
        mail: Callable[[MailServer, str, tuple[str, ...], str, str], None] = send_mail,
        hook: Callable[[str, dict[str, Any]], None] = post_webhook,
    ) -> None:
        self._config = config
        self._failed = failed
        self._mail = mail
        self._hook = hook
        self._events: queue.Queue[Event] = queue.Queue(WAITING)
        self._digest = Digest("")
        self._out: list[_Outgoing] = []

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="notifier", daemon=True).start()

    def __call__(self, events: list[Event]) -> None:
        """Something happened. Returns at once; what comes too fast for us is dropped."""
        for event in events:
            if event.kind != NOTICE:
                try:
                    self._events.put_nowait(event)
                except queue.Full:
                    return

    def _run(self) -> None:
        while True:
            now = time.monotonic()
            dues = [*(o.due for o in self._out), *([self._digest.deadline] if self._digest.deadline else [])]
            try:
                event = self._events.get(timeout=max(0.0, min(dues) - now) if dues else None)
                self.take(event, time.monotonic())
            except queue.Empty:
                pass
            try:
                self.work(time.monotonic())
            except Exception:
                log.exception("notifications")

    def test(self, who: str) -> tuple[Delivery, ...]:
        """Tell everybody now that this is a test; how each way went. Takes as long as the slowest refusal."""
        config = self._config()
        node = config[SYSTEM].hostname
        text = f"{who} asked {node} to send this. Notifications of what happens there come the same way."
        notice = Notice(f"{node}: test notification", text, ())
        settings = config[NOTIFICATIONS]
        found = []
        for way, to in (("mail", ", ".join(settings.recipients) if settings.smtp_server else ""),
                        ("webhook", settings.webhook and "the webhook")):  # fmt: skip
            if to:
                try:
                    self._send(_Outgoing(notice, way, 0, 0.0), config)
                    found.append(Delivery(way, to, ""))
                except NotSent as error:
                    found.append(Delivery(way, to, str(error)))
        return tuple(found)

    def take(self, event: Event, now: float) -> None:
        """An event that may be worth telling."""
        self._digest.add(event, self._config()[NOTIFICATIONS].events, now)

    def work(self, now: float) -> None:
        """Send what is due."""
        config = self._config()
        settings = config[NOTIFICATIONS]
        self._digest.node = config[SYSTEM].hostname
        notice = self._digest.take(now)
        if notice is not None:
            ways = (("mail", settings.smtp_server and settings.recipients), ("webhook", settings.webhook))
            self._out = [*self._out[-20:], *(_Outgoing(notice, way, 0, now) for way, there in ways if there)]
        for one in [o for o in self._out if o.due <= now]:
            try:
                self._send(one, config)
                self._out.remove(one)
            except NotSent as error:
                self._later(one, str(error), now)

    def _send(self, one: _Outgoing, config: Config) -> None:
        settings, notice, node = config[NOTIFICATIONS], one.notice, config[SYSTEM].hostname
        if one.by == "webhook" and settings.webhook:
            events = [encode(e) for e in notice.events]
            self._hook(
                settings.webhook, {"node": node, "subject": notice.subject, "text": notice.text, "events": events}
            )
        elif one.by == "mail" and settings.smtp_server and settings.recipients:
            server = MailServer(
                settings.smtp_server, settings.smtp_port, settings.smtp_tls, settings.username, settings.password
            )
            sender = settings.sender or f"gemel@{node}.{config[SYSTEM].domain or 'invalid'}"
            self._mail(server, sender, settings.recipients, notice.subject, notice.text)

    def _later(self, one: _Outgoing, why: str, now: float) -> None:
        log.warning("not told: %s", why)
        if one.tries < len(RETRY):
            one.due, one.tries = now + RETRY[one.tries], one.tries + 1
            return
        self._out.remove(one)
        self._failed(Event(time.time(), NOTICE, one.by, f"{one.notice.subject}: {why}", False))
