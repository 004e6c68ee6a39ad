"""Does multicast arrive? Read from what carpd reports."""

import pytest

from gemel.areas.interfaces import Interface
from gemel.control.carpd import CarpReport, DetectorReport, VhidReport
from gemel.daemons.agent.segments import multicast

LAN = Interface(id="lan", device="lan", enabled=True)
LOST = (
    "split brain: both nodes are MASTER of vhid 1 on lan; they reach each other by ARP on lan, but adverts get lost: "
    "is multicast filtered?"
)


def report(state: str, master: str | None = None, problems=(), phase="learning", interface="lan") -> CarpReport:
    vhid = VhidReport(interface, interface, 1, ("192.168.1.1",), state, 1, 0, 0, 0.0, "", master)
    detector = DetectorReport(phase, "172.16.1.3", 20, 60, 1, ("lan",), {}, ())
    return CarpReport((vhid,), {}, True, (), {}, tuple(problems), detector)


@pytest.mark.parametrize(
    ("said", "arrives", "word"),
    [
        (report("BACKUP", "192.168.1.2"), True, "adverts of 192.168.1.2 are heard"),
        (report("BACKUP"), None, "once two nodes"),
        (report("MASTER", phase="armed"), True, "172.16.1.3 hears"),
        (report("MASTER"), None, "once two nodes"),
        (report("MASTER", phase="armed", problems=[LOST]), False, "IGMP and MLD snooping"),
        (report("MASTER", phase="armed", interface="wan"), None, "once two nodes"),
        (None, None, "once two nodes"),
    ],
)
def test_multicast_shows_in_who_hears_whom(said: CarpReport | None, arrives: bool | None, word: str) -> None:
    found, text = multicast(LAN, said)

    assert found is arrives
    assert word in text
