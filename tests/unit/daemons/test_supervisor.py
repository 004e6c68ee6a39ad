"""Scripts of births and deaths against the supervisor's decisions, with a clock that is only a number."""

import signal
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.control import supervisor as doors
from gemel.control.door import Caller, Refused
from gemel.daemons.processes import AGENT, CARPD, PROCESSES, WEBD, Process
from gemel.daemons.supervisor import Machine, Supervisor
from gemel.daemons.watch import PATIENCE, PAUSES, PROVEN, STOP_STEP_PATIENCE, Watch

KEA = Process("kea", ("/usr/sbin/kea-dhcp4",))


@dataclass
class Table:
    """A process table: what was started (a stop step has a '-'), and which signals were sent."""

    alive: dict[int, str] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    signals: list[tuple[str, int]] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)

    def start(self, process: Process) -> int:
        if process.name in self.missing:
            raise FileNotFoundError(process.argv[0])
        return self._add(process.name)

    def start_stop_step(self, process: Process) -> int:
        return self._add(f"-{process.name}")

    def kill(self, pid: int, number: int) -> None:
        self.signals.append((self.alive[pid], number))

    def pid(self, name: str) -> int:
        return next(pid for pid, n in self.alive.items() if n == name)

    def _add(self, name: str) -> int:
        self.started.append(name)
        pid = 100 + len(self.started)
        self.alive[pid] = name
        return pid


@dataclass
class Play:
    """A watch over a table, at a time."""

    table: Table = field(default_factory=Table)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.watch = Watch(self.table)

    def want(self, *processes: Process) -> "Play":
        for process in processes:
            self.watch.want(process, self.now)
        self.watch.tick(self.now)
        return self

    def dies(self, name: str, after: float = 0.0) -> "Play":
        self.now += after
        pid = self.table.pid(name)
        del self.table.alive[pid]
        self.watch.ended(pid, "ended", self.now)
        self.watch.tick(self.now)
        return self

    def wait(self, seconds: float) -> "Play":
        self.now += seconds
        self.watch.tick(self.now)
        return self


def test_a_dead_daemon_is_cleaned_up_after_and_then_started_at_once() -> None:
    play = Play().want(CARPD).dies("carpd", after=60)
    assert play.table.started == ["carpd", "-carpd"], "not before its stop step has ended"
    play.dies("-carpd", after=0.1)
    assert play.table.started == ["carpd", "-carpd", "carpd"]


def test_quick_ends_are_answered_ever_more_slowly_and_a_long_life_forgives() -> None:
    play = Play().want(AGENT)
    for pause in (*PAUSES, PAUSES[-1]):
        before = len(play.table.started)
        play.dies("agent", after=0.01)
        if pause:
            play.wait(pause - 0.001)
            assert len(play.table.started) == before, f"too early after {pause}"
            play.wait(0.002)
        assert len(play.table.started) == before + 1, f"too late after {pause}"
    play.dies("agent", after=PROVEN + 1)
    assert "agent" in play.table.alive.values()


def test_a_stop_step_that_hangs_is_killed() -> None:
    play = Play().want(CARPD).dies("carpd", after=60).wait(STOP_STEP_PATIENCE)
    assert play.table.signals == [("-carpd", signal.SIGKILL)]
    assert "carpd" in play.dies("-carpd").table.alive.values()


def test_a_held_process_is_left_to_its_fate_until_released() -> None:
    play = Play().want(CARPD)
    play.watch.hold("carpd")
    play.dies("carpd").wait(3600)
    assert play.table.started == ["carpd"], "neither a stop step nor a restart"
    assert play.watch.wards["carpd"].state == "held"
    play.watch.release("carpd", play.now)
    assert "carpd" in play.wait(0).table.alive.values()


def test_a_missing_program_is_tried_again_with_growing_pauses_and_says_why() -> None:
    play = Play(Table(missing={"kea"})).want(KEA)
    assert "could not be started" in (play.watch.wards["kea"].last_exit or "")
    play.table.missing.clear()
    assert "kea" in play.wait(0.3).table.alive.values()


