"""The package's maintainer scripts, run in a folder of their own with commands that only note how they were called."""

import os
import subprocess
from pathlib import Path

import pytest

PACKAGING = Path(__file__).parents[3] / "packaging"
COMMANDS = ("gemel", "systemctl", "getent", "adduser", "deluser")


class Place:
    """A machine, as far as the scripts see it."""

    def __init__(self, folder):
        self.folder = folder
        self.state = folder / "var/lib/gemel"
        (self.state / "before").mkdir(parents=True)
        (self.state / "before/interfaces").write_text("iface ens3 inet dhcp\n")
        (self.state / "config").mkdir()
        (folder / "bin").mkdir()
        for name in COMMANDS:
            self.command(name)

    def command(self, name, status=0):
        path = self.folder / "bin" / name
        path.write_text(f'#!/bin/sh\necho {name} "$@" >>{self.folder}/said\nexit {status}\n')
        path.chmod(0o755)

    def answers(self, name, words):
        """This command says that."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\necho {words}\n")
        path.chmod(0o755)

    def script(self, name, *arguments):
        text = (PACKAGING / name).read_text()
        for inside in ("/var/", "/etc/", "/run/", "/usr/lib/"):
            for before in " =":
                text = text.replace(f"{before}{inside}", f"{before}{self.folder}{inside}")
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        return subprocess.run(
            ["sh", "-c", text, name, *arguments], env={"PATH": path}, capture_output=True, text=True, check=False
        )

    @property
    def said(self):
        path = self.folder / "said"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_a_removal_gives_the_machine_back_first(place):
    (place.state / "setup.json").touch()
    assert place.script("prerm", "remove").returncode == 0
    assert place.said[0] == "gemel setup --undo"


def test_nothing_is_removed_from_a_machine_that_is_not_given_back(place):
    (place.state / "setup.json").touch()
    place.command("gemel", 1)
    done = place.script("prerm", "remove")
    assert done.returncode == 1
    assert "not removed" in done.stderr
    assert place.said == ["gemel setup --undo"]


def test_a_node_stays_one_while_apt_puts_packages_in_order(place):
    (place.state / "setup.json").touch()
    assert place.script("prerm", "deconfigure").returncode == 0
    assert place.said == []


def test_the_configuration_as_the_old_version_wrote_it_is_kept(place):
    place.answers("dpkg-query", "1.0")
    (place.state / "config/current").write_text("7")
    kept = place.state / "before/1.0/config/current"
    assert place.script("prerm", "upgrade").returncode == 0 and kept.read_text() == "7"
    (place.state / "config/current").write_text("8")
    assert place.script("prerm", "upgrade").returncode == 0 and kept.read_text() == "8"


def test_there_is_no_upgrade_without_it_and_an_earlier_one_stays(place):
    place.answers("dpkg-query", "1.0")
    kept = place.state / "before/1.0/config"
    kept.mkdir(parents=True)
    place.command("cp", 1)  # as on a full disk
    assert place.script("prerm", "upgrade").returncode == 1 and kept.is_dir()
    done = place.script("prerm", "failed-upgrade")  # dpkg asks the new version whether to go on all the same
    assert done.returncode == 1 and "Is the disk full?" in done.stderr


def test_a_purge_keeps_the_only_copies_of_a_machine_that_was_not_given_back(place):
    (place.state / "setup.json").write_text("{}")
    done = place.script("postrm", "purge")
    assert done.returncode == 0
    assert "are kept" in done.stderr
    assert sorted(path.name for path in place.state.iterdir()) == ["before", "setup.json"]
    assert (place.state / "before/interfaces").exists()


def test_a_purge_leaves_nothing_else(place):
    assert place.script("postrm", "purge").returncode == 0
    assert not place.state.exists()


def test_the_way_back_at_boot_is_on_in_an_image_that_is_only_built(place):
    assert place.script("postinst", "configure").returncode == 0
    assert [line for line in place.said if "systemctl" in line] == ["systemctl -q enable gemel-unconfirmed.service"]
