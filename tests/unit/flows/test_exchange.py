"""Two nodes in one process: what happens to one table happens to the other."""

import struct
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.flows import sender
from gemel.flows.attributes import NESTED, attribute
from gemel.flows.injection import LEASE
from gemel.flows.rounds import ANNOUNCE, COMPARE
from gemel.flows.wire import Hello, Welcome, encode
from tests.unit.flows.kernel import TCP, UDP, Pair, State, flow, ip, message


def joined(first: bool | None = True, second: bool | None = False) -> Pair:
    pair = Pair(first, second)
    pair.connect()
    pair.settle(10)
    return pair


def test_a_new_state_is_at_the_peer_translated_within_milliseconds():
    pair = joined()
    pair.a.table.new(flow(1))
    pair.settle(2)
    copy = pair.b.table.states[flow(1).orig]
    assert copy.reply == flow(1).reply and copy.natted and copy.flags & 8


def test_an_assured_state_does_not_wait():
    pair = joined()
    pair.a.table.new(flow(1))
    pair.settle(4)
    pair.a.table.change(flow(1).orig, status=0x6, tcp=3)
    pair.step(0)
    assert pair.b.table.states[flow(1).orig].tcp == 3


def test_changes_of_one_state_are_one_message():
    pair = joined()
    pair.a.table.new(flow(1))
    for tcp in (1, 2, 3):
        pair.a.table.change(flow(1).orig, tcp=tcp)
    sent = pair.a.sender.sent
    pair.settle(4)
    assert pair.a.sender.sent == sent + 1
    assert pair.b.table.facts() == pair.a.table.facts()


def test_a_state_that_came_and_went_is_not_told():
    pair = joined()
    pair.a.table.new(flow(1))
    pair.a.table.end(flow(1).orig)
    pair.settle(4)
    assert pair.a.sender.sent == 0 and not pair.b.table.states


def test_an_end_ends_the_copy_and_nothing_comes_back():
    pair = joined()
    pair.a.table.new(flow(1))
    pair.settle(4)
    pair.a.table.end(flow(1).orig)
    pair.settle(4)
    assert not pair.b.table.states and pair.b.sender.sent == 0


def test_a_tuple_used_again_with_another_translation_replaces_the_copy():
    pair = joined()
    pair.a.table.new(flow(1))
    pair.settle(4)
    pair.a.table.change(flow(1).orig, status=0x6, tcp=3)
    pair.settle(4)
    pair.a.table.end(flow(1).orig)
    pair.a.table.new(replace(flow(1), reply=replace(flow(1).reply, dport=4711)))
    pair.settle(4)
    assert pair.b.table.facts() == pair.a.table.facts()


def test_a_stale_state_on_the_translated_port_makes_room():
    pair = joined()
    pair.b.table.states[flow(8).orig] = flow(8, port=5000)
    pair.a.table.new(flow(1, port=5000))
    pair.settle(4)
    assert list(pair.b.table.states) == [flow(1).orig]


def test_a_master_does_not_let_its_states_be_ended_or_replaced():
    pair = joined(True, True)
    pair.a.table.new(flow(1))
    pair.settle(4)
    pair.b.table.end(flow(1).orig)
    pair.settle(4)
    assert flow(1).orig in pair.a.table.states and pair.a.receiver.counters["ends refused"] == 1
    pair.b.table.new(replace(flow(1), reply=replace(flow(1).reply, dport=4711)))
    pair.settle(4)
    assert pair.a.table.states[flow(1).orig].reply == flow(1).reply


def test_giving_up_mastership_ends_no_flow():
    pair = joined()
    for i in range(5):
        pair.a.table.new(flow(i))
    pair.settle(4)
    pair.a.role(False)
    pair.b.role(True)
    for i in range(5):
        pair.a.table.end(flow(i).orig)  # what removing a masqueraded address does
    pair.settle(4)
    assert len(pair.b.table.states) == 5 and pair.a.sender.counters["ends kept back"] == 5


def test_a_copy_that_lapses_on_the_backup_says_nothing():
    pair = joined(None, None)
    pair.a.table.new(flow(1))
    pair.settle(4)
    pair.b.table.end(flow(1).orig)
    pair.settle(4)
    assert flow(1).orig in pair.a.table.states
    assert not pair.b.ledger.entries


def test_without_carp_a_state_that_our_packets_moved_is_ours_to_end():
    pair = joined(None, None)
    pair.a.table.new(flow(1))
    pair.settle(4)
    pair.b.table.change(flow(1).orig, status=0x6, tcp=3)
    pair.settle(4)
    pair.b.table.end(flow(1).orig)
    pair.settle(4)
    assert not pair.a.table.states


