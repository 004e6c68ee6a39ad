"""The node's key and the GUI's key, with their self-signed certificates: made at first start, never replaced by us.

Every file is written whole and synced before it gets its name. A crash between key and certificate leaves a key
without certificate, and the next start makes the certificate that fits it.
"""

import datetime
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gemel.core.certificate import NODE_SERVER_NAME, der, fingerprint

# A firewall's clock may be years off at its first boot, and a pinned certificate has nobody to renew it: valid from
# always, and RFC 5280 §4.1.2.5's way to say that it does not expire.
ALWAYS = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
NEVER = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """SHA-256 of the two certificates, in the colon form that people compare."""

    node: str
    web: str


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Where a key and its certificate are (PEM): `control.paths` has both pairs."""

    key: Path
    certificate: Path


def make_keys(node_name: str, node: KeyPair, web: KeyPair, group: int = -1) -> Fingerprints:
    """Make whatever is missing of the node's and the GUI's key and certificate; what is there stays.

    `group` is the gid of ``gemel-web``, which may read both keys (webd ends TLS); -1 leaves it. Directories get mode
    0750, keys 0640, certificates 0644.

    Raises:
        OSError: the files cannot be written.
        ValueError: a key file is there but holds no EC key.
    """
    node_certificate = _ensure(node, node_name, NODE_SERVER_NAME, group)
    web_certificate = _ensure(web, node_name, node_name, group)
    return Fingerprints(fingerprint(node_certificate), fingerprint(web_certificate))


def _ensure(pair: KeyPair, common_name: str, dns_name: str, group: int) -> bytes:
    """The pair's certificate (DER), after making what was missing."""
    for folder in {pair.key.parent, pair.certificate.parent}:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        os.chown(folder, -1, group)
    if pair.key.exists():
        key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            # An admin may bring an RSA pair for the GUI; we only fill a gap, and there is none if both files are there.
            if pair.certificate.exists():
                return der(pair.certificate.read_text())
            raise ValueError(f"{pair.key}: not an elliptic-curve key, and no certificate beside it")
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        _write_whole(pair.key, _key_pem(key), 0o640, group)
    if pair.certificate.exists():
        certificate = pair.certificate.read_bytes()
        if _fits(certificate, key):
            return der(certificate.decode())
    certificate = self_signed(key, common_name, dns_name)
    _write_whole(pair.certificate, certificate, 0o644, group)
    return der(certificate.decode())


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _fits(pem: bytes, key: ec.EllipticCurvePrivateKey) -> bool:
    try:
        return x509.load_pem_x509_certificate(pem).public_key() == key.public_key()
    except ValueError:
        return False


def self_signed(key: ec.EllipticCurvePrivateKey, common_name: str, dns_name: str) -> bytes:
    """A certificate for `key`, signed by itself with ECDSA and SHA-256, that never expires. PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64] or "gemel")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ALWAYS)
        .not_valid_after(NEVER)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(dns_name)]), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _write_whole(path: Path, data: bytes, mode: int, group: int) -> None:
    """Put `data` at `path` so that a reader, or a power cut, finds the old file or the new one, never half."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchown(file.fileno(), -1, group)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
