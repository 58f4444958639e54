"""Attempts: one chunk's turn at a stage, from its place to its outcome; what went wrong is in the outcome.

Waits for a place and for a chunk in other hands. Knows no stage's work.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ingest_project.core.errors import ChunkBusy, IngestError, LeaseLost, PermanentFailure, TransientFailure
from ingest_project.core.loading import LoadResult
from ingest_project.core.model import Chunk, Counts
from ingest_project.core.outcomes import BUSY, FAILED, SEALED, STOPPED, ChunkOutcome
from ingest_project.core.ports import Clock, Ledger
from ingest_project.core.pressure import MemoryWatch
from ingest_project.resources.places import Places
from ingest_project.resources.usage import requests_counted

BUSY_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """How turns are taken.

    Attributes:
        patience: Seconds for which a busy chunk is asked for again.
    """

    ledger: Ledger
    places: Places
    memory: MemoryWatch
    clock: Clock
    patience: float

    def blocking(self, stage: str, chunk: Chunk, work: Callable[[], LoadResult]) -> ChunkOutcome:
        """A turn in this thread."""
        with self.places.one(), self.memory.witness() as witness:
            started, ended = self.clock(), None
            while ended is None:
                try:
                    ended = _outcome(stage, chunk, work())
                except (IngestError, OSError) as error:
                    ended = self._verdict(error, stage, chunk, started)
                    if ended is None:
                        time.sleep(BUSY_SECONDS)
        return replace(ended, pressure=witness.seen)

    async def waiting(
        self, stage: str, chunk: Chunk, work: Callable[[], Coroutine[Any, Any, LoadResult]]
    ) -> ChunkOutcome:
        """A turn in this event loop."""
        async with self.places.one_of_a_loop():
            with self.memory.witness() as witness, requests_counted() as requests:
                started, ended = self.clock(), None
                while ended is None:
                    try:
                        ended = _outcome(stage, chunk, await work())
                    except (IngestError, OSError) as error:
                        ended = self._verdict(error, stage, chunk, started)
                        if ended is None:
                            await asyncio.sleep(BUSY_SECONDS)
        return replace(ended, pressure=witness.seen, target_seconds=requests.seconds)

    def _verdict(self, error: Exception, stage: str, chunk: Chunk, started: float) -> ChunkOutcome | None:
        """How an attempt ended that raised; None when a busy chunk is worth another look.

        Raises:
            CountLost: As any defect: nothing goes on.
        """
        if isinstance(error, ChunkBusy) and self.clock() < started + self.patience:
            return None
        states = {ChunkBusy: BUSY, TransientFailure: STOPPED, LeaseLost: STOPPED}
        states |= {PermanentFailure: FAILED, OSError: FAILED}
        state = next((state for kind, state in states.items() if isinstance(error, kind)), None)
        if state is None:
            raise error
        return ChunkOutcome(
            chunk=chunk,
            stage=stage,
            state=state,
            counts=self._known(stage, chunk),
            fresh=Counts(),
            seconds=self.clock() - started,
            reason=str(error),
        )

    def _known(self, stage: str, chunk: Chunk) -> Counts:
        """What the ledger has; nothing where it is the ledger that does not answer."""
        with suppress(TransientFailure):
            for row in self.ledger.status(chunk.entity, chunk.date):
                if row.chunk_id == chunk.id and row.stage == stage:
                    return row.counts
        return Counts()


def _outcome(stage: str, chunk: Chunk, result: LoadResult) -> ChunkOutcome:
    return ChunkOutcome(
        chunk=chunk,
        stage=stage,
        state=SEALED if result.sealed else FAILED,
        counts=result.counts,
        fresh=result.new,
        seconds=result.seconds,
        reason=result.reason,
    )
