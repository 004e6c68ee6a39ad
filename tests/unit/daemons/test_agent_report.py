"""A node that pushes itself forgets whom it refused, once that is over."""

import time

import pytest

from gemel.daemons.agent.report import REFUSAL_LASTS, _still_true
from gemel.sync.pusher import PushStatus
from gemel.sync.server import Received

FAULT = "both fw2 and fw1 have an address under Synchronize Config to IP"


def refused(seconds_ago: float) -> Received:
    return Received(peer="fw2", heard=time.monotonic() - seconds_ago, problem=FAULT)


@pytest.mark.parametrize(
    ("seconds_ago", "push", "since", "pushes", "remembered"),
    [
        (1.0, "refused", 0.0, True, True),
        (1.0, "in sync", 60.0, True, True),  # taken before the peer meant to push, too
        (1.0, "in sync", 0.0, True, False),
        (REFUSAL_LASTS + 1, "refused", 0.0, True, False),
        (REFUSAL_LASTS + 1, "off", 0.0, False, True),  # a secondary's last refusal stays until a push succeeds
    ],
)
def test_a_refusal_is_shown_as_long_as_it_is_true(
    seconds_ago: float, push: str, since: float, pushes: bool, remembered: bool
) -> None:
    stands = PushStatus(push, since=time.time() - since)

    assert (_still_true(refused(seconds_ago), stands, pushes).problem is not None) == remembered
