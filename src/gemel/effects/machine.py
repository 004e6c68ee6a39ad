"""Carries out steps on this machine: links, addresses and routes by netlink, rulesets by nft, sysctls, files,
services."""

import logging
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from stat import S_ISREG
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from gemel.core.step import Step
from gemel.core.want import (
    Address,
    DaemonSettings,
    File,
    Hostname,
    Link,
    Program,
    Route,
    Ruleset,
    Service,
    Sysctl,
    Want,
)
from gemel.effects.disk import Disk
from gemel.effects.links import Links, WrongLink
from gemel.effects.processors import off_carpds

PATIENCE = 120
"""Seconds for one command."""

log = logging.getLogger(__name__)


class Failed(Exception):
    """A step could not be carried out; the text says which and why."""


class Machine:
    """This machine, as far as wants reach.

    `tell(daemon)` says to one of Gemel's daemons that its settings file has changed; `run_service(want, changed)` and
    `end_service(name)` reach whoever runs services here. `run` is the folder of the daemons' settings.
    """

    def __init__(
        self,
        run: Path,
        tell: Callable[[str], None],
        run_service: Callable[[Service, bool], None],
        end_service: Callable[[str], None],
    ) -> None:
        self._run = run
        self._tell = tell
        self._run_service = run_service
        self._end_service = end_service
        self._netlink = IPRoute()
        self._links = Links(self._netlink)
        self._disk = Disk()
        self._loaded: dict[str, Program] = {}

    def perform(self, step: Step) -> None:
        """Carry out one step.

        Raises:
            Failed: it did not work; the machine may be half-way in this one step, which its undo mends.
        """
        try:
            if step.want is None:
                self._drop(step.subject)
            else:
                self._put(step.want, step.was)
        except WrongLink as error:
            raise Failed(str(error)) from None
        except NetlinkError as error:
            raise Failed(f"{step}: {error.args[1] if len(error.args) > 1 else error}") from error
        except OSError as error:
            raise Failed(f"{step}: {error.strerror or error}") from error

    def assume(self, want: Want) -> None:
        """Take it as given that `want` is in place: after a restart of the agent nothing is loaded twice."""
        if isinstance(want, Ruleset):
            self._loaded[want.name] = want.program

    def check(self, wants: Iterable[Want]) -> None:
        """Dry-run what can be: would nft take the rulesets, would services take their files?

        Raises:
            Failed: not; nothing has been changed.
        """
        wants = list(wants)
        try:
            self._links.check(w for w in wants if isinstance(w, Link))
        except WrongLink as error:
            raise Failed(str(error)) from None
        for want in wants:
            if isinstance(want, Ruleset):
                _nft(want.program.text(), "-c")
            elif isinstance(want, Service) and want.check:
                for file in want.files:
                    _check_file(want, file)

    def _put(self, want: Want, was: Want | None) -> None:
        match want:
            case Sysctl(name, value):
                _write_sysctl(name, value)
            case Hostname():
                self._name(want)
            case Link():
                self._links.put(want)
            case Address(device, cidr):
                self._address("replace", device, cidr)
            case Route():
                self._route("replace", want)
            case Ruleset():
                self._load(want)
            case DaemonSettings(daemon, text):
                self._disk.write(self._run / f"{daemon}.json", text.encode())
                self._tell(daemon)
            case Service():
                self._serve(want, was)

    def _drop(self, want: Want) -> None:
        match want:
            case Address(device, cidr):
                self._without_missing(self._address, "del", device, cidr)
            case Route():
                self._without_missing(self._route, "del", want)
            case Link():
                self._links.drop(want)
            case DaemonSettings(daemon, _):
                self._disk.remove(self._run / f"{daemon}.json")
                self._tell(daemon)
            case Service(name):
                if want.argv:
                    self._end_service(name)
            case Ruleset(name, program):
                self._loaded.pop(name, None)
                with suppress(Failed):  # it may have gone with its device
                    _nft(program.text_without())
            case _:  # a kernel setting or a name has no "nothing" to go back to
                return

    def _without_missing(self, act: Callable[..., None], *arguments: Any) -> None:
        """Taking away what has gone by itself (with its device, say) is done already."""
        try:
            act(*arguments)
        except NetlinkError as error:
            if error.code not in (2, 3, 19, 99):  # ENOENT, ESRCH, ENODEV, EADDRNOTAVAIL
                raise
        except WrongLink:
            return

    def _index(self, device: str) -> int:
        return self._links.index(device)

    def _address(self, command: str, device: str, cidr: str) -> None:
        address, _, length = cidr.partition("/")
        extra = {"flags": 0x02} if ":" in address else {}  # IFA_F_NODAD: addresses here are configured, not tried out
        self._netlink.addr(command, index=self._index(device), address=address, prefixlen=int(length), **extra)

    def _route(self, command: str, want: Route) -> None:
        version = ip_network(want.destination).version
        self._netlink.route(
            command,
            dst=want.destination,
            gateway=want.gateway,
            oif=self._index(want.device),
            family=10 if version == 6 else 2,
        )

    def _load(self, want: Ruleset) -> None:
        """The short way from what is loaded; if the kernel does not agree that it is, the whole."""
        loaded = self._loaded.pop(want.name, None)
        if loaded is not None:
            try:
                _nft(want.program.text_from(loaded))
                self._loaded[want.name] = want.program
                return
            except Failed as error:
                log.warning("%s: loading the difference failed, loading all of it: %s", want.name, error)
        _nft(want.program.text())
        self._loaded[want.name] = want.program

    def _name(self, want: Hostname) -> None:
        self._disk.write(Path("/etc/hostname"), f"{want.name}\n".encode(), 0o644)
        Path("/proc/sys/kernel/hostname").write_text(want.name)

    def _serve(self, want: Service, was: Want | None) -> None:
        old = {f.path: f for f in was.files} if isinstance(was, Service) else {}
        changed = [f for f in want.files if old.get(f.path) != f]
        # After a boot all of them count as changed; a disk that has become full must not keep services from starting.
        others = [f for f in changed if not _stands(f)]
        for file in others:
            if want.check:
                _check_file(want, file)
        for file in others:
            self._disk.write(Path(file.path), file.content.encode(), file.mode)
            if file.owner != "root":
                shutil.chown(file.path, file.owner)
        if want.argv:
            same = isinstance(was, Service) and was.argv == want.argv
            self._run_service(want, same and bool(changed))


