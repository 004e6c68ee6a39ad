"""webd: the unprivileged process that the network talks to. Everything it wants done it asks the agent.

    python -m gemel.daemons.webd [--listen ADDRESS:PORT]… [--redirect ADDRESS:PORT]…

Sockets come from the supervisor or systemd (sd_listen_fds(3): LISTEN_FDS, from descriptor 3 on): one bound to port 80
redirects, the others speak TLS. Without them it binds what the flags say. SIGHUP, or a changed file, makes it read the
certificates again; SIGTERM ends it after the requests that run.
"""

import argparse
import asyncio
import contextlib
import ctypes
import gc
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Iterator
from typing import TypeVar

import uvicorn
from starlette.applications import Starlette

from gemel.api.app import app as api_app
from gemel.control.door import Question, ask
from gemel.control.paths import AGENT_DOOR
from gemel.daemons.logs import log_to_stderr
from gemel.daemons.readiness import notify
from gemel.web.app import app, redirect_app
from gemel.web.security import session_of
from gemel.web.tls import Certificates

A = TypeVar("A")
FIRST_DESCRIPTOR = 3
REDIRECT_PORT = 80
LOOK_EVERY = 2.0  # seconds between looks at the certificates' files
AGENT_WITHIN = 170.0  # seconds for an answer: an Apply of 10,000 rules on a slow machine
CONNECTIONS = 200
M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3  # malloc.h

log = logging.getLogger("webd")


class _Server(uvicorn.Server):
    """Two of them share a loop: signals are ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM."""
    log_to_stderr("webd")
    _give_memory_back()
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser("webd")
    parser.add_argument("--listen", action="append", default=[], metavar="ADDRESS:PORT")
    parser.add_argument("--redirect", action="append", default=[], metavar="ADDRESS:PORT")
    options = parser.parse_args(arguments)
    passed = _passed_sockets(dict(os.environ))
    secure = [s for s in passed if s.getsockname()[1] != REDIRECT_PORT] + [_bound(a) for a in options.listen]
    plain = [s for s in passed if s.getsockname()[1] == REDIRECT_PORT] + [_bound(a) for a in options.redirect]
    if not secure:
        parser.error("nothing to listen on: no LISTEN_FDS and no --listen")
    asyncio.run(_serve(secure, plain))
    return 0


def _give_memory_back() -> None:
    """Few heaps for many threads, and large texts always in pages of their own: else each thread that has once drawn a
    form of 100,000 lines keeps its megabytes. mallopt(3)."""
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(M_ARENA_MAX, 2)
    mallopt(M_MMAP_THRESHOLD, 256 << 10)


async def _serve(secure: list[socket.socket], plain: list[socket.socket]) -> None:
    certificates = await _certificates()
    rest = api_app(_ask_agent, session_of)
    https = _server(app(_ask_agent, api=rest), certificates)
    servers = [(https, secure)]
    if plain:
        servers.append((_server(redirect_app(), None), plain))
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    loop.add_signal_handler(signal.SIGHUP, certificates.refresh)
    gc.freeze()
    running = [asyncio.create_task(server.serve(sockets)) for server, sockets in servers]
    notify("READY=1")  # who calls from now on waits in the sockets' queues at most
    watching = asyncio.create_task(_watch(certificates))
    ending = asyncio.create_task(over.wait())
    await asyncio.wait([*running, ending], return_when=asyncio.FIRST_COMPLETED)
    for server, _ in servers:
        server.should_exit = True
    rest.state.stream.close()
    watching.cancel()
    ending.cancel()
    await asyncio.gather(*running)


def _server(application: Starlette, certificates: Certificates | None) -> uvicorn.Server:
    config = uvicorn.Config(
        application,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=5,
        ws="none",
        http="h11",  # bounds what a request's head may take; the faster httptools has no limit (measured)
        proxy_headers=False,
    )
    config.load()
    if certificates is not None:
        config.ssl = certificates.context
    return _Server(config)


async def _certificates() -> Certificates:
    """At a node's very first start the agent is still making the keys; who calls meanwhile waits in the queue."""
    said = ""
    while True:
        try:
            return Certificates()
        except FileNotFoundError:
            if not said:
                said = "waiting for the certificates, which the agent makes"
                log.info(said)
        except (OSError, ssl.SSLError) as error:
            if str(error) != said:
                log.warning("no certificates yet: %s", error)
            said = str(error)
        await asyncio.sleep(0.1)


async def _watch(certificates: Certificates) -> None:
    while True:
        await asyncio.sleep(LOOK_EVERY)
        certificates.refresh()


def _ask_agent(question: Question[A], /) -> A:
    return ask(AGENT_DOOR, question, AGENT_WITHIN)


def _passed_sockets(environment: dict[str, str]) -> list[socket.socket]:
    """The listening sockets that whoever started us opened in our place."""
    if environment.get("LISTEN_PID", str(os.getpid())) != str(os.getpid()):
        return []
    count = int(environment.get("LISTEN_FDS", "0"))
    return [socket.socket(fileno=FIRST_DESCRIPTOR + i) for i in range(count)]


def _bound(where: str) -> socket.socket:
    address, _, port = where.rpartition(":")
    address = address.strip("[]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, int(port)))
    listener.listen(128)
    return listener


if __name__ == "__main__":
    sys.exit(main())
