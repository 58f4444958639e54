"""Knobs: batching, retry and memory limits of one engine, as plain picklable numbers. Nothing is read or
decided here."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from ingest_project.core.advising import WORKER_BYTES
from ingest_project.core.pressure import MemoryPolicy
from ingest_project.resources.deployments import Settings

WORTH_BYTES = 256 * 2**20
"""Of chunks for each process, where their number follows the load: it then works for some seconds, of which
its start takes one."""


def cores() -> int:
    """That this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """What a user may turn; defaults come from Settings, Dagster's resources override them.

    Attributes:
        in_flight: Requests under way at once, at most.
        memory_bytes: Bytes of batches held at once, at most.
        workers: Processes over chunks; None: as many as suit the load.
        cores: Of this machine, where the number follows the load.
        lease_seconds: A claim without a sign of life is free for others after this.
        attempts, base_seconds, factor, cap_seconds: See core.retrying.RetryPolicy.
        part_bytes: Uncompressed size of one validated part.
        min_chunk_bytes: No file is cut into chunks smaller than this.
        at_once: Chunks worked on at once in one process, and on this host in all.
        places: Folder of the host's places (resources.places); None counts this process alone.
        memory_budget, memory_every, batch_rows: See core.pressure.MemoryPolicy.
    """

    in_flight: int
    memory_bytes: int
    workers: int | None = 1
    cores: int = field(default_factory=cores)
    lease_seconds: float = 20.0
    attempts: int = 10
    base_seconds: float = 0.5
    factor: float = 2.0
    cap_seconds: float = 30.0
    part_bytes: int = 16 * 2**20
    min_chunk_bytes: int = 8 * 2**20
    at_once: int = 1
    places: Path | None = None
    memory_budget: int = 1024 * 2**20
    memory_every: float = 10.0
    batch_rows: int = 1000

    @property
    def memory(self) -> MemoryPolicy:
        return MemoryPolicy(budget=self.memory_budget, every=self.memory_every, rows=self.batch_rows)

    @property
    def limit(self) -> int:
        """Chunks worked on at once on this host, in all."""
        return max(self.at_once, self.most_workers)

    @property
    def most_workers(self) -> int:
        """Processes over chunks, at most."""
        return self.workers or max(1, min(self.cores, self.memory_budget // (2 * WORKER_BYTES)))

    def crew(self, chunks: int, size: int) -> int:
        """Processes for so many chunks of so many bytes together.

        Where nobody said how many: one for each WORTH_BYTES, at most one a core, and no more than half of the
        memory budget holds.
        """
        worth = chunks if self.workers else min(chunks, size // WORTH_BYTES)
        return max(1, min(self.most_workers, worth))


def knobs_of(settings: Settings) -> Knobs:
    """The deployment's defaults."""
    return Knobs(
        in_flight=settings.limits.in_flight,
        memory_bytes=settings.limits.memory_bytes,
        workers=settings.limits.workers,
        lease_seconds=settings.limits.lease_seconds,
        attempts=settings.retry.attempts,
        base_seconds=settings.retry.base,
        cap_seconds=settings.retry.cap,
        at_once=settings.limits.files_at_once,
        places=settings.home / "places",
        memory_budget=settings.limits.memory_budget,
        memory_every=settings.limits.memory_every,
        batch_rows=settings.limits.batch_rows,
    )
