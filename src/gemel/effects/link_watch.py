"""Which links are up, told by the kernel. A listener only: reading it waits for nobody's lock."""

import socket
import struct
from dataclasses import dataclass

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
RTMGRP_LINK = 1
IFLA_IFNAME, IFLA_MASTER, IFLA_EVENT = 3, 10, 44
BONDING_FAILOVER, NOTIFY_PEERS = 3, 4  # IFLA_EVENT: a bond goes by another port; whoever is behind it has moved
IFF_UP, IFF_RUNNING = 0x1, 0x40
SOL_NETLINK = 270


@dataclass(frozen=True, slots=True)
class Link:
    """A device as the kernel knows it. `up`: switched on and with carrier; `master`: the index of the bond or bridge
    that it is a port of, or 0."""

    index: int
    name: str
    up: bool
    master: int = 0


class LinkTable:
    """All links, by what the kernel says of them. No socket."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        self._names: dict[int, str] = {}
        self._moved: set[str] = set()

    def take(self, data: bytes) -> bool:
        """Take in some messages; True if they end a listing."""
        at = 0
        while at + 16 <= len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            if kind in (NLMSG_DONE, NLMSG_ERROR):
                return True
            # A bridge tells of its ports with the same messages, in another family.
            if kind in (RTM_NEWLINK, RTM_DELLINK) and data[at + 16] == socket.AF_UNSPEC:
                index, flags = struct.unpack_from("=iI", data, at + 20)
                self._note(index, flags, _attributes(data[at + 32 : at + length]), kind == RTM_DELLINK)
            at += (length + 3) & ~3
        return False

    def moved(self) -> set[str]:
        """Those that, since this was asked last, have moved in their network without having lost their link."""
        moved, self._moved = self._moved, set()
        return moved

    def _note(self, index: int, flags: int, attributes: dict[int, bytes], gone: bool) -> None:
        before, name = self._names.get(index), attributes.get(IFLA_IFNAME, b"").rstrip(b"\0").decode(errors="replace")
        if before is not None and (gone or before != name):
            self._names.pop(index)
            if self.links.get(before, Link(0, "", False)).index == index:
                self.links.pop(before)
        if gone:
            return
        up = flags & IFF_UP != 0 and flags & IFF_RUNNING != 0
        self._names[index] = name
        self.links[name] = link = Link(index, name, up, _number(attributes.get(IFLA_MASTER)))
        if _number(attributes.get(IFLA_EVENT)) in (BONDING_FAILOVER, NOTIFY_PEERS):
            # What is behind a port of a bridge is behind the bridge, which the kernel does not say.
            self._moved |= {name, self._names.get(link.master, name)}


class LinkWatch:
    """The links of this machine, kept up to date by `read`."""

    def __init__(self) -> None:
        self._table = LinkTable()
        self.links = self._table.links
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((0, RTMGRP_LINK))
        self.ask_all()
        self._socket.setblocking(True)
        while not self._table.take(self._socket.recv(65536)):
            pass
        self._socket.setblocking(False)

    def ask_all(self) -> None:
        """Have the kernel tell every link (again); this call alone waits for the kernel's big lock."""
        self._socket.send(struct.pack("=IHHIIBBHiII", 32, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0, 0, 0, 0, 0,
        0, 0))

    def fileno(self) -> int:
        """For poll."""
        return self._socket.fileno()

    def read(self) -> set[str]:
        """Take in what the kernel has told since; if it told too much at once, ask for all of it again.

        Returns the devices that have moved in their network, see `PortMoved`.
        """
        while True:
            try:
                self._table.take(self._socket.recv(65536))
            except BlockingIOError:
                return self._table.moved()
            except OSError:  # ENOBUFS: something was lost
                self.ask_all()


def _attributes(data: bytes) -> dict[int, bytes]:
    found, at = dict[int, bytes](), 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        found[kind & 0x3FFF] = data[at + 4 : at + length]
        at += max((length + 3) & ~3, 4)
    return found


def _number(value: bytes | None) -> int:
    return int(struct.unpack("=I", value)[0]) if value and len(value) == 4 else 0
