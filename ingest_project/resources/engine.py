"""Engine: one process's ready parts for one entity, and the three things done with them: plan, validate,
deliver.

Used by Dagster's IO managers, by the command line and by worker processes alike. Knows no Dagster.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random
from types import TracebackType
from typing import Any, Self

from ingest_project.core.entity import EntitySpec
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import MemoryBudget
from ingest_project.core.loading import Loader, LoadResult, LoadSettings
from ingest_project.core.model import Chunk, Counts, KeySchema, Work
from ingest_project.core.outcomes import FAILED, SEALED, ChunkOutcome
from ingest_project.core.ports import Progress, Sink
from ingest_project.core.pressure import MemoryWatch
from ingest_project.core.retrying import RetryPolicy
from ingest_project.core.streaming import PartStream
from ingest_project.core.validating import Validator, ValidatorSettings
from ingest_project.formats.bulk import key_reader
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.ledgers.upkeep import Upkeep
from ingest_project.resources.abreast import in_tasks, in_threads, room_for
from ingest_project.resources.attempting import Attempts
from ingest_project.resources.destinations import Destination, TableDestination
from ingest_project.resources.knobs import Knobs
from ingest_project.resources.places import Places
from ingest_project.resources.replaying.reading import reading_of
from ingest_project.resources.stage_run import StageRun
from ingest_project.resources.standings import Standings
from ingest_project.resources.usage import TimedSink
from ingest_project.sinks.parts import ObjectPartStore
from ingest_project.sources.dumps import DumpSource

KEEP_LOOK_SECONDS = 5.0
"""How often a run that delivers looks whether its targets have to hear that it lives."""

BUSY_PATIENCE = 2.0
"""A busy chunk is asked for again until two leases have passed: by then its owner has ended or is dead."""


def quiet(stage: str, chunk: Chunk, done: int, counts: Counts) -> None:
    """A Progress that tells nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The ports' implementations that an engine works with.

    Attributes:
        standings: Names the records that later ones supersede.
        destinations: Stage -> store.
        notes: What went otherwise than asked for and stopped nothing.
        memory: How much may be taken at once.
        places: How many chunks may be worked on at once on this host.
    """

    ledger: SqlLedger
    source: DumpSource
    parts: ObjectPartStore
    upkeep: Upkeep
    standings: Standings
    destinations: dict[str, Destination]
    notes: list[str] = field(default_factory=list)
    memory: MemoryWatch = field(default_factory=MemoryWatch)
    places: Places = field(default_factory=lambda: Places(None, 1))


class Engine:
    """Runs chunks of one entity through a stage, one after another, in this process. Use as a context
    manager.

    Args:
        owner: Name under which chunks are claimed.
        knobs: Batching, retry and memory limits.
    """

    def __init__(
        self,
        spec: EntitySpec,
        parts: Parts,
        *,
        owner: str,
        knobs: Knobs,
        clock: Callable[[], float] = time.monotonic,
        rng: Random | None = None,
    ) -> None:
        self.spec, self.owner, self.knobs = spec, owner, knobs
        self.ledger, self.source, self.parts = parts.ledger, parts.source, parts.parts
        self.standings, self.destinations = parts.standings, parts.destinations
        self._upkeep, self.notes = parts.upkeep, parts.notes
        self.memory = parts.memory
        self._clock, self._rng = clock, rng or Random()
        self._runner = asyncio.Runner(loop_factory=event_loop_factory())
        self._loaders: dict[tuple[str, str], tuple[Sink, Loader]] = {}
        self._runs: list[StageRun] = []
        self._opening = asyncio.Lock()
        self._attempts = Attempts(
            ledger=self.ledger,
            places=parts.places,
            memory=self.memory,
            clock=clock,
            patience=BUSY_PATIENCE * knobs.lease_seconds,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for run in tuple(self._runs):
            self._close(run)
        for destination in self.destinations.values():
            self._runner.run(destination.close())
        self._runner.close()

    def run(self, stage: str, chunks: Sequence[Chunk], progress: Progress = quiet) -> Iterator[ChunkOutcome]:
        """Take chunks through ``stage``, some at once, begun in order; none keeps another from its turn.

        Raises:
            CountLost: A count does not add up: a defect, so nothing goes on.
        """
        if stage != "validated":
            self.standings.prepare(chunks)
        with self.running(stage, chunks) as run:
            for outcome in self._abreast(stage, chunks, progress):
                run.saw(outcome)
                yield outcome

    def _abreast(self, stage: str, chunks: Sequence[Chunk], progress: Progress) -> Iterator[ChunkOutcome]:
        """Validation blocks on files and stores, delivery waits for answers in one event loop."""
        count = min(self.knobs.at_once, len(chunks))
        if count <= 1:
            return (self.attempt(stage, chunk, progress) for chunk in chunks)
        room = room_for(stage, count, self.knobs.part_bytes)
        if stage == "validated":
            return in_threads(partial(self.attempt, stage), chunks, room, progress)
        return in_tasks(self._runner, lambda chunk: self._attempt(stage, chunk, progress), chunks, room)

    @contextmanager
    def running(self, stage: str, chunks: Sequence[Chunk]) -> Iterator[StageRun]:
        """Around a run over chunks, in whatever processes: prepares the targets and finishes them."""
        run = StageRun(
            stage,
            self.destinations.get(stage),
            standings=self._upkeep.standings([chunk.id for chunk in chunks]),
            retry=self._retry(),
            clock=self._clock,
            sleep=asyncio.sleep,
            rng=self._rng,
            note=self.note,
        )
        self._runs.append(run)
        try:
            self._runner.run(run.open(chunks))
            yield run
        finally:
            self._close(run)

    def keep(self, run: StageRun) -> None:
        """Let the run's targets hear that it lives, when it is time to."""
        if run.due:
            self._runner.run(run.keep())

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _close(self, run: StageRun) -> None:
        """Once; a run that nobody ended is ended with its engine."""
        if run in self._runs:
            self._runs.remove(run)
            self._runner.run(run.close())

    def attempt(self, stage: str, chunk: Chunk, progress: Progress = quiet) -> ChunkOutcome:
        """One chunk through one stage; what went wrong is in the outcome."""
        if stage != "validated":
            return self._runner.run(self._attempt(stage, chunk, progress))
        return self._attempts.blocking(stage, chunk, lambda: self._validate(chunk, progress))

    def _attempt(self, stage: str, chunk: Chunk, progress: Progress) -> Coroutine[Any, Any, ChunkOutcome]:
        return self._attempts.waiting(stage, chunk, lambda: self._deliver(stage, chunk, progress))

    def differences(self, stage: str, chunk: Chunk, lines: Sequence[bytes]) -> list[str]:
        """Read these records back from the stage's target; one text for each that is missing or not equal."""
        return self._runner.run(self.destinations[stage].differences(chunk.target, chunk.keys, lines))

    def keys_of(self, target: str, wanted: KeySchema | None) -> KeySchema:
        """The key of the target's table; made with ``wanted`` where it is missing and may be made.

        Raises:
            TargetMissing: It is missing and may not be made, or nobody knows with which key.
        """
        table = self.destinations["table"]
        if not isinstance(table, TableDestination):
            raise TypeError(f"{table!r} has no keys")
        return self._runner.run(table.keys_of(target, wanted))

    def _validate(self, chunk: Chunk, progress: Progress) -> LoadResult:
        self._reopen(chunk)
        source, admission = reading_of(self.spec, self.source, self.ledger.replays, chunk)
        validator = Validator(
            source=source,
            admission=admission,
            parts=self.parts,
            ledger=self.ledger,
            clock=self._clock,
            settings=ValidatorSettings(part_bytes=self.knobs.part_bytes, lease=self.knobs.lease_seconds),
            memory=self.memory,
        )
        return validator.validate(chunk, self.owner, progress)

    def _reopen(self, chunk: Chunk) -> None:
        """Validated records that are no longer in the store count as not validated."""
        known = self._upkeep.standings([chunk.id]).get((chunk.id, "validated"))
        if known is not None and known.state in (SEALED, FAILED) and self.parts.gone(chunk):
            self._upkeep.start_anew([chunk], now=time.time(), stage="validated")

    async def _deliver(self, stage: str, chunk: Chunk, progress: Progress) -> LoadResult:
        destination = self.destinations[stage]
        sink, loader = await self._loader(stage, chunk)
        standing = self.standings.of(chunk)
        stream = PartStream(
            parts=self.parts,
            chunk=chunk,
            losers=standing.losers,
            encode=destination.encoder(chunk.keys),
            key_of=key_reader(chunk.keys),
        )
        identity = await sink.identity()
        work = Work(chunk=chunk, stage=stage, identity=identity, horizon=standing.horizon)
        keeper = asyncio.create_task(self._keep())
        try:
            result = await loader.load(work, stream, self.owner, progress)
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        self.standings.forget(chunk)
        return result

    async def _keep(self) -> None:
        while self._runs:
            for run in self._runs:
                await run.keep()
            await asyncio.sleep(KEEP_LOOK_SECONDS)

    async def _loader(self, stage: str, chunk: Chunk) -> tuple[Sink, Loader]:
        """One loader for each target: window and budget live as long as the engine does."""
        async with self._opening:
            known = self._loaders.get((stage, chunk.target))
            if known is None:
                sink = TimedSink(await self.destinations[stage].open(chunk.target, chunk.keys), self._clock)
                known = self._loaders[(stage, chunk.target)] = (sink, self._make_loader(sink))
            return known

    def _make_loader(self, sink: Sink) -> Loader:
        knobs = self.knobs
        return Loader(
            sink=sink,
            ledger=self.ledger,
            retry=self._retry(),
            budget=MemoryBudget(knobs.memory_bytes, share=lambda: self.memory.share),
            governor=RateGovernor(self._clock, most=knobs.in_flight),
            clock=self._clock,
            sleep=asyncio.sleep,
            rng=self._rng,
            settings=LoadSettings(lease=knobs.lease_seconds),
            memory=self.memory,
        )

    def _retry(self) -> RetryPolicy:
        knobs = self.knobs
        return RetryPolicy(
            attempts=knobs.attempts, base=knobs.base_seconds, factor=knobs.factor, cap=knobs.cap_seconds
        )


def event_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed; None is asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
