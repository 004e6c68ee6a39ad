"""Who is kept waiting, and for how long."""

from gemel.core.attempts import FAILURES, MOST_SOURCES, WITHIN, Attempts


def failing(address: str, times: int, now: float = 0.0) -> Attempts:
    attempts = Attempts()
    for tick in range(times):
        attempts.failed(address, now + tick)
    return attempts


def test_a_few_failures_cost_nothing() -> None:
    assert failing("10.0.0.1", FAILURES - 1).wait("10.0.0.1", 10.0) == 0


def test_too_many_keep_the_source_waiting_until_the_first_is_old() -> None:
    attempts = failing("10.0.0.1", FAILURES)
    assert attempts.wait("10.0.0.1", 10.0) == WITHIN - 10.0
    assert attempts.wait("10.0.0.1", WITHIN) == 0


def test_others_are_not_kept_waiting() -> None:
    assert failing("10.0.0.1", FAILURES).wait("10.0.0.2", 10.0) == 0


def test_slow_failures_never_lock_out() -> None:
    attempts = Attempts()
    for tick in range(50):
        attempts.failed("10.0.0.1", tick * WITHIN)
        assert attempts.wait("10.0.0.1", tick * WITHIN) == 0


def test_success_forgives() -> None:
    attempts = failing("10.0.0.1", FAILURES)
    attempts.succeeded("10.0.0.1")
    assert attempts.wait("10.0.0.1", 10.0) == 0


def test_an_ipv6_customer_is_one_source_and_a_mapped_address_is_its_ipv4() -> None:
    assert failing("2001:db8::1", FAILURES).wait("2001:db8::ffff", 10.0) > 0
    assert failing("2001:db8::1", FAILURES).wait("2001:db8:0:1::1", 10.0) == 0
    assert failing("::ffff:10.0.0.1", FAILURES).wait("10.0.0.1", 10.0) > 0


def test_many_sources_take_bounded_memory() -> None:
    attempts = Attempts()
    for number in range(MOST_SOURCES + 50):
        attempts.failed(f"10.1.{number >> 8}.{number & 255}", 0.0)
    assert len(attempts._failures) == MOST_SOURCES
