"""Many simulations weighed, and the smallest fleet that keeps a deadline."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_project.core.fleet import Failures, Fleet, Quota
from ingest_project.core.fleet_forecast import Load, forecast, smallest
from ingest_project.core.run_pace import Pace, Share, shares

PACE = Pace(
    start_seconds=3.0,
    start_cores=0.5,
    end_seconds=1.0,
    chunk_seconds=0.5,
    row_seconds=0.001,
    write_cpu=0.0001,
    request_seconds=0.1,
    in_flight=2,
)


def test_a_run_is_its_start_its_chunks_its_rows_and_its_end() -> None:
    run = PACE.run(Share(rows=1000, chunks=4, units=2000.0))
    assert [3.0, 4 * 0.5 + 1.0, 1000 * 0.1 / 50, 1.0] == pytest.approx([phase.seconds for phase in run])
    assert [0.5, 1.0, 0.05, 0.0] == pytest.approx([phase.cores for phase in run])
    assert [0, 0, 2000.0, 0] == [phase.units for phase in run]
    assert 1 / 0.003 == pytest.approx(PACE.rows_per_second)


def test_rows_are_shared_out_whole() -> None:
    found = shares(1000, 3000, runs=4, chunk_rows=100)
    assert [Share(rows=250, chunks=3, units=750)] * 4 == list(found)


def test_doubt_about_the_rate_is_the_width_of_the_forecast() -> None:
    load = Load(shares=shares(100_000, 0, runs=20, chunk_rows=1e9), pace=PACE, bounds=(0.5, 2.0))
    found = forecast(load, Fleet(hosts=2), trials=40)
    sure = forecast(Load(shares=load.shares, pace=PACE), Fleet(hosts=2), trials=3)
    assert sure.seconds.low == sure.seconds.likely == sure.seconds.high
    assert sure.seconds.likely == pytest.approx(found.seconds.likely, rel=0.05)
    assert 1.9 < (found.seconds.high - 40) / (sure.seconds.likely - 40) < 2.1
    assert found.seconds.low < sure.seconds.likely < found.seconds.high
    assert found == forecast(load, Fleet(hosts=2), trials=40)


@pytest.mark.parametrize(
    ("limit", "fleet", "units"),
    [
        ("the table's quota", Fleet(hosts=8), 5.0),
        ("the launching of runs", Fleet(hosts=60, launch_seconds=3.0), 1e9),
        ("cores", Fleet(hosts=1, at_once=40, cores=0.2), 1e9),
        ("runs at once", Fleet(hosts=2), 1e9),
        ("too few runs for the places", Fleet(hosts=80), 1e9),
    ],
)
def test_what_limits_is_named(limit: str, fleet: Fleet, units: float) -> None:
    quota = Quota(steps=((0.0, units),))
    load = Load(shares=shares(50_000, 50_000, runs=50, chunk_rows=1e9), pace=PACE, quota=quota)
    assert limit == forecast(load, fleet, trials=1).limit


def test_losses_are_counted() -> None:
    failures = Failures(runs_an_hour=300.0, retries=0)
    load = Load(shares=shares(50_000, 0, runs=50, chunk_rows=1e9), pace=PACE, failures=failures)
    found = forecast(load, Fleet(hosts=5), trials=4)
    assert 0 < found.given_up == found.lost


@settings(max_examples=30)
@given(st.integers(1, 300), st.integers(1, 200))
def test_the_smallest_fleet_is_found(needed: int, most: int) -> None:
    found = smallest(lambda hosts: 1000.0 / hosts, 1000.0 / needed, most)
    assert (needed if needed <= most else None) == found
