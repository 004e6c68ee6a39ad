"""Which certificate a handshake sees: two ends in memory, no socket."""

import contextlib
import ssl
from pathlib import Path

import pytest

from gemel.core.certificate import der
from gemel.effects.keys import KeyPair, make_keys
from gemel.web.tls import Certificates, KeyFiles


@pytest.fixture
def files(tmp_path: Path) -> tuple[KeyFiles, KeyFiles]:
    node, web = (KeyPair(tmp_path / n / "key.pem", tmp_path / n / "certificate.pem") for n in ("node", "web"))
    make_keys("fw1", node, web)
    return (
        KeyFiles(str(node.key), str(node.certificate)),
        KeyFiles(str(web.key), str(web.certificate)),
    )


def handshake(server: ssl.SSLContext, name: str | None, most: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLObject:
    """The client's end after a complete handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = min(most, ssl.TLSVersion.TLSv1_2)
    context.maximum_version = most
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(down, up, server_hostname=name)
    listener = server.wrap_bio(up, down, server_side=True)
    done = set()
    for _ in range(10):
        for end in (client, listener):
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                pass
    assert done == {client, listener}
    return client


def shown(certificates: Certificates, name: str | None) -> bytes:
    return handshake(certificates.context, name).getpeercert(binary_form=True) or b""


def on_disk(files: KeyFiles) -> bytes:
    return der(Path(files.certificate).read_text())


def test_the_node_is_shown_to_peers_and_the_gui_to_everybody_else(files: tuple[KeyFiles, KeyFiles]) -> None:
    certificates = Certificates(*files)
    assert shown(certificates, "node.gemel") == on_disk(files[0])
    for name in ("fw1.example", "192.168.1.1", None):
        assert shown(certificates, name) == on_disk(files[1])


def test_tls_1_2_is_the_least_and_1_3_is_spoken(files: tuple[KeyFiles, KeyFiles]) -> None:
    context = Certificates(*files).context
    assert handshake(context, "node.gemel").version() == "TLSv1.3"
    assert handshake(context, "node.gemel", ssl.TLSVersion.TLSv1_2).version() == "TLSv1.2"
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_changed_gui_certificate_is_shown_without_a_restart(files: tuple[KeyFiles, KeyFiles]) -> None:
    certificates = Certificates(*files)
    before = shown(certificates, None)
    assert not certificates.refresh()
    make_new(files[1])
    assert certificates.refresh() and shown(certificates, None) == on_disk(files[1]) != before
    assert shown(certificates, "node.gemel") == on_disk(files[0])


def make_new(files: KeyFiles) -> None:
    """Another pair in the same place."""
    key, certificate = Path(files.key), Path(files.certificate)
    other = key.parent / "other"
    pair = KeyPair(other / "key.pem", other / "certificate.pem")
    make_keys("fw1", pair, pair)
    pair.key.replace(key)
    pair.certificate.replace(certificate)


def test_half_a_change_keeps_the_old_certificate(files: tuple[KeyFiles, KeyFiles]) -> None:
    certificates = Certificates(*files)
    before = shown(certificates, None)
    Path(files[1].certificate).write_text("half")
    assert not certificates.refresh() and shown(certificates, None) == before
    Path(files[1].certificate).unlink()
    assert not certificates.refresh() and shown(certificates, None) == before


def test_the_nodes_certificate_also_passes_for_a_chain_of_one(files: tuple[KeyFiles, KeyFiles]) -> None:
    """Whoever verifies instead of comparing (as flowd's TLS may) trusts the pinned certificate by itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(files[0].certificate)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(down, up, server_hostname="node.gemel")
    listener = Certificates(*files).context.wrap_bio(up, down, server_side=True)
    for _ in range(10):
        for end in (client, listener):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    assert client.getpeercert()["subject"] == ((("commonName", "fw1"),),)  # type: ignore[index]