def test_local_states_stay_here_but_translated_ones_go():
    pair = joined()
    own = State(flow(1).orig, flow(1).orig.inverse())
    for orig in (replace(own.orig, src=ip("172.16.1.3")), replace(own.orig, dst=ip("192.168.1.254")),
                 replace(own.orig, dst=ip("224.0.0.18"))):
        pair.a.table.new(replace(own, orig=orig, reply=orig.inverse()))
    forwarded = replace(own.orig, dst=ip("192.168.1.254"), sport=7)  # a port forward on the firewall's own address
    pair.a.table.new(replace(own, orig=forwarded, reply=replace(forwarded.inverse(), src=ip("10.0.0.9")), status=0x1A8))
    pair.settle(4)
    assert list(pair.b.table.states) == [forwarded]


def test_bulk_brings_everything_and_takes_away_what_is_gone():
    pair = Pair()
    for i in range(20):
        pair.a.table.states[flow(i).orig] = flow(i)
        pair.b.table.states[flow(i + 15).orig] = flow(i + 15)  # of the time before
    pair.connect()
    pair.settle()
    assert pair.b.table.facts() == pair.a.table.facts()
    assert pair.b.receiver.synced and pair.a.receiver.synced and pair.a.sender.bulk_done


def test_a_backups_bulk_takes_nothing_away():
    pair = Pair(False, None)
    pair.b.table.states[flow(1).orig] = flow(1)
    pair.b.ledger.entries[message(flow(1))[20:72]] = pair.b.ledger.mark(1)
    pair.connect()
    pair.settle()
    assert flow(1).orig in pair.b.table.states and pair.b.receiver.synced


def test_creators_are_kept_over_role_changes_and_a_restart():
    pair = joined()
    pair.a.table.new(flow(1))
    pair.settle(4)
    pair.a.role(False)
    pair.b.role(True)
    pair.b.sender.resync(pair.now)
    pair.b.table.new(flow(2))
    pair.b.table.change(flow(1).orig, status=0x6, tcp=3)
    pair.settle()
    for node in (pair.a, pair.b):
        assert node.ledger.count(2) == {1: 1, 2: 1}
    pair.b.ledger.entries.clear()  # the master's flowd was restarted: it takes every state for its own
    pair.cut()
    pair.connect()
    pair.settle()
    assert pair.b.ledger.count(2)[1] == 1


def test_live_states_without_events_are_announced_again():
    pair = joined()
    udp, tcp = flow(1, UDP), replace(flow(2), timeout=400000, tcp=3)
    pair.a.table.new(udp)
    pair.a.table.new(tcp)
    pair.settle(4)
    pair.b.table.states.clear()  # both leases have lapsed, unheard
    pair.now += ANNOUNCE
    pair.settle(10)
    assert udp.orig in pair.b.table.states
    for _ in range(150):
        pair.now += ANNOUNCE
        pair.settle(4)
    assert tcp.orig in pair.b.table.states


def test_lost_events_are_repaired_by_the_whole_table():
    pair = joined()
    for i in range(10):
        pair.a.table.new(flow(i))
    pair.settle(4)
    pair.a.table.end(flow(3).orig)
    pair.a.table.new(flow(30))
    pair.a.table.events.clear()
    pair.a.sender.overrun(pair.now)
    pair.settle()
    assert pair.b.table.facts() == pair.a.table.facts()


def test_flush_arrives_when_the_peers_kernel_has_it():
    pair = joined()
    pair.a.table.new(flow(1))
    pair.a.work(pair.now)
    ticket = pair.a.sender.flush(pair.now)
    assert not pair.a.sender.arrived(ticket)
    pair.step()
    assert pair.a.sender.arrived(ticket) and flow(1).orig in pair.b.table.states


def test_a_peer_that_takes_nothing_costs_bounded_memory(monkeypatch):
    monkeypatch.setattr(sender, "MOST", 500)
    pair = joined()
    for i in range(600):
        state = replace(flow(1), orig=replace(flow(1).orig, src=b"\x0a\0" + i.to_bytes(2, "big")))
        pair.a.sender.noticed([message(replace(state, reply=state.orig.inverse()))], pair.now)
    assert len(pair.a.sender.outbox) <= 100
    pair.a.table.new(flow(7))
    pair.settle()
    assert pair.b.table.facts() == pair.a.table.facts()


