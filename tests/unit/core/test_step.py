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

    def text_without(self) -> str:
        return ""


FEW = st.integers(0, 2).map(str)
WANTS = st.one_of(
    st.builds(Hostname, FEW, FEW),
    st.builds(Sysctl, FEW, FEW),
    st.builds(Link, FEW, st.none() | st.just(1400)),
    st.builds(Link, FEW, st.none(), st.just("vlan"), FEW, st.just("") | FEW),
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


BOND, SPARE = Link("bond0", kind="bond"), Link("bond1", kind="bond")
DEVICES = st.fixed_dictionaries(
    {
        "eth0": st.sampled_from([None, Link("eth0"), Link("eth0", master="bond0"), Link("eth0", master="br0")]),
        "eth1": st.sampled_from([None, Link("eth1"), Link("eth1", master="bond0"), Link("eth1", master="bond1")]),
        "bond0": st.sampled_from([None, BOND, Link("bond0", kind="bond", master="br0")]),
        "bond1": st.sampled_from([None, SPARE]),
        "v": st.sampled_from([None, *(Link(f"{d}.7", kind="vlan", over=d) for d in ("eth0", "bond0", "bond1"))]),
        "w": st.sampled_from([None, Link("bond0.8", kind="vlan", over="bond0", master="br0")]),
        "br0": st.sampled_from([None, Link("br0", kind="bridge")]),
    }
)


def closed(chosen: dict[str, Link | None]) -> list[Link]:
    """Only those of which everything is there that they stand on; ports of the machine always are."""
    links = [link for link in chosen.values() if link]
    while True:
        there = {"eth0", "eth1", *(link.device for link in links)}
        left = [link for link in links if set(link.needs) <= there]
        if left == links:
            return links
        links = left


class Ports:
    """What the kernel has of devices: nothing is built on air, and a device that goes takes its VLANs along."""

    def __init__(self, links: list[Link]) -> None:
        self.links = {link.device: link for link in links}

    def perform(self, step: Step) -> None:
        if isinstance(step.want, Link):
            for need in step.want.needs:
                assert need in ("eth0", "eth1") or need in self.links, f"{step} before there is {need}"
            self.links[step.want.device] = step.want
        else:
            gone = self.links.pop(step.subject.key[1])
            if gone.kind:
                left = [link for link in self.links.values() if gone.device in link.needs]
                assert not left, f"{step} while {left} stand on it"


@given(DEVICES.map(closed), DEVICES.map(closed), st.data())
def test_devices_come_after_what_they_stand_on_and_go_before_it(
    have: list[Link], want: list[Link], data: st.DataObject
) -> None:
    todo = steps(have, want)
    ports = Ports(have)
    for step in todo:
        ports.perform(step)
    assert set(ports.links.values()) == set(want)
    done = todo[: data.draw(st.integers(0, len(todo)))]
    ports = Ports(have)
    for step in done + [step.undo for step in reversed(done)]:
        ports.perform(step)
    assert set(ports.links.values()) == set(have)


def test_a_ring_of_devices_is_no_endless_search() -> None:
    ring = [Link("a", kind="vlan", over="b"), Link("b", kind="vlan", over="a")]
    assert len(steps([], ring)) == 2
