"""Who looks after the network of a plain machine, and how to have it back: ifupdown, systemd-networkd, NetworkManager.

`let_go` makes an owner leave the ports alone for now and keeps their addresses; after a reboot it is back. `retire`
makes that last. `take_back` undoes both.
"""

import contextlib
import os
import re
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from gemel.effects.commands import run, succeeds

LOOPBACK_ONLY = """\
# Gemel looks after this machine's network (`gemel setup`). What stood here comes back with `gemel setup --undo`.
auto lo
iface lo inet loopback
"""

CLASHING = (
    "nftables", "ufw", "firewalld", "keepalived", "conntrackd", "unbound", "radvd",
    "kea-dhcp4-server", "kea-dhcp6-server", "kea-ctrl-agent", "isc-dhcp-server", "isc-dhcp-relay", "dnsmasq",
    "netfilter-persistent", "shorewall", "ferm",
)  # fmt: skip
"""Services that would load rules, hold ports or speak protocols in Gemel's place."""


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
        """Look after them again, now (which is not waited for) and after each boot."""


class Ifupdown:
    """Debian's /etc/network/interfaces. It only acts when a port comes or goes; its DHCP clients run on, though."""

    name = "ifupdown"

    def __init__(self, root: Path = Path("/"), kept: Path = Path("/var/lib/gemel/before")) -> None:
        self._file = root / "etc/network/interfaces"
        self._more = root / "etc/network/interfaces.d"
        self._run = root / "run"
        self._kept = kept

    def present(self, devices: Iterable[str]) -> bool:
        return bool(self.configured() & set(devices))

    def configured(self) -> set[str]:
        """The ports that its files name."""
        files = [self._file, *(sorted(self._more.iterdir()) if self._more.is_dir() else ())]
        text = "\n".join(f.read_text(errors="replace") for f in files if f.is_file())
        return set(re.findall(r"^\s*iface\s+(\S+)\s", text, re.MULTILINE)) - {"lo"}

    def let_go(self, devices: Iterable[str]) -> None:
        for pid in self._clients(devices):
            # Not asked to end but ended: asked, it would give the address back and take it off the port.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _clients(self, devices: Iterable[str]) -> Iterator[int]:
        for device in devices:
            for path in self._run.glob(f"dhclient*{device}*.pid"):
                with contextlib.suppress(ValueError, OSError):
                    yield int(path.read_text())

    def retire(self) -> None:
        self._kept.mkdir(parents=True, exist_ok=True)
        for source in (self._file, self._more):
            if source.exists() and not (self._kept / source.name).exists():
                source.rename(self._kept / source.name)
        self._file.write_text(LOOPBACK_ONLY)

    def take_back(self) -> None:
        for source in (self._file, self._more):
            kept = self._kept / source.name
            if kept.exists():
                if source.is_file():
                    source.unlink()
                kept.rename(source)


class Service:
    """An owner that is one systemd service: stopped, it leaves addresses in place."""

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
        run("systemctl", "-q", "unmask", *self._units)
        run("systemctl", "--no-block", "start", self._units[0])


OWNERS: tuple[Owner, ...] = (
    Ifupdown(),
    Service("systemd-networkd", ("systemd-networkd.service", "systemd-networkd.socket")),
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
