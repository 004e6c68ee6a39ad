"""First contact: two nodes that share only a password come to know each other's certificate.

SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677). The channel binding joins the hash of the certificate that the server showed
(RFC 5929 tls-server-end-point) with the hash of the client's node certificate: a stranger in the middle has to replace
one of them, and then the two ends bind different data and the proof is worth nothing. The server's last message proves
that it knows the verifier, so that the client does not pin a stranger either. The password itself is never sent.

A stranger who plays the server gets a proof to guess passwords against, at home; the number of iterations, of which the
client insists on ours, is what makes each guess expensive.
"""

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any

from scramp import ScramClient, ScramException, ScramMechanism

from gemel.core.certificate import digest

MECHANISM = "SCRAM-SHA-256-PLUS"
ITERATIONS = 120_000  # PBKDF2-SHA-256, about 50 ms; once per pairing and per password change
FEWEST_ITERATIONS, MOST_ITERATIONS = 100_000, 2_000_000  # what a client takes part in

_BINDING = "tls-server-end-point"


class NotProven(Exception):
    """The other end does not know the password, or somebody sits in between; the text says which, in words."""


class BadPassword(ValueError):
    """A password that SCRAM cannot carry (RFC 4013 forbids control characters, among others)."""


def channel_binding(server_der: bytes, client_der: bytes) -> tuple[str, bytes]:
    """What the proof is bound to: both certificates, DER."""
    return _BINDING, digest(server_der) + digest(client_der)


def scram_verifier(password: str, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """What to keep of a password so that first contact can be made with it: JSON text, no use for logging in.

    Keys: ``salt``, ``stored_key``, ``server_key`` (base64), ``iterations``.

    Raises:
        BadPassword: it holds characters that SASLprep forbids, or nothing.
    """
    if not password:
        raise BadPassword("a password is needed")
    try:
        salt, stored, server, count = ScramMechanism("SCRAM-SHA-256").make_auth_info(password, iterations, salt)
    except ScramException as error:
        raise BadPassword(f"a password cannot hold such characters ({error.args[0]})") from None
    kept = {"salt": _text(salt), "stored_key": _text(stored), "server_key": _text(server), "iterations": count}
    return json.dumps(kept, sort_keys=True)


def knows_password(verifier: str, password: str) -> bool:
    """Whether `password` is the one that `verifier` (of `scram_verifier`) was made from."""
    try:
        salt, stored, _, iterations = _read(verifier)
        again = _read(scram_verifier(password, salt, iterations))
    except (BadPassword, ValueError, KeyError, TypeError):
        return False
    return hmac.compare_digest(stored, again[1])


class Prover:
    """The client's half: proves that it knows the password, then checks that the server does.

    Raises:
        NotProven: name or password hold characters that SASLprep forbids.
    """

    def __init__(self, username: str, password: str, server_der: bytes, client_der: bytes) -> None:
        try:
            self._client = ScramClient([MECHANISM], username, password, channel_binding(server_der, client_der))
            self.first: str = self._client.get_client_first()
        except ScramException as error:
            raise NotProven(f"user name or password cannot be sent: {error.args[0]}") from None

    def final(self, server_first: str) -> str:
        """The proof.

        Raises:
            NotProven: the peer's message is malformed, or asks for so few iterations that only a password thief would.
        """
        try:
            self._client.set_server_first(server_first)
            if not FEWEST_ITERATIONS <= int(self._client.iterations) <= MOST_ITERATIONS:
                raise NotProven("the peer asks for a proof of the password that would be too easy to guess from")
            proof: str = self._client.get_client_final()
        except ScramException as error:
            raise NotProven(f"the peer's answer makes no sense: {error.args[0]}") from None
        return proof

    def check(self, server_final: str) -> None:
        """Take the server's proof.

        Raises:
            NotProven: it does not know the password: it is not the peer.
        """
        try:
            self._client.set_server_final(server_final)
        except ScramException:
            raise NotProven("whoever answered does not know the password: that is not the peer") from None


class Verifier:
    """The server's half. `verifier` is None for unknown users, whose proof fails just as a wrong password's does."""

    def __init__(
        self, username: str, verifier: str | None, server_der: bytes, client_der: bytes, secret: bytes
    ) -> None:
        self.username = username
        self._record = _read(verifier) if verifier else _decoy(username, secret)
        mechanism = ScramMechanism(MECHANISM)
        self._server: Any = mechanism.make_server(self._lookup, channel_binding(server_der, client_der))

    def _lookup(self, username: str) -> tuple[bytes, bytes, bytes, int] | None:
        return self._record if username == self.username else None

    def first(self, client_first: str) -> str:
        """Salt, iterations and nonce for the client.

        Raises:
            NotProven: the message is malformed or for another user.
        """
        try:
            self._server.set_client_first(client_first)
            message: str = self._server.get_server_first()
        except (ScramException, ValueError) as error:
            raise NotProven(f"first contact is malformed: {error}") from None
        return message

    def final(self, client_final: str) -> str:
        """Check the client's proof and return ours.

        Raises:
            NotProven: wrong password, or certificates that were replaced on the way.
        """
        try:
            self._server.set_client_final(client_final)
            message: str = self._server.get_server_final()
        except ScramException as error:
            if "channel-bindings" in str(error):
                text = "the two nodes see different certificates: somebody sits between them; nothing was exchanged"
                raise NotProven(text) from None
            raise NotProven("wrong user name or password") from None
        except ValueError:
            raise NotProven("first contact is malformed") from None
        return message


def _decoy(username: str, secret: bytes) -> tuple[bytes, bytes, bytes, int]:
    """Looks like a user's record and stays the same for one name, so that asking tells nothing about who exists."""
    salt = hmac.digest(secret, username.encode(), hashlib.sha256)
    return salt, secrets.token_bytes(32), secrets.token_bytes(32), ITERATIONS


def _read(verifier: str) -> tuple[bytes, bytes, bytes, int]:
    kept = json.loads(verifier)
    salt, stored, server = (base64.b64decode(kept[k], validate=True) for k in ("salt", "stored_key", "server_key"))
    return salt, stored, server, int(kept["iterations"])


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
