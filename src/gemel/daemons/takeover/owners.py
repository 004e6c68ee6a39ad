"""Who looks after the network of a plain machine, and how to have it back: ifupdown, systemd-networkd, NetworkManager.

`let_go` makes an owner leave the ports alone for now and keeps their addresses; after a reboot it is back. `retire`
makes that last. `take_back` undoes what lasts, `resume` the rest.
"""

import logging
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from gemel.daemons.takeover import dhcp_clients, files
from gemel.effects.commands import run, succeeds
from gemel.effects.disk import Disk

LOOPBACK_ONLY = """\
# Gemel looks after this machine's network (`gemel setup`). What stood here comes back with `gemel setup --undo`.
auto lo
iface lo inet loopback
"""

ENDING = 10.0  # seconds for a service that was told to end

CLASHING = (
    "nftables", "ufw", "firewalld", "keepalived", "conntrackd", "unbound", "radvd",
    "kea-dhcp4-server", "kea-dhcp6-server", "kea-ctrl-agent", "isc-dhcp-server", "isc-dhcp-relay", "dnsmasq",
    "netfilter-persistent", "shorewall", "ferm",
)  # fmt: skip
"""Services that would load rules, hold ports or speak protocols in Gemel's place."""

log = logging.getLogger(__name__)


class Owner(Protocol):
    """Somebody who gives ports their addresses."""

    name: str

    def present(self, devices: Iterable[str]) -> bool:
        """Whether it looks after any of these ports now."""

    def let_go(self, devices: Iterable[str]) -> None:
        """Leave the ports alone until the next boot; their addresses stay."""

    def retire(self) -> None:
        """Leave them alone for good."""

    def take_back(self) -> None:
        """Look after them again after each boot.

        Raises:
            OSError: it could not be; what is kept for it still is.
        """

    def resume(self) -> None:
        """Look after them again now, which is not waited for.

        Raises:
            CommandFailed: it does not.
        """


class Ifupdown:
    """Debian's /etc/network/interfaces. It only acts when a port comes or goes; its DHCP clients run on, though."""

    name = "ifupdown"

    def __init__(self, root: Path = Path("/"), kept: Path = Path("/var/lib/gemel/before")) -> None:
        self._root = root
        self._file = root / "etc/network/interfaces"
        self._more = root / "etc/network/interfaces.d"
        self._kept = kept

    def present(self, devices: Iterable[str]) -> bool:
        return bool(self.configured() & set(devices))

    def configured(self) -> set[str]:
        """The ports that its files name, with all that they include."""
        text = "\n".join(self._texts([self._file], set()))
        return set(re.findall(r"^\s*iface\s+(\S+)", text, re.MULTILINE)) - {"lo"}

    def _texts(self, paths: Iterable[Path], known: set[Path]) -> Iterator[str]:
        """interfaces(5): `source` names files and folders by patterns, `source-directory` folders."""
        for path in paths:
            if path.is_dir():
                inside = (p for p in sorted(path.iterdir()) if p.is_file() and re.fullmatch(r"[A-Za-z0-9_-]+", p.name))
                yield from self._texts(inside, known)
            elif path.is_file() and path not in known:
                known.add(path)
                text = path.read_text(errors="replace")
                yield text
                for words in re.findall(r"^\s*source(?:-directory)?\s+(.+)$", text, re.MULTILINE):
                    for pattern in words.split():
                        yield from self._texts(self._named(path, pattern), known)

    def _named(self, by: Path, pattern: str) -> list[Path]:
        """The files and folders that a `source` line in `by` means."""
        folder, inside = self._root if pattern.startswith("/") else by.parent, pattern.lstrip("/")
        return sorted(folder.glob(inside)) if inside else []

    def let_go(self, devices: Iterable[str]) -> None:
        dhcp_clients.end(dhcp_clients.running(devices))

    def retire(self) -> None:
        if self._file.exists() and self._file.read_text(errors="replace") != LOOPBACK_ONLY:
            files.copy(self._file, self._kept / self._file.name)
        if self._more.is_dir():
            files.copy(self._more, self._kept / self._more.name)
        Disk().write(self._file, LOOPBACK_ONLY.encode(), 0o644)
        files.remove(self._more)

    def take_back(self) -> None:
        for path in (self._more, self._file):
            if os.path.lexists(self._kept / path.name):
                files.copy(self._kept / path.name, path)
                files.remove(self._kept / path.name)

    def resume(self) -> None:
        """It has left the ports up all the time; its DHCP clients are started by who remembers them."""


class Service:
    """An owner that is one systemd service: stopped, it leaves the addresses in place that it was told."""

    def __init__(self, name: str, units: tuple[str, ...]) -> None:
        self.name = name
        self._units = units

    def present(self, devices: Iterable[str]) -> bool:
        return succeeds("systemctl", "-q", "is-active", self._units[0])

    def let_go(self, devices: Iterable[str]) -> None:
        run("systemctl", "stop", *reversed(self._units))

    def retire(self) -> None:
        run("systemctl", "-q", "mask", *self._units)

    def take_back(self) -> None:
        succeeds("systemctl", "-q", "unmask", *self._units)  # `resume` finds out whether they still are

    def resume(self) -> None:
        if run("systemctl", "show", "--property=LoadState", "--value", self._units[0]).strip() == "not-found":
            log.warning("%s has been removed since: nobody looks after its ports", self.name)
            return
        run("systemctl", "--no-block", "start", self._units[0])


class Networkd(Service):
    """systemd-networkd: when it is stopped it gives back what it has leased, address and routes, but not when it is
    stopped to be started again (its unit's RestartKillSignal)."""

    def let_go(self, devices: Iterable[str]) -> None:
        unit, socket = self._units
        run("systemctl", "stop", socket)  # it would start it again
        succeeds("systemctl", "kill", "--kill-whom=main", "--signal=SIGUSR2", unit)
        until = time.monotonic() + ENDING
        while succeeds("systemctl", "-q", "is-active", unit) and time.monotonic() < until:
            time.sleep(0.1)
        super().let_go(devices)


OWNERS: tuple[Owner, ...] = (
    Ifupdown(),
    Networkd("systemd-networkd", ("systemd-networkd.service", "systemd-networkd.socket")),
    Service("NetworkManager", ("NetworkManager.service",)),
)


def of(devices: Iterable[str]) -> tuple[Owner, ...]:
    """Who looks after any of these ports now."""
    devices = tuple(devices)
    return tuple(owner for owner in OWNERS if owner.present(devices))


def by_name(names: Iterable[str]) -> tuple[Owner, ...]:
    """The owners of these names."""
    wanted = set(names)
    return tuple(owner for owner in OWNERS if owner.name in wanted)


def clashing() -> tuple[str, ...]:
    """Services in Gemel's way that run now or would at the next boot."""
    return tuple(
        name
        for name in CLASHING
        if succeeds("systemctl", "-q", "is-active", name) or succeeds("systemctl", "-q", "is-enabled", name)
    )
