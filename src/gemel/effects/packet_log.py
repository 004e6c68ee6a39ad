"""What the firewall logs, over nfnetlink_log: the last packets in memory, bounded in number and in work.

A flood of logged packets must not cost the node its breath: beyond `PER_SECOND` the kernel's buffer fills up, and the
kernel drops what does not fit.
"""

import errno
import logging
import socket
import struct
import threading
import time
from collections import deque

from gemel.core.packet_log import Logged, logged
from gemel.flows.attributes import Malformed, table

# linux/netfilter/nfnetlink_log.h
_MSG_PACKET, _MSG_CONFIG = 4 << 8, 4 << 8 | 1
_CFG_CMD, _CFG_MODE, _CMD_BIND, _COPY_PACKET = 1, 2, 1, 2
_INDEV, _PAYLOAD, _PREFIX = 4, 9, 10
NETFILTER = 12
REQUEST, ACK = 1, 4
HEAD = 80  # bytes of each packet: IPv6 header and the ports behind it
KEPT = 5000
PER_SECOND = 200
BUFFER = 64 << 10

_NLMSG = struct.Struct("=IHHII")

log = logging.getLogger(__name__)


class PacketLog:
    """Listens to one log group and keeps the last packets. `packets` may be read from any thread."""

    def __init__(self, group: int) -> None:
        self._group = group
        self._kept: deque[Logged] = deque(maxlen=KEPT)
        self._names: dict[int, str] = {}
        threading.Thread(target=self._run, name="packet log", daemon=True).start()

    @property
    def packets(self) -> list[Logged]:
        """Oldest first."""
        return list(self._kept)

    def _run(self) -> None:
        try:
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETFILTER) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
                s.bind((0, 0))
                s.send(_config(self._group, _CFG_CMD, struct.pack("!B", _CMD_BIND)))
                s.send(_config(self._group, _CFG_MODE, struct.pack("!IBB", HEAD, _COPY_PACKET, 0)))
                self._listen(s)
        except OSError as error:
            log.warning("the firewall's log cannot be read: %s", error.strerror or error)

    def _listen(self, s: socket.socket) -> None:
        second, seen = 0.0, 0
        while True:
            try:
                data = s.recv(1 << 16)
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    continue
                raise
            now = time.time()
            if now - second >= 1:
                second, seen = now, 0
            seen += self._take(data, now)
            if seen >= PER_SECOND:
                time.sleep(max(0.0, second + 1 - now))

    def _take(self, data: bytes, now: float) -> int:
        at = taken = 0
        while len(data) - at >= 20:
            length, kind, _, _, _ = _NLMSG.unpack_from(data, at)
            if length < 20:
                break
            if kind == _MSG_PACKET:
                taken += 1
                one = self._read(data[at + 20 : at + length], now)
                if one is not None:
                    self._kept.append(one)
            at += length + 3 & ~3
        return taken

    def _read(self, attributes: bytes, now: float) -> Logged | None:
        try:
            parts = table(attributes, 0, len(attributes))
        except Malformed:
            return None
        index = int.from_bytes(parts.get(_INDEV, b"\0")[:4], "big")
        prefix = parts.get(_PREFIX, b"").rstrip(b"\0").decode(errors="replace")
        return logged(now, prefix, self._device(index), parts.get(_PAYLOAD, b""))

    def _device(self, index: int) -> str:
        if index and index not in self._names:
            try:
                self._names[index] = socket.if_indextoname(index)
            except OSError:
                return str(index)
        return self._names.get(index, "")


def _config(group: int, kind: int, value: bytes) -> bytes:
    attribute = struct.pack("=HH", len(value) + 4, kind) + value + b"\0" * (-len(value) & 3)
    body = struct.pack("!BBH", 0, 0, group) + attribute
    return _NLMSG.pack(len(body) + 16, _MSG_CONFIG, REQUEST, 1, 0) + body
