"""Why this node stands back: named reasons, each with its weight, summed. Nothing is counted up and down.

A reason is there because somebody said so (`add`), because it is derived each time from what is (`derive`), because
the node's health is told whole each time (`tell_health`), or for a time that ends by itself (`add_until`). So nothing
can leak.

An operator may *waive* the reasons that hold now: they are still there and still shown, but no longer count. A waived
reason counts again when it comes back after it was gone.
"""

from collections.abc import Mapping
from typing import Final

NEVER: Final = float("inf")
MAINTENANCE = "maintenance"
"""Has a switch of its own, and is not waived."""


class Demotion:
    """The reasons of one node. Amounts are 1 to 240; times are monotonic seconds."""

    def __init__(self) -> None:
        self._standing: dict[str, int] = {}
        self._named: dict[str, int] = {}
        self._health: dict[str, int] = {}
        self._derived: dict[str, int] = {}
        self._until: dict[str, tuple[int, float]] = {}
        self._waived: set[str] = set()

    # ------------------------------------------------------------------------------------------------ what is to count

    def set_standing(self, reasons: Mapping[str, int]) -> None:
        """What the settings say."""
        self._standing = dict(reasons)

    def derive(self, reasons: Mapping[str, int]) -> None:
        """What follows from how things are."""
        self._derived = dict(reasons)
        self._forget_waivers()

    def tell_health(self, reasons: Mapping[str, int]) -> bool:
        """What is wrong with this node beside CARP, all of it; whether that is news."""
        news = self._health != reasons
        self._health = dict(reasons)
        self._forget_waivers()
        return news

    def add(self, reason: str, amount: int) -> None:
        """A reason that stands until it is removed."""
        self._named[reason] = amount

    def add_until(self, reason: str, amount: int, until: float) -> None:
        """A reason that ends by itself, if it is not removed before."""
        self._until[reason] = amount, until

    def remove(self, reason: str) -> None:
        """It is gone; one that was not there is no error."""
        self._named.pop(reason, None)
        self._until.pop(reason, None)
        self._forget_waivers()

    # --------------------------------------------------------------------------------------------------------- waivers

    def waive(self, reason: str = "") -> None:
        """No longer count this reason, or (empty) all that hold now."""
        self._waived |= {r for r in self.reasons() if r != MAINTENANCE and reason in ("", r)}

    def waived(self) -> dict[str, int]:
        """Those that hold and do not count."""
        return {r: n for r, n in self._all().items() if r in self._waived}

    def _forget_waivers(self) -> None:
        self._waived &= self._all().keys()

    # ------------------------------------------------------------------------------------------------------------- now

    def reasons(self) -> dict[str, int]:
        """Those that count, and their weights."""
        return {r: n for r, n in self._all().items() if r not in self._waived}

    @property
    def total(self) -> int:
        """Their sum."""
        return sum(self.reasons().values())

    def holds(self, reason: str) -> bool:
        """Whether it is there, also if it does not count."""
        return reason in self._all()

    def deadline(self) -> float:
        """When the next one ends by itself; infinity if none does."""
        return min((until for _, until in self._until.values()), default=NEVER)

    def ended(self, now: float) -> list[str]:
        """Drop those whose time is over; which they were."""
        over = [reason for reason, (_, until) in self._until.items() if now >= until]
        for reason in over:
            self.remove(reason)
        return over

    def _all(self) -> dict[str, int]:
        timed = {reason: amount for reason, (amount, _) in self._until.items()}
        return {**self._standing, **self._named, **timed, **self._health, **self._derived}
