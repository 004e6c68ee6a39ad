"""A TLS 1.3 stream between two nodes that know each other's certificate, without ever blocking.

Each side's context trusts one certificate only, the peer's; on top of that the certificate shown must be that very one.
Validity dates do not count: the certificate is pinned, and a firewall's clock may be wrong after a cold start.
"""

import contextlib
import hashlib
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TCP_THIN_LINEAR_TIMEOUTS, TCP_USER_TIMEOUT, TCP_RTO_MAX_MS = 16, 18, 44
RETRY_AFTER = 1000  # ms; the kernel takes no less
DEAD_AFTER = 6000  # ms of unanswered segments; a saturated link of 64 kbit/s needs some seconds for one
READ = 1 << 16
READS_AT_ONCE = 32  # records of 16 KiB before others have their turn
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME

OPENING, OPEN, CLOSED = "opening", "open", "closed"


@dataclass(frozen=True, slots=True)
class Identity:
    """This node's key and certificate and the peer's certificate, as contexts; `peer` is the pinned one in DER."""

    client: ssl.SSLContext
    server: ssl.SSLContext
    peer: bytes
    own: bytes

    @classmethod
    def load(cls, key: str, certificate: str, peer_certificate: str) -> "Identity":
        """Read the three files.

        Raises:
            OSError, ValueError: one is missing or is no certificate or key (ssl.SSLError is an OSError).
        """
        peer = ssl.PEM_cert_to_DER_cert(_first(Path(peer_certificate).read_text()))
        own = ssl.PEM_cert_to_DER_cert(_first(Path(certificate).read_text()))

        def context(protocol: int) -> ssl.SSLContext:
            made = ssl.SSLContext(protocol)
            made.minimum_version = ssl.TLSVersion.TLSv1_3
            made.check_hostname = False
            made.verify_mode = ssl.CERT_REQUIRED
            made.verify_flags = ssl.VerifyFlags(made.verify_flags | _NO_CHECK_TIME | 0x80000)  # partial chain
            made.load_cert_chain(certificate, key)
            made.load_verify_locations(cadata=peer)
            return made

        server = context(ssl.PROTOCOL_TLS_SERVER)
        server.num_tickets = 0
        # OpenSSL would hide a strange certificate from us, and people need its fingerprint: `Channel` compares it with
        # the pinned one, byte by byte; that the other side has its key is proven by the handshake in any case.
        client = context(ssl.PROTOCOL_TLS_CLIENT)
        client.verify_mode = ssl.CERT_NONE
        return cls(client, server, peer, own)


def _first(pem: str) -> str:
    end = "-----END CERTIFICATE-----"
    start = pem.find("-----BEGIN CERTIFICATE-----")
    stop = pem.find(end, start)
    if start < 0 or stop < 0:
        raise ValueError("no certificate in the file")
    return pem[start:stop + len(end)]


def fingerprint(der: bytes) -> str:
    """SHA-256 of a certificate, as people compare it."""
    return ":".join(f"{byte:02X}" for byte in hashlib.sha256(der).digest())


class Channel:
    """One stream. `failure` says in words why it is closed; `refused` if it was over who the other side is."""

    def __init__(self, s: socket.socket, identity: Identity, connecting_to: tuple[str, int] | None = None) -> None:
        self._raw, self._identity = s, identity
        self._tls: ssl.SSLSocket | None = None
        self._server = connecting_to is None
        self._out = bytearray()
        self._handshaken = False
        self.state = OPENING
        self.failure = ""
        self.refused = False
        self.wants_write = not self._server
        s.setblocking(False)
        for level, option, value in ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
                                     (socket.IPPROTO_TCP, TCP_USER_TIMEOUT, DEAD_AFTER),
                                     (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
                                     (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
                                     (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
                                     (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)):
            s.setsockopt(level, option, value)
        self._hurry(s)
        try:
            if connecting_to:
                s.connect(connecting_to)
            self._wrap()
        except BlockingIOError:
            pass
        except OSError as error:
            self._fail(error)

    @staticmethod
    def _hurry(s: socket.socket) -> None:
        """A link that was saturated for a while and is free again must be used at once: without an exponential timer,
        and with a congestion control that asks for more soon (BBR goes on at the old pace for long)."""
        for option, value in ((TCP_THIN_LINEAR_TIMEOUTS, 1), (TCP_RTO_MAX_MS, RETRY_AFTER)):
            with contextlib.suppress(OSError):  # the second one since Linux 6.15
                s.setsockopt(socket.IPPROTO_TCP, option, value)
        with contextlib.suppress(OSError):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")

    def fileno(self) -> int:
        """For poll; -1 when closed."""
        return self._tls.fileno() if self._tls else self._raw.fileno()

    def _wrap(self) -> None:
        context = self._identity.server if self._server else self._identity.client
        self._tls = context.wrap_socket(self._raw, server_side=self._server, do_handshake_on_connect=False,
                                        suppress_ragged_eofs=True)

    @property
    def waiting(self) -> int:
        """Bytes that could not be written yet."""
        return len(self._out)

    def send(self, data: bytes) -> None:
        """Write, now or as soon as the other side takes it."""
        self._out += data
        if self.state == OPEN:
            self._guarded(self._write)

    def pump(self) -> bytes:
        """Go on with whatever the stream waits for; returns what was read. To be called when poll says so."""
        read: list[bytes] = []
        self._guarded(lambda: self._pump(read))
        return b"".join(read)

    def _pump(self, read: list[bytes]) -> None:
        if self._tls is None:
            error = self._raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, "")
            self._wrap()
        if self._tls is None:
            return
        if not self._handshaken:
            self._handshaken_by(self._tls)
            return  # whoever waited for this has to say who reads
        self._write()
        for _ in range(READS_AT_ONCE):
            data = self._tls.recv(READ)
            if not data:
                raise ConnectionResetError(0, "the other side hung up")
            read.append(data)

    def _handshaken_by(self, tls: ssl.SSLSocket) -> None:
        self.wants_write = False
        tls.do_handshake()
        shown = tls.getpeercert(True)
        if shown != self._identity.peer:
            self.refused = True
            told = fingerprint(shown) if shown else "none"
            raise ConnectionAbortedError(0, f"the other side's certificate is not the pinned one: it shows {told}")
        self._handshaken, self.state = True, OPEN

    def _write(self) -> None:
        while self._out and self._tls is not None:
            try:
                with memoryview(self._out) as view:
                    n = self._tls.send(view[:READ])
            except ssl.SSLWantWriteError:
                self.wants_write = True
                return
            del self._out[:n]
        self.wants_write = False

    def _guarded(self, step: Callable[[], None]) -> None:
        if self.state == CLOSED:
            return
        try:
            step()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLWantWriteError:
            self.wants_write = True
        except (OSError, ValueError) as error:
            self._fail(error)

    def close(self, why: str = "") -> None:
        """Hang up."""
        if self.state != CLOSED:
            self.failure = self.failure or why
            self.state = CLOSED
            (self._tls or self._raw).close()

    def _fail(self, error: Exception) -> None:
        self.refused = self.refused or isinstance(error, ssl.SSLError)
        self.close(_words(error))


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the other side's certificate is not the pinned one ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "TLS failed").replace("_", " ").lower()
        if "alert" in reason:
            return f"the other side refuses this node's certificate ({reason})"
        return f"TLS: {reason}"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error.args[-1] if error.args else error)
