"""From anything to anything and back, in an order that never opens a hole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.step import Step, steps
from gemel.core.want import Address, DaemonSettings, File, Hostname, Link, Route, Ruleset, Service, Sysctl, Want
from tests.unit.machine import FakeMachine


class Program:
    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint

    def text(self) -> str:
        return ""

    def text_from(self, previous: object) -> str:
        return ""


FEW = st.integers(0, 2).map(str)
WANTS = st.one_of(
    st.builds(Hostname, FEW, FEW),
    st.builds(Sysctl, FEW, FEW),
    st.builds(Link, FEW, st.none() | st.just(1400)),
    st.builds(Address, FEW, FEW),
    st.builds(Route, FEW, FEW, FEW),
    st.builds(lambda name, mark: Ruleset(name, Program(mark)), FEW, FEW),
    st.builds(DaemonSettings, FEW, FEW),
    st.builds(lambda name, text: Service(name, (File("/etc/x", text),)), FEW, FEW),
)
MACHINES = st.lists(WANTS, unique_by=lambda want: want.key, max_size=12)


def performed(have: list[Want], todo: list[Step]) -> set[Want]:
    machine = FakeMachine({w.key: w for w in have})
    for step in todo:
        machine.perform(step)
    return machine.wants()


@given(MACHINES, MACHINES)
def test_steps_turn_what_is_into_what_is_wanted(have: list[Want], want: list[Want]) -> None:
    assert performed(have, steps(have, want)) == set(want)


@given(MACHINES, MACHINES, st.data())
def test_undoing_after_any_interruption_gives_back_what_was(
    have: list[Want], want: list[Want], data: st.DataObject
) -> None:
    done = steps(have, want)
    done = done[: data.draw(st.integers(0, len(done)))]

    assert performed(have, done + [step.undo for step in reversed(done)]) == set(have)


@given(MACHINES)
def test_nothing_is_done_when_everything_is_there(have: list[Want]) -> None:
    assert steps(have, list(reversed(have))) == []


@given(MACHINES, MACHINES)
def test_the_firewall_stands_before_any_address_and_services_come_last(have: list[Want], want: list[Want]) -> None:
    todo = steps(have, want)

    def places(kind: type, put: bool) -> list[int]:
        return [i for i, s in enumerate(todo) if isinstance(s.subject, kind) and (s.want is not None) == put]

    def before(first: list[int], then: list[int]) -> bool:
        return not first or not then or max(first) < min(then)

    assert before(places(Link, True), places(Address, True))
    assert before(places(Ruleset, True), places(Address, True))
    assert before(places(Address, True), places(Route, True))
    assert before(places(Route, True), places(Service, True))
    assert before(places(Service, False), places(Address, False))
    assert before(places(Route, False), places(Address, False))
    assert before(places(Address, False), places(Link, False))


def test_two_answers_to_one_question_are_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"two different wants for sysctl a"):
        steps([], [Sysctl("a", "1"), Sysctl("a", "2")])
    assert len(steps([], [Sysctl("a", "1"), Sysctl("a", "1")])) == 1


def test_a_step_says_what_it_is() -> None:
    old, new = Route("10.0.0.0/8", "192.168.1.1", "lan"), Route("10.0.0.0/8", "192.168.1.9", "lan")

    assert [str(s) for s in (Step(new, None), Step(new, old), Step(None, old))] == [
        "add route 10.0.0.0/8", "change route 10.0.0.0/8", "remove route 10.0.0.0/8",
    ]  # fmt: skip
