"""Sends one notification: by mail (SMTP, RFC 5321) or to a webhook (JSON over HTTP)."""

import json
import smtplib
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

PATIENCE = 15.0  # seconds


class NotSent(Exception):
    """Nobody was told; the text says why."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in. `tls` is none, starttls or tls; without `username` nobody logs in."""

    host: str
    port: int
    tls: str
    username: str = ""
    password: str = ""


def send_mail(server: MailServer, sender: str, recipients: tuple[str, ...], subject: str, text: str) -> None:
    """Send one mail.

    Raises:
        NotSent: the server is away or did not take it.
    """
    message = EmailMessage()
    message["From"], message["To"] = sender, ", ".join(recipients)
    message["Subject"] = " ".join(subject.split())
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice shall answer
    message.set_content(text + "\n")
    try:
        with _connected(server) as smtp:
            if server.username:
                smtp.login(server.username, server.password)
            smtp.send_message(message)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise NotSent(f"mail through {server.host}:{server.port}: {error}") from None


def _connected(server: MailServer) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if server.tls == "tls":
        return smtplib.SMTP_SSL(server.host, server.port, timeout=PATIENCE, context=context)
    smtp = smtplib.SMTP(server.host, server.port, timeout=PATIENCE)
    if server.tls == "starttls":
        try:
            smtp.starttls(context=context)
        except BaseException:
            smtp.close()
            raise
    return smtp


class _Stay(urllib.request.HTTPRedirectHandler):
    """A webhook is told at its address and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(_Stay, urllib.request.ProxyHandler({}))


def post_webhook(url: str, body: dict[str, Any]) -> None:
    """POST JSON; any 2xx is well.

    Raises:
        NotSent: nobody there, or another answer. The text does not show the address, which may hold a secret.
    """
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with _opener.open(request, timeout=PATIENCE) as answer:
            answer.read(4096)
    except (OSError, ValueError) as error:
        said = f"answers {error.code}" if isinstance(error, urllib.error.HTTPError) else str(error)
        raise NotSent(f"webhook: {said}") from None
