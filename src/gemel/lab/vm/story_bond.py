"""A story of two ports that are one: with a virtual IP of its own, over pulled cables and a change of protocol."""

import time
from collections.abc import Callable

from gemel.lab.namespace import LabError
from gemel.lab.traffic import Traffic
from gemel.lab.virtual import DMZ
from gemel.lab.vm.pair import PATIENCE, Pair
from gemel.lab.vm.recipe import DMZ_VHID, bond, bond_in_service
from gemel.lab.vm.story_power import CALM, ENOUGH, seen, traffic_of

STATE = "/proc/net/bonding/bond0"
MOVED = "bond0 goes by another port now"  # carpd's own words in the journal


def of_bond(pair: Pair) -> None:
    """A bond with its own CARP VIP: one cable is pulled, then both; then LACP is chosen."""
    pair.timed("bond0 of two ports on both, with a CARP VIP of its own", lambda: _made(pair))
    with traffic_of(pair, DMZ.name) as traffic:

        def step(what: str, act: Callable[[], str]) -> None:
            pair.timed(what, lambda: _while(traffic, what, act))

        step("fw1's first cable is pulled", lambda: _one_cable(pair, plugged=False))
        step("and plugged in again", lambda: _one_cable(pair, plugged=True))
        step("fw1 loses both cables", lambda: _both_cables(pair, plugged=False))
        step("and gets them back", lambda: _both_cables(pair, plugged=True))
        step("LACP on both, instead of a port in reserve", lambda: _lacp(pair))


def _while(traffic: Traffic, what: str, act: Callable[[], str]) -> str:
    time.sleep(CALM)
    traffic.window()
    said = act()
    time.sleep(CALM)
    return f"{said}; {seen(traffic, what, ENOUGH)}"


def _made(pair: Pair) -> str:
    pair.make(bond())
    ports = pair.rest("fw1", "GET", "/interfaces")["items"]
    (interface,) = [port["id"] for port in ports if port["device"] == "bond0"]
    pair.make(bond_in_service(interface))
    for node in ("fw1", "fw2"):
        pair.lab.wait(lambda node=node: _has(pair, node), f"VHID {DMZ_VHID} on {node}", PATIENCE)  # type: ignore[misc]
        _expect(pair, node, "Bonding Mode: fault-tolerance (active-backup)", "Currently Active Slave: eth3")
    pair.in_roles()
    pair.lab.wait(lambda: " 0% packet loss" in _ping(pair), f"answers of {DMZ.gateway}", PATIENCE)
    said, virtual = pair.lab.exec(DMZ.name, "ip", "neigh", "show", str(DMZ.gateway)), f"00:00:5e:00:01:{DMZ_VHID:02x}"
    if virtual not in said:
        raise LabError(f"{DMZ.gateway} is not at its virtual MAC: {said.strip()}")
    return f"{DMZ.gateway} answers from {virtual}"


def _has(pair: Pair, node: str) -> bool:
    return any(vip["vhid"] == DMZ_VHID for vip in pair.status(node).get("carp", ()))


def _ping(pair: Pair) -> str:
    return pair.lab.exec(DMZ.name, "ping", "-c", "3", "-W", "3", str(DMZ.gateway), check=False)


def _one_cable(pair: Pair, plugged: bool) -> str:
    """The bond goes by its other port; no VHID moves, and carpd has said where its virtual MAC is now."""
    before = _moves(pair)
    pair.lab.set_cable("fw1", "dmz1", plugged)
    active = "eth3" if plugged else "eth4"
    _expect(pair, "fw1", f"Currently Active Slave: {active}")
    pair.lab.wait(lambda: _moves(pair) > before, "carpd to announce the virtual MAC at the other port", PATIENCE)
    if pair.roles("fw1") != {"MASTER"} or pair.roles("fw2") != {"BACKUP"}:
        raise LabError(f"a bond that has a link left is no reason to hand over: fw1 is {pair.roles('fw1')}")
    return f"bond0 goes by {active}, fw1 is still MASTER"


def _moves(pair: Pair) -> int:
    return pair.lab.exec("fw1", "journalctl", "-u", "gemel-carpd", "-o", "cat", "--no-pager").count(MOVED)


def _both_cables(pair: Pair, plugged: bool) -> str:
    for card in ("dmz1", "dmz2"):
        pair.lab.set_cable("fw1", card, plugged)
    if plugged:
        return pair.in_roles()
    pair.wait_for("fw2", "MASTER")
    return "fw2 is MASTER of all virtual IPs"


def _lacp(pair: Pair) -> str:
    """The kernel wants a bond down for that: the backup first, so that there is a moment's break at most."""
    settings = {"mode": "802.3ad", "primary": "", "lacp_rate": "fast", "hash": "layer3+4"}
    for node in ("fw2", "fw1"):
        (found,) = pair.rest(node, "GET", "/bonds")["items"]
        pair.rest(node, "PATCH", f"/bonds/{found['id']}?apply=true", settings)
        _expect(pair, node, "IEEE 802.3ad Dynamic link aggregation", "layer3+4", "LACP rate: fast")
        if DMZ.address.rpartition(".")[0] not in pair.lab.exec(node, "ip", "-br", "address", "show", "bond0"):
            raise LabError(f"{node}'s bond has lost its address with the change of its mode")
        pair.in_roles()
    return "802.3ad, LACP rate fast, layer3+4; addresses and roles as before"


def _expect(pair: Pair, node: str, *words: str) -> None:
    """Wait for these in what the kernel says of the bond.

    Raises:
        LabError: one of them does not come.
    """
    try:
        pair.lab.wait(lambda: all(w in pair.lab.exec(node, "cat", STATE) for w in words), "", PATIENCE)
    except LabError:
        raise LabError(f"{node}: {words} expected: {pair.lab.exec(node, 'cat', STATE)}") from None
