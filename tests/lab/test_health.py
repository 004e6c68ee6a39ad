"""A node that cannot serve as well as its peer stands back, says why, and nothing moves where that would not help.

Also what follows a role change: hooks, the journal of its steps, and a split brain that is noticed and named.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gemel.control import supervisor
from gemel.control.agent import AskFact
from gemel.control.carpd import CarpReport, CarpStatus, ReloadCarp
from gemel.control.door import Unreachable
from gemel.control.paths import AGENT_DOOR, CARPD_DOOR, CARPD_SETTINGS, STATE, SUPERVISOR_DOOR
from gemel.lab import namespace
from gemel.lab.lab import Lab
from gemel.lab.topology import NODES, SWITCH
from gemel.lab.traffic import Traffic
from tests.lab.stories import LOST_AT_MOST, is_content, restart, status, tell, typed, wait_for_complaint, wait_for_roles

pytestmark = pytest.mark.lab
LOST = "gateway WANGW does not answer"


@pytest.fixture(scope="module")
def traffic(cluster: Lab) -> Iterator[Traffic]:
    wait_for_roles(cluster, "fw1")
    with Traffic(cluster, 600) as traffic:
        yield traffic


@pytest.fixture(autouse=True)
def whole(cluster: Lab, traffic: Traffic) -> Iterator[None]:
    """Each story begins with the primary as master and both nodes well."""
    yield
    for node in NODES:
        cluster.wait(is_content(cluster, node), f"{node} to be content again", 30)
    wait_for_roles(cluster, "fw1")


@contextmanager
def switch_drops(lab: Lab, *rules: str, hook: str = "forward") -> Iterator[None]:
    """Frames of which these rules of nftables' bridge family are true vanish in the switch."""
    inside = ("ip", "netns", "exec", f"{lab.name}-{SWITCH}", "nft")
    chain = f"type filter hook {hook} priority 0; " + " ".join(f"{rule} drop;" for rule in rules)
    namespace.run(*inside, "-f", "-", text=f"table bridge story {{ chain c {{ {chain} }}\n}}")
    try:
        yield
    finally:
        namespace.run(*inside, "delete", "table", "bridge", "story")


def carp(lab: Lab, node: str, patience: float = 5.0) -> CarpReport:
    """What carpd says; one that is being restarted is waited for."""
    end = time.monotonic() + patience
    while True:
        try:
            report: CarpReport = lab.ask(node, CARPD_DOOR, CarpStatus())
            return report
        except Unreachable:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def stands_back(lab: Lab, node: str, reason: str) -> Callable[[], bool]:
    return lambda: any(reason in one for one in carp(lab, node).demotion)


def moves(lab: Lab, since: float) -> list[Any]:
    return [t for node in NODES for t in carp(lab, node).transitions if t.at >= since]


def without_gateway(lab: Lab, node: str) -> Any:
    """The gateway hears nothing of this node, which still speaks with the other on that segment."""
    return switch_drops(lab, f'iifname "{node}-wan" oifname "wan-eth0"')


def test_a_master_that_alone_has_lost_its_gateway_hands_over_and_takes_back(cluster: Lab, traffic: Traffic) -> None:
    traffic.window()
    began = time.time()
    with without_gateway(cluster, "fw1"):
        wait_for_roles(cluster, "fw2", 15)
        after = time.time() - began
        assert carp(cluster, "fw1").demotion == {LOST: 200}
        wait_for_complaint(cluster, "fw1", "stands back", LOST)
        time.sleep(5)  # TCP doubles its pauses: after 4 s without an answer it asks again after as many
        seen = traffic.window()
        tell(f"gateway lost, handed over after {after:.1f} s", seen)
        assert seen.flow.outage_ms <= 9000 and seen.talk.alive
        assert after <= 12
        # The peer loses it too: the roles stay where they are.
        with_both = time.time()
        with switch_only_adds(cluster, 'iifname "fw2-wan" oifname "wan-eth0"'):
            time.sleep(6)
            assert not moves(cluster, with_both)
        traffic.window()
    wait_for_roles(cluster, "fw1", 15)
    seen = traffic.window()
    tell("gateway back", seen)
    assert seen.flow.lost <= LOST_AT_MOST + 10  # of the last moment without any gateway


@contextmanager
def switch_only_adds(lab: Lab, rule: str) -> Iterator[None]:
    """One more rule, while there are others."""
    inside = ("ip", "netns", "exec", f"{lab.name}-{SWITCH}", "nft")
    namespace.run(*inside, "-f", "-", text=f"add chain bridge story d {{ type filter hook forward priority 1; }}\n"
                  f"add rule bridge story d {rule} drop")  # fmt: skip
    try:
        yield
    finally:
        namespace.run(*inside, "flush", "chain", "bridge", "story", "d")


def test_a_gateway_that_both_have_lost_moves_nothing(cluster: Lab) -> None:
    began = time.time()
    with switch_drops(cluster, 'oifname "wan-eth0"'):
        cluster.wait(lambda: gateway(cluster, "fw1") == "offline", "fw1 to miss the gateway", 10)
        time.sleep(5)
        assert not moves(cluster, began)
        assert carp(cluster, "fw1").demotion == {}
    cluster.wait(lambda: gateway(cluster, "fw1") != "offline", "the gateway to be back", 10)


def gateway(lab: Lab, node: str) -> str:
    found: str = status(lab, node)["gateways"][0]["status"]
    return found


