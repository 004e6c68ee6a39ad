"""What the labs of this machine remember between commands: a folder each, and what they share."""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gemel.core.codec import decode
from gemel.lab.namespace import LabError, run
from gemel.lab.topology import Host

PLACE = Path("/var/lib/gemel-lab")
CONNTRACK_MAX = Path("/proc/sys/net/netfilter/nf_conntrack_max")
CONNTRACK_WANTED = 1 << 20  # entries; the limit of all namespaces together can be set on the machine only


@dataclass(frozen=True, slots=True)
class State:
    """One lab. `cables` holds those that are not simply plugged in: switch port -> unplugged or silent."""

    index: int  # 1..254, its place among the loopback addresses
    password: str
    ready: bool = False
    attendant: int | None = None  # process number
    extra_hosts: tuple[Host, ...] = ()
    cables: dict[str, str] = field(default_factory=dict)


class Folder:
    """The folder of the lab `name`: its state, a lock, and the nodes' disks."""

    def __init__(self, name: str) -> None:
        self.path = PLACE / name

    def disk(self, node: str) -> Path:
        return self.path / node

    def log(self, name: str) -> Path:
        return self.path / f"{name}.log"

    def load(self) -> State | None:
        try:
            return decode(State, json.loads((self.path / "state.json").read_text()))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise LabError(f"{self.path}: {error}") from None

    def save(self, state: State) -> None:
        new = self.path / "state.new"
        new.write_text(json.dumps(asdict(state)))
        new.chmod(0o600)
        new.replace(self.path / "state.json")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One change of a lab at a time, also between processes."""
        with _lock(PLACE / f".{self.path.name}.lock"):
            yield

    def create(self, password: str) -> State:
        """Take a free index and, as the first lab, raise what only the machine itself can raise."""
        with _lock(PLACE / ".lock"):
            taken = {state.index for lab in labs() if (state := Folder(lab).load())}
            state = State(next(i for i in range(1, 255) if i not in taken), password)
            self.path.mkdir(parents=True)
            _make_room_for_layers(self.path)
            self.save(state)
            _raise_conntrack()
        return state

    def remove(self) -> None:
        """The last lab puts back what the first one raised."""
        with _lock(PLACE / ".lock"):
            run("umount", "-l", str(self.path), check=False)
            shutil.rmtree(self.path, ignore_errors=True)
            if not labs():
                _restore_conntrack()
            (PLACE / f".{self.path.name}.lock").unlink(missing_ok=True)


def labs() -> list[str]:
    """The names of all labs that have a folder on this machine."""
    return sorted(p.parent.name for p in PLACE.glob("*/state.json"))


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _make_room_for_layers(path: Path) -> None:
    """In a container the files lie on layers already, and those cannot carry a layer to write on."""
    if run("stat", "-f", "-c", "%T", str(path)).strip() == "overlayfs":
        run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(path))


def _raise_conntrack() -> None:
    if not CONNTRACK_MAX.exists():
        run("modprobe", "nf_conntrack", check=False)
    before = PLACE / "nf_conntrack_max"
    if before.exists() or not CONNTRACK_MAX.exists():
        return
    now = int(CONNTRACK_MAX.read_text())
    if now < CONNTRACK_WANTED:
        before.write_text(str(now))
        CONNTRACK_MAX.write_text(str(CONNTRACK_WANTED))


def _restore_conntrack() -> None:
    before = PLACE / "nf_conntrack_max"
    if before.exists():
        CONNTRACK_MAX.write_text(before.read_text())
        before.unlink()
