"""A host falls silent in the middle of a chunk: another goes on when its lease is over, and what the silent
one does late changes nothing. In virtual time, with the ledger in each database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ingest_project.core.errors import ChunkBusy, LeaseLost
from ingest_project.core.loading import LoadResult
from ingest_project.core.model import Batch, WriteReport
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.testing.doubles import InMemorySink, ListStream
from ingest_project.testing.doubles_time import FakeClock
from ingest_project.testing.playing import Stage
from ingest_project.testing.samples import sample_chunk, sample_work

T = TypeVar("T")
ITEMS, CUT, MENDED = 400, 2.0, 60.0
BODIES = [b"k%d=v%d" % (number, number) for number in range(ITEMS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Between one host and all others: what is sent while it is cut arrives when it is mended."""

    clock: FakeClock
    cut: float
    mended: float

    async def __call__(self, call: Callable[[], T]) -> T:
        await self.passes()
        answer = call()
        await self.passes()
        return answer

    async def passes(self) -> None:
        if self.cut <= self.clock() < self.mended:
            await asyncio.sleep(self.mended - self.clock())


class Far(InMemorySink):
    """A sink at the other end of a link."""

    link: Link
    late = 0

    async def write(self, batch: Batch) -> WriteReport:
        sent = self.link.clock()
        await self.link.passes()
        self.late += self.link.clock() - sent > self.link.mended - self.link.cut - 1
        return await super().write(batch)


async def taken_over(stage: Stage, ledger: SqlLedger) -> LoadResult:
    """By somebody else, as soon as the chunk is free."""
    loader = stage.loader(stage.sink(), ledger)
    while True:
        try:
            return await loader.load(sample_work(sample_chunk()), ListStream(BODIES), "two")
        except ChunkBusy as busy:
            await asyncio.sleep(busy.retry_after or 1.0)


def test_what_a_silent_host_does_late_changes_nothing(ledger: SqlLedger, clock: FakeClock) -> None:
    stage = Stage(clock=clock, window=2, latency=0.3)
    begin = clock()
    link = Link(clock=clock, cut=begin + CUT, mended=begin + MENDED)
    far = Far(limits=stage.limits, latency=0.3, table=stage.table)
    far.link = link
    silent = stage.loader(far, ledger, offload=link)

    async def both() -> tuple[BaseException | LoadResult, LoadResult, float]:
        first = asyncio.create_task(silent.load(sample_work(sample_chunk()), ListStream(BODIES), "one"))
        await asyncio.sleep(CUT)
        second = await taken_over(stage, ledger)
        ended = clock() - begin
        (outcome,) = await asyncio.gather(first, return_exceptions=True)
        return outcome, second, ended

    outcome, second, ended = clock.run(both())
    assert isinstance(outcome, LeaseLost)
    assert second.sealed
    assert CUT + stage.settings.lease <= ended < MENDED
    assert 0 < far.late
    assert {body.partition(b"=")[0]: body for body in BODIES} == stage.table
    (row,) = ledger.status()
    assert ("sealed", ITEMS, ITEMS) == (row.state, row.counts.sent, row.counts.written)
