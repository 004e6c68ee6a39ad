"""Files that are whole or not there: the primitive writes of everything that must survive a power cut.

A file gets its name only when its content is on the disk (write, fsync, rename, fsync of the folder). After a kill at
any point the old content or the new one is there, never a part; a left-over temporary file is ignored and overwritten.
"""

import contextlib
import errno
import os
from dataclasses import dataclass
from pathlib import Path


class Disk:
    """The primitives, one method each, so that a test can kill us between any two of them."""

    def write(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        """Make `path` hold `data`, whole, durable, with permission `mode`.

        Raises:
            OSError: it could not be written; what was there before still is.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.new")
        self.fill(unfinished, data, mode)
        self.rename(unfinished, path)
        self.sync_folder(path.parent)

    def remove(self, path: Path) -> None:
        """Make sure that there is no `path`."""
        with contextlib.suppress(FileNotFoundError):
            self.unlink(path)
            self.sync_folder(path.parent)

    def fill(self, path: Path, data: bytes, mode: int) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        old.rename(new)

    def unlink(self, path: Path) -> None:
        path.unlink()

    def sync_folder(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Condition:
    """How a file system is. `free` is in megabytes, for root; None: not known. `error`: why nothing can be written."""

    free: float | None = None
    error: str = ""

    def wrong(self, least: float) -> str:
        """What is wrong with it, in words, if less than `least` megabytes are too few; else empty."""
        if self.error:
            return f"the disk cannot be written: {self.error}"
        return "the disk is full" if self.free is not None and self.free < least else ""


def condition(folder: str) -> Condition:
    """Look at the file system of `folder`, and write a few bytes to it."""
    path = Path(folder, ".writable")
    try:
        found = os.statvfs(folder)
        free = found.f_bfree * found.f_frsize / 1e6
        if found.f_flag & os.ST_RDONLY:
            return Condition(free, "it is mounted read-only")
        Disk().fill(path, b"yes\n", 0o600)
        return Condition(free)
    except OSError as error:
        return Condition(0.0) if error.errno == errno.ENOSPC else Condition(None, error.strerror or str(error))
