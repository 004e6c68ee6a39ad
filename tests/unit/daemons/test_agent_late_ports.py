"""A node that boots without one of its ports serves it when it comes, and one that goes and comes back."""

from pathlib import Path

from gemel.areas.every import SCHEMA
from gemel.areas.firewall import VirtualMacs
from gemel.core.step import lost_with
from gemel.core.want import Address, Link, Route, Ruleset, Service, Sysctl, Want
from gemel.daemons.agent.desk import Desk
from gemel.daemons.agent.late_ports import LatePorts, ports
from gemel.daemons.agent.transaction import Transaction
from tests.unit.daemons.desk import configured
from tests.unit.machine import FakeMachine, Without


class Cables:
    """What the machine has, and for which ports it was tried again."""

    def __init__(self, *there: str) -> None:
        self.there = {name: number for number, name in enumerate(there, 1)}
        self.tried: list[set[str]] = []
        self.works = True

    def plug(self, name: str) -> None:
        self.there = {**self.there, name: max(self.there.values(), default=0) + 1}

    def again(self, came: frozenset[str]) -> bool:
        self.tried.append(set(came))
        return self.works


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
    found.look()
    assert node.transaction.faults

    machine.lacking = ""
    cables.plug(late)
    found.look()

    assert node.has(desk) and node.transaction.faults == ()


def test_a_port_that_goes_and_comes_back_gets_all_that_it_had(tmp_path: Path) -> None:
    node, desk = configured(tmp_path)
    desk = node.start()
    cables = Cables(*sorted(wanted(desk)))
    port = max(cables.there)
    found = LatePorts(lambda: wanted(desk), desk.again, cables.there, lambda: cables.there)
    machine = node.machine
    lost = {key: want for key, want in machine.have.items() if port in (getattr(want, "device", ""), *_devices(want))}
    assert any(isinstance(w, Address) for w in lost.values())
    for key in lost:
        del machine.have[key]
    machine.performed.clear()

    cables.plug(port)  # a moment later, before anybody looked
    found.look()

    assert node.has(desk)
    assert {step.subject.key for step in machine.performed} == set(lost)


def _devices(want: Want) -> tuple[str, ...]:
    return want.devices if isinstance(want, Service | Ruleset) else ()


def test_what_went_with_a_port_is_all_that_stood_on_it() -> None:
    vlan = Link("eth1.30", kind="vlan", over="eth1")
    deep = Link("eth1.30.7", kind="vlan", over="eth1.30")
    bond = Link("bond0", kind="bond")
    kea, relay = Service("kea-dhcp4", argv=("kea",), devices=("eth0", "eth1.30")), Service("relay", devices=("eth0",))
    gone: list[Want] = [Link("eth1", master="bond0"), vlan, deep, Address("eth1.30.7", "192.0.2.1/24"), kea]
    gone.append(Route("0.0.0.0/0", "192.0.2.9", "eth1.30.7"))
    primary = Link("bond1", kind="bond", settings=(("mode", "active-backup"), ("primary", "eth1")))
    gone += [primary, Ruleset("virtual_mac eth1.30", VirtualMacs("eth1.30"), ("eth1.30",))]
    filters = Ruleset("virtual_mac", VirtualMacs("all")), Ruleset("virtual_mac eth0", VirtualMacs("eth0"), ("eth0",))
    stays: list[Want] = [*filters, Link("eth0"), bond, relay]
    stays += [Address("eth0", "192.0.2.2/24"), Address("bond0", "192.0.2.3/24")]
    assert set(lost_with({"eth1"}, [*stays, *gone, Sysctl("net.a", "1")])) == set(gone)
    assert lost_with((), gone) == []


def test_a_service_that_took_the_frames_of_a_lost_port_is_started_anew(tmp_path: Path) -> None:
    machine = FakeMachine()
    transaction = Transaction(machine, tmp_path / "have.json")  # type: ignore[arg-type]
    kea, unbound = Service("kea-dhcp4", argv=("kea",), devices=("eth1",)), Service("unbound", argv=("unbound",))
    wants: list[Want] = [Link("eth1"), kea, unbound]
    transaction.start(wants)
    machine.performed.clear()
    assert transaction.again(wants, {"eth1"}) == 3
    assert [str(step) for step in machine.performed] == [
        "remove service kea-dhcp4", "add link eth1", "add service kea-dhcp4",
    ]  # fmt: skip
    assert transaction.again(wants, {"eth9"}) == 0


def test_a_port_that_comes_while_the_configuration_is_applied_is_not_missed() -> None:
    cables = Cables("eth0", "eth1")
    LatePorts(lambda: frozenset(cables.there), cables.again, {"eth0": 1}, lambda: cables.there).look()
    assert cables.tried == [{"eth1"}]


def test_a_port_of_nobodys_moves_nothing() -> None:
    cables = Cables("eth0")
    found = LatePorts(lambda: frozenset({"eth0", "eth1"}), cables.again, cables.there, lambda: cables.there)
    found.look()
    cables.plug("eth9")
    found.look()
    assert cables.tried == []
    cables.plug("eth1")
    found.look()
    found.look()
    assert cables.tried == [{"eth1"}]


def test_what_does_not_work_at_once_is_tried_again_for_a_minute() -> None:
    cables = Cables("eth0")
    found = LatePorts(lambda: frozenset({"eth0", "eth1"}), cables.again, cables.there, lambda: cables.there)
    cables.works = False
    cables.plug("eth1")
    tries = []
    for second in range(200):
        before = len(cables.tried)
        found.look()
        tries += [second] * (len(cables.tried) - before)
    assert tries == [0, 1, 3, 7, 15, 31, 63]
    cables.plug("eth1")
    found.look()
    cables.works = True
    for _ in range(200):
        found.look()
    assert len(cables.tried) == len(tries) + 2


def test_what_a_node_makes_itself_is_no_port() -> None:
    assert ports([Link("eth0"), Link("bond0", kind="bond"), Sysctl("net.a", "1")]) == {"eth0"}
