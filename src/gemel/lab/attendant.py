"""Stays with a lab as long as it is up: a way in to the nodes' pages, and an eye on who wanted the lab.

    attendant.py LAB OWNER

A TCP connection to a node's loopback address on this machine is carried to the web port inside the node. OWNER is a
process number or 0; when that process has gone, the lab goes. When the lab has gone, so does its attendant.
It says "ready" when the way in is open.
"""

import asyncio
import contextlib
import ctypes
import os
import socket
import sys

from gemel.lab.lab import WEB_PORT, Lab
from gemel.lab.namespace import NAMESPACES, alive
from gemel.lab.topology import NODES, Node, web_address

CLONE_NEWNET = 0x40000000
WEBD = ("127.0.0.1", 443)
LOOK_EVERY = 1.0  # seconds
SILENCE = 600.0  # seconds after which a connection that says nothing is given up
CONNECTIONS = 256

_libc = ctypes.CDLL(None, use_errno=True)


def socket_inside(namespace: str) -> socket.socket:
    """A TCP socket that belongs to `namespace`, where it stays whatever this thread does next."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(NAMESPACES / namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(there)
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        finally:
            os.close(there)
            _enter(home)
    finally:
        os.close(home)


def _enter(fd: int) -> None:
    if _libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Passage:
    """From a loopback address of this machine to the web port of one node."""

    def __init__(self, lab: str, index: int, node: Node) -> None:
        self._namespace = f"{lab}-{node.name}"
        self._address = web_address(index, node)
        self._places = asyncio.Semaphore(CONNECTIONS)

    async def open(self) -> asyncio.Server:
        return await asyncio.start_server(self._carry, self._address, WEB_PORT)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._places:
            try:
                inside = socket_inside(self._namespace)
                inside.setblocking(False)
                await asyncio.wait_for(asyncio.get_running_loop().sock_connect(inside, WEBD), 10)
                there, back = await asyncio.open_connection(sock=inside)
            except (OSError, TimeoutError):
                writer.close()  # the node is off, or webd does not listen: what a caller sees on a wire, too
                return
            await asyncio.gather(_pour(reader, back), _pour(there, writer))


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        while data := await asyncio.wait_for(source.read(1 << 16), SILENCE):
            sink.write(data)
            await sink.drain()
    with contextlib.suppress(OSError):
        sink.close()


async def attend(lab: Lab, owner: int) -> bool:
    """Stay until the lab has gone, or its owner; returns whether it is for us to take the lab down."""
    state = lab.folder.load()
    if state is None:
        return False
    for node in NODES.values():
        with contextlib.suppress(OSError):
            await Passage(lab.name, state.index, node).open()
    print("ready", flush=True)
    while (now := lab.folder.load()) and now.password == state.password:
        if owner and not alive(owner):
            return True
        await asyncio.sleep(LOOK_EVERY)
    return False


def main() -> None:
    lab = Lab(sys.argv[1])
    if asyncio.run(attend(lab, int(sys.argv[2]))):
        lab.down()


if __name__ == "__main__":
    main()
