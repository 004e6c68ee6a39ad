"""Which addresses this machine has, told by the kernel. A listener only: reading it waits for nobody's lock."""

import socket
import struct

RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x10, 0x100
IFA_ADDRESS, IFA_LOCAL = 1, 2


class AddressWatch:
    """All addresses of this machine as pairs (device, address in its shortest spelling), kept up to date by `read`."""

    def __init__(self) -> None:
        self._there: set[tuple[int, str]] = set()
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
        self._ask_all()
        while not self._take(self._socket.recv(65536)):
            pass
        self._socket.setblocking(False)

    def _ask_all(self) -> None:
        self._there.clear()
        head = struct.pack("=IHHII", 24, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
        self._socket.send(head + struct.pack("=BBBBi", socket.AF_UNSPEC, 0, 0, 0, 0))

    def fileno(self) -> int:
        """For poll."""
        return self._socket.fileno()

    def has(self, device: str, address: str) -> bool:
        """Whether the device has the address now."""
        try:
            return (socket.if_nametoindex(device), address) in self._there
        except OSError:
            return False

    def read(self) -> None:
        """Take in what the kernel has told since; if it told too much at once, ask for all of it again."""
        while True:
            try:
                self._take(self._socket.recv(65536))
            except BlockingIOError:
                return
            except OSError:  # ENOBUFS: something was lost
                self._ask_all()

    def _take(self, data: bytes) -> bool:
        """Take in some messages; True if they end a listing."""
        at = 0
        while at + 16 <= len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            if kind in (NLMSG_DONE, NLMSG_ERROR):
                return True
            if kind in (RTM_NEWADDR, RTM_DELADDR):
                family, index = data[at + 16], struct.unpack_from("=i", data, at + 20)[0]
                address = _address(family, data[at + 24 : at + length])
                (self._there.add if kind == RTM_NEWADDR else self._there.discard)((index, address))
            at += (length + 3) & ~3
        return False


def _address(family: int, attributes: bytes) -> str:
    """IPv4 has the machine's own address in IFA_LOCAL (IFA_ADDRESS may be the other end's), IPv6 in IFA_ADDRESS."""
    wanted, size = (IFA_LOCAL, 4) if family == socket.AF_INET else (IFA_ADDRESS, 16)
    at = 0
    while at + 4 <= len(attributes):
        length, kind = struct.unpack_from("=HH", attributes, at)
        if kind == wanted and length == 4 + size:
            return socket.inet_ntop(family, attributes[at + 4 : at + length])
        at += max((length + 3) & ~3, 4)
    return ""
