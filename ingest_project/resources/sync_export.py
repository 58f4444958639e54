"""SyncExport: a sync's rate, processor time, memory and expected end, in two small files while it goes on.

``HOME/metrics/ENTITY.json`` and ``.prom`` (OpenMetrics text). Each is whole at any moment.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from ingest_project.core.metrics import as_openmetrics
from ingest_project.core.model import Chunk, Counts
from ingest_project.core.ports import Clock
from ingest_project.core.sync_pace import ReadSoFar, rating
from ingest_project.core.syncing import DONE, SliceStatus, slice_chunk
from ingest_project.resources.process import peak_rss
from ingest_project.resources.usage import cpu_seconds

EVERY_SECONDS = 5.0


class SyncExport:
    """A core.ports.Progress for the slices of one entity; use as a context manager.

    Args:
        folder: Where the files go; made when missing.
        slices: Those that are to be read, as they stand.
        clock, wall, cpu: Seconds: of a clock that never goes back, since 1970, of the processor.
        peak: Bytes.
    """

    def __init__(
        self,
        folder: Path,
        entity: str,
        slices: Sequence[SliceStatus],
        *,
        clock: Clock = time.monotonic,
        wall: Callable[[], float] = time.time,
        cpu: Callable[[], float] = cpu_seconds,
        peak: Callable[[], int] = peak_rss,
    ) -> None:
        self._folder, self._name = folder, entity.replace("/", ".")
        self._entity = entity
        self._clock, self._wall, self._cpu, self._peak = clock, wall, cpu, peak
        chunks = {slice_chunk(one.slice).id: one for one in slices}
        self._before = {name: (one.rows, one.bytes, one.pages) for name, one in chunks.items()}
        self._now = dict(self._before)
        self._left = {
            name: 0 if one.state == DONE else max(0, one.slice.rows - one.rows)
            for name, one in chunks.items()
        }
        self._began, self._cpu_before = clock(), cpu()
        self._written = self._began

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write()

    def __call__(self, stage: str, chunk: Chunk, done: int, counts: Counts) -> None:
        """core.ports.Progress: the counts of a slice are those of all its readings."""
        self._before.setdefault(chunk.id, (0, 0, 0))
        self._now[chunk.id] = (counts.sent, counts.bytes, counts.requests)
        self._left[chunk.id] = max(0, chunk.records - done)
        if self._clock() - self._written >= EVERY_SECONDS:
            self._write()

    def so_far(self) -> ReadSoFar:
        """What this reading did, and what is left of the slices."""
        rows, size, pages = (
            sum(self._now[name][place] - before[place] for name, before in self._before.items())
            for place in range(3)
        )
        return ReadSoFar(
            entity=self._entity,
            rows=rows,
            bytes=size,
            requests=pages,
            rows_left=sum(self._left.values()),
            seconds=self._clock() - self._began,
            cpu_seconds=self._cpu() - self._cpu_before,
            peak_bytes=self._peak(),
        )

    def _write(self) -> None:
        """No file is worth a failed sync: where none can be written, there is none."""
        self._written = self._clock()
        now, moment = self.so_far(), datetime.fromtimestamp(self._wall(), UTC)
        left = now.seconds_left
        end = None if left is None else (moment + timedelta(seconds=left)).isoformat(timespec="seconds")
        document = {
            **asdict(now),
            "rows_per_second": round(now.rate, 1),
            "rating": rating(now.rate),
            "seconds_left": left,
            "expected_end": end,
            "at": moment.isoformat(timespec="seconds"),
        }
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _replace(self._folder / f"{self._name}.json", json.dumps(document, indent=2))
            _replace(self._folder / f"{self._name}.prom", as_openmetrics(now.metrics()))
        except OSError:
            return


def _replace(path: Path, text: str) -> None:
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(text)
    beside.replace(path)
