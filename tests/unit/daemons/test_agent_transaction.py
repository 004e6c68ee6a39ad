"""All or none, over failures, kills and restarts; a machine that has everything is left in peace."""

from pathlib import Path

import pytest

from gemel.core.want import Address, Link, Route, Service, Sysctl, Want
from gemel.daemons.agent.transaction import Transaction
from gemel.effects.machine import Failed
from tests.unit.machine import FakeMachine, Fate, FatedDisk, Killed, Without

OLD: list[Want] = [
    Link("lan"), Address("lan", "192.168.1.2/24"), Address("lan", "10.0.0.1/24"),
    Route("0.0.0.0/0", "192.168.1.1", "lan"), Service("dns", argv=("unbound",)), Sysctl("net.a", "1"),
]  # fmt: skip
NEW: list[Want] = [
    Link("lan", 1400), Link("dmz"), Address("lan", "192.168.1.2/24"), Address("dmz", "10.9.0.1/24"),
    Route("0.0.0.0/0", "192.168.1.9", "lan"), Route("10.8.0.0/16", "10.9.0.2", "dmz"), Sysctl("net.a", "2"),
]  # fmt: skip
STEPS = 8  # from OLD to NEW
WRITES = 3  # each time that the ledger is written, before and after


def running_old(folder: Path) -> tuple[Transaction, FakeMachine]:
    fate = Fate()
    machine = FakeMachine(fate=fate)
    transaction = Transaction(machine, folder / "have.json", FatedDisk(fate))
    transaction.start(OLD)
    machine.performed.clear()
    return transaction, machine


def test_wants_are_made_real(tmp_path: Path) -> None:
    transaction, machine = running_old(tmp_path)
    assert machine.wants() == set(OLD)

    assert transaction.apply(NEW) == STEPS == len(machine.performed)

    assert machine.wants() == set(NEW)
    assert transaction.apply(NEW) == 0


@pytest.mark.parametrize("half", [False, True], ids=["refused", "half done"])
@pytest.mark.parametrize("fails", range(STEPS))
def test_a_failure_at_any_step_is_undone_completely(tmp_path: Path, fails: int, half: bool) -> None:
    transaction, machine = running_old(tmp_path)
    machine.fails, machine.half = fails, half

    with pytest.raises(Failed, match="the machine does not want to"):
        transaction.apply(NEW)

    assert machine.wants() == set(OLD) and transaction.faults == ()
    machine.fails = None
    transaction.apply(NEW)
    assert machine.wants() == set(NEW)


def test_a_port_that_is_missing_since_the_start_holds_up_no_change(tmp_path: Path) -> None:
    machine = Without(lacking="dmz")
    transaction = Transaction(machine, tmp_path / "have.json")  # type: ignore[arg-type]
    transaction.start(NEW)
    missing = transaction.faults
    assert len(missing) == 2  # the port, and its address
    others = [w for w in NEW if not isinstance(w, Sysctl)]

    transaction.check([*others, Sysctl("net.a", "3")])
    transaction.apply([*others, Sysctl("net.a", "3")])

    assert Sysctl("net.a", "3") in machine.wants() and transaction.faults == missing
    with pytest.raises(Failed, match="no network device dmz"):
        transaction.apply([*others, Address("dmz", "10.9.9.1/24"), Sysctl("net.a", "4")])
    assert Sysctl("net.a", "3") in machine.wants() and transaction.faults == missing
    machine.lacking = ""
    transaction.apply([*others, Sysctl("net.a", "5")])
    assert machine.wants() == {*others, Sysctl("net.a", "5")} and transaction.faults == ()


def test_a_port_that_is_missing_is_no_fault_when_nobody_wants_it_any_more(tmp_path: Path) -> None:
    machine = Without(lacking="dmz")
    transaction = Transaction(machine, tmp_path / "have.json")  # type: ignore[arg-type]
    transaction.start(NEW)
    transaction.apply(OLD)
    assert machine.wants() == set(OLD) and transaction.faults == ()
    with pytest.raises(Failed, match="no network device dmz"):
        transaction.apply(NEW)


