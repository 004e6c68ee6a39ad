"""The event store: what happened, in SQLite, bounded in number and age.

It is a memory for people and never in the way: `add` only queues, a thread of its own writes, many events in one
transaction. When the disk is full or the file is damaged, events are lost and the node goes on; a damaged file is put
aside and begun anew.
"""

import contextlib
import json
import logging
import queue
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from gemel.core.event import Event

MOST = 20_000
LONGEST = 180 * 86400.0  # seconds
WAITING = 1000  # events that wait for a slow disk; more are dropped
AT_ONCE = 200
TRIM_EVERY = 500  # events

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
    text TEXT NOT NULL, good INTEGER, data TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS event_kind ON event (kind, number);
"""


class EventStore:
    """The events of this node, at `path`. Any thread may call."""

    def __init__(self, path: Path, most: int = MOST, longest: float = LONGEST) -> None:
        self._path = path
        self._most = most
        self._longest = longest
        self._queue: queue.Queue[Event | threading.Event | None] = queue.Queue(WAITING)
        self._since_trim = TRIM_EVERY
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    def add(self, events: Iterable[Event]) -> None:
        """Remember them, soon. Returns at once; when far too many wait for the disk, they are lost and counted."""
        for event in events:
            try:
                self._queue.put_nowait(event)
            except queue.Full:
                self.lost += 1

    def settle(self, timeout: float = 5.0) -> bool:
        """Wait until what was added before is on the disk; False if that takes too long."""
        written = threading.Event()
        try:
            self._queue.put(written, timeout=timeout)
        except queue.Full:
            return False
        return written.wait(timeout)

    def newest(self, kind: str = "", limit: int = 1000, after: int = 0) -> list[Event]:
        """The newest events, newest first; only of one kind, or with numbers above `after`, if asked."""
        where, values = "number > ?", [after]
        if kind:
            where, values = "number > ? AND kind = ?", [after, kind]  # type: ignore[list-item]
        if not self._path.exists():  # made by the first event of a new node
            return []
        order = f"SELECT number, at, kind, subject, text, good, data FROM event WHERE {where}"
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=2.0)) as db:
                rows = db.execute(f"{order} ORDER BY number DESC LIMIT ?", [*values, limit]).fetchall()
        except sqlite3.Error as error:
            log.warning("events cannot be read: %s", error)
            return []
        return [_event(row) for row in rows]

    def close(self, timeout: float = 3.0) -> None:
        """Write what waits, and end."""
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=timeout)
        self._thread.join(timeout)

    # ------------------------------------------------------------------------------------------------ writing thread

    def _run(self) -> None:
        db: sqlite3.Connection | None = None
        while True:
            batch, waiters, over = self._batch()
            if batch:
                try:
                    db = db or self._open()
                    self._write(db, batch)
                except (sqlite3.Error, OSError) as error:
                    self.lost += len(batch)
                    log.warning("%d events are lost: %s", len(batch), error)
                    db = self._after(db, error)
            for waiter in waiters:
                waiter.set()
            if over:
                if db is not None:
                    db.close()
                return

    def _batch(self) -> tuple[list[Event], list[threading.Event], bool]:
        events: list[Event] = []
        waiters: list[threading.Event] = []
        one = self._queue.get()
        while True:
            if one is None:
                return events, waiters, True
            if isinstance(one, Event):
                events.append(one)
            else:
                waiters.append(one)
            try:
                if len(events) >= AT_ONCE:
                    return events, waiters, False
                one = self._queue.get_nowait()
            except queue.Empty:
                return events, waiters, False

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self._path, timeout=2.0, isolation_level=None)
        try:
            self._path.chmod(0o600)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")  # whole after a power cut, the last second may be missing
            db.execute("PRAGMA journal_size_limit = 1048576")
            db.executescript(_SCHEMA)
        except BaseException:
            db.close()
            raise
        return db

    def _write(self, db: sqlite3.Connection, events: list[Event]) -> None:
        rows = [(e.at, e.kind, e.subject, e.text, e.good, json.dumps(e.data, separators=(",", ":"))) for e in events]
        db.execute("BEGIN")
        try:
            db.executemany("INSERT INTO event (at, kind, subject, text, good, data) VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._since_trim += len(rows)
            if self._since_trim >= min(TRIM_EVERY, self._most):
                self._trim(db, events[-1].at)
            db.execute("COMMIT")
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise

    def _trim(self, db: sqlite3.Connection, now: float) -> None:
        self._since_trim = 0
        newest = db.execute("SELECT max(number) FROM event").fetchone()[0] or 0
        db.execute("DELETE FROM event WHERE number <= ? OR at < ?", (newest - self._most, now - self._longest))

    def _after(self, db: sqlite3.Connection | None, error: Exception) -> sqlite3.Connection | None:
        """After a failure: open again next time; a file that is no database goes aside."""
        if db is not None:
            with contextlib.suppress(sqlite3.Error):
                db.close()
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            for ending in ("-wal", "-shm"):
                with contextlib.suppress(OSError):
                    self._path.with_name(self._path.name + ending).unlink()
            with contextlib.suppress(OSError):
                self._path.replace(self._path.with_name(self._path.name + ".damaged"))
        return None


def _event(row: tuple[int, float, str, str, str, int | None, str]) -> Event:
    number, at, kind, subject, text, good, data = row
    try:
        kept = json.loads(data)
    except ValueError:
        kept = {}
    event = Event(at, kind, subject, text, None if good is None else bool(good), kept if isinstance(kept, dict) else {})
    return replace(event, number=number)
