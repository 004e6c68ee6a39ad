"""`python -m gemel.daemons.leased SETTINGS`: runs until SIGTERM; SIGHUP reads the settings again."""

import asyncio
import contextlib
import json
import logging
import signal
import sys
from collections import Counter as Tally
from pathlib import Path
from typing import Any

from gemel.control import paths
from gemel.control.door import Caller, Door, Refused, Unreachable, ask
from gemel.control.leased import QUESTIONS, DeleteLease, LeaseReport, LeaseStatus, ListLeases
from gemel.control.supervisor import SignalService
from gemel.core.codec import Malformed, decode
from gemel.daemons import systemd
from gemel.daemons.leased.keeper import Keeper
from gemel.effects.channel import Identity
from gemel.effects.kea import KeaError
from gemel.leases.dialect import DIALECTS
from gemel.leases.settings import Settings

STRANGERS = (
    "DHCP leases are not replicated: the nodes do not know each other's keys yet. Set up configuration synchronisation "
    "on the primary"
)
LOOK_AT_KEYS = 2.0  # seconds: the peer may be pinned at any time

log = logging.getLogger("leased")


def unfreeze(server: str) -> None:
    """Have Kea killed by who starts it again then, supervisor or systemd: one that is stopped takes no SIGTERM."""
    try:
        if systemd.is_here():
            systemd.systemctl("kill", "--signal=KILL", systemd.unit(server))
        else:
            ask(paths.SUPERVISOR_DOOR, SignalService(server, signal.SIGKILL), 2.0)
    except (Refused, Unreachable) as error:
        log.warning("%s could not be killed: %s", server, error)


class Leased:
    """A keeper for each family, by the settings in force, and another one when they change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._keepers: dict[int, Keeper] = {}
        self._read: dict[int, tuple[Any, ...]] = {}
        self._fault = ""
        self._again = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, asyncio.current_task().cancel)  # type: ignore[union-attr]
        self._loop.add_signal_handler(signal.SIGHUP, self._again.set)
        door = Door(paths.LEASED_DOOR, QUESTIONS, self._answer)
        try:
            while True:
                await self.settle()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._again.wait(), LOOK_AT_KEYS)
                self._again.clear()
        finally:
            door.close()
            for keeper in self._keepers.values():
                keeper.close()

    async def settle(self) -> None:
        """Have run what the settings say now."""
        wanted = self._wanted()
        if wanted is None:
            return
        for family in self._keepers.keys() - wanted.keys():
            self._keepers.pop(family).close()
            del self._read[family]
        for settings in wanted.values():
            await self._settle_one(settings)

    def _wanted(self) -> dict[int, Settings] | None:
        """Family -> its settings; None: they cannot be read now, and what runs stays as it is. They may be another
        version's for a moment, in an upgrade.

        Raises:
            OSError, ValueError: they cannot be read, and nothing runs yet.
        """
        try:
            wanted = {s.family: s for s in decode(tuple[Settings, ...], json.loads(self._path.read_text()))}
        except (OSError, ValueError) as error:
            if not self._keepers:
                raise
            if str(error) != self._fault:
                log.warning("the settings cannot be read, those before stay in force: %s", error)
            self._fault = str(error)
            return None
        self._fault = ""
        return wanted

    async def _settle_one(self, settings: Settings) -> None:
        keys = tuple(map(_content, (settings.key, settings.certificate, settings.peer_certificate)))
        if (settings, keys) == self._read.get(settings.family):
            return
        if before := self._keepers.pop(settings.family, None):
            before.close()
        identity, fault = None, ""
        if settings.peers and all(keys):
            identity = Identity.load(settings.key, settings.certificate, settings.peer_certificate)
        elif settings.peers:
            fault = STRANGERS
        server = DIALECTS[settings.family].server
        keeper = Keeper(settings, identity, lambda: self._loop.run_in_executor(None, unfreeze, server), fault)
        await keeper.open()
        self._keepers[settings.family], self._read[settings.family] = keeper, (settings, keys)

    def _answer(self, question: Any, caller: Caller) -> Any:
        """In a thread of the door."""
        if not self._keepers:
            raise Refused("leased has just started")
        return asyncio.run_coroutine_threadsafe(self._reply(question), self._loop).result(12)

    async def _reply(self, question: Any) -> Any:
        keepers = [self._keepers[family] for family in sorted(self._keepers)]
        try:
            match question:
                case LeaseStatus():
                    return together([keeper.report() for keeper in keepers])
                case ListLeases():
                    return [lease for keeper in keepers for lease in await keeper.leases()]
                case DeleteLease(address):
                    family = 6 if ":" in address else 4
                    if family not in self._keepers:
                        raise Refused(f"there is no lease of {address}: no {DIALECTS[family].protocol} server is here")
                    return await self._keepers[family].delete(address)
        except KeaError as error:
            raise Refused(str(error)) from None


def together(reports: list[LeaseReport]) -> LeaseReport:
    """The reports of both families as one; what both say is said once."""
    counters: Tally[str] = Tally()
    for report in reports:
        counters.update(report.counters)
    return LeaseReport(
        pools=tuple(pool for report in reports for pool in report.pools),
        linked=all(report.linked for report in reports),
        peer_address=next((r.peer_address for r in reports if r.peer_address), ""),
        clock_offset=next((r.clock_offset for r in reports if r.clock_offset is not None), None),
        counters=dict(counters),
        problems=tuple(dict.fromkeys(problem for report in reports for problem in report.problems)),
    )


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
