"""The breaker's states, driven by a clock that tests move."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.breaking import CLOSED, HALF_OPEN, OPEN, BreakerStatus, CircuitBreaker
from ingest_project.testing.doubles import FakeClock


def admitted(breaker: CircuitBreaker) -> int:
    ticket = breaker.admit()
    assert ticket is not None
    return ticket


def opened(clock: FakeClock, *, threshold: int = 1) -> CircuitBreaker:
    """A breaker that has just opened, with a cooldown of 10 s that grows to 40 s."""
    breaker = CircuitBreaker(clock, threshold=threshold, cooldown=10, growth=2, longest=40)
    for _ in range(threshold):
        breaker.failure(admitted(breaker), "down")
    assert breaker.state == OPEN
    return breaker


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = CircuitBreaker(FakeClock(), threshold=2)
    breaker.failure(admitted(breaker), "one")
    breaker.success(admitted(breaker))
    breaker.failure(admitted(breaker), "two")
    assert breaker.state == CLOSED
    breaker.failure(admitted(breaker), "three")
    assert (breaker.state, breaker.admit()) == (OPEN, None)


def test_after_the_cooldown_exactly_one_call_goes_through() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    clock.advance(9.5)
    assert (breaker.admit(), breaker.wait()) == (None, 0.5)
    clock.advance(0.5)
    assert (breaker.state, breaker.ready, breaker.wait()) == (HALF_OPEN, True, 0.0)
    assert [True, *[False] * 63] == [breaker.admit() is not None for _ in range(64)]
    assert (breaker.state, breaker.ready) == (HALF_OPEN, False)


def test_a_good_probe_closes_and_the_next_outage_starts_with_the_short_cooldown() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    for _ in range(2):
        clock.advance(breaker.wait())
        breaker.failure(admitted(breaker), "still down")
    clock.advance(breaker.wait())
    breaker.success(admitted(breaker))
    assert (breaker.state, breaker.wait(), breaker.status.failures) == (CLOSED, 0.0, 0)
    breaker.failure(admitted(breaker), "again")
    assert (breaker.wait(), breaker.status.openings) == (10.0, 2)


def test_each_failed_probe_lengthens_the_cooldown_up_to_the_longest() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    waits = []
    for _ in range(5):
        waits.append(breaker.wait())
        clock.advance(breaker.wait())
        breaker.failure(admitted(breaker), "still down")
    assert [10.0, 20.0, 40.0, 40.0, 40.0] == waits


def test_the_servers_advice_is_the_least_cooldown_within_the_longest() -> None:
    clock = FakeClock()
    for advice, expected in ((3.0, 10.0), (25.0, 25.0), (86_400.0, 40.0)):
        breaker = CircuitBreaker(clock, threshold=1, cooldown=10, longest=40)
        breaker.failure(admitted(breaker), "busy", retry_after=advice)
        assert expected == breaker.wait()


def test_requests_that_fail_together_open_it_once() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(clock, threshold=5, cooldown=10)
    tickets = [admitted(breaker) for _ in range(64)]
    for ticket in tickets:
        breaker.failure(ticket, "down")
    assert (breaker.status.openings, breaker.status.failures, breaker.wait()) == (1, 5, 10.0)


def test_an_answer_from_before_the_outage_does_not_close_it() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(clock, threshold=1, cooldown=10)
    late, failing = admitted(breaker), admitted(breaker)
    breaker.failure(failing, "down")
    breaker.success(late)
    assert breaker.state == OPEN
    clock.advance(10)
    probe = admitted(breaker)
    breaker.success(late)
    breaker.failure(late, "late")
    assert (breaker.state, breaker.admit()) == (HALF_OPEN, None)
    breaker.success(probe)
    assert breaker.state == CLOSED


def test_a_cancelled_probe_leaves_its_place_to_another() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    clock.advance(10)
    cancelled = admitted(breaker)
    breaker.forget(cancelled)
    assert breaker.admit() is not None
    breaker.forget(cancelled)
    assert breaker.admit() is None


def test_every_change_is_told_with_how_long_and_why() -> None:
    clock, told = FakeClock(), list[BreakerStatus]()
    breaker = CircuitBreaker(clock, threshold=1, cooldown=10, watch=told.append)
    breaker.failure(admitted(breaker), "no route")
    clock.advance(10)
    breaker.failure(admitted(breaker), "no answer")
    clock.advance(20)
    breaker.success(admitted(breaker))
    assert [
        (OPEN, 0.0, 10.0, "no route"),
        (HALF_OPEN, 10.0, 0.0, "no route"),
        (OPEN, 10.0, 20.0, "no answer"),
        (HALF_OPEN, 30.0, 0.0, "no answer"),
        (CLOSED, 0.0, 0.0, "no answer"),
    ] == [(one.state, one.open_for, one.next_probe, one.reason) for one in told]


@pytest.mark.parametrize(
    "make",
    [
        lambda clock: CircuitBreaker(clock, threshold=0),
        lambda clock: CircuitBreaker(clock, cooldown=-1),
        lambda clock: CircuitBreaker(clock, growth=0.5),
        lambda clock: CircuitBreaker(clock, cooldown=10, longest=5),
    ],
)
def test_what_would_never_open_or_close_is_refused(make: Callable[[FakeClock], CircuitBreaker]) -> None:
    with pytest.raises(ValueError, match="no breaker"):
        make(FakeClock())


@given(st.lists(st.tuples(st.sampled_from(["call", "good", "bad", "gone", "time"]), st.integers(0, 5))))
def test_whatever_happens_one_probe_is_out_at_most_and_a_call_is_possible_again_in_time(
    events: list[tuple[str, int]],
) -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(clock, threshold=2, cooldown=1, longest=8)
    out: list[int] = []
    for event, number in events:
        if event == "time":
            clock.advance(number)
        elif event == "call":
            half_open = breaker.state == HALF_OPEN
            ticket = breaker.admit()
            if ticket is not None:
                out.append(ticket)
            assert not half_open or breaker.admit() is None
        elif out:
            ticket = out.pop(number % len(out))
            if event == "good":
                breaker.success(ticket)
            elif event == "bad":
                breaker.failure(ticket, "bad")
            else:
                breaker.forget(ticket)
    for ticket in out:
        breaker.forget(ticket)
    assert breaker.wait() <= 8
    clock.advance(breaker.wait())
    assert breaker.admit() is not None
