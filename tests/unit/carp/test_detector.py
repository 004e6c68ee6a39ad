"""The five conditions, each on its own, and the detector's phases."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.carp.detector import CONDITIONS, PROBES, Detector, Evidence, Phase, Probed, Rhythm, in_words, missing

WAN = Probed("wan", 3, True, "198.51.100.1")
LAN = Probed("lan", 3, True, None)
DEAD = Evidence(True, 0.065, 0.06, (WAN, LAN), True)


def test_all_five_together_mean_dead():
    assert missing(DEAD) == ()
    assert in_words(DEAD) == (
        "peer dead: no heartbeat for 65 ms, 3 probes on wan, 3 probes on lan unanswered, "
        "witness 198.51.100.1 on wan answered"
    )


@pytest.mark.parametrize(
    ("evidence", "lacking"),
    [
        (replace(DEAD, armed=False), "armed"),
        (replace(DEAD, silence=0.059), "silent"),
        (replace(DEAD, probed=(WAN, replace(LAN, unanswered=0))), "unanswered"),
        (replace(DEAD, probed=(replace(WAN, unanswered=2), LAN)), "unanswered"),
        (replace(DEAD, probed=(replace(WAN, witness=None), LAN)), "witnessed"),
        (replace(DEAD, probed=(replace(WAN, usual=False), LAN)), "witnessed"),
        (replace(DEAD, on_time=False), "on time"),
    ],
)
def test_each_condition_is_needed(evidence, lacking):
    assert [condition.name for condition in missing(evidence)] == [lacking]


def test_without_a_segment_nothing_is_proven():
    assert {condition.name for condition in missing(replace(DEAD, probed=()))} == {"unanswered", "witnessed"}


PROBED = st.builds(
    Probed, st.sampled_from(["wan", "lan"]), st.integers(0, 6), st.booleans(),
    st.none() | st.just("192.0.2.1"),
)  # fmt: skip
EVIDENCE = st.builds(
    Evidence, st.booleans(), st.floats(0, 1), st.floats(0.01, 1), st.lists(PROBED, max_size=4).map(tuple), st.booleans()
)


@given(EVIDENCE)
def test_dead_is_never_one_who_answered_nor_one_whom_nobody_outlived(evidence):
    if missing(evidence):
        return
    assert any(p.witness and p.usual for p in evidence.probed)
    assert evidence.armed and evidence.on_time and evidence.silence >= evidence.patience
    assert all(p.unanswered >= PROBES for p in evidence.probed)


def test_there_are_five():
    assert len(CONDITIONS) == 5


def beats(detector: Detector, now: float, seconds: float, interval=0.02, round_trip=0.0005) -> float:
    for _ in range(round(seconds / interval)):
        now += interval
        detector.beat(interval, round_trip, now)
    return now


def suspicion(detector: Detector, now: float, evidence) -> tuple[bool, float, int]:
    """Let the silence go on; return the verdict, when it came, and how many rounds of probes there were."""
    rounds = 0
    while detector.deadline() < now + 2:
        at = detector.deadline()
        if detector.judge(evidence(detector, at), at):
            return True, at, rounds
        if detector.phase is Phase.LEARNING:
            return False, at, rounds
        rounds += detector.wants_probes(at, 0.0)
    return False, now, rounds


def gone(detector: Detector, at: float) -> Evidence:
    probed = (replace(WAN, unanswered=detector.rounds), replace(LAN, unanswered=detector.rounds))
    return Evidence(detector.is_steady, at - detector.last_beat, detector.rhythm.patience, probed, True)


def test_a_dead_peer_is_found_in_three_intervals():
    detector = Detector(0.02, 3)
    now = beats(detector, 10.0, 1.2)
    assert detector.phase is Phase.ARMED
    dead, at, rounds = suspicion(detector, now, gone)
    assert dead and rounds == 3
    assert 0.06 <= at - now <= 0.066
    assert detector.phase is Phase.DEAD


def test_it_is_not_armed_before_a_second_of_beats():
    detector = Detector(0.02, 3)
    beats(detector, 10.0, 0.98)
    assert detector.phase is Phase.LEARNING
    assert detector.deadline() == float("inf")


def test_a_node_that_was_late_before_the_first_beat_is_armed_all_the_same():
    detector = Detector(0.02, 3)
    detector.excuse(10.0)
    beats(detector, 10.0, 1.2)
    assert detector.phase is Phase.ARMED


def test_a_gap_begins_the_second_anew():
    detector = Detector(0.02, 3)
    now = beats(detector, 10.0, 0.9)
    now = beats(detector, now + 0.5, 0.9)
    assert detector.phase is Phase.LEARNING
    beats(detector, now, 0.3)
    assert detector.phase is Phase.ARMED


def answering(detector: Detector, now: float, until: float) -> int:
    """No heartbeat, but each probe is answered in half a millisecond; return how many rounds of probes there were."""
    rounds = 0
    while (at := detector.deadline()) < until:
        assert not detector.judge(gone(detector, at), at)
        if detector.wants_probes(at, 0.0):
            rounds += 1
            detector.answer("lan", at + 0.0005)
    return rounds


def test_a_peer_that_goes_on_answering_ends_the_suspicion_and_there_is_no_storm():
    detector = Detector(0.02, 3)
    now = beats(detector, 10.0, 2.0)
    assert answering(detector, now, now + 5) <= 11
    assert detector.undecided == "no heartbeat for 536 ms, but the peer answers on lan"
    assert detector.phase is Phase.LEARNING
    assert detector.deadline() == float("inf")


@pytest.mark.parametrize("held_up", [0.05, 0.1, 0.2, 0.3, 0.45])
def test_a_peer_that_was_held_up_is_guarded_as_before(held_up):
    detector = Detector(0.02, 3)
    now = beats(detector, 10.0, 2.0)
    usual = detector.rhythm.patience
    answering(detector, now, now + held_up)
    now += held_up
    detector.beat(0.02, 0.0005, now)
    assert detector.phase is Phase.ARMED
    assert detector.rhythm.patience == pytest.approx(usual, abs=0.001)
    dead, at, _ = suspicion(detector, now, gone)
    assert dead and at - now <= 0.07


def test_a_peer_that_dies_while_it_is_held_up_is_noticed():
    detector = Detector(0.02, 3)
    now = beats(detector, 10.0, 2.0)
    answering(detector, now, now + 0.2)
    dead, at, rounds = suspicion(detector, now + 0.2, gone)
    assert dead and rounds == PROBES
    assert at - (now + 0.2) <= 0.09


def test_a_sync_that_is_always_late_loses_its_pardon():
    detector = Detector(0.02, 3)
    now = beats(detector, 10.0, 2.0)
    phases, patience = set(), detector.rhythm.patience
    for _ in range(20):
        answering(detector, now, now + 0.2)
        now += 0.2
        detector.beat(0.02, 0.0005, now)
        phases.add(detector.phase)
    assert phases == {Phase.ARMED, Phase.LEARNING}
    assert detector.rhythm.patience >= patience + 0.1


@given(st.floats(0.0001, 0.03), st.floats(0.05, 0.45))
def test_nobody_is_dead_before_patience_has_passed_since_the_last_answer(takes, cut):
    detector = Detector(0.02, 3)
    now = beats(detector, 10.0, 2.0)
    signs = [now]
    while (at := detector.deadline()) < now + 2:
        if detector.judge(gone(detector, at), at):
            assert at - max(signs) >= detector.rhythm.patience
            return
        if detector.wants_probes(at, 0.0) and at - now < cut:
            detector.answer("wan", at + takes)
            signs.append(at + takes)
    assert detector.phase is Phase.LEARNING


def test_without_a_witness_it_gives_up_with_few_probes():
    detector = Detector(0.02, 3)
    now = beats(detector, 10.0, 2.0)

    def alone(detector, at):
        return replace(gone(detector, at), probed=(replace(WAN, witness=None, unanswered=detector.rounds),))

    dead, at, rounds = suspicion(detector, now, alone)
    assert not dead and rounds <= 2 * PROBES
    assert at - now < 1
    assert detector.undecided.endswith("nobody else answers either")


def test_a_late_beat_ends_the_suspicion():
    detector = Detector(0.02, 3)
    now = beats(detector, 10.0, 2.0)
    assert detector.wants_probes(detector.deadline(), 0.0)
    detector.beat(0.02, 0.0005, now + 0.05)
    assert detector.phase is Phase.ARMED


def test_one_who_was_not_listening_begins_to_wait_anew():
    detector = Detector(0.02, 3)
    now = beats(detector, 10.0, 2.0)
    detector.excuse(now + 0.3)
    assert detector.deadline() >= now + 0.33
    dead, at, _ = suspicion(detector, now, gone)
    assert dead and at >= now + 0.36


@given(st.floats(0.0, 0.4), st.floats(0, 0.02))
def test_patience_follows_the_round_trip(round_trip, jitter):
    rhythm = Rhythm(0.02, 3)
    for n in range(200):
        rhythm.beat(0.02 + (jitter if n % 10 == 0 else 0), 0.02, round_trip + (jitter if n % 3 == 0 else 0))
    assert rhythm.patience >= 0.06 + round_trip
    assert rhythm.suspicion >= 0.03 + round_trip + jitter / 2
    assert rhythm.patience <= 0.06 + 2 * round_trip + 8 * jitter + 0.01


def test_a_sync_that_is_too_slow_is_left_to_carps_timers():
    detector = Detector(0.02, 3)
    now = beats(detector, 10.0, 2.0)
    now = beats(detector, now, 2.0, round_trip=2.5)
    assert detector.phase is Phase.LEARNING
    assert detector.deadline() == float("inf")
