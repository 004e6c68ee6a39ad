"""The roles of the virtual IPs over the last while, as lanes of a drawing; the list beside it says it in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

WINDOWS = ((600, "10 minutes"), (3600, "hour"), (6 * 3600, "6 hours"), (86_400, "day"), (7 * 86_400, "week"))
"""Seconds, and the word for them."""
WIDTH = 1000.0
LEAST = 2.0  # of the width: what is shorter would not be seen
SHOWN = 12  # role changes that the window is to hold


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of one state: where it begins and how wide it is, of `WIDTH`; `words` for whoever points at it."""

    x: float
    width: float
    state: str
    words: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One virtual IP."""

    name: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class TimeLine:
    """The lanes, and what the whole width stands for, such as ``hour``."""

    lanes: tuple[Lane, ...]
    window: str

    @property
    def ago(self) -> str:
        """What stands at its left end."""
        return f"{self.window} ago" if self.window[0].isdigit() else f"1 {self.window} ago"


def time_line(transitions: Iterable[Mapping[str, Any]], now: float) -> TimeLine | None:
    """The lanes of role changes (newest first, rows of the fact *transitions*); None where there are none.

    Args:
        now: Seconds since the epoch.
    """
    rows = sorted(transitions, key=lambda t: float(t["at"]))
    if not rows:
        return None
    oldest = now - float(rows[-SHOWN:][0]["at"])
    seconds, word = next((w for w in WINDOWS if w[0] >= oldest), WINDOWS[-1])
    begin = now - seconds
    lanes = []
    for name in sorted({str(t["name"]) for t in rows}):
        own = [t for t in rows if t["name"] == name]
        pieces = list(_pieces(own, begin, now))
        if pieces:
            lanes.append(Lane(name, tuple(pieces)))
    return TimeLine(tuple(lanes), word) if lanes else None


def _pieces(rows: list[Mapping[str, Any]], begin: float, now: float) -> Iterable[Piece]:
    ends = [(float(t["at"]), str(t["after"]), str(t["cause"])) for t in rows]
    first = str(rows[0]["before"])
    spans = [] if first == "INIT" else [(begin, ends[0][0], first, "")]  # it may have been off before
    spans += [(at, nxt[0], state, cause) for (at, state, cause), nxt in pairwise(ends)]
    spans.append((*_last(ends[-1], now), ends[-1][1], ends[-1][2]))
    for start, end, state, cause in spans:
        left, right = max(start, begin), min(end, now)
        if right < begin or right <= left:
            continue
        x = (left - begin) / (now - begin) * WIDTH
        width = max(LEAST, (right - left) / (now - begin) * WIDTH)
        why = f", {cause}" if cause and start >= begin else ""
        words = f"{state} for {lasted(right - left)}{why}"
        yield Piece(round(min(x, WIDTH - width), 2), round(width, 2), state.lower(), words)


def _last(one: tuple[float, str, str], now: float) -> tuple[float, float]:
    return one[0], max(now, one[0])


def lasted(seconds: float) -> str:
    """A duration as people say it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 90:
        return f"{minutes} min {rest} s" if minutes < 10 and rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} days {hours} h" if hours else f"{days} days"
