"""The decisions of leased: who serves, what is acknowledged, and what the peer gets."""

import asyncio
import logging
import time
from collections import Counter as Tally
from pathlib import Path
from typing import Any

from gemel.control.leased import LeaseReport
from gemel.daemons.leased.link import Asking, Away, Link, Message
from gemel.daemons.leased.names import Names
from gemel.daemons.leased.renewals import Renewals
from gemel.daemons.leased.server import Counter, Kea, KeaError, Switch, lease_of, table
from gemel.daemons.leased.standing import Seen, Standing
from gemel.effects.address_watch import AddressWatch
from gemel.effects.channel import Identity
from gemel.leases.dialect import DIALECTS, changes
from gemel.leases.lease import Verdict, for_kea, is_live, on_the_wire, verdict
from gemel.leases.settings import Scope, Settings

ACK_PATIENCE = 0.3  # seconds that a client waits at most because the peer may not be there
LOOK_EVERY = 1.0
LOOK_AGAIN = 0.1  # while Kea does not answer: it may just be starting
FROZEN_AFTER = 3  # looks in vain at a server that has answered before
AT_ONCE = 100  # leases in one message

log = logging.getLogger(__name__)


class Keeper:
    """All of it for one set of settings. `unfreeze` is called when Kea has been silent for too long."""

    def __init__(self, settings: Settings, identity: Identity | None, unfreeze: Any, fault: str = "") -> None:
        self.settings = settings
        self._unfreeze, self._fault = unfreeze, fault
        self._words = DIALECTS[settings.family]
        self._kea = Kea(settings.kea)
        self._switch = Switch(self._kea, Path(settings.kea_config))
        self._counter = Counter(settings.keeper_port, self._decide)
        self._addresses = AddressWatch()
        self._renewals: list[Renewals] = []
        self._link: Link | None = None
        if identity is not None and settings.peers:
            self._link = Link(
                settings.listen, settings.peers, settings.port, identity, self._answer, self._told, self._met
            )
        self.serving: frozenset[str] = frozenset()
        self._in_force: frozenset[str] | None = None
        self._gone: set[str] = set()  # addresses whose leases went while the peer was away
        domains = {s.subnet_id: s.domain for s in settings.scopes}
        self._names = Names(settings.naming, domains) if settings.naming else None
        self._kea_says, self._kea_pid, self._missed = "", 0, 0
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._began = time.monotonic()
        self._standing = Standing()
        self.counters: Tally[str] = Tally()

    # --- life -------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Begin."""
        loop = asyncio.get_running_loop()
        await self._counter.open()
        loop.add_reader(self._addresses.fileno(), self._addresses_changed)
        for scope in self.settings.scopes:
            if scope.vip and self.settings.family == 4:  # an IPv6 host asks everybody, also when it renews
                renewals = Renewals(scope.device, scope.vip, scope.address)
                for one in renewals.sockets:
                    loop.add_reader(one.fileno(), renewals.read)
                self._renewals.append(renewals)
        self._addresses_changed()
        self._tasks = [asyncio.create_task(self._apply_on()), asyncio.create_task(self._look_on())]
        if self._link is not None:
            await self._link.open()

    def close(self) -> None:
        """End; Kea goes on as it is, and can acknowledge nothing."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._addresses.fileno())
        for renewals in self._renewals:
            for one in renewals.sockets:
                loop.remove_reader(one.fileno())
            renewals.close()
        for task in self._tasks:
            task.cancel()
        self._counter.close()
        if self._link is not None:
            self._link.close()

    # --- who serves -------------------------------------------------------------------------------------------------

    def _addresses_changed(self) -> None:
        self._addresses.read()
        serving = frozenset(
            s.interface for s in self.settings.scopes if not s.vip or self._addresses.has(s.device, s.vip)
        )
        if serving != self.serving:
            self.serving = serving
            log.info("serving on %s", ", ".join(sorted(serving)) or "nothing")
            self._changed.set()

    async def _apply_on(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._apply()

    async def _apply(self) -> None:
        wanted = self.serving
        devices = {s.device for s in self.settings.scopes if s.interface in wanted}
        try:
            await self._switch.serve(devices, {s.device for s in self.settings.scopes})
            self._in_force = wanted
        except (KeaError, OSError, ValueError) as error:
            self._in_force = None
            log.warning("Kea does not switch: %s", error)

    async def _look_on(self) -> None:
        while True:
            try:
                found = await self._kea.ask("status-get")
                self._seen(found)
                if self._names and self._names.has_restarted():
                    await self._names.all_again((await table(self._kea, self._words)).values(), time.time())
            except KeaError as error:
                self._not_seen(str(error))
            await asyncio.sleep(LOOK_EVERY if self._missed == 0 else LOOK_AGAIN)

    def _seen(self, found: dict[str, Any]) -> None:
        self._missed = 0
        first = (found.get("high-availability") or [{}])[0]
        self._kea_says = str(first.get("ha-servers", {}).get("local", {}).get("state", "running"))
        # `reload` is the age of the configuration: younger than our last look means that it was read again.
        if found.get("pid") != self._kea_pid or found.get("reload", 0) <= LOOK_EVERY + 1:
            self._switch.forget() if found.get("pid") != self._kea_pid else None
            self._kea_pid = found.get("pid", 0)
            self._in_force = None
        if self._in_force != self.serving:
            self._changed.set()

    def _not_seen(self, why: str) -> None:
        self._missed += 1
        self._kea_says, self._in_force = "", None
        if self._missed == FROZEN_AFTER and "within" in why and self._kea_pid:
            self.counters["kea_frozen"] += 1
            log.warning("%s: it is killed and started again", why)
            self._unfreeze()

    # --- what is acknowledged ---------------------------------------------------------------------------------------

    async def _decide(self, command: str, arguments: dict[str, Any]) -> str | None:
        """Kea's question before it acknowledges: None for yes, or why not."""
        given, gone = changes(command, arguments)
        scopes = [self._scope(lease) for lease in given]
        if not all(scope is not None and scope.interface in self.serving for scope in scopes):
            self.counters["refused_not_master"] += 1
            return "this node does not have the virtual IP of that network"
        for lease in gone:
            await self._unname(str(lease.get("ip-address", "")))
            await self._tell_gone(str(lease.get("ip-address", "")))
        self.counters["acknowledged"] += len(given)
        taken = await self._refused_by_the_peer(given)
        for lease in taken:
            self.counters["conflicts"] += 1
            await self._forget(str(lease["ip-address"]))
        if taken:
            return "the peer has just given this address to somebody else"
        for lease in given:
            self._name(lease)
        return None

    def _name(self, lease: dict[str, Any]) -> None:
        """Let unbound know; no client waits for it."""
        if self._names:
            task = asyncio.create_task(self._names.learn(lease, time.time()))
            self._tasks = [t for t in self._tasks if not t.done()] + [task]

    async def _unname(self, address: str) -> None:
        if self._names:
            await self._names.forget(address)

    async def _refused_by_the_peer(self, given: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those of which the peer has a younger one for somebody else; none if it has them all now, or is away."""
        stream = self._link.stream if self._link else None
        if stream is None or not given:
            return []
        try:
            answer = await stream.call("put", ACK_PATIENCE, leases=[on_the_wire(x, time.time()) for x in given])
        except Away as error:
            self._lost(stream, str(error))
            return []
        verdicts = answer.get("verdicts", ())
        return [x for x, said in zip(given, verdicts, strict=False) if said == Verdict.CONFLICT.value]

    def _lost(self, stream: Asking, why: str) -> None:
        if self._link is not None and self._link.stream is stream:
            log.info("the peer does not answer (%s): serving on without it", why)
            self._link.drop(why)

    async def _tell_gone(self, address: str) -> None:
        stream = self._link.stream if self._link else None
        if stream is not None:
            try:
                await stream.call("del", ACK_PATIENCE, address=address)
                return
            except Away as error:
                self._lost(stream, str(error))
        if self._link is not None:
            self._gone.add(address)

    async def delete(self, address: str) -> None:
        """A person deletes a lease, on both nodes.

        Raises:
            KeaError: there is none, or Kea does not answer.
        """
        if await self._kea.ask(self._words.delete, {"ip-address": address}) is None:
            raise KeaError(f"there is no lease of {address}")
        await self._unname(address)
        await self._tell_gone(address)

    async def leases(self) -> list[dict[str, Any]]:
        """Every lease of our Kea.

        Raises:
            KeaError: it does not answer.
        """
        return list((await table(self._kea, self._words)).values())

    def _scope(self, lease: dict[str, Any]) -> Scope | None:
        return next((s for s in self.settings.scopes if s.subnet_id == lease.get("subnet-id")), None)

    # --- the peer ---------------------------------------------------------------------------------------------------

    async def _answer(self, message: Message) -> Message:
        try:
            match message.get("do"):
                case "ping":
                    return self._told()
                case "put":
                    return {"verdicts": [(await self._take(told)).value for told in message["leases"]]}
                case "del":
                    await self._forget(str(message["address"]))
                    return {}
                case "table":
                    now = time.time()
                    there = (await table(self._kea, self._words)).values()
                    live = [on_the_wire(x, now) for x in there if is_live(x, now)]
                    return {"leases": live, "gone": sorted(self._gone)}
        except (KeaError, KeyError, ValueError, TypeError) as error:
            return {"error": str(error)}
        return {"error": "no such question"}

    def _told(self) -> Message:
        level = self._link is not None and self._link.level
        return {"now": time.time(), "serving": sorted(self.serving), "kea": self._kea_says, "level": level}

    async def _take(self, told: Message) -> Verdict:
        found = verdict(await lease_of(self._kea, self._words, told["ip-address"]), told, time.time())
        if found is Verdict.TAKE:
            await self._kea.ask(self._words.update, for_kea(told, time.time()))
            self._gone.discard(told["ip-address"])
            self.counters["taken"] += 1
            self._name(for_kea(told, time.time()))
        return found

    async def _forget(self, address: str) -> None:
        await self._kea.ask(self._words.delete, {"ip-address": address})
        await self._unname(address)

    async def _met(self, stream: Asking) -> None:
        """A new stream: compare the tables both ways, and the younger lease of an address is the one that stays.

        Raises:
            Away: the peer does not answer, or one of the two servers does not.
        """
        try:
            answer = await stream.call("table", 15.0)
            if "error" in answer:
                raise Away(f"the peer's {answer['error']}")
            mine, now = await table(self._kea, self._words), time.time()
            theirs = {told["ip-address"]: told for told in answer["leases"]}
            for address in answer.get("gone", ()):
                if address in mine and address not in theirs:
                    await self._forget(address)
                    del mine[address]
            for address, told in theirs.items():
                if address not in self._gone and verdict(mine.get(address), told, now) is Verdict.TAKE:
                    await self._kea.ask(self._words.update, for_kea(told, time.time()))
                    mine.pop(address, None)
                    self.counters["taken"] += 1
                    self._name(for_kea(told, time.time()))
        except KeaError as error:
            raise Away(str(error)) from None
        for address in self._gone:
            await stream.call("del", 5.0, address=address)
        live = [on_the_wire(x, now) for x in mine.values() if is_live(x, now)]
        for at in range(0, len(live), AT_ONCE):
            answer = await stream.call("put", 15.0, leases=live[at : at + AT_ONCE])
            if "error" in answer:
                raise Away(f"the peer's {answer['error']}")
        self._gone.clear()
        log.info("the peer is there (%s): %d leases of its, %d of ours compared", self._link and self._link.address,
                 len(theirs), len(live))  # fmt: skip

    # --- how things stand -------------------------------------------------------------------------------------------

    def report(self) -> LeaseReport:
        """For the door."""
        in_force = self._in_force == self.serving
        seen = Seen(self.settings, time.time(), time.monotonic() - self._began, self._kea_says, self.serving, in_force,
                    self._link.seen() if self._link else None, self._fault)  # fmt: skip
        return self._standing.report(seen, dict(self.counters))
