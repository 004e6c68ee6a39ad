"""What is wrong with a node, as reasons to stand back: a lost gateway, a failed service, a disk."""

from dataclasses import replace
from typing import Any

import pytest

from gemel.areas.every import SCHEMA
from gemel.areas.health import Health
from gemel.control.carpd import TellHealth
from gemel.control.door import Unreachable
from gemel.control.supervisor import ServiceReport
from gemel.daemons.agent import health
from gemel.daemons.agent.health import Fitness, HealthWatch, Seen, are_up
from gemel.effects.disk import Condition
from gemel.facts.gateways import GatewayRow
from gemel.facts.peer import PeerGateway, Sight, heard
from tests.unit.facts.node import node_status

DEFAULT = Health()
WELL = Condition(1000.0)
LOST = {"gateway WANGW does not answer": 200}


def gateway(missed_for: float | None, silent_for: float | None = None, name: str = "WANGW") -> GatewayRow:
    return GatewayRow(name, "WAN", "198.51.100.1", True, "?", None, 0.0, None, silent_for, missed_for)


def peer(silent_for: float | None, age: float = 0.5, name: str = "WANGW") -> Sight:
    """The peer, `age` seconds ago, when it had heard the gateway `silent_for` seconds before."""
    said = replace(heard(node_status()), gateways=(PeerGateway(name, "online", silent_for),))
    return Sight(said, age)


def service(name: str = "dhcp", state: str = "running", restarts: int = 0) -> ServiceReport:
    return ServiceReport(name, state, 7 if state == "running" else None, 0.0, restarts, None)


def seen(*gateways: GatewayRow, sight: Sight | None = None, services=(), disk: Condition = WELL) -> Seen:
    return Seen(gateways, sight, tuple(services), disk)


def test_a_gateway_that_only_this_node_has_lost_counts_after_three_misses() -> None:
    fit = Fitness()
    for missed in (None, 0.0, 1.0, 2.0):
        assert fit.reasons(DEFAULT, seen(gateway(missed), sight=peer(0.2)), 0.0) == {}
    assert fit.reasons(DEFAULT, seen(gateway(3.0), sight=peer(0.2)), 0.0) == LOST


@pytest.mark.parametrize(
    "sight",
    [
        None,
        Sight(None, None),
        peer(0.2, age=9.0),  # it has not been heard of for long
        peer(None),  # it does not know
        peer(2.4),  # it heard the gateway last when this node did, too
        peer(1.9, age=0.9),
        peer(1.2, age=0.6),  # this node's first miss may have been a packet that was lost by itself
        peer(0.2, name="OTHER"),
    ],
)
def test_what_the_peer_has_not_got_either_moves_nothing(sight: Sight | None) -> None:
    assert Fitness().reasons(DEFAULT, seen(gateway(3.0), sight=sight), 0.0) == {}


def test_once_it_counts_it_counts_until_this_node_hears_it_again() -> None:
    fit = Fitness()
    assert fit.reasons(DEFAULT, seen(gateway(4.0), sight=peer(0.2)), 0.0) == LOST
    assert fit.reasons(DEFAULT, seen(gateway(9.0), sight=peer(8.9)), 0.0) == LOST
    assert fit.reasons(DEFAULT, seen(gateway(99.0), sight=None), 0.0) == LOST
    assert fit.reasons(DEFAULT, seen(gateway(None, 0.1), sight=peer(0.2)), 0.0) == {}


def test_a_gateway_that_is_no_longer_watched_is_forgotten() -> None:
    fit = Fitness()
    assert fit.reasons(DEFAULT, seen(gateway(4.0), sight=peer(0.2)), 0.0) == LOST
    assert fit.reasons(DEFAULT, seen(replace(gateway(5.0), status="not monitored"), sight=peer(0.2)), 0.0) == {}
    assert fit.reasons(DEFAULT, seen(sight=peer(0.2)), 0.0) == {}


