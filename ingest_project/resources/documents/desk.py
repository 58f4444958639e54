"""Desk: one collection of documents in this process: its account, and its steps over its buckets.

Used by Dagster's assets and by the command line alike. What a stage does is the collection's own word.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from ingest_project.core.document_ledger import DocumentAccounts, DocumentLedger, Standing
from ingest_project.core.documents import Bucket, Stage
from ingest_project.core.errors import IngestError
from ingest_project.core.limits import MemoryBudget
from ingest_project.core.retrying import RetryPolicy
from ingest_project.core.staging import StageReport
from ingest_project.core.steps import CollectionSpec
from ingest_project.resources.documents.export import StageExport
from ingest_project.resources.documents.floor import Floor
from ingest_project.resources.documents.hands import RunnerSettings
from ingest_project.resources.documents.runner import Progress, StageRunner, never, quiet
from ingest_project.resources.documents.together import Together
from ingest_project.resources.engine import event_loop_factory
from ingest_project.resources.owner import is_dead, new_owner

OpenStages = Callable[[str], AbstractAsyncContextManager[Sequence[Stage]]]
"""Step -> its stages, ready; what they hold is given back at the end."""

Again = Callable[[Standing], bool]


class Books(DocumentLedger, DocumentAccounts, Protocol):
    """A ledger of documents that is asked, written and given back."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRun:
    """What a step did to one bucket.

    Attributes:
        reports: One a stage of the step, of those that ended.
        stopped: Why it did not get through; empty: it did.
    """

    bucket: Bucket
    reports: tuple[StageReport, ...]
    stopped: str = ""


class Desk:
    """Runs steps; use as a context manager.

    Args:
        stages: Opened for each step once, however many buckets follow.
        export: Told every report.
    """

    def __init__(
        self,
        spec: CollectionSpec,
        books: Books,
        stages: OpenStages,
        *,
        settings: RunnerSettings,
        retry: RetryPolicy,
        export: StageExport,
    ) -> None:
        self.spec, self.books = spec, books
        self._stages, self._settings, self._retry, self._export = stages, settings, retry, export
        self._floor = Floor(settings.at_once, MemoryBudget(settings.bytes), time.monotonic)
        self._loop = asyncio.Runner(loop_factory=event_loop_factory())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.close()
        self.books.close()

    def run(
        self, step: str, buckets: Sequence[Bucket], progress: Progress = quiet, *, again: Again = never
    ) -> Iterator[BucketRun]:
        """All buckets, some of them at once, each told when it is done. What stops a stage (a missing index,
        refused access) would stop it in every bucket: those that were not begun are then told as stopped too.

        Args:
            progress: Told after every batch of documents the sums of all buckets so far, on this thread.
            again: Documents to be done once more, although nothing that they depend on has changed.
        """
        opened, under_way, stopped = AsyncExitStack(), set[asyncio.Task[BucketRun]](), ""
        left, together = deque(buckets), Together(progress)
        stages: Sequence[Stage] = ()
        try:
            try:
                stages = self._loop.run(opened.enter_async_context(self._stages(step)))
            except IngestError as error:
                stopped = str(error)
            while under_way or (left and not stopped):
                room = 0 if stopped else self._settings.buckets - len(under_way)
                fresh = [left.popleft() for _ in range(min(room, len(left)))]
                works = [self._bucket(stages, bucket, together.bucket(), again) for bucket in fresh]
                for done in self._loop.run(_ended(under_way, works)):
                    stopped = stopped or done.stopped
                    yield done
            for bucket in left:
                yield BucketRun(bucket=bucket, reports=(), stopped=f"not tried: {stopped}")
        finally:
            self._loop.run(_closed(under_way, opened))

    async def _bucket(
        self, stages: Sequence[Stage], bucket: Bucket, progress: Progress, again: Again
    ) -> BucketRun:
        reports: list[StageReport] = []
        try:
            for stage in stages:
                reports.append(await self._runner().run(stage, bucket, progress, again=again))
                progress(reports[-1])
                self._export.add(reports[-1])
        except IngestError as error:
            return BucketRun(bucket=bucket, reports=tuple(reports), stopped=f"{stage.name}: {error}")
        return BucketRun(bucket=bucket, reports=tuple(reports))

    def _runner(self) -> StageRunner:
        return StageRunner(
            self.books,
            owner=new_owner(),
            settings=self._settings,
            retry=self._retry,
            floor=self._floor,
            is_dead=is_dead,
        )


async def _ended(
    under_way: set[asyncio.Task[BucketRun]], works: Sequence[Coroutine[None, None, BucketRun]]
) -> list[BucketRun]:
    """Begin these, and wait until one or more of all have ended, which are taken out."""
    under_way.update(map(asyncio.create_task, works))
    done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
    under_way -= done
    return sorted((task.result() for task in done), key=lambda one: (one.bucket.month, one.bucket.number))


async def _closed(under_way: Collection[asyncio.Task[BucketRun]], opened: AsyncExitStack) -> None:
    """Nothing goes on behind a run that is given up."""
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)
    await opened.aclose()
