"""Fleets: many simulations of one load, weighed; and the smallest fleet that keeps a deadline.

Luck is seeded: the same question has the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from random import Random
from statistics import NormalDist, fmean

from ingest_project.core.capacity import Outcome, Run, simulate
from ingest_project.core.fleet import Failures, Fleet, Quota
from ingest_project.core.forecasting import Z80, Interval
from ingest_project.core.run_pace import Pace, Share

SHORT = 0.9
"""What is used to this share is what limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a fleet is asked to carry.

    Attributes:
        shares: One a run, in the order of the queue.
        bounds: The rate lies between these parts of the pace's, four times in five.
        spread: Of the logarithm of one run's time around that of the others.
    """

    shares: Sequence[Share]
    pace: Pace
    failures: Failures = field(default_factory=Failures)
    quota: Quota = field(default_factory=Quota)
    bounds: tuple[float, float] = (1.0, 1.0)
    spread: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What to expect of a fleet.

    Attributes:
        seconds: Median, and where nine of ten simulations are above and below.
        lost: Attempts that get lost, on the average; ``given_up``: runs that get lost too often.
        quota, cores, slots, launches: As of Outcome, on the average.
    """

    fleet: Fleet
    seconds: Interval
    lost: float
    given_up: float
    quota: float
    cores: float
    slots: float
    launches: float

    @property
    def limit(self) -> str:
        """What a larger fleet, or a faster run, would meet first."""
        if self.quota >= SHORT:
            return "the table's quota"
        if self.launches >= SHORT:
            return "the launching of runs"
        if self.cores >= SHORT:
            return "cores"
        return "runs at once" if self.slots >= SHORT - 0.1 else "too few runs for the places"


def forecast(load: Load, fleet: Fleet, *, trials: int, seed: int = 0) -> Forecast:
    """Simulate so many times. The doubt about the rate is spread evenly over the trials, the rest is luck."""
    outcomes = sorted(
        (_trial(load, fleet, (place + 0.5) / trials, Random(f"{seed}/{place}")) for place in range(trials)),
        key=lambda one: one.seconds,
    )

    def at(share: float) -> float:
        # A trial stands for the middle of its part of all luck.
        place = min(trials - 1.0, max(0.0, share * trials - 0.5))
        below = outcomes[floor(place)].seconds
        return below + (outcomes[ceil(place)].seconds - below) * (place % 1)

    def mean(name: str) -> float:
        return fmean(getattr(one, name) for one in outcomes)

    return Forecast(
        fleet=fleet,
        seconds=Interval(low=at(0.1), likely=at(0.5), high=at(0.9)),
        **{name: mean(name) for name in ("lost", "given_up", "quota", "cores", "slots", "launches")},
    )


def _trial(load: Load, fleet: Fleet, doubt: float, random: Random) -> Outcome:
    """``doubt``: share of all rates that are faster."""
    deviation = NormalDist().inv_cdf(doubt) / Z80
    low, high = load.bounds
    slower = low**-deviation if deviation > 0 else high**deviation
    runs: list[Run] = [load.pace.run(one, slower * _luck(load.spread, random)) for one in load.shares]
    return simulate(runs, fleet, random, failures=load.failures, quota=load.quota)


def _luck(spread: float, random: Random) -> float:
    return random.lognormvariate(0.0, spread) if spread > 0 else 1.0


def smallest(high_of: Callable[[int], float], deadline: float, most: int) -> int | None:
    """The least number of hosts whose time is within the deadline; None where ``most`` do not do it.

    Args:
        high_of: Hosts -> seconds; more hosts never take longer.
    """
    below, enough = 0, 1
    while high_of(enough) > deadline:
        if enough >= most:
            return None
        below, enough = enough, min(2 * enough, most)
    while enough - below > 1:
        middle = (below + enough) // 2
        below, enough = (below, middle) if high_of(middle) <= deadline else (middle, enough)
    return enough
