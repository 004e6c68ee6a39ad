"""The two ends of state synchronisation: a dialer that keeps a stream to the peer, a listener that takes the peer's.

Each node sends over a stream that it opens itself, so that the receiver's own firewall rule is what lets states in.
Both say in words how they stand, cause and cure.
"""

import errno
import socket
import time

from gemel.effects.channel import CLOSED, OPEN, Channel, Identity, fingerprint

RETRY = 1.0  # s between two attempts
CONNECT = 2.0  # s for TCP and TLS together
HALF_OPEN = 8  # streams that have not proved who they are
IP_FREEBIND, TCP_DEFER_ACCEPT = 15, 9


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Dialer:
    """Keeps trying to have one stream to the peer. Times are monotonic seconds."""

    def __init__(self, listen: str, peer: str, port: int) -> None:
        self._listen, self._peer, self._port = listen, peer, port
        self.channel: Channel | None = None
        self.next_try = 0.0
        self.failure = ""
        self.refused = False

    def handle_timer(self, now: float, identity: Identity) -> None:
        """Give up an attempt that takes too long; start one that is due."""
        channel = self.channel
        if channel and channel.state not in (OPEN, CLOSED) and now > self.next_try + CONNECT:
            channel.close("connection timed out")
        if self.channel is None and now >= self.next_try:
            self.next_try = now
            self.channel = self._dial(identity)

    def _dial(self, identity: Identity) -> Channel | None:
        s = socket.socket(_family(self._peer), socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            s.bind((self._listen, 0))
        except OSError as error:
            s.close()
            self.failure = f"this node does not have the address {self._listen}: {error}"
            self.next_try = time.monotonic() + RETRY
            return None
        return Channel(s, identity, (self._peer, self._port))

    def dropped(self, now: float) -> None:
        """The channel was found closed: remember why, try again in a while."""
        if self.channel:
            self.failure, self.refused = self.channel.failure, self.channel.refused
            self.channel = None
            self.next_try = max(self.next_try, now - RETRY) + RETRY

    def words(self) -> str:
        """Why nothing is being sent."""
        to = f"not sending to {self._peer}: "
        if not self.failure:
            return f"connecting to {self._peer}"
        if self.failure == "connection timed out":
            return to + ("connection timed out: the peer's rule for pfsync on its SYNC interface does not let it in, "
                         "or the peer is down")
        if self.failure == "connection refused":
            return to + "connection refused: state synchronisation is off on the peer, or its flowd is not running"
        if self.failure in ("no route to host", "network is unreachable", "host is down"):
            return to + f"{self.failure}: the SYNC interface is down or has no address, or the peer is off"
        return to + self.failure


class Listener:
    """Takes the peer's stream; a newer one that proves to be the peer's replaces the older one."""

    def __init__(self, listen: str, peer: str, port: int, now: float) -> None:
        self._listen, self._peer, self._port = listen, peer, port
        self.socket = socket.socket(_family(listen), socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        self.socket.bind((listen, port))
        self.socket.listen(16)
        self.channel: Channel | None = None
        self.candidates: dict[Channel, float] = {}
        self.since = time.time()
        self.began = now
        self.failure = ""
        self.refused = False
        self.admits = True  # this node's rules let the peer in
        self.strangers = 0

    def accept(self, now: float, identity: Identity) -> None:
        """Somebody knocks."""
        while len(self.candidates) < HALF_OPEN:
            try:
                s, _ = self.socket.accept()
                if not self.admits:
                    s.close()
                    continue
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EINTR):
                    self.failure = error.strerror or str(error)
                return
            self.candidates[Channel(s, identity)] = now

    def handle_timer(self, now: float) -> None:
        """Half-open streams do not stay for ever."""
        for channel, began in list(self.candidates.items()):
            if now - began > CONNECT:
                channel.close("it did not say who it is")

    def settle(self) -> Channel | None:
        """Look through the candidates; the one that has proved to be the peer, if any, is now `channel`."""
        settled = None
        for channel in list(self.candidates):
            if channel.state == OPEN:
                del self.candidates[channel]
                if self.channel:
                    self.channel.close("the peer connected again")
                self.channel = settled = channel
                self.failure, self.refused = "", False
            elif channel.state == CLOSED:
                del self.candidates[channel]
                self.strangers += 1
                self.failure, self.refused = channel.failure, channel.refused
        return settled

    def dropped(self, now: float) -> None:
        """The channel was found closed."""
        if self.channel:
            self.failure, self.refused = self.channel.failure, False
            self.channel, self.since, self.began = None, time.time(), now

    def words(self, peer_alive: bool) -> str:
        """Why nothing is being received."""
        if not self.admits:
            return ("not receiving: this node's own rule for pfsync on its SYNC interface is missing: add one that "
                    "passes protocol pfsync there")
        if self.refused:
            return f"not receiving: {self.failure}"
        since = time.strftime("%H:%M:%S", time.localtime(self.since))
        why = ("this node's own rule for pfsync on its SYNC interface is missing?" if peer_alive else
               "the peer is down, or this node's own rule for pfsync on its SYNC interface is missing")
        lost = f" ({self.failure})" if self.failure else ""
        return f"not receiving: nothing has connected since {since}{lost}: {why}"

    def close(self) -> None:
        """Stop listening and hang up."""
        for channel in (*self.candidates, self.channel):
            if channel:
                channel.close()
        self.candidates.clear()
        self.socket.close()


def compare(identity: Identity) -> str:
    """Both fingerprints, for people to compare when the two nodes do not know each other."""
    return f"this node's certificate is {fingerprint(identity.own)}, the pinned peer's {fingerprint(identity.peer)}"
