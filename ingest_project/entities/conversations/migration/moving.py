"""Mover: drains segments of the old table into one new table, some at once, each a chunk of the ledger.

Claims, positions and counts are the Loader's; nothing here decides what an item is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from random import Random

from ingest_project.core.access_patterns import Lookup
from ingest_project.core.consumption import Consumption
from ingest_project.core.delivering import Sleep
from ingest_project.core.errors import IngestError
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import MemoryBudget
from ingest_project.core.loading import Loader, LoadResult, LoadSettings
from ingest_project.core.model import Counts, Work
from ingest_project.core.ports import Clock, Ledger, Progress
from ingest_project.core.retrying import RetryPolicy
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.migration.plan import MigrationPlan
from ingest_project.entities.conversations.migration.streams import Make, SegmentStream
from ingest_project.sinks.comparing import ComparingSink
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.table_reading import TableReader

_ONCE = RetryPolicy(attempts=1)
"""The loader sends a batch again as a whole: what looks up for it must not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """How much at once, and how patiently.

    Attributes:
        in_flight: Requests of all segments.
        memory_bytes: Batches held.
        at_once: Segments.
        page: Rows a page of a scan; with their vectors they are held twice a segment.
    """

    in_flight: int = 32
    memory_bytes: int = 64 << 20
    at_once: int = 4
    page: int = 500
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    load: LoadSettings = field(default_factory=LoadSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """How a round of one stage stands.

    Attributes:
        counts: Of the segments asked for, over all attempts of this round; ``new`` of this one.
        failures: Segment -> why it is not complete.
    """

    stage: str
    round: int
    segments: Mapping[int, Counts]
    new: Counts
    failures: Mapping[int, IngestError]
    seconds: float

    @property
    def counts(self) -> Counts:
        return sum(self.segments.values(), start=Counts())

    @property
    def whole(self) -> bool:
        """Every segment that was asked for is sealed."""
        return not self.failures


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What is moved where.

    Attributes:
        lookup: By which items of the target are read back.
        make: Messages -> lines of the target.
    """

    name: str
    target: TableDefinition
    lookup: Lookup
    make: Make


class Mover:
    """Moves segments for one owner.

    Args:
        consumption: Where the cost of reads is added up.
    """

    def __init__(
        self,
        api: DynamoDBApi,
        tables: Mapping[str, TableDefinition],
        ledger: Ledger,
        *,
        owner: str,
        handling: Handling,
        sleep: Sleep,
        rng: Random,
        consumption: Consumption,
        clock: Clock = time.monotonic,
    ) -> None:
        self._api, self._tables, self._ledger = api, tables, ledger
        self._owner, self._handling, self._clock = owner, handling, clock
        self._sleep, self._rng, self._consumption = sleep, rng, consumption

    async def move(
        self,
        plan: MigrationPlan,
        stage: Stage,
        *,
        round_: int,
        segments: Collection[int],
        progress: Progress | None = None,
    ) -> Moved:
        """Bring these segments to their ends; one that fails keeps no other from its turn."""
        begun = self._clock()
        sink = self._sink(stage)
        identity, loader = await sink.identity(), self._loader(sink)
        turn = asyncio.Semaphore(self._handling.at_once)
        counts: dict[int, Counts] = {}
        new: list[Counts] = []
        failures: dict[int, IngestError] = {}

        async def one(segment: int) -> None:
            async with turn:
                chunk = plan.chunk(stage.target, segment, round_)
                work = Work(chunk=chunk, stage=stage.name, identity=identity)
                try:
                    done = await loader.load(work, self._stream(plan, stage, segment), self._owner, progress)
                except IngestError as error:
                    failures[segment] = error
                else:
                    counts[segment] = self._noted(done, segment, failures)
                    new.append(done.new)

        await _all([asyncio.ensure_future(one(segment)) for segment in sorted(segments)])
        return Moved(
            stage=stage.name,
            round=round_,
            segments=counts,
            new=sum(new, start=Counts()),
            failures=failures,
            seconds=self._clock() - begun,
        )

    def _noted(self, done: LoadResult, segment: int, failures: dict[int, IngestError]) -> Counts:
        if not done.sealed:
            failures[segment] = IngestError(done.reason)
        return done.counts

    def _reader(self, retry: RetryPolicy) -> TableReader:
        return TableReader(
            self._api,
            self._tables,
            rng=self._rng,
            retry=retry,
            sleep=self._sleep,
            consumption=self._consumption,
        )

    def _stream(self, plan: MigrationPlan, stage: Stage, segment: int) -> SegmentStream:
        return SegmentStream(
            self._reader(self._handling.retry),
            asyncio.get_running_loop(),
            plan.rows(),
            stage.make,
            segment=segment,
            segments=plan.segments,
            page=self._handling.page,
        )

    def _sink(self, stage: Stage) -> ComparingSink:
        table = stage.target
        inner = DynamoDBSink(self._api, table.name)
        return ComparingSink(inner, self._reader(_ONCE), stage.lookup, table.keys)

    def _loader(self, sink: ComparingSink) -> Loader:
        handling, start = self._handling, min(8, self._handling.in_flight)
        return Loader(
            sink=sink,
            ledger=self._ledger,
            retry=handling.retry,
            budget=MemoryBudget(handling.memory_bytes),
            governor=RateGovernor(self._clock, most=handling.in_flight, start=start),
            clock=self._clock,
            sleep=self._sleep,
            rng=self._rng,
            settings=handling.load,
        )


async def _all(tasks: list[asyncio.Future[None]]) -> None:
    """All of them; when one is stopped from outside, the others come to their ends first."""
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
