"""CARP adverts to one peer's address: IP packets of protocol 112 by the kernel's routing, which also finds the MAC.

A raw socket of that protocol has a second use: what the peer sends here is then wanted, and the kernel does not answer
it with *protocol unreachable*. It is read elsewhere (`packet.CarpPort`).
"""

import contextlib
import socket

from gemel.carp.wire import LOW_DELAY, PROTOCOL, TTL

SMALL = 4096  # bytes: the kernel's least; nobody reads from these sockets


class UnicastPorts:
    """One socket for each own address that adverts come from."""

    def __init__(self) -> None:
        self._sockets: dict[str, socket.socket] = {}

    def send(self, source: str, to: str, message: bytes) -> bool:
        """Send without waiting; False if the kernel says no. An own address that is not there yet is tried again."""
        try:
            there = self._sockets.get(source) or self._open(source)
            there.sendto(message, (to, 0))
        except OSError:
            self._forget(source)
            return False
        return True

    def keep(self, sources: set[str]) -> None:
        """Open those that are not, and close all others. One that cannot be opened is tried again with `send`."""
        for gone in self._sockets.keys() - sources:
            self._forget(gone)
        for new in sources - self._sockets.keys():
            with contextlib.suppress(OSError):
                self._open(new)

    def _open(self, source: str) -> socket.socket:
        six = ":" in source
        family = socket.AF_INET6 if six else socket.AF_INET
        made = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, PROTOCOL)
        try:
            if six:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, TTL)
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, LOW_DELAY)
            else:
                made.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, TTL)
                made.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, LOW_DELAY)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
            made.bind((source, 0))
        except OSError:
            made.close()
            raise
        self._sockets[source] = made
        return made

    def _forget(self, source: str) -> None:
        there = self._sockets.pop(source, None)
        if there is not None:
            there.close()
