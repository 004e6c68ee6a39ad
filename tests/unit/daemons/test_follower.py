"""The follower with a real command: it runs with what is here, is another with what changes, and never without."""

from collections.abc import Iterator

import pytest

from gemel.core.following import Following, Part
from gemel.daemons.follower import Follower

HERE = frozenset({("lan", "192.168.1.1")})
BOTH = HERE | {("dmz", "10.0.0.1")}
PARTS = (Part("lan", "192.168.1.1", ("lan",)), Part("dmz", "10.0.0.1", ("dmz",)))


@pytest.fixture
def follower() -> Iterator[Follower]:
    one = Follower(Following(("sh", "-c", "exec sleep 60", "sh"), PARTS, ("server",)))
    yield one
    one.end()


def test_it_runs_with_what_is_here_and_not_without(follower: Follower) -> None:
    follower.settle(frozenset())
    assert follower.argv == () and follower.pid is None
    follower.settle(HERE)
    assert follower.argv[-2:] == ("lan", "server")
    first = follower.pid
    follower.settle(HERE)
    assert first and follower.pid == first, "what is right already is left alone"
    follower.settle(BOTH)
    assert follower.argv[-3:] == ("lan", "dmz", "server") and follower.pid != first
    follower.settle(frozenset())
    assert follower.argv == () and follower.pid is None and not follower.ended()


def test_a_command_that_ends_by_itself_is_noticed() -> None:
    follower = Follower(Following(("true",), (Part("lan", "", ()),)))
    follower.settle(frozenset())
    assert follower.pid
    while not follower.ended():
        pass


def test_what_follows_nothing_runs_always() -> None:
    assert Following(("a",), (Part("lan", "", ("b",)),), ("c",)).command(frozenset()) == ("a", "b", "c")