def test_a_service_that_does_not_stay_up_and_a_disk_that_cannot_be_written(cluster: Lab) -> None:
    lab = cluster
    lab.ask("fw1", SUPERVISOR_DOOR, supervisor.StartService("broken", ("/bin/false",)))
    lab.exec("fw2", "sh", "-c", f"mount --bind {STATE} {STATE} && mount -o remount,bind,ro {STATE}")
    try:
        lab.wait(stands_back(lab, "fw2", "the disk cannot be written: it is mounted read-only"), "fw2's disk", 15)
        lab.wait(stands_back(lab, "fw1", "service broken failed"), "fw1's service", 20)
        # Both have something: 1 + 120 on fw1, 101 + 110 on fw2.
        assert {v.state for v in carp(lab, "fw1").vhids} == {"MASTER"}
        lab.exec("fw2", "umount", STATE)
        wait_for_roles(lab, "fw2", 15)
        typed(lab, "fw1", "gemel health set --no-service")
        wait_for_roles(lab, "fw1", 15)
        typed(lab, "fw1", "gemel health set --service")
        wait_for_roles(lab, "fw2", 15)
        # The operator knows better.
        said = lab.cli_json("fw1", "carp", "reset-demotion")
        assert said == {"service broken failed": 120}
        wait_for_roles(lab, "fw1", 15)
        assert carp(lab, "fw1").waived == {"service broken failed": 120}
        wait_for_complaint(lab, "fw1", "was reset by hand", "service broken failed")
    finally:
        lab.ask("fw1", SUPERVISOR_DOOR, supervisor.StopService("broken"))
        lab.exec("fw2", "umount", STATE, check=False)


HOOK = """#!/bin/sh
echo "$GEMEL_BEFORE $1 $2 $3" >> /run/said
"""


def test_hooks_follow_a_role_change_and_hold_up_nothing(cluster: Lab) -> None:
    for node in NODES:
        for name, text in (("10-note", HOOK), ("20-slow", "#!/bin/sh\nsleep 60\n")):
            path = f"/etc/gemel/hooks/{name}"
            cluster.exec(node, "sh", "-c", f"mkdir -p /etc/gemel/hooks && cat > {path} && chmod 755 {path}", text=text)
    typed(cluster, "fw1", "gemel carp maintenance on")
    wait_for_roles(cluster, "fw2", 5)  # while the slow script still has half of its time
    cluster.exec("fw2", "rm", "/etc/gemel/hooks/20-slow")
    typed(cluster, "fw1", "gemel carp maintenance off")
    wait_for_roles(cluster, "fw1", 15)

    def said() -> set[str]:
        return set(cluster.exec("fw1", "cat", "/run/said", check=False).splitlines())

    wanted = {"BACKUP MASTER wan 200", "BACKUP MASTER lan 1"}
    cluster.exec("fw1", "rm", "/etc/gemel/hooks/20-slow")
    cluster.wait(lambda: said() >= wanted, "the last change to be told to the hooks", 30)

    def told() -> list[Any]:
        rows: list[Any] = cluster.ask("fw1", AGENT_DOOR, AskFact("events", {"kind": "hook"}), timeout=20)["rows"]
        return rows

    cluster.wait(lambda: any("20-slow did not end within 10 s" in e["text"] for e in told()), "the slow one", 20)
    rows = cluster.ask("fw1", AGENT_DOOR, AskFact("events", {"kind": "role"}), timeout=20)["rows"]
    steps = {step["name"] for step in rows[0]["data"]["steps"]}
    assert {"advert", "announced", "addresses taken"} <= steps, rows[0]


# -- split brain -------------------------------------------------------------------------------------------------------


def assert_split_brain(lab: Lab, interface: str, *words: str) -> None:
    """Both nodes say that there are two masters, and why, within two seconds of the second one."""
    def both_are() -> bool:
        states = [v.state for node in NODES for v in carp(lab, node).vhids if v.interface == interface]
        return states == ["MASTER", "MASTER"]

    lab.wait(both_are, f"two masters on {interface}", 10)
    since = max(v.since for node in NODES for v in carp(lab, node).vhids if v.interface == interface)
    for node in NODES:
        lab.wait(
            lambda node=node: any("split brain" in p and all(w in p for w in words) for p in carp(lab, node).problems),
            f"{node} to say {words}; it says {carp(lab, node).problems}", 4,
        )  # fmt: skip
    print(f"  two masters are told after {time.time() - since:.1f} s")
    assert time.time() - since <= 2.0


def assert_announced_again(lab: Lab, since: float) -> None:
    """Hosts and the switch are told by the one that is left: an entry that points elsewhere is mended."""
    wait_for_roles(lab, "fw1", 10)
    shown = lab.exec("lan", "ip", "neighbour", "show", "192.168.1.1")
    assert "00:00:5e:00:01:01" in shown, shown


def test_adverts_that_get_lost_make_a_split_brain_that_is_named_and_heals(cluster: Lab) -> None:
    began = time.time()
    with switch_drops(cluster, 'iifname "fw1-lan" ether daddr 01:00:5e:00:00:12'):
        assert_split_brain(cluster, "lan", "vhid 1 on lan", "is multicast filtered?")
    assert_announced_again(cluster, began)


def test_another_password_makes_a_split_brain_that_is_named_and_heals(cluster: Lab) -> None:
    whole = json.loads(cluster.exec("fw2", "cat", CARPD_SETTINGS))
    other = {**whole, "vhids": [{**v, "password": "another"} for v in whole["vhids"]]}
    began = time.time()
    try:
        cluster.exec("fw2", "sh", "-c", f"cat > {CARPD_SETTINGS}", text=json.dumps(other))
        restart(cluster, "fw2", "carpd")
        assert_split_brain(cluster, "lan", "do not authenticate", "password")
    finally:
        cluster.exec("fw2", "sh", "-c", f"cat > {CARPD_SETTINGS}", text=json.dumps(whole))
        cluster.ask("fw2", CARPD_DOOR, ReloadCarp())
    assert_announced_again(cluster, began)
