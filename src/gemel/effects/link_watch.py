"""Which links are up, told by the kernel. A listener only: reading it waits for nobody's lock."""

import socket
import struct
from dataclasses import dataclass

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
RTMGRP_LINK = 1
IFLA_IFNAME = 3
IFF_UP, IFF_RUNNING = 0x1, 0x40
SOL_NETLINK = 270


@dataclass(frozen=True, slots=True)
class Link:
    """A device as the kernel knows it. `up`: switched on and with carrier."""

    index: int
    name: str
    up: bool


class LinkWatch:
    """All links of this machine, kept up to date by `read`."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        self._names: dict[int, str] = {}
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((0, RTMGRP_LINK))
        self.ask_all()
        self._socket.setblocking(True)
        while not self._take(self._socket.recv(65536)):
            pass
        self._socket.setblocking(False)

    def ask_all(self) -> None:
        """Have the kernel tell every link (again); this call alone waits for the kernel's big lock."""
        self._socket.send(struct.pack("=IHHIIBBHiII", 32, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0, 0, 0, 0, 0,
        0, 0))

    def fileno(self) -> int:
        """For poll."""
        return self._socket.fileno()

    def read(self) -> None:
        """Take in what the kernel has told since; if it told too much at once, ask for all of it again."""
        while True:
            try:
                self._take(self._socket.recv(65536))
            except BlockingIOError:
                return
            except OSError:  # ENOBUFS: something was lost
                self.ask_all()

    def _take(self, data: bytes) -> bool:
        """Take in some messages; True if they end a listing."""
        at = 0
        while at + 16 <= len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            if kind in (NLMSG_DONE, NLMSG_ERROR):
                return True
            # A bridge tells of its ports with the same messages, in another family.
            if kind in (RTM_NEWLINK, RTM_DELLINK) and data[at + 16] == socket.AF_UNSPEC:
                index, flags = struct.unpack_from("=iI", data, at + 20)
                self._note(index, _name(data[at + 32 : at + length]), flags, kind == RTM_DELLINK)
            at += (length + 3) & ~3
        return False

    def _note(self, index: int, name: str, flags: int, gone: bool) -> None:
        before = self._names.get(index)
        if before is not None and (gone or before != name):
            self._names.pop(index)
            if self.links.get(before, Link(0, "", False)).index == index:
                self.links.pop(before)
        if not gone:
            self._names[index] = name
            self.links[name] = Link(index, name, flags & IFF_UP != 0 and flags & IFF_RUNNING != 0)


def _name(attributes: bytes) -> str:
    at = 0
    while at + 4 <= len(attributes):
        length, kind = struct.unpack_from("=HH", attributes, at)
        if kind & 0x3FFF == IFLA_IFNAME:
            return attributes[at + 4 : at + length].rstrip(b"\0").decode(errors="replace")
        at += max((length + 3) & ~3, 4)
    return ""