def _stands(file: File) -> bool:
    """Whether it is on the disk as it is wanted."""
    path = Path(file.path)
    try:
        known = path.lstat()
        return (
            S_ISREG(known.st_mode)
            and known.st_mode & 0o7777 == file.mode
            and known.st_uid == pwd.getpwnam(file.owner).pw_uid
            and path.read_bytes() == file.content.encode()
        )
    except (OSError, KeyError):
        return False


def _check_file(want: Service, file: File) -> None:
    trial = Path(f"{file.path}.check")
    Disk().write(trial, file.content.encode(), file.mode)
    try:
        _run([part.replace("{path}", str(trial)) for part in want.check])
    finally:
        trial.unlink(missing_ok=True)


def _write_sysctl(name: str, value: str) -> None:
    path = Path("/proc/sys", *name.split("."))
    if name.startswith("net.bridge.") and not path.exists():
        return  # a kernel that never hands bridged frames to the firewall has no switch for it
    if path.read_text().strip() != value:
        path.write_text(value)


def _nft(text: str, *flags: str) -> None:
    if text:
        with off_carpds():
            _run(["nft", *flags, "-f", "-"], text)


def _run(argv: list[str], given: str = "") -> None:
    try:
        done = subprocess.run(argv, input=given, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise Failed(f"{argv[0]}: no result after {PATIENCE} s") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise Failed(f"{argv[0]}: {'; '.join(lines[:4])}")
