"""Gemel's Debian package: what a file holds, what is installed, and an installation that outlives who began it.

apt runs in a unit of its own, begun through a shell: the package that it replaces is the one that this code is from.
What it says goes to a file, its exit status to another when it is over.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from gemel.effects.commands import CommandFailed, run

NAME = "gemel"
UNIT = "gemel-install.service"
UNIT_IS = ("--description=Gemel: a package is installed", "--service-type=exec")
"""With a description, as it is the command else, whose lines systemd does not understand when it loads them anew."""
LARGEST = 512 << 20  # bytes
PATIENCE = 120.0  # seconds for a command; the installation itself is not waited for
LAST_WORDS = 6  # lines
SPARE = 64 << 20  # bytes that have to be free beside what is unpacked: the package itself, compiled code, dpkg's lists
PROGRAMS = Path("/usr")

SCRIPT = """\
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
apt-get -y -q --no-install-recommends --no-remove -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=120 \
    install "$1" >"$2/log" 2>&1
echo $? >"$2/outcome.new"
mv "$2/outcome.new" "$2/outcome"
"""


class NotInstallable(Exception):
    """This package cannot be installed here; the text says why, in words."""


Run = Callable[..., str]


def _patient(*argv: str) -> str:
    return run(*argv, patience=PATIENCE)


def _free(place: Path) -> int:
    return shutil.disk_usage(place).free


def _last(text: str) -> str:
    return "; ".join(line.strip() for line in text.strip().splitlines()[-LAST_WORDS:])


@dataclass(frozen=True, slots=True)
class Package:
    """A package file. `unpacks` is how many bytes it has when it is installed, 0 where it does not say."""

    path: Path
    version: str
    sha256: str
    unpacks: int = 0


class Packages:
    """Reads package files, and installs them on this machine. `folder` is for what has to be kept meanwhile; `free`
    says how many bytes are left where a folder is."""

    def __init__(self, folder: Path, run: Run = _patient, free: Callable[[Path], int] = _free) -> None:
        self._folder = folder
        self._run = run
        self._free = free
        self._incoming = folder / "incoming.deb"
        self._outgoing = folder / "outgoing.deb"

    def installed(self) -> str:
        """The version that is installed, all of it; empty where none is from a package, or one was left half done."""
        status, version = self._found()
        return version if status == "installed" else ""

    def _found(self) -> tuple[str, str]:
        """dpkg's word for how the package stands (empty: it is not there), and its version."""
        try:
            said = self._run("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", NAME)
        except CommandFailed:
            return "", ""
        status, _, version = said.partition(" ")
        return ("", "") if status in ("not-installed", "config-files") else (status, version)

    def _half(self) -> str:
        """What is to be done about an installation that was left half done; empty: there is none."""
        status, version = self._found()
        if status in ("", "installed"):
            return ""
        mends = f"`dpkg -i` with the file of {version}" if status == "half-installed" else "`dpkg --configure -a`"
        return f"Gemel {version} is {status}, an installation was cut off or failed: {mends} on that node first"

    def older(self, one: str, other: str) -> bool:
        """Whether version `one` comes before `other`, as Debian counts."""
        try:
            self._run("dpkg", "--compare-versions", one, "lt", other)
        except CommandFailed:
            return False
        return True

    def read(self, path: Path) -> Package:
        """What the file holds.

        Raises:
            NotInstallable: it is no package of Gemel for this machine.
        """
        try:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            text = self._run("dpkg-deb", "-f", str(path), "Package", "Version", "Architecture", "Installed-Size")
            architecture = self._run("dpkg", "--print-architecture").strip()
        except OSError as error:
            raise NotInstallable(f"{path}: {error.strerror}") from None
        except CommandFailed as error:
            raise NotInstallable(f"{path} is no Debian package ({error})") from None
        fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        if fields.get("Package") != NAME:
            raise NotInstallable(f"{path} is the package {fields.get('Package', '')!r}, not {NAME!r}")
        if fields.get("Architecture") not in (architecture, "all"):
            raise NotInstallable(f"{path} is for {fields.get('Architecture')}, this machine is {architecture}")
        size = fields.get("Installed-Size", "")
        return Package(path, fields.get("Version", ""), sha256, int(size) << 10 if size.isdecimal() else 0)

    def keep(self, package: Package) -> Package:
        """A copy for as long as an upgrade lasts, where the agent can read it, too: it sees neither homes nor /tmp.

        Raises:
            NotInstallable: there is no room for it.
        """
        if package.path.absolute() == self._outgoing.absolute():
            return package
        new = self._outgoing.with_suffix(".new")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(package.path, new)
            new.replace(self._outgoing)
        except OSError as error:
            with contextlib.suppress(OSError):
                new.unlink()
            raise NotInstallable(f"{package.path} cannot be copied to {self._folder}: {error.strerror}") from None
        return replace(package, path=self._outgoing)

    def check(self, package: Package) -> None:
        """Could it be installed now? Changes nothing.

        Raises:
            NotInstallable: no.
        """
        status, now = self._found()
        if not status:
            raise NotInstallable("Gemel was not installed from a package on this machine")
        half = self._half()
        if half:
            raise NotInstallable(half)
        if not self.older(now, package.version):
            raise NotInstallable(f"version {package.version} is not newer than {now}, which is installed")
        self._room(self._folder, SPARE)
        self._room(PROGRAMS, package.unpacks + SPARE)
        try:
            self._run("apt-get", "-s", "-q", "--no-install-recommends", "--no-remove", "install", str(package.path))
        except CommandFailed as error:
            raise NotInstallable(f"apt would not install it: {_last(str(error))}") from None

    def _room(self, place: Path, needed: int) -> None:
        while not place.exists():
            place = place.parent
        free = self._free(place)
        if free < needed:
            raise NotInstallable(f"{place} has {free >> 20} MiB left, {needed >> 20} MiB are needed: make room first")

    def begin(self, package: Package) -> None:
        """Begin to install it; `report` says how that stands.

        Raises:
            NotInstallable: it cannot be begun; nothing has changed.
        """
        if self._is_running():
            raise NotInstallable("another installation is on its way")
        self.check(package)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("log", "outcome"):
            (self._folder / name).unlink(missing_ok=True)
        command = ("/bin/sh", "-c", SCRIPT, "sh", str(package.path.absolute()), str(self._folder))
        try:
            self._run("systemd-run", "--quiet", "--collect", "--unit", UNIT, *UNIT_IS, *command)
        except CommandFailed as error:
            raise NotInstallable(f"the installation could not be begun: {error}") from None

    def report(self) -> tuple[str, str]:
        """``none``, ``running``, ``done``, ``failed`` (and what was there before is whole) or ``broken`` (the package
        was left half done), and the last lines that were said."""
        log, outcome = self._folder / "log", self._folder / "outcome"
        running = self._is_running()  # asked first: the outcome is there before the unit has ended
        said = _last(log.read_text(errors="replace")) if log.exists() else ""
        if running and not outcome.exists():
            return "running", said
        half = self._half()
        if half:
            return "broken", f"{half}. apt said: {said}" if said else half
        if outcome.exists():
            return ("done" if outcome.read_text().strip() == "0" else "failed"), said
        return ("failed", f"it was cut off: {said}") if log.exists() else ("none", "")

    def _is_running(self) -> bool:
        try:
            self._run("systemctl", "is-active", "--quiet", UNIT)
        except CommandFailed:
            return False
        return True

    # Of the peer ----------------------------------------------------------------------------------------------------

    def take(self, offset: int, data: bytes) -> int:
        """Keep a part of a file that comes in parts, in order; offset 0 begins anew. Returns how many bytes are there.

        Raises:
            NotInstallable: it is not the next part, there are too many, or the disk is nearly full.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._room(self._folder, SPARE)
        there = self._incoming.stat().st_size if offset and self._incoming.exists() else 0
        if offset != there:
            raise NotInstallable(f"the part at {offset} does not follow what is there, {there} bytes")
        if there + len(data) > LARGEST:
            raise NotInstallable(f"more than {LARGEST >> 20} MiB")
        with self._incoming.open("ab" if offset else "wb") as file:
            file.write(data)
        return there + len(data)

    def install(self, sha256: str) -> None:
        """Begin to install what came.

        Raises:
            NotInstallable: it is not what was meant, or cannot be installed.
        """
        package = self.read(self._incoming)
        if package.sha256 != sha256.lower():
            raise NotInstallable("what arrived is not what was sent")
        self.begin(package)
