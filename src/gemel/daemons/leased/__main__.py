"""`python -m gemel.daemons.leased SETTINGS`: runs until SIGTERM; SIGHUP reads the settings again."""

import asyncio
import contextlib
import json
import logging
import signal
import sys
from pathlib import Path
from typing import Any

from gemel.control import paths
from gemel.control.door import Caller, Door, Refused, Unreachable, ask
from gemel.control.leased import QUESTIONS, DeleteLease, LeaseStatus, ListLeases
from gemel.control.supervisor import SignalService
from gemel.core.codec import Malformed, decode
from gemel.daemons.leased.keeper import Keeper
from gemel.effects.channel import Identity
from gemel.effects.kea import KeaError
from gemel.leases.settings import Settings

KEA = "kea-dhcp4"
STRANGERS = (
    "DHCP leases are not replicated: the nodes do not know each other's keys yet. Set up configuration synchronisation "
    "on the primary"
)
LOOK_AT_KEYS = 2.0  # seconds: the peer may be pinned at any time

log = logging.getLogger("leased")


def unfreeze() -> None:
    """Have the supervisor kill Kea and start it again: one that is stopped takes no SIGTERM."""
    with contextlib.suppress(Refused, Unreachable):
        ask(paths.SUPERVISOR_DOOR, SignalService(KEA, signal.SIGKILL), 2.0)


class Leased:
    """The keeper of the settings in force, and another one when they change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._keeper: Keeper | None = None
        self._read: tuple[Any, ...] = ()
        self._again = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, asyncio.current_task().cancel)  # type: ignore[union-attr]
        self._loop.add_signal_handler(signal.SIGHUP, self._again.set)
        door = Door(paths.LEASED_DOOR, QUESTIONS, self._answer)
        try:
            while True:
                await self._settle()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._again.wait(), LOOK_AT_KEYS)
                self._again.clear()
        finally:
            door.close()
            if self._keeper:
                self._keeper.close()

    async def _settle(self) -> None:
        settings = decode(Settings, json.loads(self._path.read_text()))
        keys = tuple(map(_content, (settings.key, settings.certificate, settings.peer_certificate)))
        if (settings, keys) == self._read:
            return
        if self._keeper:
            self._keeper.close()
        identity, fault = None, ""
        if settings.peers and all(keys):
            identity = Identity.load(settings.key, settings.certificate, settings.peer_certificate)
        elif settings.peers:
            fault = STRANGERS
        keeper = Keeper(settings, identity, lambda: self._loop.run_in_executor(None, unfreeze), fault)
        await keeper.open()
        self._keeper, self._read = keeper, (settings, keys)

    def _answer(self, question: Any, caller: Caller) -> Any:
        """In a thread of the door."""
        if self._keeper is None:
            raise Refused("leased has just started")
        return asyncio.run_coroutine_threadsafe(self._reply(question, self._keeper), self._loop).result(12)

    async def _reply(self, question: Any, keeper: Keeper) -> Any:
        try:
            match question:
                case LeaseStatus():
                    return keeper.report()
                case ListLeases():
                    return await keeper.leases()
                case DeleteLease(address):
                    return await keeper.delete(address)
        except KeaError as error:
            raise Refused(str(error)) from None


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


async def _run(path: Path) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await Leased(path).run()


def main() -> None:
    """Run until SIGTERM."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="leased: %(message)s")
    try:
        asyncio.run(_run(Path(sys.argv[1] if len(sys.argv) > 1 else paths.LEASED_SETTINGS)))
    except (OSError, ValueError, Malformed) as error:
        sys.exit(f"leased: {error}")


if __name__ == "__main__":
    main()