def test_silence_of_the_peer_is_noticed():
    pair = joined()
    pair.a.table.new(flow(1))
    for _ in range(5):
        pair.now += 5
        pair.a.work(pair.now)
    assert pair.a.sender.stuck(pair.now)


def test_versions_that_do_not_meet_are_refused_in_words():
    pair = Pair()
    pair.a.receiver.connected()
    pair.a.receiver.heard(encode(Hello(9, 8, True, 2, 1, bytes(16))))
    pair.a.inject()
    pair.b.sender.connected(bytes(16))
    pair.b.sender.heard(pair.a.receiver.data_to_send(), 0.0)
    assert pair.b.sender.refusal and "upgrade the older one" in pair.b.sender.refusal
    assert pair.a.receiver.peer is None


def test_no_copy_lapses_while_its_flow_lives_for_an_hour():
    """Packets refresh the master's states and nobody says so; a copy lives as long as it was last told to."""
    pair = joined()
    flows = [replace(flow(i, UDP), timeout=30) for i in range(4)] + [replace(flow(9), timeout=432000, tcp=3)]
    for state in flows:
        pair.a.table.new(state)
    pair.settle(4)
    ends = {}
    for _ in range(3600):
        for orig in pair.b.table.written:
            ends[orig] = pair.now + pair.b.table.states[orig].timeout
        pair.b.table.written.clear()
        pair.now += 1.0
        pair.settle(2)
        assert all(ends[state.orig] > pair.now for state in flows)
    assert len(ends) == len(flows) and min(ends.values()) < pair.now + LEASE + 1


def test_differences_are_found_and_mended():
    pair = joined()
    for i in range(30):
        pair.a.table.new(flow(i))
    pair.settle(4)
    pair.b.table.states.pop(flow(3).orig)  # lapsed
    pair.b.table.states[flow(90).orig] = flow(90)  # nobody knows whence
    wrong = flow(4, port=4711)
    pair.b.table.states[flow(4).orig] = replace(wrong, status=0x8)
    pair.now += COMPARE
    pair.settle()
    assert pair.b.table.facts() == pair.a.table.facts()
    found = pair.a.sender.rounds.compared
    assert (found.differing, found.compared, found.buckets) == (3, 256, 256)
    pair.now += COMPARE
    pair.settle()
    assert pair.a.sender.rounds.compared.equal and pair.a.sender.rounds.compared.states == 30
    assert pair.a.sender.rounds.repaired.why.startswith("3 of 256") and pair.a.sender.counters["bulks"] == 1


def test_what_moves_during_a_comparison_is_no_difference():
    pair = joined()
    for i in range(30):
        pair.a.table.new(flow(i))
    pair.settle(4)
    pair.now += COMPARE
    for i in range(30, 60):
        pair.a.table.new(flow(i))
        pair.a.table.end(flow(i - 30).orig)
        pair.step(0.001)
    pair.settle()
    found = pair.a.sender.rounds.compared
    assert found.equal and found.compared < found.buckets and pair.a.sender.counters["repairs"] == 0
    assert pair.b.table.facts() == pair.a.table.facts()


def test_a_big_table_earns_its_first_comparison_by_a_longer_rest():
    pair = joined()
    pair.a.table.new(flow(1))
    pair.settle(4)
    pair.a.sender.table_size = 100_000  # as the kernel counts them: 0.6 s of work, which a hundredth makes 60 s
    pair.now += 2 * COMPARE
    pair.settle()
    assert pair.a.sender.rounds.compared is None
    pair.a.sender.compare_soon(pair.now)  # somebody wants to know
    pair.settle()
    first = pair.a.sender.rounds.compared
    assert first.equal
    for _ in range(10):
        pair.now += COMPARE
        pair.settle()
    assert pair.a.sender.rounds.compared is first
    pair.now += 2 * COMPARE
    pair.settle()
    assert pair.a.sender.rounds.compared.equal and pair.a.sender.rounds.compared is not first


def test_a_difference_that_no_repair_mends_is_asked_about_less_and_less():
    pair = joined()
    pair.a.table.new(flow(1))
    pair.settle(4)
    for _ in range(400):
        pair.b.table.states.clear()
        pair.b.ledger.entries.clear()
        pair.now += 1.0
        pair.settle(8)
    assert 5 < pair.a.sender.counters["repairs"] < 20 and pair.a.sender.rounds.fruitless > 5


def test_the_tables_of_two_masters_are_not_compared():
    pair = joined(True, True)
    pair.now += COMPARE
    pair.settle()
    assert pair.a.sender.rounds.compared is None and not pair.a.sender.rounds.wants_comparison


