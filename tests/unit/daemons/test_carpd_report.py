"""What carpd says about itself: times as dates, states in the words of the pages."""

from gemel.carp.events import Demoted, HandOverReady, LinkChanged, SettingsChanged, Started, TimePassed
from gemel.carp.node import Node
from gemel.carp.settings import Settings, Vhid
from gemel.control.carpd import CarpReport, TransitionReport
from gemel.core.codec import decode, encode
from gemel.daemons.carpd.report import carp_report

WAN = Vhid("wan", "eth0", 200, 1, 1, "secret", ("198.51.100.200",), "198.51.100.201")
BOOT, EPOCH = 50.0, 1_700_000_000.0


def node() -> Node:
    made = Node(Settings((WAN,)), BOOT, 1)
    made.handle(Started(), BOOT)
    made.handle(LinkChanged("eth0", True), BOOT)
    made.handle(TimePassed(), made.deadline())
    return made


def test_a_master_is_reported_with_dates_and_reasons():
    report = carp_report(node(), BOOT + 10, EPOCH + 10)
    (one,) = report.vhids
    assert (one.interface, one.device, one.vhid, one.state) == ("wan", "eth0", 200, "MASTER")
    assert one.since == EPOCH + 3 + 1 / 256
    assert one.reason == "no advert for 3.00 s"
    assert report.transitions == (
        TransitionReport(EPOCH, "wan", 200, "INIT", "BACKUP", "there is a link"),
        TransitionReport(EPOCH + 3 + 1 / 256, "wan", 200, "BACKUP", "MASTER", "no advert for 3.00 s"),
    )


def test_demotion_shows_by_name_and_in_the_effective_skew():
    one = node()
    one.handle(Demoted("maintenance", 240), BOOT + 4)
    one.handle(HandOverReady(), BOOT + 4)
    report = carp_report(one, BOOT + 4, EPOCH + 4)
    assert report.demotion == {"maintenance": 240}
    assert (report.vhids[0].advskew, report.vhids[0].effective_skew) == (1, 240)


def test_disabled_carp_is_called_so():
    one = node()
    one.handle(SettingsChanged(Settings((WAN,), enabled=False)), BOOT + 4)
    one.handle(HandOverReady(), BOOT + 4)
    report = carp_report(one, BOOT + 4, EPOCH + 4)
    assert report.vhids[0].state == "DISABLED"
    assert not report.allowed


def test_a_report_passes_the_door():
    report = carp_report(node(), BOOT + 10, EPOCH + 10)
    assert decode(CarpReport, encode(report)) == report
