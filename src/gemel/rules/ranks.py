"""Numbers for rules: in the first-match order, and kept while rules come, go and move around them.

A rule's number is the key of its verdict and counter in the kernel. Were it simply the rule's position, a rule added
at the top would change them all.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence

GAP = 1 << 14  # between neighbours at first: fourteen rules in a row fit in at one place before numbers are given anew
LAST = (1 << 32) - 2  # the highest number means "no rule yet"


class Ranks:
    """`previous` maps `list/rule id` to the number it had; `numbers` collects those that hold now."""

    def __init__(self, previous: Mapping[str, int]) -> None:
        self._previous = previous
        self.numbers: dict[str, int] = {}

    def of(self, list_name: str, ids: Sequence[str]) -> list[int]:
        """Rising numbers for the rules of one list; every one that can keeps the number it had."""
        keys = self._keys(list_name, ids)
        had = [self._previous.get(key) for key in keys]
        numbers = _fill(had, _longest_rise(had)) or [(i + 1) * GAP for i in range(len(keys))]
        if numbers and numbers[-1] > LAST:
            numbers = list(range(1, len(keys) + 1))
        self.numbers.update(zip(keys, numbers, strict=True))
        return numbers

    def _keys(self, list_name: str, ids: Sequence[str]) -> list[str]:
        keys = []
        for rule_id in ids:
            key, n = f"{list_name}/{rule_id}", 1
            while key in self.numbers:
                n += 1
                key = f"{list_name}/{rule_id}/{n}"
            self.numbers[key] = 0
            keys.append(key)
        return keys


def _longest_rise(had: Sequence[int | None]) -> set[int]:
    """Positions of a longest rising subsequence: these rules have not moved past each other."""
    tails: list[int] = []
    tail_positions: list[int] = []
    before: list[int] = [-1] * len(had)
    for position, number in enumerate(had):
        if number is None:
            continue
        place = bisect_left(tails, number)
        if place:
            before[position] = tail_positions[place - 1]
        tails[place : place + 1] = [number]
        tail_positions[place : place + 1] = [position]
    kept: set[int] = set()
    position = tail_positions[-1] if tail_positions else -1
    while position >= 0:
        kept.add(position)
        position = before[position]
    return kept


def _fill(had: Sequence[int | None], kept: set[int]) -> list[int] | None:
    """Numbers for the rest, spread in the gaps; None when nothing is kept or a gap is too small."""
    if not kept:
        return None
    numbers: list[int] = []
    waiting = 0
    for position, number in enumerate(had):
        if position not in kept or number is None:
            waiting += 1
            continue
        below = numbers[-1] if numbers else 0
        step = (number - below) // (waiting + 1)
        if waiting and not step:
            return None
        numbers += [below + step * (i + 1) for i in range(waiting)]
        numbers.append(number)
        waiting = 0
    below = numbers[-1]
    return numbers + [below + GAP * (i + 1) for i in range(waiting)]
