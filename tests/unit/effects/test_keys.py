"""Keys and certificates on disk: made once, found again, mended after a crash, closed to others."""

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gemel.core.certificate import der, fingerprint, pem
from gemel.effects.keys import KeyPair, make_keys


@pytest.fixture
def pairs(tmp_path: Path) -> tuple[KeyPair, KeyPair]:
    node, web = (KeyPair(tmp_path / n / "key.pem", tmp_path / n / "certificate.pem") for n in ("node", "web"))
    return node, web


def test_they_are_made_once_and_stay(pairs: tuple[KeyPair, KeyPair]) -> None:
    first = make_keys("fw1", *pairs)
    before = {p: p.read_bytes() for pair in pairs for p in (pair.key, pair.certificate)}
    assert make_keys("renamed", *pairs) == first
    assert {p: p.read_bytes() for p in before} == before
    assert first.node != first.web and len(first.node.split(":")) == 32
    assert first.node == fingerprint(der(pairs[0].certificate.read_text()))


def test_others_cannot_read_a_key(pairs: tuple[KeyPair, KeyPair]) -> None:
    make_keys("fw1", *pairs)
    for pair in pairs:
        assert stat.S_IMODE(pair.key.stat().st_mode) == 0o640
        assert stat.S_IMODE(pair.key.parent.stat().st_mode) == 0o750
        assert stat.S_IMODE(pair.certificate.stat().st_mode) == 0o644


def test_the_certificate_names_the_node_and_never_expires(pairs: tuple[KeyPair, KeyPair]) -> None:
    make_keys("fw1.example", *pairs)
    certificate = x509.load_pem_x509_certificate(pairs[0].certificate.read_bytes())
    assert certificate.subject.rfc4514_string() == "CN=fw1.example"
    assert certificate.not_valid_after_utc.year == 9999 and certificate.not_valid_before_utc.year == 2000
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["node.gemel"]


def test_a_key_whose_certificate_was_never_written_gets_one(pairs: tuple[KeyPair, KeyPair]) -> None:
    make_keys("fw1", *pairs)
    key = pairs[0].key.read_bytes()
    for left in (b"", b"half of a certifi", None):
        if left is None:
            pairs[0].certificate.unlink()
        else:
            pairs[0].certificate.write_bytes(left)
        make_keys("fw1", *pairs)
        certificate = x509.load_pem_x509_certificate(pairs[0].certificate.read_bytes())
        own = serialization.load_pem_private_key(pairs[0].key.read_bytes(), None)
        assert certificate.public_key() == own.public_key() and pairs[0].key.read_bytes() == key


def test_a_certificate_for_another_key_is_replaced(pairs: tuple[KeyPair, KeyPair]) -> None:
    make_keys("fw1", *pairs)
    pairs[0].certificate.write_bytes(pairs[1].certificate.read_bytes())
    found = make_keys("fw1", *pairs)
    assert found.node != found.web


def test_an_admins_rsa_pair_for_the_gui_is_left_alone(pairs: tuple[KeyPair, KeyPair]) -> None:
    make_keys("fw1", *pairs)
    web = pairs[1]
    key = rsa.generate_private_key(65537, 2048)
    form = serialization.PrivateFormat.PKCS8
    web.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    before = web.key.read_bytes(), web.certificate.read_bytes()
    make_keys("fw1", *pairs)
    assert (web.key.read_bytes(), web.certificate.read_bytes()) == before
    web.certificate.unlink()
    with pytest.raises(ValueError, match="not an elliptic-curve key"):
        make_keys("fw1", *pairs)


def test_nothing_half_written_stays_behind(pairs: tuple[KeyPair, KeyPair]) -> None:
    pairs[0].certificate.parent.mkdir(parents=True)
    pairs[0].certificate.mkdir()  # nothing can take this name
    with pytest.raises(OSError):
        make_keys("fw1", *pairs)
    assert sorted(p.name for p in pairs[0].key.parent.iterdir()) == ["certificate.pem", "key.pem"]


def test_pem_and_der_are_each_others_inverse(pairs: tuple[KeyPair, KeyPair]) -> None:
    make_keys("fw1", *pairs)
    text = pairs[0].certificate.read_text()
    assert pem(der(text)) == text and der("noise before\n" + text + "noise after") == der(text)
    with pytest.raises(ValueError):
        der("-----BEGIN CERTIFICATE-----")
