"""Debian's files that Gemel writes in their place: how they were, and to be so again."""

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gemel.areas import dhcp6_kea, dhcp_kea, dns_unbound, router_advertisements

WRITTEN = (
    "/etc/hostname",
    "/etc/hosts",
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
    text = path.read_text(errors="surrogateescape")
    return Kept(text, "", known.st_mode & 0o7777, known.st_uid, known.st_gid)


def give_back(before: dict[str, Kept]) -> None:
    """As they were; those that there were not go."""
    for name, kept in before.items():
        path = Path(name)
        if _kept(path) == kept:
            continue
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        if kept.link:
            path.symlink_to(kept.link)
        elif kept.text is not None and path.parent.is_dir():
            path.write_text(kept.text, errors="surrogateescape")
            os.chown(path, kept.user, kept.group)
            path.chmod(kept.mode)
