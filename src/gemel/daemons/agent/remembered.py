"""What logins leave behind beside the configuration, on this node alone: open sessions over a restart of the agent,
one-time codes that were used, when an API key was used last.

    /run/gemel/sessions.json        SHA-256 of each session's token -> account, since which password, until when, whence
    /var/lib/gemel/logins.json      used codes by account, last use by key

Sessions end with the machine: /run does not outlive it, and neither does the clock that their end is measured by. Only
hashes of tokens are written, so that the file opens nothing.
"""

import hashlib
import json
import logging
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gemel.core.config import canonical
from gemel.effects.disk import Disk

WRITE_AFTER = 60.0  # seconds by which a time may be newer than the written one: each click must not write a file

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Open:
    """An open session. `since` tells the account's passwords apart; `until` is monotonic seconds; `remote` is whence it
    was opened."""

    username: str
    since: str
    until: float
    remote: str = ""


def digest(token: str) -> str:
    """What is kept of a token, a code or a password's hash."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


class Remembered:
    """The two files; without paths it remembers as long as the process lives."""

    def __init__(self, sessions: Path | None = None, logins: Path | None = None) -> None:
        self._disk = Disk()
        self._lock = threading.Lock()
        self._sessions_file, self._logins_file = sessions, logins
        self._written_until: dict[str, float] = {}
        self._sessions = _sessions(_read(sessions))
        written = _read(logins)
        self._codes = {k: v for k, v in _object(written, "codes").items() if isinstance(v, list)}
        self._steps = {k: v for k, v in _object(written, "steps").items() if isinstance(v, int)}
        self._keys = {k: v for k, v in _object(written, "keys").items() if isinstance(v, float)}

    # Sessions -------------------------------------------------------------------------------------------------------

    def open(self, token: str, session: Open, now: float) -> None:
        """A session begins; those that are over are forgotten."""
        with self._lock:
            self._sessions = {t: s for t, s in self._sessions.items() if s.until >= now}
            self._sessions[digest(token)] = session
            self._write_sessions()

    def session(self, token: str, now: float) -> Open | None:
        """The session of that token, if it is not over."""
        with self._lock:
            found = self._sessions.get(digest(token))
            return found if found is not None and found.until >= now else None

    def keep_open(self, token: str, until: float) -> None:
        """A session was used."""
        with self._lock:
            key = digest(token)
            if (found := self._sessions.get(key)) is None:
                return
            found.until = until
            if until - self._written_until.get(key, 0.0) > WRITE_AFTER:
                self._write_sessions()

    def end(self, token: str) -> None:
        """A session ends."""
        with self._lock:
            if self._sessions.pop(digest(token), None) is not None:
                self._write_sessions()

    def end_all(self, username: str) -> None:
        """Every session of an account ends."""
        with self._lock:
            self._sessions = {t: s for t, s in self._sessions.items() if s.username != username}
            self._write_sessions()

    def _write_sessions(self) -> None:
        self._written_until = {key: s.until for key, s in self._sessions.items()}
        self._write(self._sessions_file, {key: asdict(s) for key, s in self._sessions.items()})

    # Codes and keys -------------------------------------------------------------------------------------------------

    def step(self, username: str) -> int:
        """The time step of the account's last one-time code, which is not good again (RFC 6238 §5.2)."""
        return self._steps.get(username, -1)

    def use_step(self, username: str, step: int) -> None:
        """A one-time code was used."""
        with self._lock:
            self._steps[username] = step
            self._write_logins()

    def used(self, username: str) -> frozenset[str]:
        """Hashes of the account's recovery codes that were used."""
        return frozenset(self._codes.get(username, ()))

    def use_code(self, username: str, code_hash: str) -> None:
        """A recovery code was used."""
        with self._lock:
            self._codes[username] = [*self._codes.get(username, ()), code_hash][-20:]
            self._write_logins()

    def key_used(self, key: str) -> float | None:
        """When an API key was used last, epoch; None: never on this node."""
        return self._keys.get(key)

    def use_key(self, key: str, when: float, known: frozenset[str]) -> None:
        """An API key was used. Of keys that are not `known` any more nothing is kept."""
        with self._lock:
            if 0 <= when - self._keys.get(key, 0.0) < WRITE_AFTER:
                return
            self._keys = {k: v for k, v in self._keys.items() if k in known} | {key: when}
            self._write_logins()

    def _write_logins(self) -> None:
        self._write(self._logins_file, {"codes": self._codes, "steps": self._steps, "keys": self._keys})

    def _write(self, path: Path | None, value: Any) -> None:
        if path is None:
            return
        try:
            self._disk.write(path, canonical(value).encode())
        except OSError as error:  # a full disk is no reason to let nobody in who could mend it
            log.warning("%s cannot be written: %s", path, error)


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read: %s", path, error)
        return {}
    return value if isinstance(value, dict) else {}


def _object(value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _sessions(value: dict[str, Any]) -> dict[str, Open]:
    try:
        return {
            k: Open(str(s["username"]), str(s["since"]), float(s["until"]), str(s.get("remote", "")))
            for k, s in value.items()
        }
    except (KeyError, TypeError, ValueError):
        return {}
