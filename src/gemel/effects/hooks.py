"""User scripts: which there are, and running one with a time limit."""

import contextlib
import os
import signal
import stat
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MOST_OUTPUT = 4096  # characters of what a script says that are kept


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a script ended. `wrong` says in words what went wrong, empty if nothing; `said` is the end of its output."""

    seconds: float
    wrong: str
    said: str


def scripts(folder: Path) -> tuple[list[Path], list[str]]:
    """The programs in `folder` in the order of their names, and in words those that are not run, and why.

    Only what root alone can change is run: the folder and the file belong to root, and nobody else may write them.
    """
    try:
        if not _is_roots(folder.stat()):
            return [], [f"{folder} can be changed by others than root: nothing in it is run"]
        there = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        return [], []
    found, refused = [], []
    for path in there:
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            if not stat.S_ISREG(status.st_mode) or not status.st_mode & stat.S_IXUSR:
                continue
            if _is_roots(status):
                found.append(path)
            else:
                refused.append(f"{path} can be changed by others than root: it is not run")
    return found, refused


def _is_roots(status: os.stat_result) -> bool:
    return status.st_uid == 0 and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def run(path: Path, argv: Sequence[str], environment: Mapping[str, str], limit: float) -> Outcome:
    """Run a script to its end, at most `limit` seconds long; then it is killed, with all that it has started."""
    began = time.monotonic()
    variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", **environment}
    try:
        child = subprocess.Popen(
            [str(path), *argv], env=variables, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        return Outcome(0.0, f"cannot be run: {error.strerror}", "")
    with child:
        try:
            said, _ = child.communicate(timeout=limit)
            wrong = "" if child.returncode == 0 else f"ended with {_status(child.returncode)}"
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            said, wrong = "", f"did not end within {limit:g} s, and was killed"
    return Outcome(time.monotonic() - began, wrong, said.strip()[-MOST_OUTPUT:])


def _status(code: int) -> str:
    return f"status {code}" if code >= 0 else f"signal {-code}"
