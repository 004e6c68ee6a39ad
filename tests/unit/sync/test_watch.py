"""The read-only channel: both sides hear each other by key alone; recorded, forged and foreign calls get nothing."""

from dataclasses import replace
from typing import Any

import pytest

from gemel.control.peer import Fault, PeerAnswer, PeerCall
from gemel.core.codec import decode, encode
from gemel.facts.peer import told
from gemel.sync.node import Target
from gemel.sync.watch import EVERY, RETRY, Memory, Watcher, WatchServer
from tests.unit.facts.node import node_status
from tests.unit.sync.world import SECONDARY, Node, Wire, pair, paired

TARGET = Target(SECONDARY, 443, "", "", ())


class Channel:
    """A primary that watches a secondary over a wire; `now` is both nodes' clock."""

    def __init__(self, nodes: tuple[Node, Node]) -> None:
        self.primary, self.secondary = nodes
        self.now = 100.0
        self.said = {name: told(node_status(name, state)) for name, state in (("fw1", "MASTER"), ("fw2", "BACKUP"))}
        self.here, self.there = Memory(lambda: self.now), Memory(lambda: self.now)
        self.server = WatchServer(self.secondary, self.there, lambda: self.said["fw2"])
        self.wire = Wire(self.secondary)
        self.wire.server.answer = self.answer  # type: ignore[method-assign]
        self.calls: list[PeerCall] = []
        self.faults: list[int] = []
        self.watcher = Watcher(self.primary, self.here, lambda: TARGET, lambda: self.said["fw1"], self.wire.dial)

    def answer(self, call: PeerCall, now: float) -> PeerAnswer:
        self.calls.append(call)
        answer = self.server.answer(decode(PeerCall, encode(call)), self.now)
        self.faults.append(answer.fault)
        return answer


@pytest.fixture
def channel() -> Channel:
    return Channel(paired())


def test_both_hear_each_other_in_one_call(channel: Channel) -> None:
    assert channel.watcher.once() == EVERY
    here, there = channel.here.sight(""), channel.there.sight("")
    assert here.status is not None and here.status.node == "fw2" and here.age == 0.0
    assert there.status is not None and there.status.node == "fw1" and there.reachable


def test_it_needs_no_account_and_one_session_for_many_calls(channel: Channel) -> None:
    for _ in range(5):
        channel.watcher.once()
    assert [c.method for c in channel.calls] == ["gemel.watch", *["gemel.told"] * 5]
    assert all(c.username is None and c.password is None for c in channel.calls)
    assert channel.secondary.logins_checked == 0


def test_silence_is_seen_on_both_sides_and_explained(channel: Channel) -> None:
    channel.watcher.once()
    channel.wire.down = True
    channel.wire.hangs_up = True
    channel.now += 10
    channel.watcher._hang_up()
    assert channel.watcher.once() == RETRY
    here, there = channel.here.sight(""), channel.there.sight("it has not called")
    assert not here.reachable and here.why == "no answer" and here.status is not None
    assert not there.reachable and there.why == "it has not called" and there.age == 10


def test_a_restarted_peer_is_watched_again(channel: Channel) -> None:
    channel.watcher.once()
    channel.server = WatchServer(channel.secondary, channel.there, lambda: channel.said["fw2"])
    assert channel.watcher.once() == RETRY and channel.faults[-1] == Fault.SESSION_OVER
    assert channel.watcher.once() == EVERY


def test_a_recorded_call_is_good_for_nothing(channel: Channel) -> None:
    channel.watcher.once()
    channel.watcher.once()
    for call in list(channel.calls[1:]):
        assert channel.server.answer(call, channel.now).fault == Fault.BAD_SIGNATURE
    for _ in range(3):
        channel.server.answer(channel.calls[0], channel.now)  # opens a session that nobody else can speak in
    assert channel.watcher.once() == EVERY, "and does not end the real one"


@pytest.mark.parametrize("changed", [{"params": ('{"status":{}}',)}, {"signature": None}, {"signature": "x 1 AAAA"}])
def test_a_changed_call_is_refused(channel: Channel, changed: dict[str, Any]) -> None:
    channel.watcher.once()
    before = channel.there.sight("").status
    answer = channel.server.answer(replace(channel.calls[-1], **changed), channel.now)
    assert answer.fault in (Fault.BAD_SIGNATURE, Fault.SESSION_OVER)
    assert channel.there.sight("").status == before


def test_strangers_and_nodes_that_are_not_paired_get_nothing() -> None:
    blank = Channel(pair())
    assert blank.watcher.once() == RETRY and blank.calls == [], "nothing is sent before first contact"
    blank.primary.peer_certificate = blank.secondary.identity.certificate
    assert blank.watcher.once() == RETRY and blank.faults == [Fault.NOT_PAIRED]
    blank.secondary.peer_certificate = Node("other").identity.certificate
    assert blank.watcher.once() == RETRY and blank.faults[-1] == Fault.OTHER_KEY
    assert blank.there.sight("").status is None


def test_what_is_no_status_is_refused_and_not_shown(channel: Channel) -> None:
    channel.said["fw1"] = {"node": "fw1"}
    assert channel.watcher.once() == RETRY and channel.faults[-1] == Fault.BAD_PARAMETERS
    assert channel.there.sight("").status is None


def test_a_key_that_is_forgotten_ends_it(channel: Channel) -> None:
    channel.watcher.once()
    channel.primary.peer_certificate = None
    assert channel.watcher.once() == RETRY and channel.here.sight("").status is None
    channel.primary.peer_certificate = channel.secondary.identity.certificate
    channel.secondary.peer_certificate = None
    assert channel.watcher.once() == RETRY and channel.faults[-1] == Fault.NOT_PAIRED
