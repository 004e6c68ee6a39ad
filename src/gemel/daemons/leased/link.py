"""The peer's side of leased: one TLS stream in each direction, lines of JSON, each answered.

    hello  who I am, my clock           put    leases, each answered with a verdict
    ping   how I stand, my clock        del    an address whose lease is gone          table  all live leases

Whoever dials asks; whoever listens answers. Certificates are the nodes' own, pinned both ways.
"""

import asyncio
import contextlib
import json
import logging
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from gemel.daemons.leased.standing import PeerSeen
from gemel.effects.channel import Identity

CONNECT = 1.5  # seconds for TCP and TLS together
RETRY = 1.0
PING_EVERY = 1.0
PING_PATIENCE = 1.5
LONGEST = 64 << 20  # bytes of a line
IP_FREEBIND = 15

Message = dict[str, Any]

log = logging.getLogger(__name__)


class Away(Exception):
    """The peer does not answer."""


class Asking:
    """The stream that this node dials. `call` puts a question; answers come in any order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._number = 0
        self._task = asyncio.create_task(self._listen())

    async def call(self, do: str, patience: float, **what: Any) -> Message:
        """The answer to one question.

        Raises:
            Away: none within `patience` seconds; the stream is of no use any more.
        """
        self._number += 1
        number = self._number
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._writer.write(json.dumps({"n": number, "do": do, **what}).encode() + b"\n")
            return await asyncio.wait_for(answer, patience)
        except (OSError, TimeoutError) as error:
            self.close()
            raise Away(str(error) or "no answer") from None
        finally:
            self._waiting.pop(number, None)

    async def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := await self._reader.readline():
                answer = json.loads(line)
                waiting = self._waiting.get(answer.get("n"))
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        self._fail()

    def _fail(self) -> None:
        for waiting in list(self._waiting.values()):
            if not waiting.done():
                waiting.set_exception(OSError("hung up"))

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self._task.done() or self._writer.is_closing()

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
        self._task.cancel()
        self._fail()


class Link:
    """Keeps a stream to the peer and answers the peer's. `answer(message)` answers what the peer asks.

    `mine()` is what a ping tells; `met(stream)` is awaited with each new stream, and the link is up when it returns.
    """

    def __init__(
        self,
        listen: Iterable[str],
        peers: Iterable[str],
        port: int,
        identity: Identity,
        answer: Callable[[Message], Awaitable[Message]],
        mine: Callable[[], Message],
        met: Callable[[Asking], Awaitable[None]],
    ) -> None:
        self._listen, self._peers, self._port = tuple(listen), tuple(peers), port
        self._identity, self._answer, self._mine, self._met = identity, answer, mine, met
        self._servers: list[asyncio.Server] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._callers: set[asyncio.StreamWriter] = set()
        self.stream: Asking | None = None
        self.level = False
        self.address = ""
        self.told: Message = {}
        self.clock_offset: float | None = None
        self.failure = "not tried yet"

    async def open(self) -> None:
        """Begin to listen and to dial."""
        for address in self._listen:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)  # counts for IPv6, too
            listener.bind((address, self._port))
            self._servers.append(
                await asyncio.start_server(
                    self._attend, sock=listener, ssl=self._identity.server, limit=LONGEST, ssl_handshake_timeout=CONNECT
                )
            )
        self._tasks.append(asyncio.create_task(self._dial_on()))

    def close(self) -> None:
        """End all of it."""
        for server in self._servers:
            server.close()
        for caller in self._callers:
            caller.close()
        for task in self._tasks:
            task.cancel()
        self.drop("closed")

    def drop(self, why: str) -> None:
        """The stream is of no use; a new one is dialled, and the tables are compared again."""
        self.failure, self.level = why, False
        if self.stream is not None:
            self.stream.close()
            self.stream = None

    def seen(self) -> PeerSeen:
        """How the peer stands, for a report."""
        linked = self.stream is not None
        return PeerSeen(linked, self.level, self.address, self.failure, self.clock_offset, self.told)

    async def _dial_on(self) -> None:
        turn = 0
        while True:
            peer = self._peers[turn % len(self._peers)]
            turn += 1
            began = time.monotonic()
            try:
                await self._dial(peer)
            except (OSError, ssl.SSLError, TimeoutError, Away) as error:
                self.drop(f"{peer}: {error or 'no answer'}")
            except Exception as error:  # a mistake of ours must not end replication for good, and must be seen
                log.exception("link")
                self.drop(f"{type(error).__name__}: {error}")
            pause = RETRY if turn % len(self._peers) == 0 else 0.1
            await asyncio.sleep(max(0.05, pause - (time.monotonic() - began)))

    async def _dial(self, peer: str) -> None:
        """One stream, from its first byte to its end.

        Raises:
            OSError, TimeoutError, Away: why it ended.
        """
        connection = asyncio.open_connection(peer, self._port, ssl=self._identity.client, limit=LONGEST)
        reader, writer = await asyncio.wait_for(connection, CONNECT)
        if not self._is_the_peer(writer):
            writer.close()
            raise OSError("somebody else answers there: another certificate is pinned")
        stream = Asking(reader, writer)
        try:
            await self._ping(stream)
            self.stream, self.address = stream, peer
            await self._met(stream)
            self.level, self.failure = True, ""
            while not stream.closed:
                await self._ping(stream)
                await asyncio.sleep(PING_EVERY)
            raise OSError(self.failure or "the stream ended")
        finally:
            stream.close()

    async def _ping(self, stream: Asking) -> None:
        before = time.time()
        self.told = await stream.call("ping", PING_PATIENCE, **self._mine())
        after = time.time()
        if after - before < PING_PATIENCE:
            self.clock_offset = round(float(self.told.get("now", after)) - (before + after) / 2, 1)

    def _is_the_peer(self, writer: asyncio.StreamWriter) -> bool:
        shown: Any = writer.get_extra_info("ssl_object")
        return bool(shown and shown.getpeercert(True) == self._identity.peer)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._is_the_peer(writer):
            writer.close()
            return
        self._callers.add(writer)
        with contextlib.suppress(OSError, ValueError):
            while line := await reader.readline():
                message = json.loads(line)
                task = asyncio.create_task(self._reply(message, writer))
                self._tasks = [t for t in self._tasks if not t.done()] + [task]
        self._callers.discard(writer)
        writer.close()

    async def _reply(self, message: Message, writer: asyncio.StreamWriter) -> None:
        answer = await self._answer(message)
        with contextlib.suppress(OSError, RuntimeError):
            writer.write(json.dumps({**answer, "n": message.get("n")}).encode() + b"\n")
