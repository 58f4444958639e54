"""The simulation of a cluster beside what can be reckoned by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import ceil
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_project.core.capacity import Run, simulate
from ingest_project.core.errors import ConfigurationError
from ingest_project.core.fleet import Failures, Fleet, Quota
from ingest_project.core.sharing import Phase

START, WORK = 3.0, 10.0
RUN: Run = (Phase(seconds=START, cores=0.5), Phase(seconds=WORK, cores=0.5, units=100.0))


@settings(max_examples=30)
@given(st.integers(1, 60), st.integers(1, 6), st.integers(1, 4))
def test_equal_runs_come_in_waves(runs: int, hosts: int, at_once: int) -> None:
    found = simulate([RUN] * runs, Fleet(hosts=hosts, at_once=at_once), Random(1))
    assert ceil(runs / (hosts * at_once)) * (START + WORK) == pytest.approx(found.seconds)


def test_not_more_runs_are_under_way_than_dagster_allows() -> None:
    found = simulate([RUN] * 12, Fleet(hosts=4, at_once=3, most_runs=2), Random(1))
    assert 6 * (START + WORK) == pytest.approx(found.seconds)
    assert 2 / 12 == pytest.approx(found.slots)


def test_a_small_quota_says_how_long_it_takes() -> None:
    # Of different length: runs in step would all start at once, and leave the quota idle meanwhile.
    runs = [(RUN[0], Phase(seconds=WORK + number % 7, units=100.0)) for number in range(200)]
    found = simulate(runs, Fleet(hosts=5, at_once=4), Random(1), quota=Quota(steps=((0.0, 40.0),)))
    assert 200 * 100.0 / 40.0 == pytest.approx(found.seconds, rel=0.02)
    assert 1.0 == pytest.approx(found.quota, rel=0.02)


def test_a_quota_that_doubles_is_used_as_it_comes() -> None:
    quota = Quota(steps=((0.0, 10.0), (100.0, 20.0), (200.0, 40.0)))
    assert (1_000.0, 5_000.0) == (quota.units_until(100.0), quota.units_until(250.0))
    assert (100.0, 250.0) == (quota.seconds_for(1_000.0), quota.seconds_for(5_000.0))
    found = simulate([RUN] * 50, Fleet(hosts=10), Random(1), quota=quota)
    assert quota.seconds_for(5_000.0) == pytest.approx(found.seconds, rel=0.05)


def test_cores_that_are_all_busy_say_how_long_it_takes() -> None:
    found = simulate([RUN] * 60, Fleet(hosts=2, at_once=6, cores=1.0), Random(1))
    assert 60 * 0.5 * (START + WORK) / 2 == pytest.approx(found.seconds, rel=0.02)
    assert 1.0 == pytest.approx(found.cores, rel=0.02)
    shared = simulate([RUN] * 60, Fleet(hosts=2, at_once=6, cores=1.0, hosts_a_machine=2), Random(1))
    assert 2 * found.seconds == pytest.approx(shared.seconds, rel=0.02)


def test_a_daemon_that_launches_slowly_says_how_long_it_takes() -> None:
    fleet = Fleet(hosts=50, at_once=2, submit_seconds=0.1, dequeue_seconds=1.0, launch_seconds=2.0)
    found = simulate([RUN] * 100, fleet, Random(1))
    assert 100 * 2.0 + START + WORK == pytest.approx(found.seconds, rel=0.05)
    assert found.launches > 0.9


@settings(max_examples=30)
@given(st.integers(1, 30), st.floats(0.2, 3.0), st.floats(20.0, 400.0))
def test_more_hosts_never_take_longer(runs: int, cores: float, units: float) -> None:
    def seconds(hosts: int, quota: Quota | None) -> float:
        fleet = Fleet(hosts=hosts, at_once=2, cores=cores)
        return simulate([RUN] * runs, fleet, Random(1), quota=quota).seconds

    hosts = (1, 2, 3, 5, 8)
    free = [seconds(number, None) for number in hosts]
    assert all(more <= fewer * 1.000001 for fewer, more in pairwise(free))
    # Whether runs are in step differs with the hosts, and so do the moments that nobody uses the quota.
    bound = [seconds(number, Quota(steps=((0.0, units),))) for number in hosts]
    assert all(more <= fewer + START + WORK for fewer, more in pairwise(bound))


def test_the_same_luck_has_the_same_outcome() -> None:
    failures = Failures(runs_an_hour=20.0, hosts_an_hour=5.0)
    one, same, other = (
        simulate([RUN] * 100, Fleet(hosts=3, at_once=2), Random(seed), failures=failures)
        for seed in (7, 7, 8)
    )
    assert one == same
    assert one != other


def test_losses_cost_time_and_no_work() -> None:
    fleet, runs = Fleet(hosts=4), [RUN] * 200
    seconds = [
        simulate(runs, fleet, Random(1), failures=Failures(runs_an_hour=rate, retries=99)).seconds
        for rate in (0.0, 20.0, 100.0)
    ]
    assert sorted(seconds) == seconds
    assert seconds[0] < seconds[1] < seconds[2]


class Never(Random):
    """Losses come after these many seconds, each rate's in turn."""

    def __init__(self, *seconds: float) -> None:
        super().__init__(1)
        self._seconds = list(seconds)

    def expovariate(self, lambd: float = 1.0) -> float:
        return self._seconds.pop(0) if self._seconds else 1e9


def test_a_lost_run_is_noticed_starts_again_and_goes_on_where_it_was() -> None:
    failures = Failures(runs_an_hour=1.0, notice_seconds=(15.0, 15.0))
    found = simulate([RUN], Fleet(hosts=1), Never(START + 4.0), failures=failures)
    assert (1, 0) == (found.lost, found.given_up)
    assert START + 4.0 + 15.0 + START + WORK - 4.0 == pytest.approx(found.seconds)


def test_a_lost_host_takes_its_runs_with_it_and_their_lease_is_waited_for() -> None:
    failures = Failures(hosts_an_hour=1.0, notice_seconds=(1.0, 1.0), lease_seconds=20.0, away_seconds=500.0)
    found = simulate([RUN, RUN], Fleet(hosts=2), Never(START + 4.0), failures=failures)
    assert 1 == found.lost
    assert START + 4.0 + 20.0 + WORK - 4.0 == pytest.approx(found.seconds)
    alone = simulate([RUN], Fleet(hosts=1), Never(START + 4.0), failures=replace(failures, lease_seconds=0.0))
    assert START + 4.0 + 500.0 + START + WORK - 4.0 == pytest.approx(alone.seconds)


def test_a_run_that_is_lost_too_often_is_given_up() -> None:
    failures = Failures(runs_an_hour=1.0, notice_seconds=(1.0, 1.0), retries=1)
    found = simulate([RUN], Fleet(hosts=1), Never(1.0, 1.0), failures=failures)
    assert (2, 1, 4.0) == (found.lost, found.given_up, found.seconds)


def test_a_quota_begins_at_once_and_is_above_0() -> None:
    for steps in ((), ((1.0, 5.0),), ((0.0, 0.0),)):
        with pytest.raises(ConfigurationError):
            Quota(steps=steps)
