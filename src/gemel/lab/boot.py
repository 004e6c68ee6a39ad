"""The first process of a node: gives it a disk, its own /run, and hands over to the supervisor.

    boot.py DISK SOURCE PYTHON

The disk is a layer over this machine's own files: everything is where it is on a real machine, and what the node writes
stays in DISK/files, over a power-off too. SOURCE (the package), the documents beside it and PYTHON (the virtual
environment) are shown to the node read-only below /usr/local/lib/gemel, so that an unprivileged process can read them
wherever they really are.
"""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

INSTALLED = Path("/usr/local/lib/gemel")
PATH = f"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:{INSTALLED}/venv/bin"
ENVIRONMENT = {"PATH": PATH, "PYTHONPATH": f"{INSTALLED}/src", "HOME": "/root", "LANG": "C.UTF-8"}
NOT_THE_NODES = ("etc/gemel", "var/lib/gemel", "var/lib/gemel-lab", "var/log/gemel")  # this machine's own, if any

COMMAND = f"""#!{INSTALLED}/venv/bin/python
import sys

sys.path.insert(0, "{INSTALLED}/src")
from gemel.cli.main import run

sys.exit(run())
"""


def _mount(*arguments: str) -> None:
    subprocess.run(("mount", *arguments), check=True)


def _insert_disk(disk: Path) -> Path:
    files, work, root = disk / "files", disk / "work", disk / "root"
    blank = not files.exists()
    for folder in (files, work, root):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
    _mount("-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={files},workdir={work}", str(root))
    if blank:
        for path in NOT_THE_NODES:
            shutil.rmtree(root / path, ignore_errors=True)
        (root / "etc/hostname").write_text("debian\n")
    return root


def _install(root: Path, source: Path, python: Path) -> None:
    # The pages show some of the documents: links from the sources lead there.
    for what, name in ((source, "src"), (python, "venv"), (source.parent / "docs", "docs")):
        if not what.exists():
            continue
        place = root / INSTALLED.relative_to("/") / name
        place.mkdir(parents=True, exist_ok=True)
        _mount("--bind", str(what), str(place))
        _mount("-o", "remount,bind,ro", str(place))
    command = root / "usr/local/bin/gemel"
    command.parent.mkdir(parents=True, exist_ok=True)
    command.unlink(missing_ok=True)
    command.write_text(COMMAND)
    command.chmod(0o755)


def _plug_in(root: Path) -> None:
    _mount("-t", "proc", "proc", str(root / "proc"))
    _mount("-t", "sysfs", "sysfs", str(root / "sys"))
    _mount("--rbind", "/dev", str(root / "dev"))
    _mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(root / "run"))
    _mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", str(root / "tmp"))
    (root / "run/lock").mkdir(mode=0o1777)


def boot(disk: Path, source: Path, python: Path) -> None:
    """Does not return: the supervisor takes this process's place."""
    os.umask(0o022)
    _mount("--make-rprivate", "/")
    root = _insert_disk(disk)
    _install(root, source, python)
    _plug_in(root)
    os.chdir(root)
    subprocess.run(("pivot_root", ".", "mnt"), check=True)
    os.chroot(".")
    os.chdir("/")
    subprocess.run(("umount", "-l", "/mnt"), check=True)
    socket.sethostname(Path("/etc/hostname").read_text().strip())
    program = f"{INSTALLED}/venv/bin/python"
    os.execve(program, (program, "-m", "gemel.daemons.supervisor"), ENVIRONMENT)


if __name__ == "__main__":
    boot(*map(Path, sys.argv[1:4]))
