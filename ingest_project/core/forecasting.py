"""Forecasts with an honest width: how long the rest of a load takes, and between which times most likely.

Pure arithmetic over what was told: no clock, no display, no knowledge of what is loaded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log, sqrt

MOST_POINTS = 128
"""So many points of the past are kept; then every second one goes."""

BLOCKS = 16
"""The past is looked at in so many stretches of equal work."""

LEAST_POINTS = 4
Z80 = 1.2816
"""80 % of a normal distribution lie within so many standard deviations."""

# The constants below are chosen so that the intervals hold for loads of nine kinds (see the simulation in
# core/test_forecasting.py), and not for the one load whose rate never changes.
_UNSEEN = 0.45
"""Spread (of a logarithm) that the rest may have although nothing of the past shows it: a throttle, larger
records, another file."""
_RECENT = 4
"""The last quarter of the past is what is called recent."""
_LEAST_RECENT = 0.3
_TREND = 0.7
_TREND_GOES_ON = 3.0
_LONGER = 1.12
"""Loads take longer than expected more easily than less long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value that is not known: the best guess, and an interval that holds the truth four times in five."""

    low: float
    likely: float
    high: float

    def scaled(self, factor: float) -> Interval:
        """All three times ``factor``."""
        return Interval(low=self.low * factor, likely=self.likely * factor, high=self.high * factor)

    def __add__(self, other: Interval) -> Interval:
        """The sum of two values that err together: the bounds add up."""
        return Interval(
            low=self.low + other.low, likely=self.likely + other.likely, high=self.high + other.high
        )

    @classmethod
    def exactly(cls, value: float) -> Interval:
        return cls(low=value, likely=value, high=value)


class Forecaster:
    """Forecasts the seconds that are left of some work.

    Told how much was done at which time, it looks at the pace (seconds a unit of work) of stretches of equal
    work. The guess lies between the mean pace and the recent one, the nearer to the recent one the clearer
    it differs from the noise. The width comes from the noise of the past, from its trend, and from what no
    past shows: the less was seen and the more is left, the wider. Memory: MOST_POINTS points.

    Args:
        total: Work to do, in any unit (records, bytes).
        done: Work that was done before; it says nothing of the pace.
        seconds: Time at which the work begins, on whatever clock.
    """

    def __init__(self, *, total: float, done: float = 0.0, seconds: float = 0.0) -> None:
        self._total = total
        self._points: list[tuple[float, float]] = [(done, seconds)]
        self._last = (done, seconds)
        self._step = 0.0

    def observe(self, done: float, seconds: float, total: float | None = None) -> None:
        """Tell how much is done in all at a time; less than before or an earlier time is left out."""
        self._total = self._total if total is None else total
        if done < self._last[0] or seconds < self._last[1]:
            return
        self._last = (done, seconds)
        if done <= self._points[-1][0] or done - self._points[-1][0] < self._step:
            return
        self._points.append((done, seconds))
        if len(self._points) > MOST_POINTS:
            self._points = self._points[::2]
            self._step = (self._points[-1][0] - self._points[0][0]) / len(self._points)

    @property
    def share(self) -> float:
        """Of the work that is done, between 0 and 1; 1 when there is none."""
        return min(1.0, self._last[0] / self._total) if self._total > 0 else 1.0

    @property
    def seconds_left(self) -> Interval | None:
        """The seconds from the last observation to the end; None while nobody can know."""
        left = self._total - self._last[0]
        if left <= 0:
            return Interval.exactly(0.0)
        points = self._points if self._points[-1] == self._last else [*self._points, self._last]
        if len(points) < LEAST_POINTS or points[-1][1] <= points[0][1]:
            return None
        seen = points[-1][0] - points[0][0]
        if seen <= 0:
            return None
        return _rest(_paces(points, min(BLOCKS, len(points) - 1)), seen, left)


def _paces(points: Sequence[tuple[float, float]], blocks: int) -> list[float]:
    """Seconds a unit of work in stretches of equal work; between points time passes evenly."""
    first, last = points[0][0], points[-1][0]
    borders = [first + (last - first) * number / blocks for number in range(blocks + 1)]
    times = [_time_at(points, border) for border in borders]
    width = (last - first) / blocks
    # A stretch that took no time is a clock too coarse, not an endless rate.
    least = (times[-1] - times[0]) / (last - first) / 1000
    return [max(least, (end - start) / width) for start, end in pairwise(times)]


def _time_at(points: Sequence[tuple[float, float]], done: float) -> float:
    place = min(max(1, bisect_left(points, (done, float("-inf")))), len(points) - 1)
    (done_before, before), (done_after, after) = points[place - 1], points[place]
    if done_after == done_before:
        return after
    return before + (after - before) * (done - done_before) / (done_after - done_before)


def _rest(paces: Sequence[float], seen: float, left: float) -> Interval:
    """Seconds for ``left`` after ``seen`` went at these paces. Spreads are those of logarithms."""
    count = len(paces)
    logs = [log(pace) for pace in paces]
    recent_count = max(1, count // _RECENT)
    whole, recent = sum(paces) / count, sum(paces[-recent_count:]) / recent_count
    trend = log(recent / whole)
    jumps = sum((after - before) ** 2 for before, after in pairwise(logs)) / (2 * max(1, count - 1))
    clear = trend**2 / (trend**2 + 2 * jumps / recent_count + 1e-12)
    weight = max(_LEAST_RECENT, clear)
    likely = left * exp((1 - weight) * log(whole) + weight * log(recent))
    middle = sum(logs) / count
    noise = sum((value - middle) ** 2 for value in logs) / max(1, count - 1)
    common = _UNSEEN**2 * left / (left + seen) + 2 * noise * (1 / count + seen / count / left)
    shorter = common + (_TREND_GOES_ON if trend < 0 else _TREND) * trend**2
    longer = common + (_TREND_GOES_ON if trend > 0 else _TREND) * trend**2
    return Interval(
        low=likely * exp(-Z80 * sqrt(shorter)),
        likely=likely,
        high=likely * exp(Z80 * _LONGER * sqrt(longer)),
    )
