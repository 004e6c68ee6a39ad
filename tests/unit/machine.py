"""A machine in memory: it has what it was told to have. It can fail, or be killed, at any step."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gemel.core.step import Step
from gemel.core.want import Want
from gemel.effects.machine import Failed


class Killed(BaseException):
    """The process ends here; nothing is tidied up."""


@dataclass
class FakeMachine:
    """`have` outlives the process. `dies` or `fails` at its so-many-th step from now, before or half-way in it."""

    have: dict[tuple[str, ...], Want] = field(default_factory=dict)
    fails: int | None = None
    dies: int | None = None
    half_way: bool = False
    stubborn: bool = False
    performed: list[Step] = field(default_factory=list)
    refuses: str = ""

    def perform(self, step: Step) -> None:
        trouble: BaseException | None = None
        if self.dies is not None and len(self.performed) >= self.dies:
            trouble = Killed()
        elif self.fails is not None and (len(self.performed) == self.fails or self.stubborn):
            trouble = Failed(f"{step}: the machine does not want to")
        if trouble is None or self.half_way:
            if step.want is None:
                self.have.pop(step.subject.key, None)
            else:
                self.have[step.want.key] = step.want
        self.performed.append(step)
        if trouble is not None:
            raise trouble

    def assume(self, want: Want) -> None:
        assert self.have.get(want.key) == want, f"{want} is taken for granted, and is not there"

    def check(self, wants: Iterable[Want]) -> None:
        if self.refuses:
            raise Failed(self.refuses)

    def wants(self) -> set[Want]:
        return set(self.have.values())