def test_at_shutdown_carpd_and_its_stop_step_come_before_the_rest() -> None:
    play = Play().want(*PROCESSES, KEA)
    play.watch.shut_down()
    play.wait(0)
    assert play.table.signals == [("carpd", signal.SIGTERM)]
    play.dies("carpd")
    assert play.table.signals == [("carpd", signal.SIGTERM)], "the others wait for the stop step"
    play.dies("-carpd").wait(0)
    assert {name for name, _ in play.table.signals} == {p.name for p in (*PROCESSES, KEA)}
    for process in (*PROCESSES[1:], KEA):
        assert not play.watch.done
        play.dies(process.name)
    assert play.watch.done and play.table.alive == {}


def test_a_shutdown_with_nothing_running_is_done_at_once() -> None:
    play = Play(Table(missing={p.name for p in PROCESSES})).want(*PROCESSES)
    play.watch.shut_down()
    assert not play.watch.done
    assert play.wait(0).watch.done


def test_patience_with_a_deaf_process_ends() -> None:
    play = Play().want(KEA)
    play.watch.restart("kea", play.now)
    play.wait(PATIENCE)
    assert play.table.signals == [("kea", signal.SIGTERM), ("kea", signal.SIGKILL)]


def test_the_same_order_twice_moves_nothing_and_another_one_replaces() -> None:
    play = Play().want(KEA).want(KEA)
    assert play.table.started == ["kea"] and play.table.signals == []
    play.want(Process("kea", ("/usr/sbin/kea-dhcp4", "-d")))
    assert play.table.signals == [("kea", signal.SIGTERM)]
    assert play.dies("kea").table.started == ["kea", "kea"]


def test_an_unwanted_service_is_stopped_and_forgotten() -> None:
    play = Play().want(KEA)
    play.watch.unwant("kea", play.now)
    play.dies("kea")
    assert play.watch.wards == {} and play.table.alive == {}


KINDS = ("die", "wait", "hold", "release", "restart", "want", "unwant", "step dies")


@given(st.lists(st.sampled_from(KINDS), max_size=40))
def test_whatever_happens_there_is_never_a_second_one_and_shutdown_ends(moves: list[str]) -> None:
    play = Play().want(CARPD)
    for move in moves:
        _make(move, play)
        mine = [n for n in play.table.alive.values() if n.endswith("carpd")]
        assert len(mine) <= 1, "two at once, or one beside its stop step"
    play.watch.shut_down()
    for _ in range(4):
        play.wait(0)
        for name in list(play.table.alive.values()):
            play.dies(name)
    assert play.watch.done and play.table.alive == {}


def _make(move: str, play: Play) -> None:
    watch, alive = play.watch, play.table.alive.values()
    if move == "die" and "carpd" in alive:
        play.dies("carpd", after=1)
    elif move == "step dies" and "-carpd" in alive:
        play.dies("-carpd", after=0.1)
    elif move == "want":
        play.want(CARPD)
    elif "carpd" in watch.wards:
        if move == "hold":
            watch.hold("carpd")
        elif move in ("release", "restart", "unwant"):
            getattr(watch, move)("carpd", play.now)
    play.wait(0.5)


ROOT = Caller(1, 0, 0)


def test_the_door_answers_root_only_and_does_not_let_a_daemon_be_replaced() -> None:
    supervisor = Supervisor(Machine())
    with pytest.raises(Refused, match="root"):
        supervisor.answer(doors.SupervisorStatus(), Caller(1, 1000, 1000))
    for question in (doors.StartService("webd", ("/bin/sh",)), doors.StopService("carpd")):
        with pytest.raises(Refused, match="daemons"):
            supervisor.answer(question, ROOT)
    with pytest.raises(Refused, match="looked after"):
        supervisor.answer(doors.ServiceStatus("nobody"), ROOT)


def test_what_is_asked_for_at_the_door_is_waited_for() -> None:
    supervisor = Supervisor(Machine())
    report = supervisor.answer(doors.StartService("kea", KEA.argv), ROOT)
    assert (report.name, report.state, report.pid) == ("kea", "waiting", None)
    assert supervisor.answer(doors.SupervisorStatus(), ROOT).processes[0].name == "kea"


def test_only_webd_listens_and_it_has_no_power() -> None:
    assert [p.name for p in PROCESSES if p.ports] == ["webd"] and WEBD.user == "gemel-web"
