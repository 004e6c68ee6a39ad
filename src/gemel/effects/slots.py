"""Many small datagrams by one system call: recvmmsg, which Python does not have. Standard library only."""

import ctypes
import errno
import struct

MSG_DONTWAIT = 0x40


class Overrun(Exception):
    """The kernel had to drop messages for this socket."""


class _IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _MsgHdr(ctypes.Structure):
    _fields_ = (("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.POINTER(_IoVec)),
                ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_int))


class _MMsgHdr(ctypes.Structure):
    _fields_ = (("header", _MsgHdr), ("length", ctypes.c_uint))


class Slots:
    """Buffers for `count` datagrams; of a longer one than `size` bytes the beginning is kept."""

    def __init__(self, count: int, size: int) -> None:
        self._count, self._slot = count, size
        self._buffer = (ctypes.c_char * (count * size))()
        self._vectors = (_IoVec * count)()
        self._headers = (_MMsgHdr * count)()
        for i in range(count):
            self._vectors[i].base = ctypes.addressof(self._buffer) + i * size
            self._vectors[i].length = size
            self._headers[i].header.iov = ctypes.pointer(self._vectors[i])
            self._headers[i].header.iovlen = 1
        self._first = ctypes.byref(self._headers)
        self._raw = memoryview(self._headers).cast("B")
        whole, at = ctypes.sizeof(_MMsgHdr), _MMsgHdr.length.offset
        self._header, self._lengths = whole, struct.Struct(f"={at}xI{whole - at - 4}x")
        self._recvmmsg = ctypes.CDLL(None, use_errno=True).recvmmsg

    def read(self, fd: int, skip: int = 0) -> list[bytes]:
        """What waits on the socket, at most `count` datagrams, without the first `skip` bytes of each; empty if
        nothing, or it cannot be read now.

        Raises:
            Overrun: some were lost.
        """
        n = self._recvmmsg(fd, self._first, self._count, MSG_DONTWAIT, None)
        if n <= 0:
            if n < 0 and ctypes.get_errno() == errno.ENOBUFS:
                raise Overrun
            return []
        buffer, at, slot = self._buffer, 0, self._slot
        found: list[bytes] = []
        for (length,) in self._lengths.iter_unpack(self._raw[: n * self._header]):
            # Bytes, and half of what a slice of a view costs.
            found.append(buffer[at + skip : at + length])  # type: ignore[arg-type]
            at += slot
        return found
