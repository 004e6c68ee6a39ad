"""Commands of this machine, and what they say."""

import json
import subprocess
from typing import Any

PATIENCE = 60.0  # seconds for one command
STARTING = 600.0
"""Seconds for a command that waits for units, which have limits of their own (TimeoutStartSec)."""


class CommandFailed(Exception):
    """A command ended with an error; the text has its last words."""


def run(*argv: str, text: str | None = None, patience: float = PATIENCE) -> str:
    """What a command prints.

    Raises:
        CommandFailed: it is not there, took too long, or ended with an error.
    """
    try:
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=patience, check=False)
    except FileNotFoundError:
        raise CommandFailed(f"{argv[0]}: there is no such command") from None
    except OSError as error:
        raise CommandFailed(f"{argv[0]}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise CommandFailed(f"{' '.join(argv)}: no end within {patience:.0f} s") from None
    if done.returncode:
        raise CommandFailed(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip() or done.returncode}")
    return done.stdout


def succeeds(*argv: str, patience: float = PATIENCE) -> bool:
    """Whether a command ends without an error."""
    try:
        run(*argv, patience=patience)
    except CommandFailed:
        return False
    return True


def listed(*argv: str) -> list[dict[str, Any]]:
    """What a command of `ip -json` lists."""
    found: list[dict[str, Any]] = json.loads(run(*argv) or "[]")
    return found
