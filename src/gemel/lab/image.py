"""Disks of virtual machines: a plain Debian 12, as an administrator would have it before Gemel."""

import contextlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from gemel.lab.namespace import LabError, run
from gemel.lab.topology import WAN_GATEWAY, Node

SUITE = "bookworm"
BASE = (
    "systemd-sysv", "dbus", "udev", "linux-image-cloud-amd64", "initramfs-tools", "openssh-server", "ifupdown", "less",
    "netbase", "apt", "libpam-systemd", "network-manager",
)  # fmt: skip
ASLEEP = ("NetworkManager.service",)
"""Installed, as a story has it look after the ports, but not enabled."""
SIZE = "3G"

INTERFACES = """\
auto lo
iface lo inet loopback

auto eth0
iface eth0 inet static
    address {wan}
    gateway {gateway}

auto eth1
iface eth1 inet static
    address {lan}
"""


def base(folder: Path, depends: tuple[str, ...], tell: Callable[[str], None]) -> Path:
    """A Debian root below `folder` with everything that the package depends on, made once; returns it."""
    root, done = folder / "root", folder / "root.packages"
    wanted = " ".join(sorted({*BASE, *depends}))
    if done.exists() and done.read_text() == wanted:
        return root
    tell("a Debian root with debootstrap (some minutes)")
    shutil.rmtree(root, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    include = ",".join(wanted.split())
    # What is installed in there must not start anything here.
    command = ("debootstrap", "--variant=minbase", f"--include={include}", SUITE, str(root), mirror())
    run(*command, timeout=1800, shown="debootstrap")
    run("systemctl", "--root", str(root), "-q", "disable", *ASLEEP)
    shutil.rmtree(root / "var/cache/apt", ignore_errors=True)
    (root / "etc/fstab").write_text("/dev/vda / ext4 rw,noatime 0 1\n")
    done.write_text(wanted)
    return root


def mirror() -> str:
    """Where this machine's own packages come from.

    Raises:
        LabError: its apt knows no archive of that release.
    """
    known = run("apt-get", "indextargets", "--format", "$(RELEASE) $(SITE)", "Created-By: Packages")
    sites = [site for release, _, site in (line.partition(" ") for line in known.splitlines()) if release == SUITE]
    if not sites:
        raise LabError(f"apt knows no archive of Debian {SUITE}; add one to its sources and run apt-get update")
    return sites[0]


def kernel(root: Path) -> tuple[Path, Path]:
    """The kernel and the initial RAM disk of a root."""
    return next((root / "boot").glob("vmlinuz-*")), next((root / "boot").glob("initrd.img-*"))


def disk(root: Path, place: Path, node: Node, public_key: str) -> None:
    """The disk of one machine: its name, its addresses by ifupdown, and who may log in. qcow2, as it can be saved."""
    raw, tree = place.with_suffix(".raw"), place.with_suffix(".tree")
    try:
        _layer(root, tree)
        files = tree / "files"
        (files / "etc/hostname").write_text(f"{node.name}\n")
        (files / "etc/hostname").chmod(0o644)
        (files / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {node.name}\n")
        (files / "etc/network/interfaces").write_text(
            INTERFACES.format(wan=node.wan, lan=node.lan, gateway=WAN_GATEWAY)
        )
        (files / "etc/resolv.conf").unlink(missing_ok=True)
        (files / "etc/resolv.conf").write_text(f"nameserver {WAN_GATEWAY}\n")
        for gone in ("etc/machine-id", "var/lib/dbus/machine-id"):
            with contextlib.suppress(FileNotFoundError):
                (files / gone).unlink()
        (files / "etc/machine-id").write_text("")
        keys = files / "root/.ssh"
        keys.mkdir(mode=0o700, exist_ok=True)
        (keys / "authorized_keys").write_text(public_key)
        for old in (place, raw):
            old.unlink(missing_ok=True)
        run("truncate", "-s", SIZE, str(raw))
        run("mkfs.ext4", "-q", "-F", "-d", str(files), str(raw), timeout=300)
        run("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(raw.absolute()), "-F", "raw", str(place))
    finally:
        subprocess.run(("umount", "-l", str(tree / "files")), capture_output=True, check=False)
        shutil.rmtree(tree, ignore_errors=True)


def _layer(root: Path, tree: Path) -> None:
    """A layer over the root at tree/files: every disk begins with the same files."""
    for name in ("upper", "work", "files"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={root},upperdir={tree / 'upper'},workdir={tree / 'work'}"
    try:
        run("mount", "-t", "overlay", "overlay", "-o", options, str(tree / "files"))
    except LabError as error:
        raise LabError(f"a layer over the Debian root: {error}") from error


def depends(package: Path) -> tuple[str, ...]:
    """The names of the packages that a .deb depends on."""
    text = run("dpkg-deb", "-f", str(package), "Depends")
    return tuple(sorted({part.split("(")[0].split("|")[0].strip() for part in text.split(",") if part.strip()}))
