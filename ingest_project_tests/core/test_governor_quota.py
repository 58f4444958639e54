"""Whole loads under a simulated quota: the rate settles near it without a storm, alone and in company."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_project.core.governing import RateGovernor
from ingest_project.testing.doubles import FakeClock
from ingest_project.testing.doubles_quota import Field, QuotaSink, play
from ingest_project.testing.fault_quotas import WriteQuota

MIXED = (100, 900, 3000)


def field_of(
    units: float, *, burst: float = 1.0, saved: float = 1.0, latency: float = 0.02, until: float = 60.0
) -> Field:
    """``burst`` and ``saved``: seconds' worth of units that can be, and are, saved up."""
    clock = FakeClock()
    quota = WriteQuota(units, burst_seconds=burst, start=saved * units, clock=clock)
    return Field(clock=clock, quota=quota, latency=latency, until=until)


def alone(target: Field, *, sizes: Sequence[int] = (1000,), seed: int = 1) -> QuotaSink:
    return play(target, governors=[RateGovernor(target.clock)], sizes=sizes, seed=seed)[0]


@pytest.mark.parametrize("burst", [0.6, 1.0, 300.0])
@pytest.mark.parametrize(
    ("units", "latency", "until"), [(50, 0.02, 120), (300, 0.1, 60), (2000, 0.01, 60), (2000, 0.1, 60)]
)
def test_the_rate_settles_within_a_tenth_of_the_quota(
    units: int, latency: float, until: int, burst: float
) -> None:
    target = field_of(units, burst=burst, saved=min(burst, 5.0), latency=latency, until=until)
    rate, refused = alone(target).between(15, until)
    assert units == pytest.approx(rate, rel=0.1)
    assert refused < 0.05


@pytest.mark.parametrize("burst", [0.2, 300.0])
def test_the_rate_settles_at_a_high_quota(burst: float) -> None:
    target = field_of(20_000, burst=burst, saved=min(burst, 3.0), latency=0.01, until=25)
    rate, refused = alone(target).between(8, 25)
    assert pytest.approx(rate, rel=0.1) == 20_000
    assert refused < 0.02


@settings(max_examples=20, deadline=None)
@given(
    units=st.integers(100, 4000),
    burst=st.sampled_from([1.0, 5.0, 300.0]),
    latency=st.floats(0.005, 0.2),
    sizes=st.sampled_from([(1000,), MIXED, (500, 2000)]),
    seed=st.integers(0, 1000),
)
def test_it_settles_whatever_quota_latency_and_sizes(
    units: int, burst: float, latency: float, sizes: tuple[int, ...], seed: int
) -> None:
    target = field_of(units, burst=burst, saved=min(burst, 3.0), latency=latency)
    rate, refused = alone(target, sizes=sizes, seed=seed).between(15, 60)
    assert units == pytest.approx(rate, rel=0.1)
    assert refused < 0.05


def test_items_of_several_units_count_with_their_units() -> None:
    target = field_of(2000, latency=0.05)
    governor = RateGovernor(target.clock)
    sink = play(target, governors=[governor], sizes=(100, 900, 20_000))[0]
    rate, refused = sink.between(10, 60)
    assert pytest.approx(rate, rel=0.1) == 2000
    assert refused < 0.05
    assert pytest.approx(governor.pace, rel=0.2) == 2000


def test_no_storm_when_saved_up_units_have_run_out() -> None:
    target = field_of(2000, burst=300.0, saved=150.0, latency=0.05, until=40)
    sink = alone(target)
    burst = next(second for second, units in sorted(sink.refused.items()) if units)
    assert sum(sink.taken[second] for second in range(burst)) > 100 * 2000
    assert sum(sink.refused[second] for second in range(burst, burst + 5)) < 2 * 2000
    assert sink.between(burst + 2, 40)[1] < 0.02


@pytest.mark.parametrize(("before", "after", "needs"), [(2000, 1000, 3), (2000, 4000, 18), (100, 50, 15)])
def test_a_quota_that_changes_is_found_again(before: int, after: int, needs: int) -> None:
    until = 20 + needs + 30
    target = field_of(before, until=until)

    def change() -> None:
        target.quota = WriteQuota(after, burst_seconds=1.0, start=0.0, clock=target.clock)

    sink = play(target, governors=[RateGovernor(target.clock)], change=change, change_at=20.0)[0]
    rate, refused = sink.between(20 + needs, until)
    assert after == pytest.approx(rate, rel=0.1)
    assert refused < 0.1


def test_a_target_that_took_nothing_for_a_while_is_served_again_soon() -> None:
    target = field_of(2000, until=60)
    shut = WriteQuota(1.0, burst=1.0, start=0.0, clock=target.clock)
    open_again = target.quota
    target.quota = shut

    def change() -> None:
        target.quota = open_again

    sink = play(target, governors=[RateGovernor(target.clock)], change=change, change_at=10.0)[0]
    assert sum(sink.refused.get(second, 0) for second in range(10)) < 1000
    assert pytest.approx(sink.between(35, 60)[0], rel=0.1) == 2000


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(("count", "joins"), [(2, 0.0), (2, 10.0), (4, 5.0)])
def test_processes_that_do_not_know_of_each_other_share_the_quota(
    count: int, joins: float, whole: bool
) -> None:
    target = field_of(2000, until=120)
    target.whole = whole
    sinks = play(target, governors=[RateGovernor(target.clock) for _ in range(count)], joins=joins)
    rates = [sink.between(60, 120)[0] for sink in sinks]
    assert pytest.approx(sum(rates), rel=0.1) == 2000
    assert max(rates) < 2 * min(rates)
    assert max(sink.between(60, 120)[1] for sink in sinks) < 0.05


def test_a_quota_that_is_never_reached_is_never_felt() -> None:
    target = field_of(100_000, latency=0.02, until=5)
    governor = RateGovernor(target.clock)
    sink = play(target, governors=[governor])[0]
    assert (governor.pace, governor.delay(), governor.window) == (None, 0.0, 64)
    assert pytest.approx(sink.between(1, 5)[0], rel=0.1) == 64 * 25 / 0.02
