"""A story of a network card that goes and comes back, as when its driver is loaded anew."""

import time

from gemel.lab.namespace import LabError
from gemel.lab.traffic import Traffic
from gemel.lab.vm.pair import PATIENCE, Pair
from gemel.lab.vm.story_power import CALM, ENOUGH, seen, traffic_of

PORT = "eth0"  # WAN; the stories come by LAN
TAKE = f"echo 1 >$(readlink -f /sys/class/net/{PORT}/device/..)/remove"
RESCAN = "echo 1 >/sys/bus/pci/rescan"
CHAIN = f"chain in_{PORT}"


def card(pair: Pair) -> None:
    """fw1's WAN card goes from its bus and comes back: fw2 serves, then fw1 again, with nobody's help."""
    with traffic_of(pair) as traffic:
        pair.timed("fw1 loses its WAN card", lambda: _taken(pair, traffic))
        pair.timed("and has it again", lambda: _back(pair, traffic))


def _taken(pair: Pair, traffic: Traffic) -> str:
    time.sleep(CALM)
    traffic.window()
    pair.lab.exec("fw1", "sh", "-c", TAKE)
    pair.wait_for("fw2", "MASTER")
    time.sleep(CALM)
    # A kernel before 6.16 or so takes a chain at ingress away with its device, a newer one keeps it.
    kept = "stays" if CHAIN in _virtual_macs(pair) else "has gone with it"
    return f"fw2 is MASTER, the virtual MAC's chain {kept}; {seen(traffic, 'the loss of a card', ENOUGH)}"


def _back(pair: Pair, traffic: Traffic) -> str:
    begun = time.monotonic()
    pair.lab.exec("fw1", "sh", "-c", RESCAN)
    pair.lab.wait(lambda: CHAIN in _virtual_macs(pair), f"fw1 to take frames for the virtual MAC on {PORT}", PATIENCE)
    pair.wait_for("fw1", "MASTER")
    after = time.monotonic() - begun
    said = pair.in_roles()
    time.sleep(CALM)
    if problems := pair.status("fw1").get("problems"):
        raise LabError(f"fw1 has its card again, and problems: {problems}")
    return f"MASTER after {after:.0f} s; {said}; {seen(traffic, 'the return', ENOUGH)}"


def _virtual_macs(pair: Pair) -> str:
    return pair.lab.exec("fw1", "nft", "list", "table", "netdev", "gemel_carp")
