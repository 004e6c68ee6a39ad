"""Watches the gateways: one small question to each every few seconds, and their last answers."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from gemel.areas.gateways import GATEWAYS, default_gateway
from gemel.areas.interfaces import INTERFACES
from gemel.core.config import Config
from gemel.effects.ping import ping
from gemel.facts.gateways import WINDOW, Probe, health

EVERY = 3.0  # seconds between two questions to the same gateway
MOST = 32  # gateways that are watched


class GatewayWatch:
    """Asks in a thread of its own; `sources` may be called from any."""

    def __init__(self, config: Callable[[], Config], ask: Callable[[str, str], float | None] = ping) -> None:
        self._config = config
        self._ask = ask
        self._probes: dict[tuple[str, str], deque[Probe]] = {}
        self._since: dict[tuple[str, str], tuple[str, float]] = {}

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="gateways", daemon=True).start()

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            self.round()
            time.sleep(max(0.5, EVERY - (time.monotonic() - began)))

    def round(self) -> None:
        """Ask each once."""
        targets = self._targets(self._config())
        self._probes = {key: self._probes.get(key, deque(maxlen=WINDOW)) for key in targets}
        for key in targets:
            probes = self._probes[key]
            probes.append(Probe(time.time(), self._ask(*key)))
            status = health(list(probes))[0]
            if self._since.get(key, ("", 0.0))[0] != status:
                self._since[key] = status, time.time()

    def _targets(self, config: Config) -> list[tuple[str, str]]:
        found = []
        for gateway in config[GATEWAYS].items:
            interface = config[INTERFACES].get(gateway.interface)
            if interface is not None and interface.enabled:
                found.append((gateway.address, interface.device))
        return found[:MOST]

    def sources(self) -> list[dict[str, Any]]:
        """The configured gateways as `facts.gateways` reads them."""
        config = self._config()
        defaults = {g.id for v in (4, 6) if (g := default_gateway(config, v)) is not None}
        rows = []
        for gateway in config[GATEWAYS].items:
            interface = config[INTERFACES].get(gateway.interface)
            key = gateway.address, interface.device if interface else ""
            rows.append(
                {
                    "name": gateway.name,
                    "interface": interface.title if interface else gateway.interface,
                    "address": gateway.address,
                    "default": gateway.id in defaults,
                    "probes": list(self._probes.get(key, ())),
                    "since": self._since.get(key, ("", None))[1],
                }
            )
        return rows
