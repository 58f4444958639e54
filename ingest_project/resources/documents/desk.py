"""Desk: one collection of documents in this process: its account, and its steps over its buckets.

Used by Dagster's assets and by the command line alike. What a stage does is the collection's own word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from ingest_project.core.document_ledger import DocumentAccounts, DocumentLedger, Standing
from ingest_project.core.documents import Bucket, Stage
from ingest_project.core.errors import IngestError
from ingest_project.core.retrying import RetryPolicy
from ingest_project.core.staging import StageReport
from ingest_project.core.steps import CollectionSpec
from ingest_project.resources.documents.export import StageExport
from ingest_project.resources.documents.hands import RunnerSettings
from ingest_project.resources.documents.runner import Progress, StageRunner, never, quiet
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
        """One bucket after the other, as they are done. What stops a stage (a missing index, refused access)
        would stop it in every bucket: the others are then told as stopped too.

        Args:
            progress: Told after every batch of documents, on this thread.
            again: Documents to be done once more, although nothing that they depend on has changed.
        """
        opened, stopped = AsyncExitStack(), ""
        stages: Sequence[Stage] = ()
        try:
            try:
                stages = self._loop.run(opened.enter_async_context(self._stages(step)))
            except IngestError as error:
                stopped = str(error)
            for bucket in buckets:
                if stopped:
                    yield BucketRun(bucket=bucket, reports=(), stopped=f"not tried: {stopped}")
                    continue
                done = self._loop.run(self._bucket(stages, bucket, progress, again))
                stopped = done.stopped
                yield done
        finally:
            self._loop.run(opened.aclose())

    async def _bucket(
        self, stages: Sequence[Stage], bucket: Bucket, progress: Progress, again: Again
    ) -> BucketRun:
        reports: list[StageReport] = []
        try:
            for stage in stages:
                reports.append(await self._runner().run(stage, bucket, progress, again=again))
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
            is_dead=is_dead,
        )
