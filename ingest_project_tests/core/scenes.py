"""What the scenes of the loader share: items, a look at the chunk, and a sink that takes its time."""

from __future__ import annotations

import asyncio

from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import Batch, WriteReport
from ingest_project.testing.doubles import FakeClock, InMemorySink
from ingest_project.testing.playing import Stage


def bodies(count: int) -> list[bytes]:
    return [b"k%d=v" % number for number in range(count)]


def state_of(stage: Stage) -> str:
    (row,) = stage.ledger.status()
    return row.state


class Hanging(InMemorySink):
    """Takes ``seconds`` for each request, and tells when it was asked."""

    def __init__(self, seconds: float, clock: FakeClock, table: dict[bytes, bytes]) -> None:
        super().__init__(limits=BatchLimits(count=4, bytes=1000), table=table)
        self._seconds, self._clock = seconds, clock
        self.asked: list[float] = []

    async def write(self, batch: Batch) -> WriteReport:
        self.asked.append(self._clock())
        await asyncio.sleep(self._seconds)
        return await super().write(batch)
