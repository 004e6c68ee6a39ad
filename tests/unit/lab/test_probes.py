"""What counts as lost, and how long an outage was."""

from hypothesis import given
from hypothesis import strategies as st

from gemel.lab.probes import FLOW_STEP, Ledger


def ledger(answered: list[bool], source: str = "198.51.100.200:4000") -> Ledger:
    """A flow in perfect time; packet n came back 0.4 ms later where `answered[n]`."""
    sent = [n * FLOW_STEP for n in range(len(answered))]
    return Ledger(sent, {n: (sent[n] + 0.0004, source) for n, came in enumerate(answered) if came})


def test_nothing_lost_is_no_outage() -> None:
    window = ledger([True] * 100).window(100)
    assert (window.sent, window.lost, window.outage_ms, window.slowest_ms) == (100, 0, 0.0, 0.4)


def test_an_outage_lasts_from_its_first_lost_packet_to_the_next_answer() -> None:
    window = ledger([True] * 10 + [False] * 5 + [True] * 10 + [False] * 2 + [True]).window(28)
    assert (window.lost, window.outage_ms) == (7, 5.0)


def test_an_outage_that_has_not_ended_counts_up_to_the_last_packet() -> None:
    assert ledger([True] + [False] * 11).window(12).outage_ms == 10.0


def test_windows_follow_each_other_without_a_gap() -> None:
    flow = ledger([True, False, True, True])
    assert [flow.window(end).lost for end in (2, 4)] == [1, 0]
    assert flow.window(4).sent == 0


def test_a_changed_source_is_told_in_order() -> None:
    flow = ledger([True] * 4)
    flow.back[2] = (1.0, "198.51.100.200:4001")
    assert flow.window(4).sources == ("198.51.100.200:4000", "198.51.100.200:4001", "198.51.100.200:4000")


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 60))
def test_two_windows_account_for_every_packet(answered: list[bool], cut: int) -> None:
    flow = ledger(answered)
    first, second = flow.window(min(cut, len(answered))), flow.window(len(answered))
    assert first.sent + second.sent == len(answered)
    assert first.lost + second.lost == answered.count(False)


def test_a_packet_that_is_answered_twice_is_told() -> None:
    flow = ledger([True] * 4)
    flow.came_back(2, 1.0, "198.51.100.200:4000")
    assert (flow.window(2).doubled, flow.window(4).doubled) == (0, 1)
    assert flow.back[2][0] < 1.0, "the first answer counts"
