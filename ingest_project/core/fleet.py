"""Fleet: the hosts of a cluster, what gets lost on them, and the quota that they share, as plain values.

What comes of them is found by core.capacity.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from ingest_project.core.errors import ConfigurationError

HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Hosts, and how runs come to them.

    Attributes:
        at_once: Runs at once on a host (`ingest worker --at-once`).
        cores: Of a machine; ``hosts_a_machine`` is above 1 where hosts are only made up on one.
        most_runs: Dagster's max_concurrent_runs; None is what all hosts take.
        submit_seconds: Runs get into Dagster's queue one after the other, so far apart.
        dequeue_seconds: Pause between two looks into the queue; each takes what fits.
        launch_seconds: The daemon is busy for so long with each launch.
    """

    hosts: int
    at_once: int = 1
    cores: float = inf
    hosts_a_machine: int = 1
    most_runs: int | None = None
    submit_seconds: float = 0.0
    dequeue_seconds: float = 0.0
    launch_seconds: float = 0.0

    @property
    def slots(self) -> int:
        return self.hosts * self.at_once

    @property
    def machines(self) -> int:
        return -(-self.hosts // self.hosts_a_machine)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """What gets lost, and what becomes of it.

    Attributes:
        runs_an_hour: Lost runs in an hour of one run; ``hosts_an_hour``: lost hosts in an hour of one host.
        notice_seconds: Least and most from a loss until the run is in the queue again.
        lease_seconds: A repeated run writes nothing before so long after the loss; 0 where it has the lost
            one's owner, and so its leases.
        away_seconds: A lost host comes back after so long.
        retries: Of one run, at most; as many as orchestration.celery_runs grants for lost workers.
    """

    runs_an_hour: float = 0.0
    hosts_an_hour: float = 0.0
    notice_seconds: tuple[float, float] = (10.0, 20.0)
    lease_seconds: float = 0.0
    away_seconds: float = 300.0
    retries: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Units a second of all hosts together: (from which second on, units), in order of time."""

    steps: tuple[tuple[float, float], ...] = ((0.0, inf),)

    def __post_init__(self) -> None:
        if not self.steps or self.steps[0][0] > 0 or min(units for _, units in self.steps) <= 0:
            raise ConfigurationError("a quota begins at second 0 and is above 0")

    def units_until(self, seconds: float) -> float:
        """That it lets through from the beginning on."""
        ends = [*(start for start, _ in self.steps[1:]), inf]
        spans = (
            (min(seconds, end) - start, units) for (start, units), end in zip(self.steps, ends, strict=True)
        )
        return sum(span * units for span, units in spans if span > 0)

    def seconds_for(self, units: float) -> float:
        """In which it lets so many through, if they are asked for from the beginning on."""
        for (start, rate), (end, _) in zip(self.steps, (*self.steps[1:], (inf, inf)), strict=True):
            if units <= rate * (end - start):
                return start + units / rate
            units -= rate * (end - start)
        return inf
