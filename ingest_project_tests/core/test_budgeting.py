"""The shared budget's rules, whoever asks when: never above the quota, silence kept, one cut a wave."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.budgeting import GROWTH, LEAST, SLACK, Budget, Turn, hold, object_to, take

QUOTAS = st.floats(0.1, 500.0)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(0, 5)),
        st.tuples(st.just("wait"), st.floats(0.0, 3.0)),
        st.tuples(st.just("object"), st.floats(0.0, 90.0)),
        st.tuples(st.just("hold"), st.floats(0.0, 30.0)),
    ),
    max_size=60,
)


@given(quota=QUOTAS, gaps=st.lists(st.floats(0.0, 2.0), min_size=2, max_size=80))
def test_no_window_of_time_has_more_turns_than_the_quota_gives(quota: float, gaps: list[float]) -> None:
    budget, now, moments = Budget(rate=quota), 1000.0, []
    for gap in gaps:
        now += gap
        budget, turn = take(budget, now, quota)
        moments.append(turn.moment)
        assert turn.wait >= 0.0
    assert moments == sorted(moments)
    for first, begin in enumerate(moments):
        for last in range(first, len(moments)):
            window = moments[last] - begin + SLACK
            assert last - first + 1 <= quota * window + 1 + 1e-6


@given(quota=QUOTAS, count=st.integers(1, 200))
def test_who_asks_all_the_time_gets_the_whole_quota(quota: float, count: int) -> None:
    budget, turns = Budget(rate=quota), []
    for _ in range(count):
        budget, turn = take(budget, 1000.0, quota)
        turns.append(turn.moment)
    assert turns[-1] - 1000.0 == pytest.approx((count - 1) / quota, abs=1e-6)


def test_a_late_turn_does_not_move_the_next_and_a_very_late_one_does() -> None:
    budget, _ = take(Budget(rate=5.0), 1000.0, 5.0)
    late, _ = take(budget, 1000.2 + SLACK / 2, 5.0)
    assert late.turn == pytest.approx(1000.4)
    idle, _ = take(budget, 1000.2 + 2 * SLACK, 5.0)
    assert idle.turn == pytest.approx(1000.4 + 2 * SLACK)


@given(quota=QUOTAS, steps=STEPS)
def test_silence_is_kept_and_the_rate_stays_within_its_bounds(
    quota: float, steps: list[tuple[str, float]]
) -> None:
    budget, now, silent, last = Budget(rate=quota), 1000.0, 0.0, Turn(moment=1000.0, wait=0.0)
    for verb, value in steps:
        if verb == "take":
            budget, last = take(budget, now, quota, int(value))
            assert last.moment >= silent
        elif verb == "wait":
            now += value
        elif verb == "object":
            budget = object_to(budget, now, last.moment, value, quota)
        else:
            budget = hold(budget, now, value)
        if verb in ("object", "hold"):
            silent = max(silent, now + value)
        assert min(LEAST, quota) <= budget.rate <= quota


def test_a_wave_of_objections_halves_the_rate_once() -> None:
    budget = Budget(rate=8.0)
    for begun in (1000.0, 1000.1, 1000.2, 1000.9):
        budget = object_to(budget, 1001.0, begun, 2.0, 8.0)
    assert (budget.rate, budget.cut, budget.held, budget.objections) == (4.0, 1001.0, 1003.0, 4)
    budget = object_to(budget, 1004.0, 1003.5, 2.0, 8.0)
    assert (budget.rate, budget.held) == (2.0, 1006.0)


@pytest.mark.parametrize("quota", [1.0, 5.0, 100.0])
def test_successes_bring_half_the_rate_back_to_the_quota_within_half_a_minute(quota: float) -> None:
    budget, start, now = Budget(rate=quota / 2), 1000.0, 1000.0
    while budget.rate < quota:
        budget, turn = take(budget, now, quota, successes=1)
        now = turn.moment
    assert 20.0 < now - start < 30.0 + 2 / quota


def test_a_smaller_quota_counts_at_once() -> None:
    budget, _ = take(Budget(rate=50.0), 1000.0, 5.0)
    assert budget.rate == 5.0


def test_an_objection_to_a_tiny_quota_does_not_raise_it() -> None:
    budget = object_to(Budget(rate=0.01), 1000.0, 1000.0, 0.0, 0.01)
    assert budget.rate == 0.01


def test_a_success_adds_little() -> None:
    budget, _ = take(Budget(rate=2.0), 1000.0, 10.0, successes=1)
    assert budget == replace(Budget(rate=2.0 + GROWTH), turn=1000.0 + 1 / (2.0 + GROWTH), taken=1)