def test_a_service_that_could_not_be_changed_at_the_start_holds_up_no_change_ever(tmp_path: Path) -> None:
    machine = Without()
    old, new = Service("kea", argv=("old",)), Service("kea", argv=("new",))
    Transaction(machine, tmp_path / "have.json").start([old])  # type: ignore[arg-type]
    machine.lacking = "kea"
    transaction = Transaction(machine, tmp_path / "have.json")  # type: ignore[arg-type]
    transaction.start([new])
    for value in "123":
        transaction.apply([new, Sysctl("net.a", value)])
        assert Sysctl("net.a", value) in machine.wants() and len(transaction.faults) == 1


def test_any_accident_is_a_failure(tmp_path: Path) -> None:
    class Clumsy(FakeMachine):
        def _do(self, step: object) -> None:
            super()._do(step)  # type: ignore[arg-type]
            if "dmz" in str(step) and str(step).startswith("add address"):
                raise KeyError("a mistake of ours")

    machine = Clumsy()
    transaction = Transaction(machine, tmp_path / "have.json")  # type: ignore[arg-type]
    transaction.start(OLD)

    with pytest.raises(Failed, match="a mistake of ours"):
        transaction.apply(NEW)

    assert machine.wants() == set(OLD)


def test_what_could_not_be_undone_is_named_and_mended_by_the_next_apply(tmp_path: Path) -> None:
    transaction, machine = running_old(tmp_path)
    machine.fails, machine.stubborn = 3, True

    with pytest.raises(Failed, match="could not be undone"):
        transaction.apply(NEW)

    assert len(transaction.faults) == 4
    machine.fails = None
    transaction.apply(OLD)
    assert machine.wants() == set(OLD) and transaction.faults == ()


@pytest.mark.parametrize("runs", [OLD, NEW], ids=["back", "on"])
@pytest.mark.parametrize("half", [False, True], ids=["before", "half-way"])
@pytest.mark.parametrize("at", range(WRITES + STEPS + WRITES))
def test_after_a_kill_at_any_point_a_restart_brings_the_machine_to_the_configuration_that_runs(
    tmp_path: Path, at: int, half: bool, runs: list[Want]
) -> None:
    transaction, machine = running_old(tmp_path)
    machine.fate.comes(at, half)

    with pytest.raises(Killed):
        transaction.apply(NEW)
    machine.fate = Fate()
    restarted = Transaction(machine, tmp_path / "have.json")
    restarted.start(runs)

    assert machine.wants() == set(runs)
    restarted.apply(OLD)
    assert machine.wants() == set(OLD)


def test_a_restart_without_a_change_touches_nothing(tmp_path: Path) -> None:
    _, machine = running_old(tmp_path)

    assert Transaction(machine, tmp_path / "have.json").start(OLD) == 0
    assert machine.performed == []


def test_a_restart_after_an_upgrade_changes_what_is_wanted_otherwise_now(tmp_path: Path) -> None:
    _, machine = running_old(tmp_path)

    Transaction(machine, tmp_path / "have.json").start(NEW)

    assert machine.wants() == set(NEW) and len(machine.performed) == STEPS


UNKNOWN = '{"settled": true, "have": [{"kind": "Moat", "mark": "", "want": {}}]}'


@pytest.mark.parametrize("content", [None, "{", UNKNOWN])
def test_without_a_ledger_everything_is_done(tmp_path: Path, content: str | None) -> None:
    _, machine = running_old(tmp_path)
    ledger = tmp_path / "have.json"
    ledger.unlink() if content is None else ledger.write_text(content)

    assert Transaction(machine, ledger).start(OLD) == len(OLD)


def test_at_a_start_what_fails_is_left_out_and_named(tmp_path: Path) -> None:
    machine = FakeMachine(fails=2)
    transaction = Transaction(machine, tmp_path / "have.json")

    transaction.start(OLD)

    assert len(transaction.faults) == 1 and len(machine.wants()) == len(OLD) - 1
    transaction.apply(OLD)  # tried again with the next change
    assert machine.wants() == set(OLD) and transaction.faults == ()


def test_a_dry_run_looks_only_at_what_would_change(tmp_path: Path) -> None:
    asked: list[Want] = []

    class Curious(FakeMachine):
        def check(self, wants: object) -> None:
            asked.extend(wants)  # type: ignore[call-overload]

    transaction = Transaction(Curious(), tmp_path / "have.json")  # type: ignore[arg-type]
    transaction.start(OLD)
    transaction.check([*OLD, Link("dmz")])

    assert asked == [Link("dmz")]
