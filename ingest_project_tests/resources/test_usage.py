"""What a load takes: requests that are under way at once are each counted, and only where they belong."""

from __future__ import annotations

import asyncio

from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import Batch, WriteReport
from ingest_project.resources.usage import Meter, Requests, TimedSink, requests_counted
from ingest_project.testing.doubles_time import FakeClock

BATCH = Batch(bodies=[b"{}"], ordinals=[0], size=2)


class SlowSink:
    """A sink whose requests take what a clock is moved by."""

    limits = BatchLimits(count=1, bytes=10)

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    async def identity(self) -> str:
        return "me"

    async def write(self, batch: Batch) -> WriteReport:
        self._clock.advance(2.0)
        return WriteReport(written=len(batch))

    async def flush(self) -> None:
        return


def test_requests_are_counted_for_the_chunk_that_they_are_of() -> None:
    clock = FakeClock()
    sink = TimedSink(SlowSink(clock), clock)

    async def chunk(requests: int) -> Requests:
        with requests_counted() as counted:
            await asyncio.gather(*(asyncio.create_task(sink.write(BATCH)) for _ in range(requests)))
        return counted

    async def both() -> list[float]:
        await sink.write(BATCH)
        return [one.seconds for one in await asyncio.gather(chunk(3), chunk(1))]

    assert [6.0, 2.0] == asyncio.run(both())


def test_a_timed_sink_is_the_sink_behind_it() -> None:
    sink = TimedSink(SlowSink(FakeClock()))
    assert (BatchLimits(count=1, bytes=10), "me") == (sink.limits, asyncio.run(sink.identity()))


def test_the_meter_counts_from_its_making() -> None:
    read = iter([5.0, 7.5])
    assert 2.5 == Meter(lambda: next(read)).seconds
