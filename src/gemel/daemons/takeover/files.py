"""Files of others: Debian's that Gemel writes in their place, how they were, and to be so again; copies that last.

A file gets its name only when its content is on the disk, and the only copy of anything never goes before the next one
is complete, so that a power cut or a full disk at any moment loses nothing. `/etc` and `/var` may be two file systems.
"""

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gemel.areas import dhcp6_kea, dhcp_kea, dns_unbound, router_advertisements
from gemel.effects.disk import Disk

WRITTEN = (
    "/etc/hostname",
    "/etc/resolv.conf",
    dhcp_kea.CONFIG,
    dhcp6_kea.CONFIG,
    dns_unbound.CONFIG,
    router_advertisements.CONFIG,
)


@dataclass(frozen=True, slots=True)
class Kept:
    """One file as it was: `text`, or where its `link` led; neither, if there was none."""

    text: str | None = None
    link: str = ""
    mode: int = 0o644
    user: int = 0
    group: int = 0


def keep(paths: Iterable[str] = WRITTEN) -> dict[str, Kept]:
    """How these files are."""
    return {path: _kept(Path(path)) for path in paths}


def _kept(path: Path) -> Kept:
    if path.is_symlink():
        return Kept(link=str(path.readlink()))
    if not path.is_file():
        return Kept()
    known = path.stat()
    text = path.read_bytes().decode(errors="surrogateescape")
    return Kept(text, "", known.st_mode & 0o7777, known.st_uid, known.st_gid)


def give_back(before: dict[str, Kept]) -> None:
    """As they were; those that there were not go.

    Raises:
        OSError: one could not be written; it is as it was until now.
    """
    for name, kept in before.items():
        path = Path(name)
        if _kept(path) == kept:
            continue
        if not kept.link and kept.text is None:
            Disk().remove(path)
        elif path.parent.is_dir():  # if not, it has gone with the package that it belonged to
            _whole(path, partial(_make, kept))


def copy(source: Path, target: Path) -> None:
    """Have `source`, a file, link or folder, at `target`, too, and on the disk. In a folder that is there already, what
    is only there stays.

    Raises:
        OSError: it could not be copied, or not all of it; `source` is untouched.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir() and not source.is_symlink():
        target.mkdir(exist_ok=True)
        for inside in source.iterdir():
            copy(inside, target / inside.name)
        _same_owner(source, target)
        Disk().sync_folder(target.parent)
    else:
        _whole(target, partial(_copy_one, source))


def remove(path: Path) -> None:
    """Make sure that there is no such file, link or folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
        Disk().sync_folder(path.parent)
    else:
        Disk().remove(path)


def _whole(path: Path, make: Callable[[Path], None]) -> None:
    """Let `make` write a new file beside `path`, and put it in its place."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    try:
        make(new)
        new.rename(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    Disk().sync_folder(path.parent)


def _make(kept: Kept, new: Path) -> None:
    if kept.link:
        new.symlink_to(kept.link)
        return
    Disk().fill(new, (kept.text or "").encode(errors="surrogateescape"), kept.mode)
    os.chown(new, kept.user, kept.group)
    new.chmod(kept.mode)  # again: a change of owner takes special bits away


def _copy_one(source: Path, new: Path) -> None:
    if source.is_symlink():
        new.symlink_to(source.readlink())
        return
    Disk().fill(new, source.read_bytes(), 0o600)
    _same_owner(source, new)


def _same_owner(source: Path, target: Path) -> None:
    known = source.stat()
    os.chown(target, known.st_uid, known.st_gid)
    shutil.copystat(source, target)
