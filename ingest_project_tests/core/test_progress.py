"""The progress meter in its own time."""

from __future__ import annotations

import pytest

from ingest_project.core.progress import ProgressMeter, duration
from ingest_project.testing.doubles import FakeClock


def run(meter: ProgressMeter, clock: FakeClock, rate: float, seconds: int) -> None:
    for _ in range(seconds):
        clock.advance(1)
        meter.update(meter.done + int(rate))


def test_share_rate_and_time_left_of_a_steady_load() -> None:
    clock = FakeClock()
    meter = ProgressMeter(total=10_000, clock=clock)
    run(meter, clock, 100, 20)
    assert meter.share == 0.2
    assert pytest.approx(meter.rate) == 100
    assert pytest.approx(meter.seconds_left) == 80
    assert str(meter) == "20.0 % (2,000 of 10,000), 100/s, 0:01:20 left"


def test_a_changed_speed_shows_within_the_window() -> None:
    clock = FakeClock()
    meter = ProgressMeter(total=1_000_000, clock=clock)
    run(meter, clock, 1000, 60)
    run(meter, clock, 100, 1)
    assert 800 < meter.rate < 1000
    run(meter, clock, 100, 40)
    assert pytest.approx(meter.rate, rel=0.2) == 100


def test_what_was_done_before_is_no_speed() -> None:
    clock = FakeClock()
    meter = ProgressMeter(total=1000, clock=clock, done=900)
    run(meter, clock, 10, 5)
    assert pytest.approx(meter.rate) == 10
    assert pytest.approx(meter.mean_rate) == 10
    late = ProgressMeter(total=1000, clock=clock)
    late.update(900)
    run(late, clock, 10, 5)
    assert pytest.approx(late.rate) == 10


def test_without_a_total_nobody_knows_the_share() -> None:
    clock = FakeClock()
    meter = ProgressMeter(total=0, clock=clock)
    run(meter, clock, 5, 2)
    assert (meter.share, meter.seconds_left, str(meter)) == (None, None, "10, 5/s")


def test_before_the_first_news_nothing_is_promised() -> None:
    meter = ProgressMeter(total=100, clock=FakeClock())
    assert (
        meter.share,
        meter.rate,
        meter.seconds_left,
        str(meter),
    ) == (0.0, 0.0, None, "0.0 % (0 of 100), 0/s")


def test_the_end_has_no_time_left() -> None:
    clock = FakeClock()
    meter = ProgressMeter(total=100, clock=clock)
    run(meter, clock, 50, 2)
    assert (meter.share, meter.seconds_left) == (1.0, 0.0)
    idle = ProgressMeter(total=5, clock=clock, done=5)
    assert idle.seconds_left == 0.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00:00"), (59.2, "0:01:00"), (3661, "1:01:01"), (5e10, "more than 99 days")],
)
def test_durations_are_rounded_up(seconds: float, text: str) -> None:
    assert text == duration(seconds)
