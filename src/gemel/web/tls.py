"""Two certificates behind one port: the node's for peers who ask for it by server name, the GUI's for everybody else.

Both are read again when their files change, without a restart: connections that stand are left alone.
"""

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

from gemel.control import paths
from gemel.core.certificate import NODE_SERVER_NAME

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """A key and its certificate chain, PEM."""

    key: str
    certificate: str

    def stamp(self) -> tuple[int, ...]:
        """Changes whenever one of the files does; zeros where one is missing."""
        found: list[int] = []
        for name in (self.key, self.certificate):
            try:
                status = Path(name).stat()
                found += [status.st_mtime_ns, status.st_ino]
            except OSError:
                found += [0, 0]
        return tuple(found)


NODE_FILES = KeyFiles(paths.NODE_KEY, paths.NODE_CERTIFICATE)
WEB_FILES = KeyFiles(paths.WEB_KEY, paths.WEB_CERTIFICATE)


class Certificates:
    """The TLS context for listening, and the two that a handshake is handed over to.

    Raises:
        OSError, ssl.SSLError: a file is missing or holds no matching pair, at the start. Later the old ones stay.
    """

    def __init__(self, node: KeyFiles = NODE_FILES, web: KeyFiles = WEB_FILES) -> None:
        self._files = (node, web)
        self._stamps = (node.stamp(), web.stamp())
        self._node, self._web = _context(node), _context(web)
        self.context = _context(web)
        self.context.sni_callback = self._choose

    def refresh(self) -> bool:
        """Read the files again if they changed; True if new ones are in use."""
        stamps = (self._files[0].stamp(), self._files[1].stamp())
        if stamps == self._stamps:
            return False
        try:
            self._node, self._web = _context(self._files[0]), _context(self._files[1])
        except (OSError, ssl.SSLError) as error:
            # Half-way through a change key and certificate do not match; the next look finds them whole.
            log.warning("certificates not read again: %s", error)
            return False
        self._stamps = stamps
        log.info("certificates read again")
        return True

    def _choose(self, handshake: ssl.SSLSocket | ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        handshake.context = self._node if name == NODE_SERVER_NAME else self._web


def _context(files: KeyFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate, files.key)
    context.set_alpn_protocols(["http/1.1"])
    return context
