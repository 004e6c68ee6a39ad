"""What a node remembers for people: counters by cause, and problems that are there now."""

from collections import Counter
from dataclasses import dataclass

MOST_PROBLEMS = 64


@dataclass(slots=True)
class _Problem:
    text: str
    until: float


class Ledger:
    """Kept by `Node`; read by whoever reports."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self._problems: dict[object, _Problem] = {}

    def knows(self, key: object, now: float) -> bool:
        """Whether this problem is there already."""
        return key in self._problems and self._problems[key].until > now

    def keep(self, key: object, until: float) -> None:
        """The known problem is still there."""
        self._problems[key].until = until

    def complain(self, key: object, text: str, now: float, until: float) -> None:
        """A problem that is there, until it is told again or `until` has come. Strangers cannot fill the memory
        with them.
        """
        if len(self._problems) >= MOST_PROBLEMS:
            self._problems = {k: p for k, p in self._problems.items() if p.until > now}
        if len(self._problems) < MOST_PROBLEMS:
            self._problems[key] = _Problem(text, until)

    def forget_problems(self) -> None:
        """Settings changed: what is still wrong will show again."""
        self._problems.clear()

    def problems(self, now: float) -> tuple[str, ...]:
        """The sentences that hold now, oldest first."""
        return tuple(problem.text for problem in self._problems.values() if problem.until > now)
