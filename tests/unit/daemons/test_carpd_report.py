"""What carpd says about itself: times as dates, states in the words of the pages."""

from gemel.carp.events import (
    Demoted,
    Event,
    HandOverReady,
    LinkChanged,
    Report,
    SettingsChanged,
    Started,
    State,
    TimePassed,
)
from gemel.carp.node import Node
from gemel.carp.settings import Settings, Vhid
from gemel.control.carpd import CarpReport, StepReport, TransitionReport
from gemel.core.codec import decode, encode
from gemel.daemons.carpd.journal import ADVERT, RELEASED, TAKEN, TOLD, Journal
from gemel.daemons.carpd.report import Epoch, carp_report

WAN = Vhid("wan", "eth0", 200, 1, 1, "secret", ("198.51.100.200",), "198.51.100.201")
BOOT, EPOCH = 50.0, 1_700_000_000.0


class Daemon:
    """A core and its journal; the clocks are `now` and `EPOCH` away from it."""

    def __init__(self) -> None:
        self.now = BOOT
        self.node = Node(Settings((WAN,)), BOOT, 1)
        self.journal = Journal(lambda: EPOCH + self.now - BOOT)
        self.tell(Started(), BOOT)
        self.tell(LinkChanged("eth0", True), BOOT)
        self.tell(TimePassed(), self.node.deadline())

    def tell(self, event: Event, now: float) -> None:
        self.now = now
        for action in self.node.handle(event, now):
            if isinstance(action, Report):
                self.journal.begin(action)
        self.journal.close()

    def report(self, now: float) -> CarpReport:
        return carp_report(self.node, self.journal, now, EPOCH - BOOT)


def test_a_master_is_reported_with_dates_and_reasons():
    report = Daemon().report(BOOT + 10)
    (one,) = report.vhids
    assert (one.interface, one.device, one.vhid, one.state) == ("wan", "eth0", 200, "MASTER")
    assert one.since == EPOCH + 3 + 1 / 256
    assert one.reason == "no advert for 3.00 s"
    assert report.transitions == (
        TransitionReport(EPOCH, "wan", 200, "INIT", "BACKUP", "there is a link"),
        TransitionReport(EPOCH + 3 + 1 / 256, "wan", 200, "BACKUP", "MASTER", "no advert for 3.00 s"),
    )


def test_demotion_shows_by_name_and_in_the_effective_skew():
    one = Daemon()
    one.tell(Demoted("maintenance", 240), BOOT + 4)
    one.tell(HandOverReady(), BOOT + 4)
    report = one.report(BOOT + 4)
    assert report.demotion == {"maintenance": 240}
    assert (report.vhids[0].advskew, report.vhids[0].effective_skew) == (1, 240)


def test_disabled_carp_is_called_so():
    one = Daemon()
    one.tell(SettingsChanged(Settings((WAN,), enabled=False)), BOOT + 4)
    one.tell(HandOverReady(), BOOT + 4)
    report = one.report(BOOT + 4)
    assert report.vhids[0].state == "DISABLED"
    assert not report.allowed


def test_a_report_passes_the_door():
    report = Daemon().report(BOOT + 10)
    assert decode(CarpReport, encode(report)) == report


def test_a_role_change_is_a_transaction_with_its_steps():
    now = [EPOCH]
    journal = Journal(lambda: now[0])
    up = Report("wan", 200, State.BACKUP, State.MASTER, "so")
    down = Report("lan", 1, State.MASTER, State.BACKUP, "so")
    journal.ahead("states flushed", 0.02)
    journal.begin(up)
    taken = journal.hand(TAKEN)
    journal.step(ADVERT, 0.001)
    journal.step("announced", 0.001)
    journal.step("announced", 0.002)
    journal.begin(down)
    told = journal.all_hands(TOLD)
    journal.close()
    assert not journal.is_open
    taken(0.004)
    told(0.005)
    now[0] += 0.2
    journal.late("lan", 1, RELEASED)(0.006)
    taken(9.0)  # once is enough
    first, second = journal.entries()
    assert (first.at, first.report, second.at, second.report) == (EPOCH, up, EPOCH, down)
    assert first.steps == [
        ("states flushed", 0.02), (ADVERT, 0.001), ("announced", 0.003), (TAKEN, 0.004), (TOLD, 0.005),
    ]  # fmt: skip
    assert second.steps == [("states flushed", 0.02), (TOLD, 0.005), (RELEASED, 0.006)]
    assert (journal.since("lan", 1), journal.since("opt", 9)) == (EPOCH, EPOCH)


def test_steps_are_told_in_milliseconds():
    one = Daemon()
    one.journal.late("wan", 200, TAKEN)(0.0042)
    assert one.report(BOOT + 10).transitions[-1].steps == (StepReport("addresses taken", 4.2),)


def test_times_stay_the_same_until_somebody_sets_the_clock():
    clock = iter((1000.0, 1000.010001, 1100.02))
    epoch = Epoch(lambda: next(clock))
    assert epoch(50.0) == epoch(50.01) == 950.0
    assert round(epoch(50.02), 3) == 1050.0
