"""Certificates as files, peers and people name them: PEM on disk, DER on the wire, a fingerprint to compare."""

import base64
import hashlib
import textwrap

NODE_SERVER_NAME = "node.gemel"
"""The TLS server name (SNI) under which a node shows its own certificate instead of the GUI's."""

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def der(text: str) -> bytes:
    """The first certificate of a PEM text, as DER.

    Raises:
        ValueError: there is none.
    """
    start, end = text.find(_BEGIN), text.find(_END)
    if start < 0 or end < start:
        raise ValueError("no PEM certificate")
    return base64.b64decode("".join(text[start + len(_BEGIN) : end].split()), validate=True)


def pem(certificate: bytes) -> str:
    """A DER certificate as PEM, one spelling for each."""
    return "\n".join([_BEGIN, *textwrap.wrap(base64.b64encode(certificate).decode(), 64), _END, ""])


def digest(certificate: bytes) -> bytes:
    """SHA-256 of a DER certificate: RFC 5929's tls-server-end-point for the nodes' ECDSA-with-SHA-256 certificates."""
    return hashlib.sha256(certificate).digest()


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a DER certificate, as people compare it: ``AB:CD:…``, 32 pairs."""
    return digest(certificate).hex(":").upper()
