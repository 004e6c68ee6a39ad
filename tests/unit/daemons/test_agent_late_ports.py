"""A node that boots without one of its ports serves it when it comes."""

from pathlib import Path

from gemel.areas.every import SCHEMA
from gemel.core.step import Step
from gemel.core.want import Link, Sysctl
from gemel.daemons.agent.desk import Desk
from gemel.daemons.agent.late_ports import LatePorts, ports
from gemel.effects.machine import Failed
from tests.unit.daemons.desk import configured
from tests.unit.machine import FakeMachine


class Without(FakeMachine):
    """A machine on which there is no port `lacking`."""

    lacking = ""

    def _do(self, step: Step) -> None:
        if self.lacking and self.lacking in step.subject.key:
            raise Failed(f"there is no network device {self.lacking} on this machine")
        super()._do(step)


class Cables:
    """What the machine has, and how often it was tried again."""

    def __init__(self, *there: str) -> None:
        self.there = frozenset(there)
        self.tried = 0

    def again(self) -> None:
        self.tried += 1


def wanted(desk: Desk) -> frozenset[str]:
    return ports(SCHEMA.compile(desk.config, desk.node))


def test_what_failed_without_a_port_is_done_when_it_comes(tmp_path: Path) -> None:
    node, desk = configured(tmp_path)
    late, *others = sorted(wanted(desk))
    (tmp_path / "run/have.json").unlink()  # it boots
    node.machine = machine = Without()
    machine.lacking = late
    desk = node.start()
    assert late in node.transaction.faults[0] and not node.has(desk)
    cables = Cables(*others)
    found = LatePorts(lambda: wanted(desk), desk.again, cables.there, lambda: cables.there)
    assert found.look() and node.transaction.faults

    machine.lacking, cables.there = "", cables.there | {late}

    assert not found.look()
    assert node.has(desk) and node.transaction.faults == ()


def test_a_port_that_comes_while_the_configuration_is_applied_is_not_missed() -> None:
    cables = Cables("eth0", "eth1")
    assert not LatePorts(lambda: cables.there, cables.again, frozenset({"eth0"}), lambda: cables.there).look()
    assert cables.tried == 1


def test_a_port_of_nobodys_moves_nothing_and_with_all_ports_there_it_is_over() -> None:
    cables = Cables("eth0")
    found = LatePorts(lambda: frozenset({"eth0", "eth1"}), cables.again, cables.there, lambda: cables.there)
    assert found.look()
    cables.there |= {"eth9"}
    assert found.look() and cables.tried == 0
    cables.there |= {"eth1"}
    assert not found.look() and cables.tried == 1


def test_what_a_node_makes_itself_is_no_port() -> None:
    assert ports([Link("eth0"), Link("bond0", kind="bond"), Sysctl("net.a", "1")]) == {"eth0"}
