"""What earlier loads teach: chunks side by side, pauses, and intervals that hold as often as they say."""

from __future__ import annotations

from math import exp
from random import Random

import pytest

from ingest_project.core.experience import GAP_SECONDS, PastLoad, Span, learned, loads_of, run_rate, told_rate

DRAWS = 2_000


def span(start: float, end: float, rows: int = 1_000, stage: str = "validated") -> Span:
    return Span(stage=stage, start=start, end=end, rows=rows)


def test_chunks_side_by_side_count_their_time_once() -> None:
    side_by_side = [span(0, 10), span(0, 10), span(4, 12), span(12, 20, 2_900, "table")]
    (found,) = loads_of(side_by_side)
    assert (20.0, 3_000, 150.0) == (found.seconds, found.rows, found.rate)


def test_a_pause_within_a_load_is_not_its_work_and_a_longer_one_parts_two_loads() -> None:
    (found,) = loads_of([span(0, 10), span(40, 50)])
    assert (20.0, 2_000) == (found.seconds, found.rows)
    later = 50 + GAP_SECONDS + 1
    two = loads_of([span(later, later + 5), span(40, 50), span(0, 10)])
    assert [(20.0, 2_000), (5.0, 1_000)] == [(load.seconds, load.rows) for load in two]


def test_a_chunk_within_a_longer_one_does_not_end_the_load() -> None:
    (found,) = loads_of([span(0, 500), span(1, 2), span(400, 450)])
    assert 500.0 == found.seconds


def test_nothing_is_learned_of_nothing_and_of_what_is_too_small() -> None:
    assert learned([]) is None
    assert learned([PastLoad(end=1, seconds=0.2, rows=10_000)]) is None
    assert learned([PastLoad(end=1, seconds=30, rows=3)]) is None


def test_one_load_is_the_guess_with_a_wide_interval() -> None:
    found = learned([PastLoad(end=9, seconds=10, rows=20_000)])
    assert found is not None
    assert 2_000 == pytest.approx(found.rate.likely)
    low, high = found.bounds
    assert (1, True, True) == (found.loads, low < 0.7, high > 1.4)


@pytest.mark.parametrize("spread", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_the_next_load_lies_in_the_interval_four_times_in_five(count: int, spread: float) -> None:
    rng, held = Random(f"{count} {spread}"), 0
    for _ in range(DRAWS):
        rates = [exp(7 + rng.gauss(0, spread)) for _ in range(count + 1)]
        past = [PastLoad(end=at, seconds=10, rows=round(10 * rate)) for at, rate in enumerate(rates[:-1])]
        found = learned(past)
        assert found is not None
        held += found.rate.low <= rates[-1] <= found.rate.high
    # 2,000 draws of four in five come out below this once in a thousand times.
    assert held / DRAWS >= 0.772


def test_one_run_goes_through_its_stages_one_after_the_other() -> None:
    spans = [
        Span(stage=stage, start=start, end=start + seconds, rows=6_000, chunk=chunk)
        for chunk, start in (("a", 0.0), ("b", 1.0))
        for stage, seconds in (("validated", 5.0), ("table", 15.0))
    ]
    found = run_rate(spans)
    assert found is not None
    assert (2, 0.25, pytest.approx(300)) == (found.chunks, found.reading, found.rate.likely)
    low, high = found.bounds
    assert low < 1 < high
    assert run_rate([]) is None


def test_a_rate_that_was_told_is_doubted_a_little() -> None:
    found = told_rate(100.0)
    assert (80.0, 100.0, 120.0) == (found.rate.low, found.rate.likely, found.rate.high)
