"""What was worked out of things that cannot change, kept so that it is not worked out again.

Configurations are frozen, and a new one shares all that it did not change with the old one. So identity is enough of a
key: the very same object has the very same meaning. Comparing or hashing ten thousand rules would cost more than it
saves.
"""

import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

S = TypeVar("S")
V = TypeVar("V")


class OfTogether(Generic[V]):
    """``make(*subjects)``, kept for the last few groups of subjects (and these with it)."""

    def __init__(self, make: Callable[..., V], most: int = 2) -> None:
        self._make = make
        self._most = most
        self._kept: tuple[tuple[tuple[Any, ...], V], ...] = ()

    def __call__(self, *subjects: Any) -> V:
        for known, value in self._kept:
            if len(known) == len(subjects) and all(k is s for k, s in zip(known, subjects, strict=True)):
                return value
        value = self._make(*subjects)
        # Two threads may both come here; either's result is right.
        self._kept = ((subjects, value), *self._kept[: self._most - 1])
        return value


class OfEach(Generic[S, V]):
    """``make(subject)``, kept as long as the subject lives. Subjects take weak references and never change."""

    def __init__(self, make: Callable[[S], V]) -> None:
        self._make = make
        self._kept: dict[int, tuple[weakref.ref[S], V]] = {}

    def __call__(self, subject: S) -> V:
        key = id(subject)
        found = self._kept.get(key)
        if found is not None and found[0]() is subject:
            return found[1]
        value = self._make(subject)

        def forget(_gone: object) -> None:
            self._kept.pop(key, None)

        self._kept[key] = (weakref.ref(subject, forget), value)
        return value
