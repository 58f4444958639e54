"""Backoff, verdicts, the circuit breaker and the rate governor, each in its own time."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.errors import (
    BatchTooLarge,
    ChunkBusy,
    CountLost,
    LeaseLost,
    PermanentFailure,
    TargetMissing,
    Throttled,
    TransientFailure,
)
from ingest_project.core.retrying import RateGovernor, RetryPolicy, Verdict, verdict
from ingest_project.testing.doubles import FakeClock


@given(st.integers(1, 200), st.integers())
def test_a_delay_is_between_zero_and_its_ceiling(attempt: int, seed: int) -> None:
    policy = RetryPolicy(base=0.5, factor=2, cap=20, attempts=1000)
    delay = policy.delay(attempt, Random(seed))
    assert delay is not None
    assert 0 <= delay <= min(20, 0.5 * 2 ** (attempt - 1))


def test_delays_are_jittered_over_the_whole_range() -> None:
    rng = Random(1)
    delays = [RetryPolicy(base=1.0).delay(1, rng) or 0.0 for _ in range(1000)]
    assert min(delays) < 0.01
    assert max(delays) > 0.99


@given(st.integers(1, 7), st.floats(0, 100))
def test_the_servers_advice_is_the_least_wait(attempt: int, advice: float) -> None:
    delay = RetryPolicy().delay(attempt, Random(0), retry_after=advice)
    assert delay is not None
    assert delay >= advice


def test_attempts_are_finite() -> None:
    policy = RetryPolicy(attempts=3)
    assert [policy.delay(n, Random(0)) is None for n in (1, 2, 3)] == [False, False, True]


@pytest.mark.parametrize(
    "make",
    [
        lambda: RetryPolicy(attempts=0),
        lambda: RetryPolicy(base=-1),
        lambda: RetryPolicy(factor=0.5),
        lambda: RetryPolicy(cap=-1),
    ],
)
def test_a_policy_without_an_end_is_refused(make: Callable[[], RetryPolicy]) -> None:
    with pytest.raises(ValueError, match="ends"):
        make()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TransientFailure("x"), Verdict.RETRY),
        (Throttled("x"), Verdict.RETRY),
        (ChunkBusy("x"), Verdict.RETRY),
        (BatchTooLarge("x"), Verdict.SPLIT),
        (LeaseLost("x"), Verdict.STOP),
        (PermanentFailure("x"), Verdict.FATAL),
        (TargetMissing("x"), Verdict.FATAL),
        (CountLost("x"), Verdict.FATAL),
        (KeyError("x"), Verdict.FATAL),
    ],
)
def test_each_error_has_one_verdict(error: Exception, expected: Verdict) -> None:
    assert expected == verdict(error)


def test_the_window_doubles_each_round_trip_until_the_first_objection() -> None:
    governor = RateGovernor(FakeClock(), most=64, start=8)
    for _ in range(8):
        governor.report(25, 0, throttled=False)
    assert governor.window == 16
    for _ in range(200):
        governor.report(25, 0, throttled=False)
    assert governor.window == 64


def test_objections_of_one_moment_halve_the_window_once() -> None:
    clock = FakeClock()
    governor = RateGovernor(clock, most=64, start=64)
    for _ in range(30):
        governor.report(0, 25, throttled=True)
    assert governor.window == 32
    clock.advance(1)
    governor.report(0, 25, throttled=True)
    assert governor.window == 16


def test_the_window_stays_between_one_and_the_most() -> None:
    clock = FakeClock()
    governor = RateGovernor(clock, most=3)
    for _ in range(20):
        clock.advance(1)
        governor.report(0, 25, throttled=True)
    assert governor.window == 1
    for _ in range(100):
        governor.report(1, 0, throttled=False)
    assert governor.window == 3


def test_after_an_objection_the_window_grows_by_one_a_round_trip() -> None:
    clock = FakeClock()
    governor = RateGovernor(clock, most=64, start=20)
    clock.advance(1)
    governor.report(0, 25, throttled=True)
    for _ in range(10):
        governor.report(25, 0, throttled=False)
    assert 10 <= governor.window <= 11


def test_nobody_waits_before_the_first_objection() -> None:
    governor = RateGovernor(FakeClock())
    assert [governor.delay(1000) for _ in range(50)] == [0.0] * 50


def test_the_pace_is_kept_item_by_item() -> None:
    clock = FakeClock()
    governor = RateGovernor(clock, backoff=1.0)
    for _ in range(10):
        clock.advance(0.1)
        governor.report(100, 0, throttled=False)
    governor.report(0, 25, throttled=True)
    assert pytest.approx(governor.pace, rel=0.2) == 1000
    pace = governor.pace or 0.0
    waits = [governor.delay(100) for _ in range(4)]
    assert [0.0, 100 / pace, 200 / pace, 300 / pace] == pytest.approx(waits)


def test_however_low_the_pace_a_batch_goes_out_within_two_seconds() -> None:
    clock = FakeClock()
    governor = RateGovernor(clock)
    for _ in range(20):
        clock.advance(1)
        governor.report(0, 25, throttled=True)
    governor.delay(1000)
    assert governor.delay(1000) <= RateGovernor.LONGEST_WAIT
