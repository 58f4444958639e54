"""Outlook: how long a load of this project takes, what it needs, and how many workers a deadline asks for.

Arithmetic over an estimate, the deployment's knobs and the caller's assumptions.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import psutil

from ingest_project.core.advising import Facts, advise
from ingest_project.core.forecasting import Interval
from ingest_project.core.model import ChunkPlan
from ingest_project.core.progress import duration
from ingest_project.core.replaying import is_replay
from ingest_project.resources.estimating import Estimate
from ingest_project.resources.knobs import Knobs
from ingest_project.resources.lanes import Assumptions, ramp_seconds
from ingest_project.resources.prices import Quotas

ASSUMED, TOLD = (0.5, 1.5), (0.8, 1.2)
"""The rate of a client lies between these parts of what was assumed, or told by whoever measured it."""

MOST_WORKERS = 256
BATCH_ITEMS, BATCH_BYTES = 25, 16 << 20
"""Of one BatchWriteItem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What to expect.

    Attributes:
        rows, seconds: With intervals that hold four times in five; seconds with ``workers``.
        requests: To the table.
        memory_bytes: All processes together, at most.
        workers_needed: That keep the deadline even at the upper end of the interval; None without a deadline,
            and where no number of workers does.
        deadline: What is to be said of the deadline; empty without one.
    """

    files: int
    bytes: int
    rows: Interval
    requests: int
    seconds: Interval
    workers: int
    memory_bytes: int
    workers_needed: int | None
    deadline: str
    advice: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pace:
    """Rows against time.

    Attributes:
        a_worker: Rows a second of one.
        bounds: Of that rate, as parts of it.
        service: Seconds that the table needs for as many rows as are likely, whoever sends them.
    """

    rows: Interval
    a_worker: float
    bounds: tuple[float, float]
    service: float

    def seconds(self, workers: int) -> Interval:
        rate, (low, high) = self.a_worker * workers, self.bounds
        likely = max(1.0, self.rows.likely)
        return Interval(
            low=max(self.rows.low / (rate * high), self.service * self.rows.low / likely),
            likely=max(self.rows.likely / rate, self.service),
            high=max(self.rows.high / (rate * low), self.service * self.rows.high / likely),
        )


def outlook(
    found: Estimate,
    knobs: Knobs,
    assumed: Assumptions,
    quotas: Quotas,
    *,
    bounds: tuple[float, float] = ASSUMED,
    deadline: float | None = None,
) -> Outlook:
    """What a load with these knobs would be like on this machine.

    Args:
        bounds: Between these parts of it lies the client's rate in ``assumed``.
        deadline: Seconds in which all must be done.
    """
    facts = facts_of(found, knobs)
    start, units = assumed.start_units or quotas.on_demand_start, found.volume.write_units
    pace = _Pace(
        rows=found.rows,
        a_worker=assumed.items_per_second / facts.workers,
        bounds=bounds,
        service=ramp_seconds(units, start, quotas.table_write_units, quotas.on_demand_double_seconds),
    )
    needed, sentence = (None, "") if deadline is None else _kept(pace, deadline, facts.chunks)
    volume = found.volume
    return Outlook(
        files=facts.files,
        bytes=facts.bytes,
        rows=found.rows,
        requests=max(ceil(volume.items / BATCH_ITEMS), ceil(volume.text_bytes / BATCH_BYTES)),
        seconds=pace.seconds(max(1, min(facts.workers, facts.chunks))),
        workers=facts.workers,
        memory_bytes=facts.memory,
        workers_needed=needed,
        deadline=sentence,
        advice=advise(facts),
    )


def _kept(pace: _Pace, deadline: float, chunks: int) -> tuple[int | None, str]:
    """How many workers keep the deadline, and the sentence that says so."""
    within = f"within {duration(deadline)}"
    most = min(MOST_WORKERS, max(1, chunks))
    for workers in range(1, most + 1):
        if pace.seconds(workers).high <= deadline:
            return workers, f"{within}: {workers} worker{'s' if workers > 1 else ''} needed"
    if pace.service > deadline:
        return None, (
            f"{within}: no number of workers does it, the table takes {duration(pace.service)}: warm it up "
            "(--start-units), or take a bulk lane"
        )
    least = pace.seconds(most)
    return None, (
        f"{within}: not surely, {most} workers over {chunks:,} chunks take {duration(least.low)} to "
        f"{duration(least.high)}"
    )


def facts_of(found: Estimate, knobs: Knobs) -> Facts:
    """What an estimate says of the load's size, on this machine."""
    files = [file for file in found.files if not file.error]
    sizes = [(file.bytes, bool(file.compression)) for file in files]
    chunks = sum(1 if packed else max(1, size // knobs.min_chunk_bytes) for size, packed in sizes)
    rows = sum(file.records for file in files)
    bad = sum(file.records * file.rejected_share for file in files)
    return _facts(sizes, chunks, knobs, bad / rows if rows else 0.0)


def plan_advice(plan: ChunkPlan, knobs: Knobs) -> tuple[str, ...]:
    """Advice for the load of a plan."""
    sizes = [(index.file.size, bool(index.compression)) for index in plan.files]
    chunks = sum(not is_replay(chunk) for chunk in plan.chunks)
    return advise(_facts(sizes, chunks, knobs, 0.0)) if sizes else ()


def _facts(sizes: Sequence[tuple[int, bool]], chunks: int, knobs: Knobs, rejected: float) -> Facts:
    largest, packed = max(sizes, default=(0, False))
    total = sum(size for size, _ in sizes)
    return Facts(
        files=len(sizes),
        bytes=total,
        largest=largest,
        largest_packed=packed,
        packed=sum(packed for _, packed in sizes),
        chunks=chunks,
        workers=knobs.workers or knobs.crew(chunks, total),
        cores=os.cpu_count() or 0,
        free_bytes=psutil.virtual_memory().available,
        rejected_share=rejected,
        held_bytes=knobs.memory_bytes + 2 * knobs.part_bytes,
    )
