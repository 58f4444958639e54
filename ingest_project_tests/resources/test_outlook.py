"""Outlook: time, workers and memory follow from rows, rates and what the table takes."""

from __future__ import annotations

from ingest_project.core.forecasting import Interval
from ingest_project.resources.estimating import Estimate, FileEstimate
from ingest_project.resources.knobs import Knobs
from ingest_project.resources.lanes import Assumptions, Volume
from ingest_project.resources.outlook import TOLD, Outlook, outlook
from ingest_project.resources.prices import Quotas

MIB = 2**20
QUOTAS = Quotas()


def of(rows: int = 600_000, *, files: int = 10, size: int = 32 * MIB, units: int = 0) -> Estimate:
    volume = Volume(items=rows // files, write_units=units or rows // files, text_bytes=1, stored_bytes=1)
    one = Interval(low=0.9, likely=1.0, high=1.1).scaled(rows / files)
    return Estimate(
        files=tuple(
            FileEstimate(
                uri=f"file:///{at}", table="t", records=rows // files, volume=volume, rows=one, bytes=size
            )
            for at in range(files)
        )
    )


def seen(found: Estimate, **words: float) -> Outlook:
    workers = int(words.pop("workers", 1))
    knobs = Knobs(in_flight=32, memory_bytes=32 * MIB, workers=workers)
    # A table that takes everything at once, unless a test says otherwise.
    assumed = Assumptions(items_per_second=1_000 * workers, start_units=int(words.pop("start", 40_000)))
    return outlook(found, knobs, assumed, QUOTAS, **words)


def test_time_has_an_interval_of_rows_and_of_the_rate() -> None:
    found = seen(of(), bounds=TOLD)
    assert Interval(low=540 / 1.2, likely=600, high=660 / 0.8) == found.seconds
    assumed = seen(of())
    assert Interval(low=540 / 1.5, likely=600, high=660 / 0.5) == assumed.seconds


def test_two_workers_take_half_the_time_where_there_are_two_chunks() -> None:
    assert 300 == seen(of(), workers=2).seconds.likely
    assert 600 == seen(of(files=1, size=MIB), workers=2).seconds.likely


def test_without_a_number_the_outlook_has_the_processes_that_the_load_will_get() -> None:
    knobs = Knobs(in_flight=32, memory_bytes=32 * MIB, workers=None, cores=2)
    assert 1 == outlook(of(), knobs, Assumptions(), QUOTAS).workers
    assert 2 == outlook(of(size=64 * MIB), knobs, Assumptions(), QUOTAS).workers


def test_the_deadline_says_how_many_workers_are_needed() -> None:
    found = seen(of(), bounds=TOLD, deadline=300.0)
    assert (3, "within 0:05:00: 3 workers needed") == (found.workers_needed, found.deadline)
    assert 1 == seen(of(), bounds=TOLD, deadline=3600.0).workers_needed


def test_a_deadline_that_chunks_do_not_allow_is_told_so() -> None:
    found = seen(of(files=2, size=MIB), bounds=TOLD, deadline=100.0)
    assert found.workers_needed is None
    assert "not surely, 2 workers over 2 chunks" in found.deadline


def test_a_table_that_takes_less_bounds_the_time_whatever_the_workers() -> None:
    found = seen(of(units=720_000), workers=64, start=1_000, deadline=60.0)
    assert found.seconds.likely > 1_800
    assert found.workers_needed is None
    assert "no number of workers does it" in found.deadline


def test_requests_and_memory_are_bounds() -> None:
    found = seen(of(), workers=2)
    assert (24_000, 3 * 110 * MIB + 2 * (32 + 32) * MIB) == (found.requests, found.memory_bytes)
    assert seen(of(), workers=1).memory_bytes < found.memory_bytes
