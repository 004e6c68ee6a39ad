"""Watches the gateways: one small question to each every second, all at once, and their last answers."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gemel.areas.gateways import GATEWAYS, default_gateway
from gemel.areas.interfaces import INTERFACES
from gemel.core.config import Config
from gemel.effects.ping import Target, ping
from gemel.facts.gateways import WINDOW, Probe, health

EVERY = 1.0  # seconds between two questions to the same gateway
MOST = 64  # gateways that are watched


class GatewayWatch:
    """Asks in a thread of its own; `sources` may be called from any."""

    def __init__(
        self,
        config: Callable[[], Config],
        ask: Callable[[Iterable[Target]], Mapping[Target, float | None]] = ping,
    ) -> None:
        self._config = config
        self._ask = ask
        self._probes: dict[Target, deque[Probe]] = {}
        self._since: dict[Target, tuple[str, float]] = {}

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="gateways", daemon=True).start()

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            self.round()
            time.sleep(max(0.05, EVERY - (time.monotonic() - began)))

    def round(self) -> None:
        """Ask each once."""
        targets = self._targets(self._config())
        probes = {key: self._probes.get(key, deque(maxlen=WINDOW)) for key in targets}
        asked = time.time()
        answers = self._ask(targets)
        for key in targets:
            probes[key].append(Probe(asked, answers.get(key)))
            status = health(list(probes[key]))[0]
            if self._since.get(key, ("", 0.0))[0] != status:
                self._since[key] = status, time.time()
        self._probes = probes

    def _targets(self, config: Config) -> list[Target]:
        found = []
        for gateway in config[GATEWAYS].items:
            interface = config[INTERFACES].get(gateway.interface)
            if interface is not None and interface.enabled and gateway.monitor:
                found.append((gateway.monitored, interface.device))
        return list(dict.fromkeys(found))[:MOST]

    def sources(self) -> list[dict[str, Any]]:
        """The configured gateways as `facts.gateways` reads them."""
        config = self._config()
        defaults = {g.id for v in (4, 6) if (g := default_gateway(config, v)) is not None}
        rows = []
        for gateway in config[GATEWAYS].items:
            interface = config[INTERFACES].get(gateway.interface)
            key = gateway.monitored, interface.device if interface else ""
            rows.append(
                {
                    "name": gateway.name,
                    "interface": interface.title if interface else gateway.interface,
                    "address": gateway.address,
                    "default": gateway.id in defaults,
                    "monitor": gateway.monitor,
                    "probes": list(self._probes.get(key, ())),
                    "since": self._since.get(key, ("", None))[1],
                }
            )
        return rows