def test_states_that_a_rule_keeps_here_stay():
    pair = joined()
    pair.a.table.new(replace(flow(1), mark=0x80000000))
    pair.a.table.new(replace(flow(2), mark=0x40000000))
    pair.a.sender.resync(pair.now)
    pair.settle()
    pair.now += COMPARE
    pair.settle()
    assert list(pair.b.table.states) == [flow(2).orig] and pair.a.sender.rounds.compared.equal


def test_expectations_follow_their_master():
    pair = joined()
    master = flow(1).orig.encode(1)[4:]
    body = b"\2\0\0\0" + flow(9).orig.encode(2) + flow(9).orig.encode(3) + attribute(1 | NESTED, master)
    body += attribute(5, b"\1\2\3\4") + attribute(4, b"\0\0\0\x0a")
    said = [struct.pack("=IHHII", len(body) + 16, kind, flags, 0, 0) + body
            for kind, flags in ((0x200, 0x600), (0x202, 0))]
    pair.a.table.new(flow(1))
    pair.a.table.events.append(said[0])
    pair.a.table.states[flow(1).orig] = replace(flow(1), mark=5)  # what the kernel tells nobody
    pair.settle(4)
    assert pair.b.table.states[flow(1).orig].mark == 5
    assert [kind for kind, _ in pair.b.table.expectations] == [0x200]
    attributes = pair.b.table.expectations[0][1]
    assert attributes[1] == master and 5 not in attributes
    pair.a.table.events.append(said[1])
    pair.settle(4)
    assert [kind for kind, _ in pair.b.table.expectations] == [0x200, 0x202]


def test_an_older_peer_is_sent_nothing_that_it_does_not_know():
    pair = joined()
    pair.a.sender.peer = Welcome(1, 2, 2, bytes(16))
    pair.now += COMPARE
    pair.settle()
    assert pair.a.sender.rounds.compared is None and pair.b.receiver.counters["not understood"] == 0


NUMBERS = st.integers(0, 7)
STEPS = st.lists(st.one_of(
    st.tuples(st.just("new"), NUMBERS, st.sampled_from([None, 5000])),
    st.tuples(st.just("change"), NUMBERS, st.integers(1, 9)),
    st.tuples(st.just("end"), NUMBERS),
    st.sampled_from([("cut",), ("join",), ("wait",), ("overrun",), ("swap",)])), max_size=40)


class Story:
    """What can happen to two nodes of which one sees the packets."""

    def __init__(self) -> None:
        self.pair = joined()
        self.master, self.backup = self.pair.a, self.pair.b

    def new(self, number, port):
        self.master.table.new(flow(number, UDP if number > 5 else TCP, port))

    def held(self, number):
        return [orig for orig in self.master.table.states if orig == flow(number, orig.proto).orig]

    def change(self, number, value):
        """9: a rule has set the mark, of which the event tells alone; else the TCP state and what goes with it."""
        for orig in self.held(number):
            told = {"mark": value} if value == 9 else {"tcp": value} if orig.proto == TCP else {}
            self.master.table.change(orig, info=value != 9, status=value & 6, **told)

    def end(self, number):
        for orig in self.held(number):
            self.master.table.end(orig)

    def cut(self):
        self.pair.cut()

    def join(self):
        if not self.pair.up:
            self.pair.connect()

    def wait(self):
        self.pair.settle(3)

    def overrun(self):
        self.master.table.events.clear()
        self.master.sender.overrun(self.pair.now)

    def swap(self):
        if self.pair.up:
            self.pair.settle()
        self.master, self.backup = self.backup, self.master
        self.backup.role(False)
        self.master.role(True)
        self.master.sender.resync(self.pair.now)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_both_tables_are_the_same_after_any_story(steps):
    story = Story()
    for what, *with_ in steps:
        getattr(story, what)(*with_)
    story.join()
    story.pair.settle()
    assert story.backup.table.facts() == story.master.table.facts()
    assert not story.pair.a.receiver.errors and not story.pair.b.receiver.errors


def test_states_that_run_out_unsaid_are_mended_without_alarm():
    """The kernel leaves them out of listings at once, and tells of their end much later."""
    pair = joined()
    for i in range(40):
        pair.a.table.new(flow(i))
    pair.settle(4)
    for i in range(0, 36, 3):
        for number in range(i, i + 3):
            del pair.a.table.states[flow(number).orig]
        pair.now += 4 * COMPARE
        pair.settle(120)
        assert pair.b.table.facts() == pair.a.table.facts() and pair.a.sender.rounds.fruitless < 2
