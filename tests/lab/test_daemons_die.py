"""A stopped, killed or restarted daemon: never two owners, and what can go on goes on.

Watched from outside: a 1 kHz flow and a TCP connection through the firewall, and ARP for the LAN VIP on the LAN.
"""

import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gemel.lab.lab import Lab
from gemel.lab.topology import LAN_VIP, NODES, WAN_VIP
from gemel.lab.traffic import Measured, Traffic
from tests.lab.stories import (
    LOST_AT_MOST,
    OUTAGE_AT_MOST,
    Script,
    after_recovery,
    became,
    forget_ports,
    hears_virtual_mac,
    holds_address,
    restart,
    running,
    tell,
    transitions,
    wait_for_roles,
)

pytestmark = pytest.mark.lab

VIRTUAL_MAC = "00:00:5e:00:01:01"
GONE_AFTER = 2.5
"""Seconds until a daemon that does nothing more has no address and no virtual MAC."""
TAKEN_AFTER = 1.0
"""Seconds until the peer owns what a killed daemon's stop step gave up: it takes 0.2, and more on a busy machine.
Without it CARP's timer would take 3.4."""
HAND_OVER = 1.2
"""Seconds: in a planned hand-over the old master goes on accepting for 200 ms, so that nothing is lost. Adverts come
once a second, so that nobody may answer beside another for much longer than that."""


@pytest.fixture(scope="module")
def traffic(cluster: Lab) -> Iterator[Traffic]:
    """One connection and one flow, for all stories."""
    wait_for_roles(cluster, "fw1")
    with Traffic(cluster, seconds=600) as traffic:
        cluster.wait(lambda: traffic.window().talk.alive, "the connection to be answered")
        yield traffic


@pytest.fixture(scope="module")
def arp(cluster: Lab) -> Iterator[Script]:
    """Somebody on the LAN who asks for the VIP all the time."""
    with running(cluster, "lan", "arp_watch.py", "eth0", LAN_VIP) as watch:
        assert cluster
        yield watch


@pytest.fixture(autouse=True)
def whole(cluster: Lab, traffic: Traffic, arp: Script) -> Iterator[None]:
    """Each story begins with the primary as master, and with new counts."""
    wait_for_roles(cluster, "fw1")
    traffic.window()
    arp.ask()
    yield
    for process in ("carpd", "flowd"):
        cluster.release("fw1", process)


def let_go(lab: Lab, node: str) -> bool:
    """Whether the node has neither the VIPs' addresses nor ears for a virtual MAC."""
    return not any(holds_address(lab, node, vip) for vip in (WAN_VIP, LAN_VIP)) and not hears_virtual_mac(lab, node)


def gone_after(lab: Lab, node: str, begun: float) -> float:
    """Seconds from `begun` (monotonic) until the node has let go."""
    lab.wait(lambda: let_go(lab, node), f"{node} to let go", 10)
    return time.monotonic() - begun


def assert_one_owner_even_if_the_switch_forgets(lab: Lab, traffic: Traffic, arp: Script) -> None:
    """From now on no question is answered twice and no packet doubled, though every frame goes to both nodes."""
    traffic.window()
    arp.ask()
    for _ in range(5):
        forget_ports(lab)
        seen = traffic.window()
        assert seen.flow.doubled == 0, seen
    assert_one_owner(arp.ask())


def assert_one_owner(answers: dict[str, Any], handed_over: float | None = None) -> None:
    """No question was answered twice, but for the planned hand-over at that time (seconds since the epoch)."""
    if handed_over is None:
        assert answers["answered_twice"] == 0, answers
    elif answers["answered_twice"]:
        assert abs(answers["twice_from"] - handed_over) < HAND_OVER, (answers, handed_over)
        assert abs(answers["twice_to"] - handed_over) < HAND_OVER, (answers, handed_over)
        assert answers["twice_ms"] <= 1e3 * HAND_OVER, answers
    assert answers["macs"] == [VIRTUAL_MAC], answers


def assert_lived(seen: Measured) -> None:
    assert seen.talk.alive and len(seen.flow.sources) == 1, seen


