"""Is this node fit to be master? What is wrong becomes named reasons to stand back, told to carpd every second, whole.

A lost gateway counts only if the peer still has it: the peer tells when it last heard an answer, and that must have
been after the second one that this node missed: the first may have been lost by itself just before the provider failed.
So a provider that fails takes the gateway from both, and nothing moves.
Once it counts it does so until this node hears the gateway again: were it to end because the peer has lost it too, the
roles would move back to a node without a gateway.
"""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gemel.areas.health import HEALTH, Health
from gemel.control import paths
from gemel.control.carpd import TellHealth
from gemel.control.door import Refused, Unreachable, ask
from gemel.control.supervisor import ServiceReport
from gemel.core.config import Config
from gemel.daemons.agent.services import Glances
from gemel.effects.disk import Condition, condition
from gemel.facts.gateways import GatewayRow
from gemel.facts.peer import Sight

EVERY = 1.0  # seconds
MARGIN = 1.3  # seconds: from a first miss to the second, and by which the two nodes' accounts of a gateway may be off
OURS = ("agent", "carpd", "flowd", "webd")
"""Gemel's own: what becomes of them is told elsewhere, and none of them is mended by moving the virtual IPs."""
DOWN_FOR = 5.0  # seconds after which a service that does not run has failed
OFTEN, LATELY = 3, 30.0  # restarts within so many seconds after which one that does run has failed
UP_FOR = 1.0  # seconds that a service has to have run to be up: one that cannot start runs for a moment, too
DECIDED_WITHIN = 8.0  # seconds after the agent's start within which everything has been looked at

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at everything that can be wrong."""

    gateways: tuple[GatewayRow, ...]
    peer: Sight | None
    services: tuple[ServiceReport, ...]
    disk: Condition


class Fitness:
    """Looks become reasons. Monotonic seconds."""

    def __init__(self) -> None:
        self._lost: set[str] = set()
        self._runs: dict[str, deque[tuple[float, int]]] = {}
        self._down_since: dict[str, float] = {}

    def reasons(self, health: Health, seen: Seen, now: float) -> dict[str, int]:
        """Reason -> amount."""
        found: dict[str, int] = {}
        gateways = self._gateways(health, seen)
        failed = self._services(seen.services, now)
        if health.gateway:
            found |= {f"gateway {name} does not answer": health.gateway_demotion for name in gateways}
        if health.service:
            found |= {f"service {name} failed": health.service_demotion for name in failed}
        if health.disk and (wrong := seen.disk.wrong(health.disk_free)):
            found[wrong] = health.disk_demotion
        return found

    def _gateways(self, health: Health, seen: Seen) -> list[str]:
        monitored = [row for row in seen.gateways if row.status != "not monitored"]
        self._lost &= {row.name for row in monitored}
        for row in monitored:
            if row.missed_for is None:
                self._lost.discard(row.name)
            elif row.missed_for > health.gateway_misses - 0.5 and _peer_has(row, seen.peer):
                self._lost.add(row.name)
        return sorted(self._lost)

    def _services(self, services: Iterable[ServiceReport], now: float) -> list[str]:
        failed = []
        watched = {one.name: one for one in services if one.name not in OURS and one.state != "held"}
        self._runs = {name: self._runs.get(name, deque()) for name in watched}
        self._down_since = {name: at for name, at in self._down_since.items() if name in watched}
        for name, one in watched.items():
            runs = self._runs[name]
            if runs and one.restarts < runs[-1][1]:  # somebody has started it anew: systemd counts from nought again
                runs.clear()
            runs.append((now, one.restarts))
            while now - runs[0][0] > LATELY:
                runs.popleft()
            if one.state == "running":
                self._down_since.pop(name, None)
            down = now - self._down_since.setdefault(name, now) if one.state != "running" else 0.0
            if down >= DOWN_FOR or one.restarts - runs[0][1] >= OFTEN:
                failed.append(name)
        return failed


def are_up(services: Iterable[ServiceReport], wall: float) -> bool:
    """Whether all that is configured runs, and has done so for a moment; `wall` is in seconds since the epoch."""
    return all(
        one.state == "running" and not 0 <= wall - one.since < UP_FOR for one in services if one.name not in OURS
    )


def _peer_has(row: GatewayRow, sight: Sight | None) -> bool:
    """Whether the peer is there, and has heard the gateway since this node missed it for the second time."""
    if sight is None or not sight.reachable or sight.age is None or sight.status is None or row.missed_for is None:
        return False
    theirs = next((g for g in sight.status.gateways if g.name == row.name), None)
    if theirs is None or theirs.silent_for is None:
        return False
    return theirs.silent_for + sight.age < row.missed_for - MARGIN


class HealthWatch:
    """Looks once a second, in a thread of its own, and tells carpd."""

    def __init__(
        self,
        config: Callable[[], Config],
        gateways: Callable[[], tuple[GatewayRow, ...]],
        peer: Callable[[], Sight | None],
    ) -> None:
        self._config = config
        self._gateways = gateways
        self._peer = peer
        self._fitness = Fitness()
        self._began = time.monotonic()
        self._glances = Glances()
        self._services: tuple[ServiceReport, ...] | None = None  # until they were looked at for the first time
        self._unseen = ""  # why they could not be looked at
        self._disk = Condition()
        self._disk_looked_at = 0.0
        self._told: dict[str, int] = {}

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="health", daemon=True).start()

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            try:
                self.look(began)
            except Exception:  # a mistake of ours must not blind the node for good, and must be seen
                log.exception("looking at this node's health")
            time.sleep(max(0.1, EVERY - (time.monotonic() - began)))

    def look(self, now: float) -> None:
        """Look once; tell carpd, as soon as everything has been looked at since the agent's start."""
        services = self._look_at_services()
        if now - self._disk_looked_at >= 5.0:
            self._disk, self._disk_looked_at = condition(paths.STATE), now
        rows = self._gateways()
        seen = Seen(rows, self._peer(), services or (), self._disk)
        reasons = self._fitness.reasons(self._config()[HEALTH], seen, now)
        misses = self._config()[HEALTH].gateway_misses
        waited = now - self._began
        # Before that carpd goes on with what it was told by an agent before this one.
        decided = all(row.silent_for is not None or (row.missed_for or 0) > misses for row in rows
                      if row.status != "not monitored")  # fmt: skip
        if not decided and waited < DECIDED_WITHIN:
            return
        ready = services is not None and are_up(services, time.time())
        if reasons != self._told:
            log.info("health: %s", ", ".join(f"{r} ({n})" for r, n in reasons.items()) or "nothing is wrong any more")
            self._told = reasons
        with contextlib.suppress(Refused, Unreachable):
            ask(paths.CARPD_DOOR, TellHealth(reasons, ready), timeout=1.0)

    def _look_at_services(self) -> tuple[ServiceReport, ...] | None:
        """As they stood when somebody last said it; None: nobody has yet."""
        try:
            self._services, self._unseen = self._glances.look(), ""
        except (Refused, Unreachable) as error:
            if str(error) != self._unseen:
                log.warning("how the services stand is not known: %s", error)
            self._unseen = str(error)
        return self._services
