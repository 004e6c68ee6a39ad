"""The heartbeat's sockets on SYNC: ordinary UDP, so that the receiver's rules decide whether it comes in.

Beats leave from a port of their own choice: from the port that they are sent to, each node's would be the answers of
a flow that the other one began, and no rule would be asked.
"""

import contextlib
import socket

LONGEST = 64 << 10
CLASS = 0xC0  # IP precedence 6, network control: first in the queue of a slow SYNC


class BeatPort:
    """Both directions. `listen` and `peer` are IPv4 or IPv6 addresses of one family.

    Raises:
        OSError: the address is not on this machine, or the port is taken.
    """

    def __init__(self, listen: str, peer: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in peer else socket.AF_INET
        self._peer, self._port = peer, port
        self._in = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._out = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            if family == socket.AF_INET6:
                self._out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, CLASS)
            else:
                self._out.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, CLASS)
            self._in.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._in.bind((listen, port))
            self._out.bind((listen, 0))
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        """For poll."""
        return self._in.fileno()

    def receive(self) -> bytes | None:
        """The next datagram; None if there is none now. Who sent it is proven by what is in it."""
        try:
            return self._in.recv(LONGEST)
        except OSError:
            return None

    def send(self, payload: bytes) -> None:
        """Send to the peer; what does not leave is as good as lost."""
        with contextlib.suppress(OSError):
            self._out.sendto(payload, (self._peer, self._port))

    def close(self) -> None:
        """Stop."""
        self._in.close()
        self._out.close()
