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
from ingest_project.core.retrying import Patience, RetryPolicy, Verdict, verdict


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


def tries_of(*marks: str, attempts: int = 3) -> Patience:
    """After tries that were barren (b), excused (e) or brought progress (p)."""
    patience = Patience(RetryPolicy(attempts=attempts, base=1.0, cap=1000.0))
    for mark in marks:
        patience.tried(progress=mark == "p", excused=mark == "e")
    return patience


@pytest.mark.parametrize(
    ("marks", "ended"),
    [("bb", False), ("bbb", True), ("bbpb", False), ("bbpbb", True), ("beeeeeeb", False), ("ebbeb", True)],
)
def test_patience_ends_with_tries_that_nothing_excuses(marks: str, ended: bool) -> None:
    assert ended == (tries_of(*marks).delay(Random(0)) is None)


def test_excused_tries_make_the_waits_longer_all_the_same() -> None:
    rng = Random(3)
    longest = [max(tries_of(*"e" * count).delay(rng) or 0.0 for _ in range(200)) for count in (1, 4, 8)]
    assert [pytest.approx(1, rel=0.1), pytest.approx(8, rel=0.1), pytest.approx(128, rel=0.1)] == longest


def test_the_servers_advice_is_the_least_wait_of_a_patient_one_too() -> None:
    assert (tries_of("e").delay(Random(0), 77.0) or 0.0) >= 77.0
