"""When pushes happen, with a clock that only moves when told to; and once the thread itself."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.sync.client import push_now
from gemel.sync.node import Sender, Target
from gemel.sync.push import NotPushed, Pushed, Why
from gemel.sync.pusher import Pusher, Schedule
from tests.unit.sync.world import TARGET, Node, Wire, pair

DONE = Pushed(7, "fw2", 4, ("rules",), changed=True)
AWAY = NotPushed(Why.AWAY, "no answer from 172.16.1.3:443")


def run(schedule: Schedule, now: float) -> float:
    """Let time pass until the next push begins."""
    assert schedule.deadline is not None
    now = max(now, schedule.deadline)
    assert schedule.is_due(now)
    schedule.began(now)
    return now


def test_without_a_target_nothing_is_due() -> None:
    schedule = Schedule(0.0)
    assert schedule.status.status == "off" and schedule.deadline is None


def test_the_first_push_is_due_at_once_and_ends_in_sync() -> None:
    schedule = Schedule(0.0)
    schedule.wanted(1.0)
    assert schedule.status.status == "never"
    now = run(schedule, 1.0)
    assert now < 1.1 and schedule.status.status == "pushing"
    schedule.succeeded(DONE, 2.0)
    status = schedule.status
    assert (status.status, status.revision, status.peer_revision, status.since) == ("in sync", 7, 4, 2.0)
    assert schedule.deadline is None


def test_a_burst_makes_one_push_and_whatever_comes_meanwhile_one_more() -> None:
    schedule = Schedule(0.0)
    for tick in range(5):
        schedule.wanted(tick / 1000)
    now = run(schedule, 0.0)
    for _ in range(10):
        schedule.wanted(now)
    assert not schedule.is_due(now + 9)
    schedule.succeeded(DONE, now + 1)
    now = run(schedule, now + 1)
    schedule.succeeded(DONE, now)
    assert schedule.deadline is None


def test_while_the_peer_is_away_it_is_tried_soon_and_then_every_ten_seconds() -> None:
    schedule = Schedule(0.0)
    schedule.wanted(0.0)
    now, pauses = 0.0, []
    for tries in range(12):
        begun = run(schedule, now)
        assert schedule.status.status == ("waiting" if tries else "pushing")
        pauses.append(begun - now)
        now = begun + 4.0
        schedule.broke(AWAY, now)
        assert schedule.status.status == "waiting" and schedule.status.last_error == str(AWAY)
    assert pauses[1:5] == [1.0, 1.0, 1.5, 2.0]
    assert max(pauses) == 10.0 and pauses[-1] == 10.0


def test_an_apply_while_waiting_tries_at_once() -> None:
    schedule = Schedule(0.0)
    schedule.wanted(0.0)
    for _ in range(9):
        schedule.broke(AWAY, run(schedule, 0.0))
    waiting_until = schedule.deadline or 0.0
    schedule.wanted(waiting_until - 5)
    assert run(schedule, 0.0) < waiting_until - 4


def test_an_apply_begins_patience_anew() -> None:
    schedule = Schedule(0.0)
    schedule.wanted(0.0)
    now = 0.0
    for _ in range(5):
        now = run(schedule, now)
        schedule.broke(NotPushed(Why.LOGIN, "wrong password"), now)
    assert schedule.deadline == now + 30.0
    schedule.wanted(now)
    now = run(schedule, now)
    schedule.broke(NotPushed(Why.LOGIN, "wrong password"), now)
    assert schedule.deadline == now + 10.0


def test_success_forgets_the_error_and_the_patience() -> None:
    schedule = Schedule(0.0)
    schedule.wanted(0.0)
    now = 0.0
    for _ in range(6):
        now = run(schedule, now)
        schedule.broke(AWAY, now)
    now = run(schedule, now)
    schedule.succeeded(DONE, now)
    assert schedule.status.last_error is None
    schedule.wanted(now)
    now = run(schedule, now)
    schedule.broke(AWAY, now)
    assert schedule.deadline == now + 1.0


def test_a_refused_login_is_not_tried_often_enough_to_be_locked_out() -> None:
    schedule = Schedule(0.0)
    schedule.wanted(0.0)
    now, tries = 0.0, 0
    while True:
        now = run(schedule, now)
        if now > 60.0:
            break
        tries += 1
        schedule.broke(NotPushed(Why.LOGIN, "wrong password"), now)
    assert tries <= 4 and schedule.status.last_error == "wrong password"


@pytest.mark.parametrize(("why", "status"), [(Why.REFUSED, "refused"), (Why.LOGIN, "refused"), (Why.FAILED, "failed")])
def test_what_people_must_mend_is_called_so_and_tried_again(why: Why, status: str) -> None:
    schedule = Schedule(0.0)
    schedule.wanted(0.0)
    now = run(schedule, 0.0)
    schedule.broke(NotPushed(why, "text"), now)
    assert schedule.status.status == status and schedule.deadline is not None


def test_what_the_peer_last_had_is_still_known_while_it_is_away() -> None:
    schedule = Schedule(0.0)
    schedule.wanted(0.0)
    schedule.succeeded(DONE, run(schedule, 0.0))
    schedule.wanted(5.0)
    schedule.broke(AWAY, run(schedule, 5.0))
    assert (schedule.status.revision, schedule.status.peer_revision) == (7, 4)


def test_taking_the_target_away_switches_off_and_forgets() -> None:
    schedule = Schedule(0.0)
    schedule.wanted(0.0)
    schedule.succeeded(DONE, run(schedule, 0.0))
    schedule.has_no_target(9.0)
    assert schedule.status.status == "off" and schedule.status.revision is None and schedule.deadline is None


events = st.lists(st.sampled_from(["wanted", "success", "away", "refused", "none", "tick"]), max_size=60)


@given(events)
def test_whatever_happens_a_wanted_push_is_running_due_or_done(script: list[str]) -> None:
    schedule, now, outstanding = Schedule(0.0), 0.0, False
    for event in script:
        now += 0.5
        if event == "wanted":
            schedule.wanted(now)
            outstanding = True
        elif event == "none" and not schedule.running:
            schedule.has_no_target(now)
            outstanding = False
        elif event == "tick" and schedule.is_due(now):
            schedule.began(now)
            outstanding = False
        elif event in ("success", "away", "refused") and schedule.running:
            if event == "success":
                schedule.succeeded(DONE, now)
            else:
                schedule.broke(NotPushed(Why(event), event), now)
                outstanding = True
        assert schedule.running or not outstanding or schedule.deadline is not None
        assert not (schedule.running and schedule.deadline is not None)
        assert schedule.deadline is None or schedule.deadline <= now + 30.0


def test_after_an_absence_the_peer_gets_the_latest_and_nothing_in_between() -> None:
    primary, secondary = pair()
    wire = Wire(secondary, down=True)
    schedule, now = Schedule(0.0), 0.0
    schedule.wanted(now)
    for change in range(40):
        primary.areas["rules"] = [f"rule {change}"]
        primary.revision += 1
        schedule.wanted(now)
        now = run(schedule, now)
        with pytest.raises(NotPushed) as no:
            push_now(primary, TARGET, wire.dial)
        schedule.broke(no.value, now)
    wire.down = False
    back = now
    now = run(schedule, now)
    schedule.succeeded(push_now(primary, TARGET, wire.dial), now)
    assert now - back <= 10.0
    assert secondary.areas["rules"] == ["rule 39"] and secondary.commits == 1
    assert schedule.status.revision == 47


class Recorder:
    """Stands for `push_now` and lets the test wait for what the thread did."""

    def __init__(self) -> None:
        self.pushes = 0
        self.pushed = threading.Semaphore(0)
        self.breaks: Exception | None = None

    def __call__(self, node: Sender, target: Target) -> Pushed:
        self.pushes += 1
        self.pushed.release()
        if self.breaks:
            raise self.breaks
        return DONE


def test_the_thread_pushes_at_start_and_at_every_trigger_and_stops() -> None:
    recorder = Recorder()
    pusher = Pusher(Node("fw1", sends_to=TARGET), recorder)
    pusher.start()
    assert recorder.pushed.acquire(timeout=5)
    pusher.trigger()
    assert recorder.pushed.acquire(timeout=5)
    pusher.stop()
    assert recorder.pushes == 2 and pusher.status().status == "in sync"
    assert pusher.status().since > 1e9


def test_the_thread_survives_our_own_mistakes_and_shows_them() -> None:
    recorder = Recorder()
    recorder.breaks = ZeroDivisionError("by zero")
    pusher = Pusher(Node("fw1", sends_to=TARGET), recorder)
    pusher.start()
    assert recorder.pushed.acquire(timeout=5)
    recorder.breaks = None
    pusher.trigger()
    assert recorder.pushed.acquire(timeout=5)
    pusher.stop()
    assert pusher.status().status == "in sync"


def test_without_a_target_the_thread_is_off() -> None:
    recorder = Recorder()
    pusher = Pusher(Node("fw2"), recorder)
    pusher.start()
    pusher.trigger()
    pusher.stop()
    assert recorder.pushes == 0 and pusher.status().status == "off"
