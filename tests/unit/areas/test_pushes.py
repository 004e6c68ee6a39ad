"""Whether a node's own rules let the peer's pushes in: a secondary that waits for them says so when they do not."""

import pytest

from gemel.areas.cluster import lets_peer_in
from gemel.core.config import Config
from tests.unit.areas.cluster import added, changed, node

HTTPS = {"protocol": "tcp", "source": "SYNC net", "destination": "SYNC address", "destination_port": "HTTPS"}


def secondary() -> Config:
    """The second node with state synchronisation set up, and no rule on SYNC."""
    return changed(
        node(2), "high_availability", synchronize_states=True, synchronize_interface="opt1", peer_ip="172.16.1.2"
    )


def test_nothing_passes_by_itself() -> None:
    assert not lets_peer_in(secondary(), 443)


@pytest.mark.parametrize("rule", [HTTPS, {"protocol": "any"}, {"protocol": "tcp", "source": "172.16.1.2"}])
def test_a_rule_that_fits_lets_it_in(rule: dict[str, str]) -> None:
    assert lets_peer_in(added(secondary(), "rules", "r1", interface="SYNC", **rule), 443)


@pytest.mark.parametrize(
    "rule",
    [
        {**HTTPS, "destination_port": "8443"},
        {**HTTPS, "source": "172.16.1.9"},
        {**HTTPS, "destination": "LAN address"},
        {**HTTPS, "action": "block"},
        {**HTTPS, "disabled": True},
        {"protocol": "pfsync", "source": "SYNC net"},
    ],
)
def test_a_rule_that_does_not_fit_does_not(rule: dict[str, str]) -> None:
    assert not lets_peer_in(added(secondary(), "rules", "r1", interface="SYNC", **rule), 443)


def test_the_first_rule_that_matches_decides() -> None:
    config = added(secondary(), "rules", "r1", interface="SYNC", **HTTPS)
    blocked = {"interface": "SYNC", "action": "block", "protocol": "any"}
    assert not lets_peer_in(added(config, "rules", "r2", "top", **blocked), 443)
    assert lets_peer_in(added(config, "rules", "r2", **blocked), 443)


def test_a_node_that_is_not_set_up_for_it_has_nothing_to_say() -> None:
    assert lets_peer_in(node(2), 443)
