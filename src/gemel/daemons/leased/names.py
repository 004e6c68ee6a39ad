"""The names of hosts with a lease, told to unbound: at once when a lease changes, and all of them when it has started.

What a client calls itself is not to be believed blindly: only a plain host name counts, names that are configured are
never touched, and of two clients with one name the one that had it first keeps it.
"""

import asyncio
import contextlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gemel.leases.lease import is_live
from gemel.leases.settings import Naming

_LABEL = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
PATIENCE = 1.0


class Names:
    """What unbound has been told. `domains` is subnet id -> domain."""

    def __init__(self, naming: Naming, domains: Mapping[int, str]) -> None:
        self._naming, self._domains = naming, domains
        self._taken = frozenset(naming.taken)
        self._by_address: dict[str, str] = {}
        self._started = 0

    def has_restarted(self) -> bool:
        """Whether unbound runs, and has been started since this was last asked: it knows nothing then."""
        try:
            started = Path(self._naming.pid_file).stat().st_mtime_ns
        except OSError:
            return False
        before, self._started = self._started, started
        return started != before

    async def all_again(self, leases: Iterable[Mapping[str, Any]], now: float) -> None:
        """Tell every name: unbound has just started, or may have missed something."""
        self._by_address.clear()
        for lease in leases:
            await self.learn(lease, now)

    async def learn(self, lease: Mapping[str, Any], now: float) -> None:
        """A lease was given or renewed."""
        address, name = str(lease["ip-address"]), self._name_of(lease)
        if self._by_address.get(address) == name:
            return
        if address in self._by_address:
            await self.forget(address)
        if name and is_live(lease, now) and name not in self._by_address.values():
            pointer = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
            await self._tell(f"local_data {name} 60 IN A {address}")
            await self._tell(f"local_data {pointer} 60 IN PTR {name}")
            self._by_address[address] = name

    async def forget(self, address: str) -> None:
        """A lease is gone."""
        name = self._by_address.pop(address, None)
        if name:
            await self._tell(f"local_data_remove {name}")
            await self._tell(f"local_data_remove {'.'.join(reversed(address.split('.')))}.in-addr.arpa")

    def _name_of(self, lease: Mapping[str, Any]) -> str:
        host = str(lease.get("hostname", "")).lower().partition(".")[0]
        domain = self._domains.get(int(lease.get("subnet-id", 0)), "")
        name = f"{host}.{domain}".rstrip(".")
        return name if _LABEL.match(host) and name not in self._taken else ""

    async def _tell(self, command: str) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(self._exchange(command), PATIENCE)

    async def _exchange(self, command: str) -> None:
        reader, writer = await asyncio.open_unix_connection(self._naming.control)
        try:
            writer.write(f"UBCT1 {command}\n".encode())
            await writer.drain()
            await reader.read(4096)
        finally:
            writer.close()
