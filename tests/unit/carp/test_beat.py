"""The heartbeat's bytes and its talk: nothing forged, recorded or mirrored counts."""

from hypothesis import given
from hypothesis import strategies as st

from gemel.carp.beat import NOT_HEARD, Good, Port, Talk, Told

KEY = bytes(range(32))
TOLD = Told(
    (Port("wan", bytes.fromhex("02aabbccddee"), ("198.51.100.201", "fe80::1")),),
    (("wan", 200, "MASTER"), ("lan", 1, "BACKUP"), ("lan", 2, "INIT")),
)


def pair(key=KEY) -> tuple[Talk, Talk]:
    return Talk(KEY, b"session1"), Talk(key, b"session2")


def talking() -> tuple[Talk, Talk, float]:
    """Two ends that have heard each other."""
    one, two = pair()
    now = 100.0
    for _ in range(3):
        two.take(one.make(TOLD, 0.02, now), now + 0.001)
        one.take(two.make(TOLD, 0.02, now + 0.002), now + 0.003)
        now += 0.02
    return one, two, now


def test_a_beat_counts_once_its_sender_has_heard_us():
    one, two = pair()
    assert two.take(one.make(TOLD, 0.02, 10.0), 10.001) == NOT_HEARD
    answer = one.take(two.make(TOLD, 0.05, 10.002), 10.003)
    assert isinstance(answer, Good)
    assert answer.interval == 0.05
    assert answer.told == TOLD


def test_the_round_trip_leaves_out_what_the_peer_held():
    one, two, now = talking()
    two.take(one.make(TOLD, 0.02, now), now + 0.004)
    good = one.take(two.make(TOLD, 0.02, now + 0.015), now + 0.017)
    assert abs(good.round_trip - 0.006) < 1e-5


def test_what_was_told_is_told_at_first_after_a_change_and_now_and_then():
    one, two, now = talking()
    heard = []
    for n in range(60):
        told = TOLD if n < 50 else Told((), ())
        two.take(one.make(told, 0.02, now), now)
        payload = two.make(TOLD, 0.02, now)
        heard.append(len(payload))
        one.take(payload, now)
        now += 0.02
    bare = min(heard)
    assert sum(length > bare for length in heard) <= 5  # a slow SYNC is not filled with what is known
    assert any(length > bare for length in heard)


def test_a_recorded_beat_does_not_count_again():
    one, two, now = talking()
    beat = one.make(TOLD, 0.02, now)
    assert isinstance(two.take(beat, now), Good)
    assert two.take(beat, now + 0.02) == "heartbeat replayed"


def test_a_recording_of_a_former_life_does_not_count():
    one, two, now = talking()
    old = one.make(TOLD, 0.02, now)
    again = Talk(KEY, b"session3")
    for _ in range(20):  # the peer answers a new session once the old one has been silent for a moment
        now += 0.05
        two.take(again.make(TOLD, 0.02, now), now)
        again.take(two.make(TOLD, 0.02, now), now)
    assert isinstance(two.take(again.make(TOLD, 0.02, now), now), Good)
    assert two.take(old, now) == "heartbeat replayed"
    # Nor does it for the receiver's next life, which the recording cannot name.
    assert Talk(KEY, b"session4").take(old, now) == NOT_HEARD


def test_a_recording_cannot_shut_the_living_out():
    _, two, now = talking()
    stranger = Talk(KEY, b"old life")
    recording = [stranger.make(TOLD, 0.02, now) for _ in range(50)]
    alive = Talk(KEY, b"new life")
    counted = False
    for beat in recording:
        now += 0.05
        two.take(beat, now)
        two.take(alive.make(TOLD, 0.02, now), now)
        alive.take(two.make(TOLD, 0.02, now), now)
        counted = counted or isinstance(two.take(alive.make(TOLD, 0.02, now), now), Good)
    assert counted


def test_another_key_and_ones_own_beat_do_not_count():
    one, stranger = pair(bytes(32))
    assert one.take(stranger.make(TOLD, 0.02, 1.0), 1.0) == "heartbeat not authentic"
    assert one.take(one.make(TOLD, 0.02, 1.0), 1.0) == "heartbeat came back"


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(place, change):
    one, two, now = talking()
    beat = bytearray(one.make(TOLD, 0.02, now))
    beat[place % len(beat)] ^= change
    assert isinstance(two.take(bytes(beat), now), str)


@given(st.binary(max_size=200))
def test_noise_does_not_count(noise):
    one, _ = pair()
    assert isinstance(one.take(noise, 1.0), str)


def test_255_vhids_fit():
    one, two, now = talking()
    told = Told(TOLD.ports, tuple((f"opt{i}", n, "MASTER") for i in range(4) for n in range(1, 256)))
    two.take(one.make(told, 0.02, now), now)
    one.take(two.make(told, 0.02, now), now)
    assert one.make(told, 0.02, now) != b""
