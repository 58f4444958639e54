"""How many hosts a load needs by a deadline, and what it costs: the question, put to core.fleet_forecast.

Arithmetic over figures with their sources; reads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil

from ingest_project.core.experience import RunRate
from ingest_project.core.fleet import HOUR, Failures, Fleet, Quota
from ingest_project.core.fleet_forecast import Forecast, Load, forecast, smallest
from ingest_project.core.progress import duration
from ingest_project.core.run_pace import shares
from ingest_project.resources.fleet_costs import COSTS, Figure, RunCosts
from ingest_project.resources.outlook import ASSUMED
from ingest_project.resources.prices import Prices, Quotas

MOST_HOSTS = 1024
RUN_BYTES, MOST_RUNS = 1 << 30, 500
"""Files of a run where nobody says how many bytes: this, or so much that there are no more runs."""

SIMULATED = 4000
"""Runs that are simulated for one row of the answer, in all its trials."""
SLOTS = 16
"""Chunks of a date's file, at most."""

LEAST_TRIALS, MOST_TRIALS = 10, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Cargo:
    """What is to be loaded; ``bytes`` of its files."""

    rows: int
    bytes: float
    write_units: int

    @property
    def row_bytes(self) -> float:
        return self.bytes / max(1, self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """With what.

    Attributes:
        hosts: Asked for by name.
        run_bytes, chunk_bytes: Of the files.
        units: Write units a second of a provisioned table, or shared by all hosts; None is an on-demand table
            that begins at ``start_units``.
        request_seconds: Of a write to the table; None is what is taken.
    """

    hosts: tuple[int, ...] = ()
    at_once: int = 4
    cores: float = 4.0
    run_bytes: float | None = None
    chunk_bytes: float = 8 * 2**20
    part_bytes: float = 16 * 2**20
    in_flight: int = 64
    request_seconds: float | None = None
    units: float | None = None
    provisioned: bool = False
    start_units: int | None = None
    failures: Failures = field(default_factory=Failures)
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One fleet: how long it takes, and dollars by what they are for; None is an unknown price."""

    forecast: Forecast
    costs: tuple[tuple[str, float | None], ...]

    @property
    def dollars(self) -> float | None:
        known = [dollars for _, dollars in self.costs if dollars is not None]
        return sum(known) if len(known) == len(self.costs) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlan:
    """The answer. ``needed``: hosts that keep the deadline nine times in ten; ``verdict``: in words."""

    runs: int
    offers: tuple[Offer, ...]
    needed: int | None
    verdict: str
    assumed: tuple[tuple[str, Figure], ...]


def fleet_plan(
    cargo: Cargo,
    means: Means,
    prices: Prices,
    quotas: Quotas,
    *,
    deadline: float | None = None,
    learned: RunRate | None = None,
    source: str = "",
    costs: RunCosts = COSTS,
) -> FleetPlan:
    """Simulate the fleets that the question is about.

    Args:
        deadline: Seconds.
        learned: Of one run; ``source`` says by whom.
    """
    question = _Question(cargo, means, quotas, learned, costs, source)
    needed = None if deadline is None else question.needed(deadline)
    chosen = {*means.hosts, *_about(needed)} or {1, 2, 4, 8, 16}
    offers = [
        Offer(forecast=one, costs=_costs(one, cargo, means, prices))
        for one in map(question.weighed, sorted(chosen))
    ]
    return FleetPlan(
        runs=question.runs,
        offers=tuple(offers),
        needed=needed,
        verdict=_verdict(deadline, needed, question),
        assumed=tuple(question.assumed()),
    )


def _about(needed: int | None) -> set[int]:
    return {max(1, needed // 2), needed, 2 * needed} if needed else set()


class _Question:
    """A load with its fleets, each simulated once."""

    def __init__(
        self,
        cargo: Cargo,
        means: Means,
        quotas: Quotas,
        learned: RunRate | None,
        costs: RunCosts,
        source: str,
    ) -> None:
        self._means, self._learned, self._costs, self._source = means, learned, costs, source
        self._quotas = quotas
        self._seen: dict[int, Forecast] = {}
        size = means.run_bytes or max(RUN_BYTES, cargo.bytes / MOST_RUNS)
        self.runs = max(1, ceil(cargo.bytes / size))
        self.pace = costs.pace(cargo.row_bytes, means.in_flight, means.request_seconds, learned)
        chunk = max(means.chunk_bytes, size / SLOTS) / max(1.0, cargo.row_bytes)
        parts = shares(cargo.rows, cargo.write_units, runs=self.runs, chunk_rows=max(1.0, chunk))
        self.load = Load(
            shares=parts,
            pace=self.pace,
            failures=means.failures,
            quota=_quota(means, quotas),
            bounds=learned.bounds if learned else ASSUMED,
            spread=costs.spread.value,
        )

    def _fleet(self, hosts: int) -> Fleet:
        return Fleet(
            hosts=hosts,
            at_once=self._means.at_once,
            cores=self._means.cores,
            submit_seconds=self._costs.submit_seconds.value,
            dequeue_seconds=self._costs.dequeue_seconds.value,
            launch_seconds=self._costs.launch_seconds.value,
        )

    def needed(self, deadline: float) -> int | None:
        """Found with guesses, made sure of with all trials. More places than runs are of no use."""
        if self.service > deadline:
            return None
        most = min(MOST_HOSTS, ceil(self.runs / self._means.at_once))
        found = smallest(self._guess, deadline, most)
        while found and found <= most:
            if self.weighed(found).seconds.high <= deadline:
                return found
            found += 1
        return None

    def _guess(self, hosts: int) -> float:
        """The upper end with a single simulation: all goes as slowly as once in ten times."""
        slow = 1 / self.load.bounds[0]
        steady = replace(self.load, bounds=(1.0, 1.0), pace=self.load.pace.slowed(slow))
        return forecast(steady, self._fleet(hosts), trials=1, seed=self._means.seed).seconds.likely

    def weighed(self, hosts: int) -> Forecast:
        if hosts not in self._seen:
            trials = max(LEAST_TRIALS, min(MOST_TRIALS, SIMULATED // self.runs))
            fleet = self._fleet(hosts)
            self._seen[hosts] = forecast(self.load, fleet, trials=trials, seed=self._means.seed)
        return self._seen[hosts]

    @cached_property
    def service(self) -> float:
        """Seconds that the table needs whoever writes."""
        return self.load.quota.seconds_for(sum(one.units for one in self.load.shares))

    def assumed(self) -> Iterable[tuple[str, Figure]]:
        """All that goes into the simulation beside the question, with its source."""
        rate = Figure(value=self.pace.rows_per_second, unit=RATE, source=self._source or BELOW, as_of="")
        yield "run_rate", rate
        for name, figure in self._costs.listed():
            if self._learned is not None and name in ROW_COSTS:
                continue
            if name == "request_seconds" and self._means.request_seconds is not None:
                figure = replace(figure, value=self._means.request_seconds, source="as told", as_of="")
            yield name, figure
        yield from _table(self._means, self._quotas)
        hours = self._means.failures.hosts_an_hour
        if hours:
            yield "host_losses", Figure(value=hours * MONTH_HOURS, unit=LOSSES, source=TAKEN, as_of="")


RATE, LOSSES = "rows/s of one run, starts left out", "of each host in 30 days"
BELOW, TAKEN = "the figures below; between half and one and a half of it", "taken, not measured"
MONTH_HOURS = 30 * 24
ROW_COSTS = ("read_row", "read_byte", "write_row", "write_byte", "request_seconds")


def _table(means: Means, quotas: Quotas) -> Iterable[tuple[str, Figure]]:
    """What the table takes, as in _quota."""
    unit = "write units a second"
    if means.units is not None:
        yield (
            "table_units",
            Figure(value=means.units, unit=f"{unit} of the table", source="as told", as_of=""),
        )
        return
    told = means.start_units is not None
    source, as_of = ("as told", "") if told else (quotas.source, quotas.as_of)
    units = float(means.start_units or quotas.on_demand_start)
    double = f"{unit} at first, twice as many after each {quotas.on_demand_double_seconds // 60} minutes"
    yield "table_start_units", Figure(value=units, unit=double, source=source, as_of=as_of)
    most = float(quotas.table_write_units)
    yield (
        "table_most_units",
        Figure(value=most, unit=f"{unit} at most", source=quotas.source, as_of=quotas.as_of),
    )


def _quota(means: Means, quotas: Quotas) -> Quota:
    """Of an on-demand table: twice its units after each while, as of its least."""
    if means.units is not None:
        return Quota(steps=((0.0, means.units),))
    units, most = float(means.start_units or quotas.on_demand_start), float(quotas.table_write_units)
    steps = [(0.0, min(units, most))]
    while steps[-1][1] < most:
        seconds, now = steps[-1]
        steps.append((seconds + quotas.on_demand_double_seconds, min(2 * now, most)))
    return Quota(steps=tuple(steps))


def _costs(
    found: Forecast, cargo: Cargo, means: Means, prices: Prices
) -> tuple[tuple[str, float | None], ...]:
    hosts, hours = found.fleet.hosts, found.seconds.likely / HOUR
    parts = ceil(cargo.bytes / means.part_bytes)
    requests = _times(prices.s3_put_thousand.dollars, parts / 1000)
    reads = _times(prices.s3_get_thousand.dollars, parts / 1000)
    if means.provisioned and means.units is not None:
        writes = _times(prices.wcu_hour.dollars, means.units * max(1, ceil(hours)))
    else:
        writes = _times(prices.write_million.dollars, cargo.write_units / 1e6)
    return (
        ("hosts", _times(prices.host_hour.dollars, hosts * hours)),
        ("control host", _times(prices.host_hour.dollars, hours)),
        ("writes", writes),
        (f"{parts:,} parts in S3", None if requests is None or reads is None else requests + reads),
    )


def _times(price: float | None, amount: float) -> float | None:
    return None if price is None else price * amount


def _verdict(deadline: float | None, needed: int | None, question: _Question) -> str:
    if deadline is None:
        return ""
    within = f"within {duration(deadline)}"
    if needed is not None:
        return f"{within}: {needed:,} worker host{'s' if needed > 1 else ''} needed"
    if question.service > deadline:
        return f"{within}: no number of hosts does it, the table takes {duration(question.service)}"
    return f"{within}: not surely with any number of hosts; with smaller runs (--run-bytes) perhaps"
