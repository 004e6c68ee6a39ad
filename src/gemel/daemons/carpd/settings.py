"""What carpd is told: the agent's settings file, and beside it the key of the pair."""

import json
from dataclasses import replace
from pathlib import Path

from gemel.carp.settings import Settings, complaints
from gemel.control.door import Refused
from gemel.control.paths import HEARTBEAT_KEY
from gemel.core.codec import Malformed, decode


def read_settings(run_dir: str) -> Settings:
    """Read and check the settings; a file that is not there yet asks for nothing.

    Raises:
        Refused: they cannot be worked with; the text says why.
    """
    path = Path(run_dir, "carpd.json")
    try:
        settings = decode(Settings, json.loads(path.read_text()))
    except FileNotFoundError:
        return Settings()
    except (OSError, Malformed, ValueError) as error:
        raise Refused(f"{path}: {error}") from error
    if settings.partner is not None and not settings.partner.key:
        settings = replace(settings, partner=replace(settings.partner, key=_heartbeat_key(run_dir)))
    wrong = complaints(settings)
    if wrong:
        raise Refused("; ".join(wrong))
    return settings


def _heartbeat_key(run_dir: str) -> str:
    """Empty until the nodes know each other."""
    try:
        return Path(run_dir, Path(HEARTBEAT_KEY).name).read_text().strip()
    except OSError:
        return ""
