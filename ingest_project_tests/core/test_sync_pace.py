"""Rates, what a deadline needs of an API, and the words for both."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.sync_pace import Means, Measured, ReadSoFar, rating, read_plan, sentences

BILLION = Measured(entity="allocation", rows=1_000_000_000, row_bytes=900.0, page_seconds=0.8)
DAY = 86_400.0


@pytest.mark.parametrize(
    ("rate", "word"),
    [(801, "excellent"), (800, "good"), (400, "good"), (399.9, "needs work"), (0, "needs work")],
)
def test_rates_are_rated_as_the_domain_says(rate: float, word: str) -> None:
    assert rating(rate) == word


def test_a_billion_rows_in_a_day_beyond_the_quota() -> None:
    plan = read_plan([BILLION], Means(page_rows=1250, workers=8, quota=5.0), DAY)
    assert "\n".join(sentences(plan)) == (
        "allocation: 1,000,000,000 rows are 800,000 requests of 1,250 rows, about 900.0 GB\n"
        "a page takes 0.80 s: 8 workers and a quota of 5.0 requests a second read 5.0 pages a second = "
        "6,250 rows/s (excellent): 44:26:40 in all\n"
        "1,000,000,000 rows in 24:00:00 need 11,574 rows/s = 9.3 pages a second; your quota gives 5.0 = "
        "6,250 rows/s: not feasible, it takes 44:26:40 at least. Ask for a quota of 9.3 requests a second, "
        "or for that time"
    )
    assert (plan.feasible, plan.workers_needed) == (False, 8)


def test_a_billion_rows_in_a_day_with_a_larger_quota() -> None:
    plan = read_plan([BILLION], Means(page_rows=1250, workers=4, quota=12.0), DAY)
    told = list(sentences(plan))
    assert told[2].endswith("your quota gives 12.0 = 15,000 rows/s: feasible with 8 workers")
    assert told[3] == "only 4 are configured: set INGEST_WMS_AT_ONCE=8"
    assert plan.pages_per_second == pytest.approx(5.0)


def test_many_workers_are_a_reason_to_watch_the_api() -> None:
    plan = read_plan([BILLION], Means(page_rows=1250, workers=64, quota=1000.0), DAY / 6)
    assert "45 large pages at a time may slow the API down" in list(sentences(plan))[-1]


def test_several_entities_share_one_quota() -> None:
    small = Measured(entity="order_hdr", rows=1_000_001, row_bytes=3000.0, page_seconds=1.6)
    plan = read_plan([BILLION, small], Means(page_rows=1250, workers=8, quota=5.0))
    assert (plan.entities, plan.rows) == (("allocation", "order_hdr"), 1_001_000_001)
    assert plan.requests == 800_000 + 801
    assert 0.8 < plan.page_seconds < 0.81
    assert (plan.deadline, plan.feasible, len(list(sentences(plan)))) == (None, None, 2)


def test_an_empty_entity_needs_nothing() -> None:
    plan = read_plan(
        [Measured(entity="a", rows=0, row_bytes=0.0, page_seconds=0.0)],
        Means(page_rows=1250, workers=8, quota=5.0),
        60.0,
    )
    assert (plan.requests, plan.seconds, plan.feasible) == (0, 0.0, True)
    assert list(sentences(plan)) == ["a: 0 rows are 0 requests of 1,250 rows, about 0.0 KB"]


@given(
    rows=st.integers(1, 10**10),
    seconds=st.floats(0.01, 30.0),
    quota=st.floats(0.1, 1000.0),
    deadline=st.floats(10.0, 10**7),
)
def test_as_many_workers_as_needed_keep_the_deadline(
    rows: int, seconds: float, quota: float, deadline: float
) -> None:
    found = [Measured(entity="a", rows=rows, row_bytes=1.0, page_seconds=seconds)]
    plan = read_plan(found, Means(page_rows=1250, workers=1, quota=quota), deadline)
    assert plan.workers_needed is not None
    enough = read_plan(found, Means(page_rows=1250, workers=plan.workers_needed, quota=quota), deadline)
    assert enough.feasible == (enough.seconds <= deadline * (1 + 1e-9))


def test_a_sync_tells_its_rate_and_what_is_left() -> None:
    now = ReadSoFar(entity="order_hdr", rows=250_000, rows_left=750_000, seconds=200.0, cpu_seconds=50.0)
    assert str(now) == "order_hdr: 250,000 rows at 1,250 rows/s (excellent), 0:10:00 left"
    values = {metric.name: metric.value for metric in now.metrics()}
    assert values["ingest_sync_rows_per_second"] == 1250.0
    assert (values["ingest_sync_cpu_ratio"], values["ingest_sync_left_seconds"]) == (0.25, 600.0)


def test_nobody_knows_what_is_left_before_the_first_row() -> None:
    begun = ReadSoFar(entity="a", rows=0, rows_left=5, seconds=0.0)
    assert str(begun) == "a: 0 rows at 0 rows/s (needs work)"
    assert "ingest_sync_left_seconds" not in {metric.name for metric in begun.metrics()}
    assert ReadSoFar(entity="a", rows=0, rows_left=0, seconds=0.0).seconds_left == 0.0
