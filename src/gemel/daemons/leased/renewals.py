"""What clients send to the virtual IP itself, when they renew, is put before Kea.

Clients know one DHCP server, the virtual IP. Kea's packet filter takes what is sent to everybody or to the node's own
address, so a renewal is written to the device once more, to the own address and the own MAC: Kea sees it on its way
out, and no switch delivers it to anybody.
"""

import contextlib
import fcntl
import socket
import struct

SIOCGIFHWADDR = 0x8927
IP_FREEBIND = 15
SERVER_PORT, CLIENT_PORT = 67, 68


class Renewals:
    """Listens at one virtual IP, whether this node has it now or not. `fileno` and `read` are for the loop."""

    def __init__(self, device: str, vip: str, own: str) -> None:
        self._own = own
        self._in = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self._in.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._in.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        self._in.bind((vip, SERVER_PORT))
        self._out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._out.bind((device, 0))
        asked = struct.pack("16s", device.encode()[:15]) + bytes(24)
        self._mac = fcntl.ioctl(self._in.fileno(), SIOCGIFHWADDR, asked)[18:24]

    def fileno(self) -> int:
        return self._in.fileno()

    def close(self) -> None:
        """Listen no more."""
        self._in.close()
        self._out.close()

    def read(self) -> None:
        """Pass on what has come."""
        with contextlib.suppress(BlockingIOError):
            while True:
                payload, (source, port) = self._in.recvfrom(4096)
                if port in (CLIENT_PORT, SERVER_PORT):
                    with contextlib.suppress(OSError):
                        self._out.send(_frame(self._mac, source, port, self._own, payload))


def _frame(mac: bytes, source: str, port: int, own: str, payload: bytes) -> bytes:
    udp = struct.pack("!HHHH", port, SERVER_PORT, 8 + len(payload), 0) + payload
    ends = socket.inet_aton(source) + socket.inet_aton(own)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0)
    total = sum(struct.unpack("!10H", head + ends))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF)
    return mac + mac + b"\x08\x00" + head[:10] + checksum + ends + udp
