"""A story of a service that does not stay up: the node with it stands back, until it is mended."""

import time

from gemel.lab.namespace import LabError
from gemel.lab.traffic import Traffic
from gemel.lab.vm.pair import Pair
from gemel.lab.vm.story_power import CALM, ENOUGH, seen, traffic_of

PROGRAM, UNIT = "/usr/sbin/unbound", "gemel-unbound.service"
REASON = "service unbound failed"


def service(pair: Pair) -> None:
    """unbound cannot start any more on fw1: its virtual IPs go to fw2, and come back when it can."""
    with traffic_of(pair) as traffic:
        pair.timed("unbound fails on fw1", lambda: _fails(pair, traffic))
        pair.timed("it is mended", lambda: _mended(pair, traffic))


def _fails(pair: Pair, traffic: Traffic) -> str:
    time.sleep(CALM)
    traffic.window()
    pair.lab.exec("fw1", "chmod", "a-x", PROGRAM)
    pair.lab.exec("fw1", "systemctl", "kill", "--signal=KILL", UNIT)
    pair.wait_for("fw2", "MASTER")
    reasons = pair.status("fw1").get("demotion", {})
    if REASON not in str(reasons):
        raise LabError(f"fw1 stands back for something else: {reasons}")
    time.sleep(CALM)
    return f"fw2 is MASTER: on fw1 {reasons}; {seen(traffic, 'the hand-over', ENOUGH)}"


def _mended(pair: Pair, traffic: Traffic) -> str:
    pair.lab.exec("fw1", "chmod", "a+x", PROGRAM)
    return f"{pair.in_roles()}; {seen(traffic, 'the return', ENOUGH)}"
