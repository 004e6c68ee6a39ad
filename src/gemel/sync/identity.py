"""Who a node is: its key and certificate, and the signature that every call between paired nodes carries.

TLS proves the server's key to the client; the signature proves the client's to the server's *agent*, past webd, which
ends TLS. It covers method, parameters, account, recipient, session and a number that only grows within the session:
a recorded call is good for nothing, elsewhere or later, and no clock is needed for that.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gemel.core.certificate import der, fingerprint
from gemel.core.config import canonical, digest

_ALGORITHM = ec.ECDSA(hashes.SHA256())
_PURPOSE = "gemel peer call, version 1"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a signature covers besides the call itself.

    `recipient` is the fingerprint of the certificate that the call goes to; `session` is empty, and `number` 0, for the
    calls that open one.
    """

    username: str
    recipient: str
    session: str = ""
    number: int = 0


class Identity:
    """A node's own key and certificate.

    Raises:
        ValueError: the texts are not an EC key and a certificate for it.
    """

    def __init__(self, key_pem: str, certificate_pem: str) -> None:
        key = serialization.load_pem_private_key(key_pem.encode(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("a node's key is an elliptic-curve key")
        if x509.load_pem_x509_certificate(certificate_pem.encode()).public_key() != key.public_key():
            raise ValueError("the node's certificate is not for its key")
        self._key = key
        self.certificate = certificate_pem
        self.der = der(certificate_pem)
        self.fingerprint = fingerprint(self.der)

    def shared_key(self, certificate: str, purpose: str) -> bytes:
        """32 bytes that only this node and the owner of `certificate` (PEM) can know, another 32 for each purpose.

        Raises:
            ValueError: there is no elliptic-curve key of our kind in the certificate.
        """
        key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError("a node's key is an elliptic-curve key")
        secret = self._key.exchange(ec.ECDH(), key)
        both = b"".join(sorted((self.der, der(certificate))))
        return HKDF(hashes.SHA256(), 32, hashlib.sha256(both).digest(), purpose.encode()).derive(secret)

    def sign(self, method: str, params: tuple[Any, ...], stamp: Stamp) -> str:
        """The value of the header ``Gemel-Signature`` for this call: session, number, signature."""
        signature = base64.b64encode(self._key.sign(_covered(method, params, stamp), _ALGORITHM)).decode()
        return f"{stamp.session or '-'} {stamp.number} {signature}"


@dataclass(frozen=True, slots=True)
class Signature:
    """The header ``Gemel-Signature``, read."""

    session: str
    number: int
    value: bytes

    @classmethod
    def read(cls, header: str | None) -> "Signature | None":
        """The header's parts; None if it is missing or no signature."""
        parts = (header or "").split(" ")
        if len(parts) != 3 or not parts[1].isascii() or not parts[1].isdigit() or len(parts[1]) > 18:
            return None
        try:
            value = base64.b64decode(parts[2], validate=True)
        except (binascii.Error, ValueError):
            return None
        return cls("" if parts[0] == "-" else parts[0], int(parts[1]), value)

    def is_by(self, certificate: str, method: str, params: tuple[Any, ...], stamp: Stamp) -> bool:
        """Whether the owner of `certificate` (PEM) signed this call with this stamp."""
        try:
            key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        except ValueError:
            return False
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return False
        try:
            key.verify(self.value, _covered(method, params, stamp), _ALGORITHM)
        except InvalidSignature:
            return False
        return True


def _covered(method: str, params: tuple[Any, ...], stamp: Stamp) -> bytes:
    account = [stamp.username, stamp.recipient, stamp.session, stamp.number]
    return canonical([_PURPOSE, method, digest(list(params)), *account]).encode()


def pem_fingerprint(certificate: str) -> str:
    """The fingerprint of a PEM certificate.

    Raises:
        ValueError: there is none in the text.
    """
    return fingerprint(der(certificate))
