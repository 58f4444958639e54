"""Experience: how fast earlier loads were, out of what the ledger kept of their chunks, and what that says of
the next one. Pure arithmetic; no clock and no ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

from ingest_project.core.forecasting import Interval

GAP_SECONDS = 60.0
"""Chunks with a longer pause between them are of two loads."""

LEAST_SECONDS, LEAST_ROWS = 1.0, 200
"""What is smaller says how long a start takes, and not how fast rows go."""

READING = "validated"
"""The stage before anything is written to a target."""

MOST_LOADS = 20
"""So many of the latest loads count: machines and tables change."""

LEAST_SPREAD = 0.15
"""Of a logarithm. Loads that were alike by chance promise no more than this."""

ONE_SPREAD = 0.35
"""After one load nobody knows how much the next one differs: seen between loads of one entity on a machine
that does other work."""

_T80 = (3.08, 1.89, 1.64, 1.53, 1.48, 1.44, 1.41, 1.40, 1.38, 1.37)
"""80 % of Student's distribution by degrees of freedom, from 1 on; the last stands for all above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One chunk in one stage: when its work began and ended, on one clock, and how many rows went through."""

    stage: str
    start: float
    end: float
    rows: int
    chunk: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastLoad:
    """One load. ``seconds``: something was at work; ``rows``: of the stage through which most went."""

    end: float
    seconds: float
    rows: int

    @property
    def rate(self) -> float:
        """Rows a second, all stages and whatever was at work side by side in it."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """Rows a second of the next load; holds four times in five. ``loads``: it was learned of so many."""

    rate: Interval
    loads: int

    @property
    def bounds(self) -> tuple[float, float]:
        """Of the likely rate, as parts of it."""
        return self.rate.low / self.rate.likely, self.rate.high / self.rate.likely


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRate:
    """Rows a second of one run, which takes its chunks one after the other. ``reading``: part of its time
    until the rows are validated; ``chunks``: it was learned of so many."""

    rate: Interval
    reading: float
    chunks: int

    @property
    def bounds(self) -> tuple[float, float]:
        """Of the likely rate, as parts of it."""
        return self.rate.low / self.rate.likely, self.rate.high / self.rate.likely


def loads_of(spans: Iterable[Span]) -> list[PastLoad]:
    """The loads in these chunks' work, the earliest first. Work side by side counts once."""
    found: list[PastLoad] = []
    group: list[Span] = []
    last = 0.0
    for span in sorted(spans, key=lambda one: (one.start, one.end)):
        if group and span.start - last > GAP_SECONDS:
            found.append(_load(group))
            group = []
        last = max(last, span.end) if group else span.end
        group.append(span)
    return [*found, _load(group)] if group else found


def learned(loads: Sequence[PastLoad]) -> Learned | None:
    """What the latest of these loads teach; None when none of them was large enough to tell."""
    telling = [load for load in loads if load.seconds >= LEAST_SECONDS and load.rows >= LEAST_ROWS]
    telling = sorted(telling, key=lambda load: load.end)[-MOST_LOADS:]
    if not telling:
        return None
    logs = [log(load.rate) for load in telling]
    count, middle = len(logs), sum(logs) / len(logs)
    if count == 1:
        doubt = _T80[-1] * ONE_SPREAD
    else:
        spread = sqrt(sum((value - middle) ** 2 for value in logs) / (count - 1))
        doubt = _T80[min(count - 1, len(_T80)) - 1] * max(LEAST_SPREAD, spread) * sqrt(1 + 1 / count)
    rate = Interval(low=exp(middle - doubt), likely=exp(middle), high=exp(middle + doubt))
    return Learned(rate=rate, loads=count)


def run_rate(spans: Iterable[Span]) -> RunRate | None:
    """What the latest chunks teach of one run; None when none of them was large enough to tell."""
    stages: dict[str, list[Span]] = {}
    for span in spans:
        stages.setdefault(span.chunk, []).append(span)
    chunks = {
        name: PastLoad(
            end=max(one.end for one in some),
            seconds=sum(one.end - one.start for one in some),
            rows=max(one.rows for one in some),
        )
        for name, some in stages.items()
    }
    found = learned(list(chunks.values()))
    if found is None:
        return None
    reading = sum(one.end - one.start for some in stages.values() for one in some if one.stage == READING)
    whole = sum(one.seconds for one in chunks.values())
    return RunRate(rate=found.rate, reading=reading / whole, chunks=found.loads)


def told_rate(rate: float) -> RunRate:
    """What somebody measured of one run; half of its time is taken to be reading."""
    return RunRate(rate=Interval(low=0.8 * rate, likely=rate, high=1.2 * rate), reading=0.5, chunks=0)


def _load(group: Sequence[Span]) -> PastLoad:
    busy, reached = 0.0, group[0].start
    rows: dict[str, int] = {}
    for span in group:
        busy += max(0.0, span.end - max(reached, span.start))
        reached = max(reached, span.end)
        rows[span.stage] = rows.get(span.stage, 0) + span.rows
    return PastLoad(end=reached, seconds=busy, rows=max(rows.values()))
