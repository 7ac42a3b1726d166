"""The circuit breaker: when it opens, which calls it allows, and when it closes."""

from itertools import pairwise

from functions.inference.circuit_breaker import (
    MAX_RETRY_AFTER_SECONDS,
    MIN_FAILURES,
    CircuitBreaker,
)


class Clock:
    """A clock that a test advances."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def broken(clock: Clock) -> CircuitBreaker:
    """A breaker that has just opened."""
    breaker = CircuitBreaker(clock)
    for _ in range(MIN_FAILURES):
        assert breaker.allow()
        breaker.record(good=False)
    return breaker


def test_five_failures_open_the_breaker_and_four_do_not() -> None:
    breaker = CircuitBreaker(Clock())
    for _ in range(MIN_FAILURES - 1):
        breaker.record(good=False)
    assert breaker.allow()

    breaker.record(good=False)

    assert not breaker.allow()
    assert breaker.retry_after == 5.0


def test_failures_of_less_than_half_of_the_calls_do_not_open_the_breaker() -> None:
    breaker = CircuitBreaker(Clock())
    for number in range(60):
        breaker.record(good=number % 3 != 0)

    assert breaker.retry_after == 0.0


def test_failures_of_half_a_minute_ago_do_not_count() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    for _ in range(MIN_FAILURES - 1):
        breaker.record(good=False)

    clock.now += 31
    breaker.record(good=False)

    assert breaker.retry_after == 0.0


def test_a_failing_endpoint_gets_one_call_per_pause_of_at_most_half_a_minute() -> None:
    clock = Clock()
    breaker = broken(clock)
    calls = []

    for _ in range(10 * 60):
        clock.now += 1
        if breaker.allow():
            calls.append(clock.now)
            breaker.record(good=False)

    pauses = [later - earlier for earlier, later in pairwise(calls)]
    assert calls[0] == 1_005.0
    assert pauses[:3] == [10.0, 20.0, 30.0]
    assert set(pauses[3:]) == {30.0}


def test_an_open_breaker_allows_one_call_per_pause() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 5

    assert [breaker.allow() for _ in range(5)] == [True, False, False, False, False]


def test_one_answer_closes_the_breaker_and_resets_the_failures() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 5
    assert breaker.allow()

    breaker.record(good=True)

    assert all(breaker.allow() for _ in range(5))
    for _ in range(MIN_FAILURES - 1):
        breaker.record(good=False)
    assert breaker.allow()


def test_failures_of_earlier_calls_do_not_lengthen_the_pause() -> None:
    breaker = broken(Clock())

    for _ in range(8):
        breaker.record(good=False)

    assert breaker.retry_after == 5.0


def test_a_requested_pause_is_at_most_five_minutes() -> None:
    breaker = CircuitBreaker(Clock())
    breaker.open_for(20)
    assert (breaker.retry_after, breaker.allow()) == (20.0, False)

    breaker.open_for(86_400)

    assert breaker.retry_after == MAX_RETRY_AFTER_SECONDS == 300.0