def test_a_service_that_is_down_for_long_or_ever_again_has_failed() -> None:
    fit = Fitness()
    failed = {"service dhcp failed": 120}
    assert fit.reasons(DEFAULT, seen(services=[service(state="waiting")]), 0.0) == {}
    assert fit.reasons(DEFAULT, seen(services=[service(state="waiting")]), 5.0) == failed
    assert fit.reasons(DEFAULT, seen(services=[service()]), 6.0) == {}
    assert fit.reasons(DEFAULT, seen(services=[service(restarts=2)]), 7.0) == {}
    assert fit.reasons(DEFAULT, seen(services=[service(restarts=3)]), 8.0) == failed
    assert fit.reasons(DEFAULT, seen(services=[service(restarts=3)]), 60.0) == {}
    assert fit.reasons(DEFAULT, seen(), 61.0) == {}


def test_one_that_was_started_anew_is_judged_by_its_new_life() -> None:
    fit = Fitness()
    failed = {"service dhcp failed": 120}
    for now, restarts in ((0.0, 57), (1.0, 59), (2.0, 61)):
        found = fit.reasons(DEFAULT, seen(services=[service(restarts=restarts)]), now)
    assert found == failed
    assert fit.reasons(DEFAULT, seen(services=[service(restarts=0)]), 3.0) == {}
    assert fit.reasons(DEFAULT, seen(services=[service(restarts=3)]), 4.0) == failed


def test_services_are_up_when_all_have_run_for_a_moment() -> None:
    others = (service("unbound"), service("webd", "waiting"))
    assert are_up((), 100.0)
    assert are_up((*others, replace(service("kea"), since=99.0)), 100.0)
    assert not are_up((*others, replace(service("kea"), since=99.5)), 100.0)
    assert not are_up((*others, replace(service("kea", "waiting"), since=90.0)), 100.0)
    assert are_up((*others, replace(service("kea"), since=5000.0)), 100.0), "the clock was set back"


def test_a_node_that_does_not_know_of_its_services_is_not_ready(monkeypatch: Any) -> None:
    told: list[TellHealth] = []
    stands: list[Exception | tuple[ServiceReport, ...]] = []

    def look(_glances: Any) -> tuple[ServiceReport, ...]:
        found = stands.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(health.Glances, "look", look)
    monkeypatch.setattr(health, "ask", lambda _door, question, **_: told.append(question))
    watch = HealthWatch(SCHEMA.default, lambda: (), lambda: None)
    away = Unreachable("systemctl does not answer")
    for found in (away, (service(state="waiting"),), (service(),), away):
        stands.append(found)
        watch.look(0.0)
    assert [one.ready for one in told] == [False, False, True, True]


def test_gemels_own_daemons_and_what_is_held_by_hand_do_not_count() -> None:
    fit = Fitness()
    for now in (0.0, 9.0):
        down = [service("flowd", "waiting"), service("webd", "waiting"), service("x", "held")]
        assert fit.reasons(DEFAULT, seen(services=down), now) == {}


def test_a_full_disk_and_one_that_can_only_be_read() -> None:
    fit = Fitness()
    assert fit.reasons(DEFAULT, seen(disk=Condition(15.9)), 0.0) == {"the disk is full": 110}
    assert fit.reasons(DEFAULT, seen(disk=Condition(16.0)), 0.0) == {}
    only_read = fit.reasons(DEFAULT, seen(disk=Condition(99.0, "it is mounted read-only")), 0.0)
    assert only_read == {"the disk cannot be written: it is mounted read-only": 110}


def test_each_can_be_switched_off_and_weighed() -> None:
    bad = seen(gateway(4.0), sight=peer(0.2), services=[service(state="waiting")], disk=Condition(0.0))
    fit = Fitness()
    fit.reasons(DEFAULT, bad, 0.0)
    assert len(fit.reasons(DEFAULT, bad, 9.0)) == 3
    off = Health(gateway=False, service=False, disk=False)
    assert fit.reasons(off, bad, 9.0) == {}
    weighed = Health(gateway_demotion=10, service_demotion=20, disk_demotion=30)
    assert sorted(fit.reasons(weighed, bad, 9.0).values()) == [10, 20, 30]
