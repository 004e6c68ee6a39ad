"""Kea's side of leased: the question before each acknowledgement, the switch, and which interfaces it listens on."""

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

from gemel.effects.kea import Kea, KeaError
from gemel.leases.dialect import Dialect

ORIGIN = {"origin": "user"}
LONGEST = 1 << 20

log = logging.getLogger(__name__)


class Switch:
    """Has Kea answer on some interfaces, and on no others.

    All or none is a matter of a millisecond (dhcp-enable, dhcp-disable). Where this node is master on some segments
    only, Kea gets its configuration with these alone.
    """

    def __init__(self, kea: Kea, config: Path) -> None:
        self._kea, self._config = kea, config
        self._listening: frozenset[str] | None = None

    def forget(self) -> None:
        """Kea has started anew, or read its configuration again: it listens on all interfaces."""
        self._listening = None

    async def serve(self, devices: Collection[str], everywhere: Collection[str]) -> None:
        """Answer on `devices`, of `everywhere`.

        Raises:
            KeaError: Kea does not do it.
        """
        wanted, all_of_them = frozenset(devices), frozenset(everywhere)
        if not wanted:
            await self._kea.ask("dhcp-disable", ORIGIN)
            return
        if wanted != (self._listening or all_of_them):
            await self._kea.ask("dhcp-disable", ORIGIN)
            await self._kea.ask("config-set", self._listening_on(wanted), patience=5.0)
            self._listening = wanted
        await self._kea.ask("dhcp-enable", ORIGIN)

    def _listening_on(self, devices: Collection[str]) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(self._config.read_text())
        [server] = config.values()
        section = server["interfaces-config"]
        section["interfaces"] = [i for i in section["interfaces"] if i.partition("/")[0] in devices]
        return config


class Counter:
    """Where Kea asks: HTTP on the loopback address. `decide(command, arguments)` says None for yes, or why not."""

    def __init__(self, port: int, decide: Callable[[str, dict[str, Any]], Awaitable[str | None]]) -> None:
        self._port, self._decide = port, decide
        self._server: asyncio.Server | None = None
        self._callers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Begin to answer."""
        self._server = await asyncio.start_server(self._attend, "127.0.0.1", self._port, limit=LONGEST)

    def close(self) -> None:
        """Answer nobody."""
        if self._server:
            self._server.close()
        for caller in self._callers:
            caller.close()

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if _owner_of(writer.get_extra_info("peername")[1]) != os.geteuid():
            writer.close()  # a stranger on this machine: leases are none of its business
            return
        self._callers.add(writer)
        with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError):
            while body := await _request(reader):
                asked = json.loads(body)
                no = await self._decide(str(asked.get("command")), asked.get("arguments") or {})
                answer = json.dumps([{"result": 0 if no is None else 1, "text": no or "yes"}]).encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
                writer.write(head.encode() + answer)
                await writer.drain()
        self._callers.discard(writer)
        writer.close()


async def _request(reader: asyncio.StreamReader) -> bytes:
    """The body of the next request; empty at the end of the stream."""
    length = 0
    first = await reader.readline()
    while (line := await reader.readline()).strip():
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() == "content-length":
            length = min(int(value), LONGEST)
    return await reader.readexactly(length) if first else b""


def _owner_of(port: int) -> int:
    """The user whose socket has this local port on 127.0.0.1; -1 if there is none."""
    with contextlib.suppress(OSError):
        wanted = f"0100007F:{port:04X}"
        for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[1] == wanted:
                return int(fields[7])
    return -1


async def table(kea: Kea, words: Dialect) -> dict[str, dict[str, Any]]:
    """Address -> lease, all that Kea has.

    Raises:
        KeaError: Kea does not answer.
    """
    found = await kea.ask(words.get_all, patience=10.0) or {}
    return {lease["ip-address"]: lease for lease in found.get("leases", ())}


async def lease_of(kea: Kea, words: Dialect, address: str) -> dict[str, Any] | None:
    """The lease of an address; None if there is none.

    Raises:
        KeaError: Kea does not answer.
    """
    found: dict[str, Any] | None = await kea.ask(words.get, {"ip-address": address})
    return found


__all__ = ["Counter", "Kea", "KeaError", "Switch", "lease_of", "table"]
