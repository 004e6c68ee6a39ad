"""Adverts of a burst gather for a moment; nothing else has to wait for them."""

import math
import socket
from collections.abc import Callable, Iterator

import pytest

from gemel.daemons.carpd import waiting
from gemel.daemons.carpd.waiting import ADVERTS_IN_A_ROW, IN_A_ROW, Waiting

FOREVER = 1000.0  # seconds; a test that rests so long has failed


class Clock:
    """Stands still; `then` happens as soon as the loop has woken."""

    def __init__(self) -> None:
        self.now = 0.0
        self.then: Callable[[], object] = lambda: None
        self._asked = 0

    def __call__(self) -> float:
        self._asked += 1
        if self._asked % 2 == 0:
            self.then()
        return self.now


class Desk:
    """One port for adverts and one for heartbeats, both of which the test writes into."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.waiting = Waiting(self.clock)
        self.adverts, self.peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.beats, self.partner = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.waiting.add(self.adverts, adverts=True)
        self.waiting.add(self.beats)

    def close(self) -> None:
        for one in (self.adverts, self.peer, self.beats, self.partner):
            one.close()

    def turn(self, due: float = math.inf) -> set[int]:
        return self.waiting.until(due)[0]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(waiting, "GATHER", FOREVER)
    monkeypatch.setattr(waiting, "REST", FOREVER)
    one = Desk()
    yield one
    one.close()


def test_the_first_advert_is_read_at_once(desk: Desk) -> None:
    desk.peer.send(b"advert")
    for _ in range(ADVERTS_IN_A_ROW - 1):
        assert desk.turn() == {desk.adverts.fileno()}


def test_a_heartbeat_ends_the_gathering(desk: Desk) -> None:
    desk.peer.send(b"advert")
    for _ in range(ADVERTS_IN_A_ROW - 1):
        desk.turn()
    desk.clock.then = lambda: desk.partner.send(b"beat")
    assert desk.turn() == {desk.adverts.fileno(), desk.beats.fileno()}


def test_so_does_the_deadline(desk: Desk) -> None:
    desk.peer.send(b"advert")
    for _ in range(3 * IN_A_ROW):
        assert desk.turn(due=0.001) == {desk.adverts.fileno()}


def test_whoever_has_slept_before_an_advert_reads_it_at_once(desk: Desk) -> None:
    desk.peer.send(b"advert")
    for _ in range(3 * IN_A_ROW):
        desk.clock.then = lambda: setattr(desk.clock, "now", desk.clock.now + 0.004)
        assert desk.turn() == {desk.adverts.fileno()}


def test_heartbeats_beside_adverts_do_not_wait_either(desk: Desk) -> None:
    desk.peer.send(b"advert")
    desk.partner.send(b"beat")
    for _ in range(IN_A_ROW):
        assert desk.turn() == {desk.adverts.fileno(), desk.beats.fileno()}


def test_a_flood_of_anything_rests_until_the_deadline_at_most(desk: Desk) -> None:
    desk.partner.send(b"beat")
    for _ in range(3 * IN_A_ROW):
        assert desk.turn(due=0.001) == {desk.beats.fileno()}


def test_what_was_removed_wakes_no_more(desk: Desk) -> None:
    desk.peer.send(b"advert")
    desk.partner.send(b"beat")
    desk.waiting.remove(desk.adverts)
    assert desk.turn() == {desk.beats.fileno()}
    desk.waiting.remove(desk.beats)
    desk.waiting.add(desk.adverts, adverts=True)
    assert desk.turn(due=0.001) == {desk.adverts.fileno()}
