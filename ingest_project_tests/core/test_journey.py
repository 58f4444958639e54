"""The time left, within a stage and to the end of all, of loads whose rate changes (a known failure of an
earlier tool: it was always empty)."""

from __future__ import annotations

from random import Random

import pytest

from ingest_project.core.journey import Journey
from ingest_project.testing.doubles import FakeClock


def work(journey: Journey, clock: FakeClock, done: int, rate: float, seconds: int, rng: Random) -> int:
    """So many seconds of work told in uneven steps, as files of all sizes end."""
    for _ in range(seconds):
        clock.advance(1)
        done += int(rate * rng.uniform(0.5, 1.5))
        journey.update(done)
    return done


def test_a_steady_stage_has_the_right_time_left_from_its_first_seconds_on() -> None:
    clock = FakeClock()
    journey = Journey(clock)
    journey.begin("validated", 10_000)
    assert journey.stage_left is None
    for second in range(1, 100):
        clock.advance(1)
        journey.update(100 * second)
        assert pytest.approx(100 - second) == journey.stage_left
        assert journey.stage_left == journey.left


@pytest.mark.parametrize("factor", [0.25, 0.5, 2.0, 4.0])
def test_a_rate_that_changes_is_the_time_left_soon_after(factor: float) -> None:
    clock, rng = FakeClock(), Random(7)
    journey = Journey(clock)
    journey.begin("table", 500_000)
    done = work(journey, clock, 0, 500, 60, rng)
    done = work(journey, clock, done, 500 * factor, 60, rng)
    truth = (500_000 - done) / (500 * factor)
    assert journey.stage_left is not None
    assert 0.5 < journey.stage_left / truth < 2.0


def test_what_stands_still_has_ever_more_time_left() -> None:
    clock, rng = FakeClock(), Random(7)
    journey = Journey(clock)
    journey.begin("table", 100_000)
    done = work(journey, clock, 0, 500, 60, rng)
    before = journey.left
    work(journey, clock, done, 0, 300, rng)
    assert before is not None
    assert journey.left is not None
    assert journey.left > 2 * before


def test_the_stages_to_come_are_counted_and_learned() -> None:
    clock = FakeClock()
    journey = Journey(clock)
    journey.expect({"validated": 1000, "table": 1000, "index": 500})
    journey.begin("validated", 1000)
    for second in range(1, 6):
        clock.advance(1)
        journey.update(100 * second)
    assert pytest.approx(5) == journey.stage_left
    assert pytest.approx(5 + 1500 / 100) == journey.left
    clock.advance(5)
    journey.update(1000)
    assert journey.stage_left == 0.0
    journey.begin("table", 1000)
    assert journey.stage_left is None
    for second in range(1, 11):
        clock.advance(1)
        journey.update(20 * second)
    assert pytest.approx(40) == journey.stage_left
    assert pytest.approx(40 + 500 / 20) == journey.left


def test_what_was_done_before_is_no_speed_and_an_end_has_no_time_left() -> None:
    clock = FakeClock()
    journey = Journey(clock)
    journey.begin("table", 1000, done=900)
    clock.advance(2)
    journey.update(910)
    assert pytest.approx(18) == journey.left
    journey.update(1000)
    assert journey.left == 0.0
