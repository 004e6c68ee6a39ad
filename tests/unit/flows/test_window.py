from gemel.flows.window import LEAST, SILENCE, WIDEST, Window


def test_a_quick_peer_gets_more_at_once_and_a_slow_one_less():
    window, sequence = Window(), 0
    for lag, bound in ((0.001, WIDEST), (2.0, LEAST)):
        for _ in range(12):
            sequence += 1
            window.sent(sequence, 1000, 0.0)
            window.acknowledged(sequence, lag)
        sent = 0
        while window.open:
            sequence, sent = sequence + 1, sent + 1000
            window.sent(sequence, 1000, 0.0)
        assert bound <= sent < bound + 1000
        window.acknowledged(sequence, 0.0)
        assert window.open and not len(window)


def test_an_acknowledgement_covers_all_before_it():
    window = Window()
    for sequence in (1, 2, 3):
        window.sent(sequence, 10, float(sequence))
    window.acknowledged(2, 5.0)
    assert window.past(2) and not window.past(3) and window.lag == 3.0 and len(window) == 1


def test_silence_counts_from_the_oldest_frame():
    window = Window()
    assert not window.stuck(1e9)
    window.sent(1, 10, 0.0)
    window.sent(2, 10, SILENCE)
    assert not window.stuck(SILENCE) and window.stuck(SILENCE + 0.1)
