"""LiveReporter: progress of a running step in the run's log. Bounded: at most one line in two seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import PurePosixPath

from ingest_project.core.model import Chunk, Counts
from ingest_project.core.progress import ProgressMeter

MOST_FILES = 5
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
