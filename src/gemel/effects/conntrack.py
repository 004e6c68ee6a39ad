"""The kernel's conntrack table over ctnetlink: hear its events, list it, write into it. Standard library only."""

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from gemel.effects.slots import Overrun, Slots
from gemel.flows.conversation import Reply
from gemel.flows.ctnetlink import DUMP, EXPECTED, GET, request
from gemel.flows.local import Instruction

NETFILTER = 12
NLMSG_ERROR, NLMSG_DONE = 2, 3
SOL_NETLINK, ADD_MEMBERSHIP, CAP_ACK = 270, 1, 10
SO_ATTACH_FILTER, SO_RCVBUFFORCE, SO_SNDBUFFORCE = 26, 33, 32
EVENT_BUFFER = 64 << 20  # bytes, doubled by the kernel; taken only while events wait
SLOTS, SLOT = 256, 1024  # messages read by one call, bytes each
AT_ONCE = 256  # requests in one send
PROC = Path("/proc/sys/net/netfilter")

_NLMSG = struct.Struct("=IHHII")
_HEAD = struct.Struct("=IH").unpack_from
_ERROR = struct.Struct("=i").unpack_from


def _open(*groups: int) -> socket.socket:
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETFILTER)
    s.bind((0, 0))
    for group in groups:
        s.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)
    return s


class Events:
    """New, changed and ended states, and expectations, as ctnetlink messages in their order."""

    def __init__(self) -> None:
        self._socket = _open(1, 2, 3, 4, 6)  # new, changed, ended; expectations new, ended
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, EVENT_BUFFER)
        self._slots = Slots(SLOTS, SLOT)

    def fileno(self) -> int:
        """For poll."""
        return self._socket.fileno()

    def filter(self, program: Sequence[Instruction]) -> None:
        """Let the kernel drop events before they cost anything; replaces an earlier program."""
        code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                                struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))

    def read(self) -> Iterator[list[bytes]]:
        """Yield what waits, in lists of up to 256 messages.

        Raises:
            Overrun: the kernel dropped some; more may wait.
        """
        while found := self._slots.read(self._socket.fileno()):
            yield found
            if len(found) < SLOTS:
                return


class Table:
    """Requests to the table, and the kernel's answers."""

    def __init__(self) -> None:
        self._socket = _open()
        self._socket.setsockopt(SOL_NETLINK, CAP_ACK, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 1 << 20)
        self.port_id: int = self._socket.getsockname()[0]
        self._slots = Slots(SLOTS, SLOT)

    def exchange(self, requests: Sequence[bytes]) -> list[Reply]:
        """Make the requests, in order, and return what the kernel said; a request that worked is not answered.

        The kernel works on them within the call. The sequence number of each request is the index of its replies.
        """
        replies: list[Reply] = []
        for i in range(0, len(requests), AT_ONCE):
            self._socket.send(b"".join(requests[i:i + AT_ONCE]))
            while found := self._answers():
                replies += found
        return replies

    def _answers(self) -> list[Reply]:
        try:
            messages = self._slots.read(self._socket.fileno())
        except Overrun:
            return [Reply(0xFFFFFFFF, errno.ENOBUFS)]
        replies = []
        for message in messages:
            _, kind, _, sequence, _ = _NLMSG.unpack_from(message)
            if kind != NLMSG_ERROR:
                replies.append(Reply(sequence, 0, message))
            elif error := -_ERROR(message, 16)[0]:
                replies.append(Reply(sequence, error))
        return replies


class Listing:
    """A dump of the whole table, read piece by piece, on request followed by the expectations. Close it when done."""

    def __init__(self, expectations: bool = False) -> None:
        self._socket = _open()
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20)
        self._socket.setblocking(False)
        self._socket.send(request(GET, DUMP, 1, b"\0\0\0\0"))
        self._next = EXPECTED if expectations else 0
        self.done = False
        self.failed = False

    def fileno(self) -> int:
        """For poll."""
        return self._socket.fileno()

    def close(self) -> None:
        """Stop."""
        self._socket.close()

    def read(self) -> list[bytes]:
        """The next piece; `done` or `failed` is set with the last one."""
        try:
            data = self._socket.recv(1 << 16)
        except BlockingIOError:
            return []
        except OSError:
            self.failed = True
            return []
        found, at = [], 0
        while len(data) - at >= 16:
            length, kind = _HEAD(data, at)
            if kind > NLMSG_DONE:  # a state
                found.append(data[at:at + length])
            elif kind == NLMSG_DONE and self._next:
                self._socket.send(request(self._next, DUMP, 2, b"\0\0\0\0"))
                self._next = 0
            elif kind == NLMSG_DONE:
                self.done = True
            elif kind == NLMSG_ERROR:
                self.failed = True
            at += max(16, length + 3 & ~3)
        return found


def count() -> int:
    """States in this network namespace's table; 0 where conntrack is not loaded."""
    try:
        return int((PROC / "nf_conntrack_count").read_text())
    except (OSError, ValueError):
        return 0


def room() -> int:
    """States that the table may hold; on a host with namespaces all of them share it."""
    try:
        return int((PROC / "nf_conntrack_max").read_text())
    except (OSError, ValueError):
        return 0


def describe(error: int) -> str:
    """An error number in the system's words."""
    return os.strerror(error)
