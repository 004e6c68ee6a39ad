"""Package files and their installation, with commands that answer as Debian's do."""

import hashlib
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gemel.effects.commands import CommandFailed
from gemel.effects.packages import SCRIPT, NotInstallable, Packages


@dataclass
class Debian:
    """A machine's dpkg, apt and systemd."""

    installed: str = "install 1.0"
    fields: str = "Package: gemel\nVersion: 1.1\nArchitecture: amd64\nInstalled-Size: 51803\n"
    free: int = 1 << 30
    apt: str = ""
    active: bool = False
    ran: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, *argv: str) -> str:
        self.ran.append(argv)
        match argv[0]:
            case "dpkg-query":
                return self._or_fails(self.installed)
            case "dpkg-deb":
                return self._or_fails(self.fields)
            case "dpkg" if argv[1] == "--compare-versions":
                return "" if argv[2] < argv[4] else self._or_fails("")
            case "dpkg":
                return "amd64\n"
            case "apt-get":
                if self.apt:
                    raise CommandFailed(f"apt-get: {self.apt}")
            case "systemctl" if not self.active:
                raise CommandFailed("inactive")
        return ""

    def _or_fails(self, text: str) -> str:
        if not text:
            raise CommandFailed("no such thing")
        return text


@pytest.fixture
def debian() -> Debian:
    return Debian(installed="installed 1.0")


@pytest.fixture
def packages(debian: Debian, tmp_path: Path) -> Packages:
    return Packages(tmp_path / "upgrade", debian, lambda _place: debian.free)


def arrived(packages: Packages, text: bytes = b"a package") -> str:
    """The peer has sent it in two parts; its SHA-256."""
    assert packages.take(0, b"left over from an earlier try") == 29
    assert packages.take(0, text[:4]) == 4
    assert packages.take(4, text[4:]) == len(text)
    return hashlib.sha256(text).hexdigest()


def test_what_the_peer_sent_is_installed_in_a_unit_of_its_own(
    packages: Packages, debian: Debian, tmp_path: Path
) -> None:
    packages.install(arrived(packages).upper())
    begun = next(argv for argv in debian.ran if argv[0] == "systemd-run")
    assert begun[-2:] == (str(tmp_path / "upgrade/incoming.deb"), str(tmp_path / "upgrade"))
    assert "gemel-install.service" in begun


BAD: list[tuple[Callable[[Debian], None], str]] = [
    (lambda d: setattr(d, "fields", "Package: nginx\nVersion: 9\nArchitecture: amd64\n"), "the package 'nginx'"),
    (lambda d: setattr(d, "fields", "Package: gemel\nVersion: 9\nArchitecture: arm64\n"), "is for arm64"),
    (lambda d: setattr(d, "fields", ""), "is no Debian package"),
    (lambda d: setattr(d, "installed", "installed 1.1"), "1.1 is not newer than 1.1"),
    (lambda d: setattr(d, "installed", "installed 1.2"), "1.1 is not newer than 1.2"),
    (lambda d: setattr(d, "installed", "config-files 1.0"), "was not installed from a package"),
    (lambda d: setattr(d, "installed", ""), "was not installed from a package"),
    (lambda d: setattr(d, "installed", "unpacked 1.1"), "Gemel 1.1 is unpacked.*`dpkg --configure -a` on that node"),
    (lambda d: setattr(d, "installed", "half-configured 1.0"), "1.0 is half-configured.*`dpkg --configure -a`"),
    (lambda d: setattr(d, "installed", "half-installed 1.1"), "1.1 is half-installed.*`dpkg -i` with the file of 1.1"),
    (lambda d: setattr(d, "free", 60 << 20), "upgrade has 60 MiB left, 64 MiB are needed"),
    (lambda d: setattr(d, "free", 100 << 20), "/usr has 100 MiB left, 114 MiB are needed: make room first"),
    (lambda d: setattr(d, "apt", "E: Unmet dependencies"), "apt would not install it: apt-get: E: Unmet"),
    (lambda d: setattr(d, "active", True), "another installation is on its way"),
]


@pytest.mark.parametrize(("spoil", "words"), BAD, ids=[words for _, words in BAD])
def test_what_cannot_be_installed_is_refused_before_anything_is_touched(
    packages: Packages, debian: Debian, spoil: Callable[[Debian], None], words: str
) -> None:
    sha256 = arrived(packages)
    spoil(debian)
    with pytest.raises(NotInstallable, match=words):
        packages.install(sha256)
    assert not [argv for argv in debian.ran if argv[0] == "systemd-run"]


