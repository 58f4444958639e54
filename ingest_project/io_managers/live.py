"""What a running step shows before it ends: LiveReporter its progress, LiveSlots the slots that are done.

Bounded by time: an event is a transaction of Dagster's, and a short step has no need of either.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import PurePosixPath
from types import TracebackType
from typing import Self

import dagster as dg

from ingest_project.core.model import Chunk, Counts
from ingest_project.core.progress import ProgressMeter

MOST_FILES = 5
MIN_GAP_SECONDS = 2.0
"""One event costs Dagster up to 14 ms; at this gap the reporting stays under 1 % of a run."""

SLOTS_GAP_SECONDS = 5.0
"""So long a slot that is done may wait for others, and is not yet seen by anybody."""


class LiveReporter:
    """Adds up durable steps of all chunks and logs share, rate and time left.

    Args:
        write: Where a line goes.
        stage: Named in each line.
        total: Records of all chunks together.
    """

    def __init__(self, write: Callable[[str], None], stage: str, total: int) -> None:
        self._write = write
        self._stage = stage
        self._meter = ProgressMeter(total=total, clock=time.monotonic)
        self._done: dict[str, int] = {}
        self._at_work: dict[str, Chunk] = {}
        self._last = time.monotonic()

    def __call__(self, stage: str, chunk: Chunk, done: int, counts: Counts) -> None:
        """core.ports.Progress: ``done`` records of the chunk are durable."""
        self._done[chunk.id] = done
        self._at_work[chunk.id] = chunk
        if done >= chunk.records:
            del self._at_work[chunk.id]
        self._meter.update(sum(self._done.values()))
        if time.monotonic() - self._last >= MIN_GAP_SECONDS:
            self._last = time.monotonic()
            self._write(f"{self._stage}: {self._meter}{self._files()}")

    def _files(self) -> str:
        """How far those are that are at work."""
        parts = [
            f"{PurePosixPath(chunk.range.uri).name} {self._done[chunk.id] / chunk.records:.0%}"
            for chunk in list(self._at_work.values())[-MOST_FILES:]
        ]
        return f"; at work: {', '.join(parts)}" if parts else ""

    def close(self) -> None:
        if self._done:
            self._write(f"{self._stage}: {self._meter}")


class LiveSlots:
    """Materializations of a range run's slots before their step ends; use as a context manager.

    Dagster writes one for each slot at the end of a step that succeeded. These are what is seen until then,
    and what stays when the step fails or is killed: a step that ends well loses those of its last seconds
    only, of which Dagster's own tell the same.

    Args:
        write: Takes one event.
        clock: Seconds; any zero.
    """

    def __init__(
        self,
        write: Callable[[dg.AssetMaterialization], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write, self._clock = write, clock
        self._waiting: list[dg.AssetMaterialization] = []
        self._last = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._flush()

    def add(self, done: dg.AssetMaterialization) -> None:
        self._waiting.append(done)
        if self._clock() - self._last >= SLOTS_GAP_SECONDS:
            self._flush()

    def _flush(self) -> None:
        self._last = self._clock()
        while self._waiting:
            self._write(self._waiting.pop(0))
