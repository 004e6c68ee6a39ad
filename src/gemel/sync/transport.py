"""The way to the peer: HTTPS over one connection at a time. Nothing is sent before the certificate has been judged.

The certificate is compared, not verified by a chain: the nodes are known by key, their clocks may be wrong, and the TLS
handshake has already proven that the other end holds the key.
"""

import contextlib
import errno
import http.client
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from gemel.core.certificate import NODE_SERVER_NAME
from gemel.sync.push import NotPushed, Why
from gemel.sync.xmlrpc import LARGEST_BODY

CONNECT_WITHIN = 4.0  # seconds: three SYNs
PATH = "/xmlrpc.php"

Judge = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response, whole."""

    status: int
    body: bytes


class Transport(Protocol):
    """Carries bodies to the peer's XML-RPC endpoint."""

    def connect(self) -> None:
        """Be connected. Every new connection is judged by the certificate (DER) that the server shows.

        Raises:
            NotPushed: nobody there, or what the judge raises.
        """

    def post(self, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        """Connect if need be, send and wait, at most `timeout` seconds.

        Raises:
            NotPushed: nobody there, or what the judge raises.
        """

    def close(self) -> None:
        """Hang up."""


Dial = Callable[[str, int, Judge], Transport]


class HttpsTransport:
    """`Transport` over TLS 1.3, asking for the node's certificate by SNI.

    `judge` sees the certificate of every connection before a byte of HTTP goes out on it, and raises to refuse it.
    """

    def __init__(self, host: str, port: int, judge: Judge) -> None:
        self._where = f"{f'[{host}]' if ':' in host else host}:{port}"
        self._connection = _JudgedConnection(host, port, judge)

    def connect(self) -> None:
        with self._saying_why():
            if self._connection.sock is None:
                self._connection.connect()

    def post(self, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
        self.connect()
        with self._saying_why():
            self._connection.sock.settimeout(timeout)
            self._connection.request("POST", PATH, body, {"Content-Type": "text/xml", **headers})
            response = self._connection.getresponse()
            answer = response.read(LARGEST_BODY + 1)
        if response.will_close or len(answer) > LARGEST_BODY:
            self.close()
        return Reply(response.status, answer)

    @contextlib.contextmanager
    def _saying_why(self) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            text = in_words(error, self._where, self._connection.reached)
            self.close()
            raise NotPushed(Why.AWAY, text) from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.close()


class _JudgedConnection(http.client.HTTPConnection):
    """TLS with our server name, and the judge's word on each new connection."""

    def __init__(self, host: str, port: int, judge: Judge) -> None:
        super().__init__(host, port, timeout=CONNECT_WITHIN)
        self._judge = judge
        self.reached = False
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE  # the judge compares the whole certificate
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3

    def connect(self) -> None:
        self.reached = False
        plain = socket.create_connection((self.host, self.port), CONNECT_WITHIN)
        self.reached = True
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = self._context.wrap_socket(plain, server_hostname=NODE_SERVER_NAME)
        except BaseException:
            plain.close()
            raise
        try:
            shown = secured.getpeercert(binary_form=True)
            if shown is None:
                raise ssl.SSLError("the server shows no certificate")
            self._judge(shown)
        except BaseException:
            secured.close()
            raise
        self.sock = secured


def in_words(error: Exception, where: str, reached: bool = False) -> str:
    """Why nobody answers at `where` (``172.16.1.3:443``), and what to do about it; `reached` once TCP was connected."""
    port = where.rpartition(":")[2]
    if isinstance(error, ssl.SSLError):
        said = getattr(error, "reason", None) or error  # absent where we raised it ourselves
        return f"what answers at {where} does not speak TLS 1.3 with us ({said}): is it a Gemel node's web port?"
    if isinstance(error, TimeoutError) and reached:
        who = "the peer's web server (webd) or agent hangs, or is being started"
        return f"{where} lets us in but does not answer: {who}"
    if isinstance(error, TimeoutError):
        return (
            f"no answer from {where}: either the peer is down, or its rules on the SYNC interface do not let us in: it "
            f"needs a rule that passes TCP from this node to port {port}"
        )
    if isinstance(error, ConnectionRefusedError):
        return f"{where} refuses connections: the peer's web server (webd) is not running, or listens on another port"
    if isinstance(error, http.client.HTTPException | ConnectionError):
        return f"{where} hung up in the middle: the peer's web server (webd) or the peer itself is being restarted"
    if isinstance(error, OSError) and error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        why = "the peer is down, its cable is out, or the SYNC interfaces are not in one network"
        return f"{where} cannot be reached: {why}"
    return f"{where} cannot be reached: {error}"