def test_only_what_was_meant_is_installed(packages: Packages, debian: Debian) -> None:
    arrived(packages)
    with pytest.raises(NotInstallable, match="not what was sent"):
        packages.install("00" * 32)
    with pytest.raises(NotInstallable, match="does not follow"):
        packages.take(3, b"x")
    assert not [argv for argv in debian.ran if argv[0] == "systemd-run"]


@pytest.mark.parametrize("status", [0, 100])
def test_the_installation_leaves_its_words_and_its_outcome(tmp_path: Path, status: int) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text(f'#!/bin/sh\necho "asked: $*"; echo problem >&2; exit {status}\n')
    apt.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    command = ("/bin/sh", "-c", SCRIPT, "sh", "/some where/new.deb", str(tmp_path))
    subprocess.run(command, env=environment, check=True, timeout=20)
    assert (tmp_path / "outcome").read_text() == f"{status}\n"
    first, second = (tmp_path / "log").read_text().splitlines()
    assert first.endswith("install /some where/new.deb") and "--no-remove" in first and second == "problem"


def test_how_it_stands(packages: Packages, debian: Debian, tmp_path: Path) -> None:
    folder = tmp_path / "upgrade"
    assert packages.report() == ("none", "")
    packages.install(arrived(packages))
    debian.active = True
    (folder / "log").write_text("Unpacking gemel\n")
    assert packages.report() == ("running", "Unpacking gemel")
    debian.active = False
    assert packages.report() == ("failed", "it was cut off: Unpacking gemel")
    (folder / "outcome").write_text("100\n")
    assert packages.report() == ("failed", "Unpacking gemel")
    (folder / "outcome").write_text("0\n")
    assert packages.report()[0] == "done"
    packages.install(arrived(packages))
    assert packages.report() == ("none", ""), "an earlier installation says nothing of this one"


def test_a_package_at_home_is_copied_to_where_the_agent_sees_it(packages: Packages, tmp_path: Path) -> None:
    home = tmp_path / "root/gemel.deb"
    home.parent.mkdir()
    home.write_bytes(b"a package")
    kept = packages.keep(packages.read(home))
    assert kept.path.parent == tmp_path / "upgrade" and kept.path.read_bytes() == b"a package"
    assert kept.sha256 == hashlib.sha256(b"a package").hexdigest()
    home.unlink()
    assert packages.keep(kept) == kept and packages.read(kept.path) == kept


def test_no_room_for_a_copy_is_said(packages: Packages, tmp_path: Path) -> None:
    home = tmp_path / "gemel.deb"
    home.write_bytes(b"a package")
    package = packages.read(home)
    (tmp_path / "upgrade").write_text("in the way")
    with pytest.raises(NotInstallable, match="cannot be copied"):
        packages.keep(package)


def test_what_was_left_half_done_is_not_what_is_installed(packages: Packages, debian: Debian) -> None:
    assert packages.installed() == "1.0"
    debian.installed = "half-configured 1.0"
    assert packages.installed() == ""


def test_a_package_that_was_left_half_done_is_told_until_somebody_mends_it(
    packages: Packages, debian: Debian, tmp_path: Path
) -> None:
    debian.installed = "unpacked 1.1"
    assert packages.report()[0] == "broken", "also where the log went with the power"
    debian.installed = "installed 1.0"
    packages.install(arrived(packages))
    debian.active, debian.installed = True, "unpacked 1.1"
    (tmp_path / "upgrade/log").write_text("Setting up gemel (1.1)\n")
    assert packages.report() == ("running", "Setting up gemel (1.1)"), "that is on its way"
    debian.active, debian.installed = False, "half-configured 1.1"
    (tmp_path / "upgrade/outcome").write_text("100\n")
    state, text = packages.report()
    assert state == "broken" and "`dpkg --configure -a`" in text and text.endswith("apt said: Setting up gemel (1.1)")
    debian.installed = "installed 1.1"
    assert packages.report()[0] == "failed", "whole, though apt ended with an error"


def test_a_package_is_not_taken_by_a_disk_that_is_nearly_full(packages: Packages, debian: Debian) -> None:
    debian.free = 63 << 20
    with pytest.raises(NotInstallable, match="63 MiB left, 64 MiB are needed"):
        packages.take(0, b"a part")