def test_a_stopped_carpd_owns_nothing_any_more(cluster: Lab, traffic: Traffic, arp: Script) -> None:
    begun = time.monotonic()
    cluster.kill("fw1", "carpd", signal.SIGSTOP)
    seconds = gone_after(cluster, "fw1", begun)
    print(f"  SIGSTOP: address and virtual MAC gone after {seconds:.2f} s")
    assert seconds <= GONE_AFTER
    cluster.wait(lambda: holds_address(cluster, "fw2"), "fw2 to take over", 10)
    seen = after_recovery(cluster, traffic)
    tell("carpd stopped", seen)
    assert seen.flow.outage_ms <= OUTAGE_AT_MOST
    assert_one_owner(arp.ask())
    assert_lived(seen)
    assert_one_owner_even_if_the_switch_forgets(cluster, traffic, arp)

    begun_again = time.time()
    cluster.kill("fw1", "carpd", signal.SIGCONT)
    wait_for_roles(cluster, "fw1")
    seen = after_recovery(cluster, traffic)
    tell("carpd goes on", seen)
    assert_one_owner(arp.ask(), became(cluster, "fw1", "MASTER", begun_again))
    assert seen.flow.doubled == 0 and seen.flow.lost <= LOST_AT_MOST
    assert_lived(seen)


def test_a_killed_carpd_that_nobody_looks_after_owns_nothing_any_more(
    cluster: Lab, traffic: Traffic, arp: Script
) -> None:
    begun = time.monotonic()
    cluster.kill("fw1", "carpd", signal.SIGKILL, hold=True)
    seconds = gone_after(cluster, "fw1", begun)
    print(f"  SIGKILL, supervisor held: address and virtual MAC gone after {seconds:.2f} s")
    assert seconds <= GONE_AFTER
    cluster.wait(lambda: holds_address(cluster, "fw2"), "fw2 to take over", 10)
    seen = after_recovery(cluster, traffic)
    tell("carpd killed, supervisor held", seen)
    assert seen.flow.outage_ms <= OUTAGE_AT_MOST
    assert_one_owner(arp.ask())
    assert_lived(seen)
    assert_one_owner_even_if_the_switch_forgets(cluster, traffic, arp)


def test_a_killed_carpd_gives_up_at_once_and_its_successor_does_not_push_in(
    cluster: Lab, traffic: Traffic, arp: Script
) -> None:
    begun = time.time()
    cluster.kill("fw1", "carpd")
    cluster.wait(lambda: became(cluster, "fw2", "MASTER", begun), "fw2 to be MASTER", 10)
    taken = (became(cluster, "fw2", "MASTER", begun) or 0.0) - begun
    print(f"  SIGKILL: the peer is MASTER after {taken:.3f} s")
    assert taken <= TAKEN_AFTER
    wait_for_roles(cluster, "fw1")  # its successor, once it has heard the peer
    seen, answers = after_recovery(cluster, traffic), arp.ask()
    tell("carpd killed, taken over and preempted", seen)
    print(f"  ARP: {answers}")
    assert_one_owner(answers, became(cluster, "fw1", "MASTER", begun))
    assert seen.flow.doubled == 0
    assert seen.flow.outage_ms <= 1e3 * TAKEN_AFTER, seen
    assert_lived(seen)


@pytest.mark.parametrize("process", ["agent", "flowd", "webd"])
@pytest.mark.parametrize("node", list(NODES))
def test_a_restart_of_any_other_daemon_moves_nothing(
    cluster: Lab, traffic: Traffic, arp: Script, node: str, process: str
) -> None:
    before = {n: transitions(cluster, n) for n in NODES}
    restart(cluster, node, process)
    cluster.wait(lambda: both_in_sync(cluster), "both to be in sync", 20)
    seen = after_recovery(cluster, traffic)
    tell(f"restart of {process} on {node}", seen)
    assert {n: transitions(cluster, n) for n in NODES} == before
    assert (seen.flow.lost, seen.flow.doubled) == (0, 0)
    assert_one_owner(arp.ask())
    assert_lived(seen)


@pytest.mark.parametrize("process", ["agent", "flowd", "webd"])
def test_nor_does_its_violent_death(cluster: Lab, traffic: Traffic, process: str) -> None:
    before = {n: transitions(cluster, n) for n in NODES}
    cluster.kill("fw1", process)
    cluster.wait(lambda: both_in_sync(cluster), "both to be in sync", 20)
    seen = after_recovery(cluster, traffic)
    tell(f"death of {process} on fw1", seen)
    assert {n: transitions(cluster, n) for n in NODES} == before
    assert (seen.flow.lost, seen.flow.doubled) == (0, 0)
    assert_lived(seen)


def both_in_sync(lab: Lab) -> bool:
    """Whether both nodes answer, have the other's states, and are content."""
    said = [lab.cli(node, "status", "--json", check=False) for node in NODES]
    return all('"in_sync": true' in text and '"problems": []' in text for text in said)
