"""Sends one notification: by mail (SMTP, RFC 5321) or to a webhook (JSON over HTTP)."""

import json
import smtplib
import socket
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
        raise NotSent(f"mail through {server.host}:{server.port}: {_why(error)}") from None


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
        said = f"it answers {error.code} {error.reason}" if isinstance(error, urllib.error.HTTPError) else _why(error)
        raise NotSent(f"webhook: {said}") from None


def _why(error: Exception) -> str:
    """What is wrong and what to look at, in a sentence."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    match cause:
        case socket.gaierror():
            return "the name cannot be resolved: check it, and the DNS servers in System > General Setup"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({cause.verify_message}): the name must be the certificate's"
        case ssl.SSLError():
            return f"no TLS is spoken there ({cause.reason or cause}): check port and encryption"
        case TimeoutError():
            return f"no answer within {PATIENCE:.0f} s: check address, port, and the way out"
        case ConnectionRefusedError():
            return "nobody listens there: check the port"
        case smtplib.SMTPException():
            return _refusal(cause)
        case OSError() if cause.strerror:
            return cause.strerror
    return str(cause)


def _refusal(cause: smtplib.SMTPException) -> str:
    match cause:
        case smtplib.SMTPAuthenticationError():
            return f"user name or password is refused: {_reply(cause)}"
        case smtplib.SMTPNotSupportedError():
            return f"the server cannot do that: {cause}"
        case smtplib.SMTPRecipientsRefused():
            address, (code, text) = next(iter(cause.recipients.items()))
            return f"{address} is refused: {code} {text.decode(errors='replace')}"
        case smtplib.SMTPSenderRefused():
            return f"the sender {cause.sender} is refused: {_reply(cause)}"
        case smtplib.SMTPResponseException():
            return f"the server says {_reply(cause)}"
        case smtplib.SMTPServerDisconnected():
            return "the server hung up: check port and encryption"
    return str(cause)


def _reply(error: smtplib.SMTPResponseException) -> str:
    said = error.smtp_error
    return f"{error.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
