"""What clients send to the virtual IP itself, when they renew, is put before Kea, and its answer before them.

Clients know one DHCP server, the virtual IP. Kea's packet filter takes what is sent to everybody or to the node's own
address, so a renewal is written to the device once more, to the own address, from and to the own MAC: Kea sees it on
its way out, and no switch delivers it to anybody. Kea answers whence the frame came, and that answer, seen on its way
out, too, is written once more, to the client's MAC.
"""

import contextlib
import ctypes
import fcntl
import socket
import struct

SIOCGIFHWADDR = 0x8927
IP_FREEBIND = 15
SO_ATTACH_FILTER = 26
ETH_P_ALL = 3
SERVER_PORT, CLIENT_PORT = 67, 68
PACKET_TYPE = 0xFFFFF004  # SKF_AD_OFF + SKF_AD_PKTTYPE
OUTGOING = 4
LOAD_WORD, LOAD_HALF, LOAD_BYTE, EQUAL, GIVE = 0x20, 0x28, 0x30, 0x15, 0x06  # classic BPF
HEADERS = 14 + 20 + 8
CHADDR = HEADERS + 28


class Renewals:
    """Listens at one virtual IP, whether this node has it now or not. Both sockets are for the loop, with `read`."""

    def __init__(self, device: str, vip: str, own: str) -> None:
        self._own = own
        self._in = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self._in.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._in.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        self._in.bind((vip, SERVER_PORT))
        asked = struct.pack("16s", device.encode()[:15]) + bytes(24)
        self._mac = fcntl.ioctl(self._in.fileno(), SIOCGIFHWADDR, asked)[18:24]
        self._wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
        _let_in_only_answers_to(self._wire, self._mac)
        self._wire.bind((device, ETH_P_ALL))
        self.sockets = (self._in, self._wire)

    def close(self) -> None:
        """Listen no more."""
        for one in self.sockets:
            one.close()

    def read(self) -> None:
        """Pass on what has come, in both directions."""
        with contextlib.suppress(OSError):
            while True:
                payload, (source, port) = self._in.recvfrom(4096)
                if port in (CLIENT_PORT, SERVER_PORT):
                    self._wire.send(_frame(self._mac, source, port, self._own, payload))
        with contextlib.suppress(OSError):
            while True:
                answer = self._wire.recv(4096)
                if len(answer) >= CHADDR + 6:
                    self._wire.send(answer[CHADDR : CHADDR + 6] + answer[6:])


def _let_in_only_answers_to(wire: socket.socket, mac: bytes) -> None:
    """A filter in the kernel: outgoing UDP from port 67 to our own MAC, so that nothing else ever wakes us."""
    tests = (
        (LOAD_BYTE, PACKET_TYPE, OUTGOING),
        (LOAD_WORD, 0, int.from_bytes(mac[:4], "big")),
        (LOAD_HALF, 4, int.from_bytes(mac[4:], "big")),
        (LOAD_HALF, 12, 0x0800),
        (LOAD_BYTE, 23, 17),
        (LOAD_HALF, 34, SERVER_PORT),
    )
    program = b""
    for number, (load, at, wanted) in enumerate(tests):
        program += struct.pack("=HBBI", load, 0, 0, at)
        program += struct.pack("=HBBI", EQUAL, 0, 2 * (len(tests) - number) - 1, wanted)
    program += struct.pack("=HBBI", GIVE, 0, 0, 0xFFFF) + struct.pack("=HBBI", GIVE, 0, 0, 0)
    kept = ctypes.create_string_buffer(program, len(program))
    wire.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(program) // 8, ctypes.addressof(kept))
    )


def _frame(mac: bytes, source: str, port: int, own: str, payload: bytes) -> bytes:
    udp = struct.pack("!HHHH", port, SERVER_PORT, 8 + len(payload), 0) + payload
    ends = socket.inet_aton(source) + socket.inet_aton(own)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0)
    total = sum(struct.unpack("!10H", head + ends))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF)
    return mac + mac + b"\x08\x00" + head[:10] + checksum + ends + udp
