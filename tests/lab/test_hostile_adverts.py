"""Somebody on the segment sends broken, changed and recorded adverts, 20,000 a second: nothing moves, and the master's
own adverts go on in time.
"""

import time

import pytest

from gemel.carp.wire import Fault
from gemel.control.carpd import CarpReport, CarpStatus
from gemel.control.paths import CARPD_DOOR
from gemel.lab.lab import Lab
from gemel.lab.topology import NODES
from gemel.lab.traffic import Traffic
from tests.lab.stories import running, tell, wait_for_roles

pytestmark = pytest.mark.lab
PER_SECOND, SECONDS = 20_000, 5
INTERVAL = 1 + 1 / 256
CAUSES = (Fault.TOO_SHORT, Fault.TTL, Fault.VERSION, Fault.CHECKSUM, Fault.UNKNOWN_VHID, Fault.DIGEST)


def report(lab: Lab, node: str) -> CarpReport:
    said: CarpReport = lab.ask(node, CARPD_DOOR, CarpStatus())
    return said


def test_a_flood_of_hostile_adverts_moves_nothing(cluster: Lab) -> None:
    wait_for_roles(cluster, "fw1")
    before = {node: report(cluster, node) for node in NODES}
    began = time.time()
    with Traffic(cluster, 60) as traffic, running(cluster, "wan", "hostile.py", "eth0", str(PER_SECOND)) as enemy:
        traffic.window()
        time.sleep(SECONDS)
        seen = traffic.window()
        sent = enemy.ask()
    rate = sent["sent"] / sent["seconds"]
    what = f"{sent['sent']} hostile adverts, {rate:.0f} a second, at least {sent['poorest']} in each"
    tell(f"{what}; the master's own {sent['longest_ms']} ms apart at most", seen)
    assert sent["seconds"] >= SECONDS
    assert rate >= 0.99 * PER_SECOND and sent["poorest"] >= 0.9 * PER_SECOND, "the flood was none"
    for node in NODES:
        after = report(cluster, node)
        assert [t for t in after.transitions if t.at >= began] == []
        assert {v.state for v in after.vhids} == {"MASTER" if node == "fw1" else "BACKUP"}
        counted = {c: after.counters.get(c, 0) - before[node].counters.get(c, 0) for c in map(str, Fault)}
        print(f"  {node}: {({c: n for c, n in counted.items() if n})}")
        assert all(counted[cause] > 0 for cause in CAUSES)
    # The recording is the master's own to the master, and the peer's to the backup.
    assert report(cluster, "fw1").counters.get(Fault.REFLECTED, 0) > before["fw1"].counters.get(Fault.REFLECTED, 0)
    assert report(cluster, "fw2").counters.get(Fault.REPLAYED, 0) > before["fw2"].counters.get(Fault.REPLAYED, 0)
    assert sent["longest_ms"] <= 2e3 * INTERVAL, "an advert was delayed by more than one interval"
    assert seen.flow.doubled == 0
