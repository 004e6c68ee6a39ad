"""What the machine was before, on disk, for the way back: /var/lib/gemel/setup.json."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from gemel.control.paths import STATE
from gemel.core.codec import decode, encode
from gemel.daemons.takeover.files import Kept
from gemel.daemons.takeover.seen import Seen
from gemel.effects.disk import Disk

PLACE = Path(STATE) / "setup.json"
KERNEL = Path("/proc/sys/net")
SET_BY_NOBODY = ("nf_conntrack_count", "nf_conntrack_buckets", "route/flush", "ipfrag_secret_interval")
"""Kernel settings that are figures, or cannot be written back."""
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Memory:
    """How the machine was. `stage`: on trial until confirmed. `clashing` is service -> whether it ran; `files` and
    `sysctls` are by path; `clients` is how ifupdown's DHCP clients were called.
    `leaving`: an undo has begun, and can only be finished."""

    stage: Literal["trial", "confirmed"]
    seen: Seen
    owners: tuple[str, ...]
    clashing: dict[str, bool]
    files: dict[str, Kept]
    sysctls: dict[str, str]
    clients: tuple[tuple[str, ...], ...] = ()
    leaving: bool = False

    def keep(self) -> None:
        """Write it."""
        PLACE.parent.mkdir(parents=True, exist_ok=True)
        PLACE.parent.chmod(0o755)  # whatever the umask: webd's user has its keys below
        Disk().write(PLACE, json.dumps(encode(self)).encode())

    def confirmed(self) -> "Memory":
        """The same, no longer on trial."""
        return replace(self, stage="confirmed")


def recall() -> Memory | None:
    """What was kept, or None on a machine that has not been taken over.

    Raises:
        OSError: it cannot be read.
    """
    try:
        return decode(Memory, json.loads(PLACE.read_bytes()))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise OSError(f"{PLACE}, which says how this machine was before, is damaged ({error})") from error


def forget() -> None:
    """The machine is its own again."""
    PLACE.unlink(missing_ok=True)


def sysctls() -> dict[str, str]:
    """Every kernel setting of the network that can be read and written, by path below /proc/sys/net."""
    return dict(_settings())


def _settings() -> Iterator[tuple[str, str]]:
    for path in KERNEL.rglob("*"):
        name = str(path.relative_to(KERNEL))
        if path.is_file() and path.stat().st_mode & 0o200 and not name.endswith(SET_BY_NOBODY):
            try:
                yield name, path.read_text().strip()
            except OSError:
                continue


def _write(name: str, value: str) -> None:
    (KERNEL / name).write_text(value)


def set_back(
    before: dict[str, str], now: Callable[[], dict[str, str]] = sysctls, write: Callable[[str, str], None] = _write
) -> list[str]:
    """Give every setting that differs its old value; returns what could not be set.

    More than once: one that is set may set others, as ip_forward does with all that differs between host and router.
    """
    left: dict[str, str] = {}
    for _ in range(ROUNDS):
        different = {name for name, value in now().items() if before.get(name, value) != value} - set(left)
        for name in sorted(different):
            try:
                write(name, before[name])
            except OSError as error:
                left[name] = f"{name}: {error.strerror}"
    return list(left.values())
