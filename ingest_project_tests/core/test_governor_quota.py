"""The rate governor against a simulated table with a write quota: it settles near the quota, without a
storm."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import BatchLimits, MemoryBudget
from ingest_project.core.loading import Loader, LoadSettings
from ingest_project.core.model import Batch, WriteReport
from ingest_project.core.retrying import RetryPolicy
from ingest_project.testing.doubles import FakeClock, InMemoryLedger, inline
from ingest_project.testing.doubles_stream import ListStream
from ingest_project.testing.samples import sample_chunk, sample_work


class QuotaSink:
    """Takes ``quota`` items a second, with a bucket of ``burst``; the rest comes back unprocessed."""

    limits = BatchLimits(count=25, bytes=1 << 20)

    def __init__(self, clock: FakeClock, quota: float, burst: float, latency: float) -> None:
        self._clock, self._quota, self._burst, self._latency = clock, quota, burst, latency
        self._tokens, self._seen = burst, clock()
        self.taken: list[tuple[float, int]] = []
        self.refusals: list[float] = []

    async def identity(self) -> str:
        return "quota"

    async def write(self, batch: Batch) -> WriteReport:
        await asyncio.sleep(self._latency)
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._seen) * self._quota)
        self._seen = now
        take = int(min(len(batch), self._tokens))
        self._tokens -= take
        self.taken.append((now, take))
        self.refusals += [now] * (len(batch) - take)
        return WriteReport(written=take, retry=range(take, len(batch)), throttled=take < len(batch))

    async def flush(self) -> None:
        return None


@pytest.mark.parametrize(("quota", "latency"), [(2000, 0.01), (2000, 0.1), (300, 0.02), (10_000, 0.02)])
def test_the_rate_settles_within_a_tenth_of_the_quota(quota: int, latency: float) -> None:
    clock = FakeClock()
    begin = clock()
    sink = QuotaSink(clock, quota, burst=2 * quota, latency=latency)
    loader = Loader(
        sink=sink,
        ledger=InMemoryLedger(clock),
        retry=RetryPolicy(),
        budget=MemoryBudget(1 << 26),
        governor=RateGovernor(clock),
        clock=clock,
        sleep=clock.sleep,
        rng=Random(1),
        settings=LoadSettings(),
        offload=inline,
    )
    items = [b"x"] * (quota * 32)
    result = clock.run(loader.load(sample_work(sample_chunk()), ListStream(items, size=512), "one"))
    assert len(items) == result.counts.written
    steady = [count for at, count in sink.taken if 5 <= at - begin < 25]
    assert quota == pytest.approx(sum(steady) / 20, rel=0.1)
    late = [at for at in sink.refusals if at - begin >= 5]
    assert len(late) < 0.05 * len(items)
