"""The interval of the time left, over simulated loads whose rates change in nine ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import exp, pi, sin
from random import Random

import pytest

from ingest_project.core.forecasting import MOST_POINTS, Forecaster, Interval

UNITS = 400
LOADS = 60
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)

Paces = list[float]


def even(rng: Random) -> Paces:
    """One rate, with noise."""
    spread = rng.uniform(0.05, 0.6)
    return [rng.lognormvariate(0, spread) for _ in range(UNITS)]


def levels(rng: Random) -> Paces:
    """Another level now and then."""
    often, spread = rng.uniform(1, 8) / UNITS, rng.uniform(0.2, 0.7)
    level, paces = rng.lognormvariate(0, spread), []
    for _ in range(UNITS):
        level = rng.lognormvariate(0, spread) if rng.random() < often else level
        paces.append(level * rng.lognormvariate(0, 0.2))
    return paces


def drift(rng: Random) -> Paces:
    """Slower and slower, or faster and faster."""
    way = rng.uniform(-1, 1)
    return [exp(way * unit / UNITS) * rng.lognormvariate(0, 0.2) for unit in range(UNITS)]


def walk(rng: Random) -> Paces:
    """Each step a little off the one before."""
    step, place, paces = rng.uniform(0.01, 0.06), 0.0, []
    for _ in range(UNITS):
        place += rng.gauss(0, step)
        paces.append(exp(place) * rng.lognormvariate(0, 0.15))
    return paces


def stalls(rng: Random) -> Paces:
    """Pauses, as of a target that is away for a while."""
    often = rng.uniform(0.005, 0.04)
    return [
        rng.lognormvariate(0, 0.2) * (rng.uniform(5, 30) if rng.random() < often else 1) for _ in range(UNITS)
    ]


def waves(rng: Random) -> Paces:
    """Others use the machine at times."""
    height, length, begin = rng.uniform(0.2, 0.8), rng.uniform(0.05, 0.5) * UNITS, rng.uniform(0, 2 * pi)
    return [
        exp(height * sin(2 * pi * unit / length + begin)) * rng.lognormvariate(0, 0.2)
        for unit in range(UNITS)
    ]


def ramp(rng: Random) -> Paces:
    """A slow start: caches, connections, an on-demand table that grows."""
    length, factor = rng.uniform(0.01, 0.15) * UNITS, rng.uniform(1, 3)
    return [(1 + factor * exp(-unit / length)) * rng.lognormvariate(0, 0.2) for unit in range(UNITS)]


def throttled(rng: Random) -> Paces:
    """From some moment on the target takes less."""
    begin, factor = rng.uniform(0.05, 0.9) * UNITS, rng.uniform(1.2, 2.5)
    return [(factor if unit > begin else 1) * rng.lognormvariate(0, 0.2) for unit in range(UNITS)]


def files(rng: Random) -> Paces:
    """Files of very different lengths, each with records of its own size."""
    paces: Paces = []
    while len(paces) < UNITS:
        level = rng.lognormvariate(0, 0.6)
        paces += [level * rng.lognormvariate(0, 0.1) for _ in range(int(rng.paretovariate(1.2) * 4))]
    return paces[:UNITS]


KINDS: tuple[Callable[[Random], Paces], ...] = (
    even, levels, drift, walk, stalls, waves, ramp, throttled, files,
)  # fmt: skip


def loads(kind: Callable[[Random], Paces]) -> Iterator[Paces]:
    return (kind(Random(f"{kind.__name__} {number}")) for number in range(LOADS))


def forecasts(paces: Paces) -> Iterator[tuple[float, Interval, float]]:
    """(share done, forecast, what it really took) at each of SHARES."""
    forecaster, seconds, total = Forecaster(total=UNITS), 0.0, sum(paces)
    stops = {int(share * UNITS): share for share in SHARES}
    for done, pace in enumerate(paces, start=1):
        seconds += pace
        forecaster.observe(done, seconds)
        if done in stops:
            left = forecaster.seconds_left
            assert left is not None
            yield stops[done], left, total - seconds


@pytest.fixture(scope="module")
def held() -> dict[tuple[str, float], float]:
    """(kind, share done) -> share of its loads whose interval holds the truth."""
    found: dict[tuple[str, float], float] = {}
    for kind in KINDS:
        for paces in loads(kind):
            for share, forecast, truth in forecasts(paces):
                place = (kind.__name__, share)
                found[place] = found.get(place, 0.0) + (forecast.low <= truth <= forecast.high) / LOADS
    return found


@pytest.mark.parametrize("share", SHARES)
def test_the_interval_holds_the_truth_in_four_of_five_loads(
    held: dict[tuple[str, float], float], share: float
) -> None:
    shares = [part for (_, at), part in held.items() if at == share]
    assert sum(shares) / len(KINDS) >= 0.8


def test_after_a_tenth_of_the_work_it_holds_for_every_kind_of_load(
    held: dict[tuple[str, float], float],
) -> None:
    missed = {kind: round(part, 2) for (kind, at), part in held.items() if at == 0.1 and part < 0.8}
    assert {} == missed


def test_an_even_load_has_a_narrow_interval_towards_its_end() -> None:
    forecaster = Forecaster(total=1000)
    for done in range(0, 950, 10):
        forecaster.observe(done, done / 50)
    left = forecaster.seconds_left
    assert left is not None
    assert 60 / 50 == pytest.approx(left.likely)
    assert left.high / left.low < 1.6


def test_nothing_is_forecast_of_nothing() -> None:
    forecaster = Forecaster(total=100, seconds=7.0)
    assert forecaster.seconds_left is None
    forecaster.observe(0, 20.0)
    forecaster.observe(1, 20.0)
    assert forecaster.seconds_left is None


def test_finished_work_has_no_time_left() -> None:
    forecaster = Forecaster(total=10)
    forecaster.observe(10, 3.0)
    assert (Interval.exactly(0.0), 1.0) == (forecaster.seconds_left, forecaster.share)
    assert Interval.exactly(0.0) == Forecaster(total=0).seconds_left


def test_what_was_done_before_is_no_speed() -> None:
    fresh, resumed = Forecaster(total=1000), Forecaster(total=10_000, done=9_000, seconds=50.0)
    for done in range(10, 210, 10):
        fresh.observe(done, done / 10)
        resumed.observe(9_000 + done, 50 + done / 10)
    assert fresh.seconds_left == resumed.seconds_left


def test_steps_back_are_left_out() -> None:
    forecaster = Forecaster(total=100)
    for done in range(1, 21):
        forecaster.observe(done, float(done))
    before = forecaster.seconds_left
    forecaster.observe(3, 21.0)
    forecaster.observe(25, 4.0)
    assert before == forecaster.seconds_left


def test_memory_does_not_grow_with_the_observations() -> None:
    forecaster = Forecaster(total=1_000_000)
    for done in range(100_000):
        forecaster.observe(done, done / 1000)
    assert len(forecaster._points) <= MOST_POINTS


def test_intervals_add_up_and_scale() -> None:
    one = Interval(low=1, likely=2, high=4)
    assert Interval(low=3, likely=6, high=12) == one + one.scaled(2)
