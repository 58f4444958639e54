"""The rate governor by itself: window, pace and what it learns from an epoch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import BatchLimits
from ingest_project.testing.doubles import FakeClock


def taken(governor: RateGovernor, clock: FakeClock, *, inside: int = 1, cost: float = 25) -> None:
    """A request that goes out, takes 10 ms and is taken."""
    if governor.paced:
        clock.advance(governor.delay())
        governor.spend(cost)
    begun = clock()
    clock.advance(0.01)
    governor.report(cost, 0, begun=begun, inside=inside, throttled=False)


def refused(
    governor: RateGovernor, clock: FakeClock, *, inside: int = 1, cost: float = 25, left: float = 25
) -> None:
    """A request that goes out, takes 10 ms and is refused in part."""
    if governor.paced:
        clock.advance(governor.delay())
        governor.spend(cost)
    begun = clock()
    clock.advance(0.01)
    governor.report(cost, left, begun=begun, inside=inside, throttled=True)


def test_the_window_doubles_each_round_trip_until_the_first_objection() -> None:
    governor = RateGovernor(FakeClock(), most=64, start=8)
    for _ in range(8):
        governor.widen(inside=governor.window)
    assert governor.window == 16
    for _ in range(200):
        governor.widen(inside=governor.window)
    assert governor.window == 64


def test_a_window_that_is_not_full_does_not_grow() -> None:
    governor = RateGovernor(FakeClock(), start=8)
    for _ in range(100):
        governor.widen(inside=7)
    assert governor.window == 8


def test_who_never_hears_an_objection_never_waits() -> None:
    clock = FakeClock()
    governor = RateGovernor(clock)
    for _ in range(1000):
        assert (governor.delay(), governor.paced, governor.pace) == (0.0, False, None)
        governor.spend(1000)
        taken(governor, clock, inside=governor.window)


def test_the_first_objection_halves_the_window_and_what_was_going_out() -> None:
    clock = FakeClock()
    governor = RateGovernor(clock, start=20)
    refused(governor, clock, inside=20)
    assert governor.window == 10
    assert governor.pace == pytest.approx(20 * 25 / 0.01 / 2)


def test_what_was_sent_before_a_change_does_not_count_against_it() -> None:
    clock = FakeClock()
    governor = RateGovernor(clock, start=20)
    begun = clock()
    refused(governor, clock, inside=20)
    before = (governor.pace, governor.window)
    for _ in range(50):
        clock.advance(0.1)
        governor.report(25, 25, begun=begun, inside=20, throttled=True)
    assert before == (governor.pace, governor.window)


def test_an_epoch_with_objections_brings_the_pace_to_the_share_that_was_taken() -> None:
    clock = FakeClock()
    governor = RateGovernor(clock, start=20)
    refused(governor, clock, inside=20)
    before = governor.pace or 0.0
    for _ in range(100):
        if governor.pace != before:
            break
        refused(governor, clock, cost=100, left=40)
    assert governor.pace == pytest.approx(0.6 * before, rel=0.05)


def test_little_that_is_refused_lowers_the_pace_a_little_and_leaves_the_window() -> None:
    clock = FakeClock()
    governor = RateGovernor(clock, start=20)
    refused(governor, clock, inside=20)
    before, window = governor.pace or 0.0, governor.window
    refused(governor, clock, cost=100, left=1)
    while governor.pace == before:
        taken(governor, clock, cost=100)
    assert (governor.pace, governor.window) == (pytest.approx(0.87 * before), window)


def test_a_pace_that_is_not_used_does_not_grow() -> None:
    clock = FakeClock()
    governor = RateGovernor(clock, start=8)
    refused(governor, clock, inside=8)
    assert (governor.pace or 0.0) > 25 / 0.01
    assert changes(governor, clock) == 1.0


def changes(governor: RateGovernor, clock: FakeClock) -> float:
    """Takes requests until the pace changes; by how much it does."""
    before = governor.pace or 0.0
    for _ in range(1000):
        taken(governor, clock)
        if governor.pace != before:
            return (governor.pace or 0.0) / before
    return 1.0


def test_after_a_storm_the_pace_doubles_until_the_next_objection_and_then_grows_slowly() -> None:
    clock = FakeClock()
    governor = RateGovernor(clock, start=8)
    while (governor.pace or 1e9) > 300:
        refused(governor, clock, inside=8)
    assert [changes(governor, clock) for _ in range(3)] == [2.0, 2.0, 2.0]
    refused(governor, clock, cost=100, left=1)
    assert 0.87 <= changes(governor, clock) <= 0.9
    assert 1.0 < changes(governor, clock) < 1.05


def test_the_pace_is_kept_unit_by_unit() -> None:
    clock = FakeClock()
    governor = RateGovernor(clock, start=1)
    refused(governor, clock)
    pace, begun, spent = governor.pace or 0.0, clock(), 0.0
    for cost in (1, 700, 25, 25, 300) * 20:
        clock.advance(governor.delay())
        governor.spend(cost)
        spent += cost
    clock.advance(governor.delay())
    assert spent / pace == pytest.approx(clock() - begun, abs=RateGovernor.SLACK + 1e-6)


def test_a_request_that_went_out_late_is_made_up_for_but_a_pause_is_not() -> None:
    clock = FakeClock()
    governor = RateGovernor(clock, start=1)
    refused(governor, clock)
    governor.spend(25)
    clock.advance(100.0)
    free = 0
    while governor.delay() == 0.0:
        governor.spend(25)
        free += 1
    assert free <= RateGovernor.SLACK * (governor.pace or 0.0) / 25 + 1


@given(
    st.integers(1, 64),
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 5000), st.integers(0, 100), st.integers(1, 64))),
)
def test_window_and_pace_never_fall_below_what_makes_progress(
    most: int, answers: list[tuple[float, int, int, int]]
) -> None:
    clock = FakeClock()
    governor = RateGovernor(clock, most=most)
    for seconds, cost, percent, inside in answers:
        governor.spend(cost)
        clock.advance(seconds)
        begun = clock() - seconds
        governor.report(cost, cost * percent / 100, begun=begun, inside=inside, throttled=percent > 0)
        assert 1 <= governor.window <= most
        assert governor.pace is None or governor.pace > 0
        assert 0 <= governor.delay() <= RateGovernor.LONGEST_WAIT


def test_a_window_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="in flight"):
        RateGovernor(FakeClock(), most=0)


@pytest.mark.parametrize(("unit", "expected"), [(0, 4), (1, 3073 + 1024 + 1), (1024, 4 + 1 + 1)])
def test_what_a_request_costs_is_counted_in_whole_units_an_item(unit: int, expected: int) -> None:
    limits = BatchLimits(count=25, bytes=1 << 20, unit=unit)
    assert expected == limits.cost([b"x" * 3073, b"x" * 1024, b"x", b""])
