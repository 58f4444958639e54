"""LiveReporter: progress of a running step in the run's log. Bounded: at most one line in two seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

from ingest_project.core.model import Chunk, Counts
from ingest_project.core.progress import ProgressMeter

MIN_GAP_SECONDS = 2.0
"""One event costs Dagster about 14 ms; at this gap the reporting stays under 1 % of a run."""


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
        self._last = time.monotonic()

    def __call__(self, stage: str, chunk: Chunk, done: int, counts: Counts) -> None:
        """core.ports.Progress: ``done`` records of the chunk are durable."""
        self._done[chunk.id] = done
        self._meter.update(sum(self._done.values()))
        if time.monotonic() - self._last >= MIN_GAP_SECONDS:
            self._last = time.monotonic()
            self._write(f"{self._stage}: {self._meter}")

    def close(self) -> None:
        if self._done:
            self._write(f"{self._stage}: {self._meter}")
