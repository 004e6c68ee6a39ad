"""A machine and a disk that outlive the process, and a fate that ends it at a chosen moment."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from gemel.core.step import Step
from gemel.core.want import Want
from gemel.effects.disk import Disk
from gemel.effects.machine import Failed


class Killed(BaseException):
    """The process ends here; nothing is tidied up."""


@dataclass
class Fate:
    """Ends the process at its operation number `at` (from 0; None: never): before it, or with half of it done."""

    at: int | None = None
    half: bool = False
    passed: int = 0

    def comes(self, at: int, half: bool = False) -> None:
        """From now on it is counted."""
        self.at, self.half, self.passed = at, half, 0

    def meet(self, half: Callable[[], object]) -> None:
        """Raises Killed if this is the moment, and at everything that a dead process would still try."""
        self.passed += 1
        if self.at is not None and self.passed > self.at:
            if self.half and self.passed == self.at + 1:
                half()
            raise Killed


@dataclass
class FakeMachine:
    """It has what it was told to have. Its step number `fails` does not work, if `half` after it has begun to.

    `stubborn`: and nothing works after that.
    """

    have: dict[tuple[str, ...], Want] = field(default_factory=dict)
    fate: Fate = field(default_factory=Fate)
    fails: int | None = None
    half: bool = False
    stubborn: bool = False
    refuses: str = ""
    performed: list[Step] = field(default_factory=list)

    def perform(self, step: Step) -> None:
        self.fate.meet(lambda: self._do(step))
        number = len(self.performed)
        self.performed.append(step)
        if self.fails is not None and (number == self.fails or (self.stubborn and number > self.fails)):
            if self.half:
                self._do(step)
            raise Failed(f"{step}: the machine does not want to")
        self._do(step)

    def _do(self, step: Step) -> None:
        if step.want is None:
            self.have.pop(step.subject.key, None)
        else:
            self.have[step.want.key] = step.want

    def assume(self, want: Want) -> None:
        """Only a settled ledger is believed word for word."""

    def check(self, wants: Iterable[Want]) -> None:
        if self.refuses:
            raise Failed(self.refuses)

    def wants(self) -> set[Want]:
        return set(self.have.values())


@dataclass
class Without(FakeMachine):
    """A machine on which there is nothing called `lacking`."""

    lacking: str = ""

    def check(self, wants: Iterable[Want]) -> None:
        if any(self.lacking in w.key for w in wants if self.lacking):
            raise Failed(f"there is no network device {self.lacking} on this machine")

    def _do(self, step: Step) -> None:
        self.check([step.want] if step.want else ())  # what is not there has gone by itself
        super()._do(step)


class FatedDisk(Disk):
    """A real disk, each primitive operation of which can be the last."""

    def __init__(self, fate: Fate) -> None:
        self.fate = fate

    def fill(self, path: Path, data: bytes, mode: int) -> None:
        self.fate.meet(lambda: super(FatedDisk, self).fill(path, data[: len(data) // 2], mode))
        super().fill(path, data, mode)

    def rename(self, old: Path, new: Path) -> None:
        self.fate.meet(lambda: super(FatedDisk, self).rename(old, new))
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        self.fate.meet(lambda: super(FatedDisk, self).unlink(path))
        super().unlink(path)

    def sync_folder(self, path: Path) -> None:
        self.fate.meet(lambda: None)
        super().sync_folder(path)
