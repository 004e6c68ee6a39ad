"""A command that runs only while this node has a virtual IP: what `daemons.follower` is told. Standard library only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """What the command is given while `device` has `address`; always, where `address` is empty."""

    device: str
    address: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Following:
    """The command is `before`, the words of the parts whose address is here, `after`; with none it does not run."""

    before: tuple[str, ...]
    parts: tuple[Part, ...]
    after: tuple[str, ...] = ()

    def command(self, here: frozenset[tuple[str, str]]) -> tuple[str, ...]:
        """What is to run while these pairs of device and address are here; empty: nothing."""
        present = [p for p in self.parts if not p.address or (p.device, p.address) in here]
        words = tuple(word for part in present for word in part.words)
        return (*self.before, *words, *self.after) if present else ()
