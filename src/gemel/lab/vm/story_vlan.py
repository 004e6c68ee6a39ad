"""A story of a VLAN with a virtual IP of its own, which a host behind a switch's access port has as its gateway."""

import time

from gemel.lab.namespace import LabError
from gemel.lab.topology import NODES
from gemel.lab.traffic import Traffic
from gemel.lab.virtual import GUEST, VLAN
from gemel.lab.vm.pair import PATIENCE, Pair
from gemel.lab.vm.recipe import GUEST_VIP, vlan
from gemel.lab.vm.story_power import CALM, seen, traffic_of


def of_vlan(pair: Pair) -> None:
    """A VLAN interface with its own CARP VIP, over a hand-over there and back."""
    pair.timed(f"VLAN {VLAN} on both, with a CARP VIP of its own", lambda: _made(pair))
    pair.timed("a host in the VLAN reaches it", lambda: _reached(pair))
    with traffic_of(pair, GUEST.name) as traffic:
        for node, on in (("fw2", True), ("fw1", False)):
            pair.timed(f"the VLAN's VIP goes to {node}", lambda node=node, on=on: _moved(pair, traffic, node, on))  # type: ignore[misc]


def _made(pair: Pair) -> str:
    pair.make(vlan())
    for node in NODES:
        pair.lab.wait(lambda node=node: _has(pair, node), f"VHID {VLAN} on {node}", PATIENCE)  # type: ignore[misc]
    pair.in_roles()
    return f"VHID {VLAN} MASTER on fw1, BACKUP on fw2"


def _has(pair: Pair, node: str) -> bool:
    """The other one has it only when the synchronisation has brought it."""
    return any(vip["vhid"] == VLAN for vip in pair.status(node).get("carp", ()))


def _reached(pair: Pair) -> str:
    pair.lab.add_guest()
    pair.lab.wait(lambda: " 0% packet loss" in _ping(pair), f"answers of {GUEST_VIP}", PATIENCE)
    said = pair.lab.exec(GUEST.name, "ip", "neigh", "show", GUEST_VIP)
    virtual = f"00:00:5e:00:01:{VLAN:02x}"
    if virtual not in said:
        raise LabError(f"{GUEST_VIP} is not at its virtual MAC: {said.strip()}")
    return f"{GUEST_VIP} answers from {virtual}"


def _ping(pair: Pair) -> str:
    return pair.lab.exec(GUEST.name, "ping", "-c", "3", "-W", "3", GUEST_VIP, check=False)


def _moved(pair: Pair, traffic: Traffic, node: str, maintenance: bool) -> str:
    time.sleep(CALM)
    traffic.window()
    pair.rest("fw1", "POST", "/maintenance", {"on": maintenance})
    pair.wait_for(node, "MASTER")
    time.sleep(CALM)
    said = seen(traffic, "the hand-over")
    if " 0% packet loss" not in (pinged := _ping(pair)):
        raise LabError(f"{GUEST_VIP} does not answer on {node}: {pinged}")
    return said
