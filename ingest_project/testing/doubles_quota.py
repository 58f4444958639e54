"""QuotaSink: a sink double with a write quota, and loads of it played in virtual time.

The quota itself is fault_quotas'; nothing here waits for real.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from ingest_project.core.errors import PermanentFailure, Throttled
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import BatchLimits, MemoryBudget
from ingest_project.core.loading import Loader, LoadSettings
from ingest_project.core.model import Batch, ItemBlock, Position, Rejection, WriteReport
from ingest_project.core.retrying import RetryPolicy
from ingest_project.testing.doubles_ledger import InMemoryLedger
from ingest_project.testing.doubles_time import FakeClock, inline
from ingest_project.testing.fault_quotas import WriteQuota
from ingest_project.testing.samples import sample_chunk, sample_work


class Over(PermanentFailure):
    """The play has lasted long enough."""


class Endless:
    """An ItemStream of bodies drawn from ``sizes``."""

    def __init__(self, sizes: Sequence[int], rng: Random) -> None:
        self._bodies, self._rng = [b"x" * size for size in sizes], rng

    def blocks(self, after: Position) -> Iterator[ItemBlock]:
        first = after.ordinal
        while True:
            entries = self._rng.choices(self._bodies, k=500)
            yield ItemBlock(first=first, entries=entries, plain=True)
            first += len(entries)

    def rejection(self, ordinal: int, body: bytes, reason: str) -> Rejection:
        return Rejection(ordinal=ordinal, offset=-1, reason=reason, raw=body)


@dataclass(slots=True, kw_only=True)
class Field:
    """A target with a quota that several sinks write to.

    Attributes:
        quota: May be exchanged while loads run.
        whole: A request that does not fit is refused as a whole.
    """

    clock: FakeClock
    quota: WriteQuota
    latency: float = 0.02
    whole: bool = False
    until: float = 60.0
    begun: float = field(init=False)

    def __post_init__(self) -> None:
        self.begun = self.clock()

    @property
    def now(self) -> float:
        return self.clock() - self.begun

    def left(self, units: Sequence[int]) -> Sequence[int]:
        """Places of the items that are not taken."""
        if self.whole:
            return range(len(units)) if self.quota.take([sum(units)]) else ()
        return self.quota.take(units)


class QuotaSink:
    """One client of a Field.

    Attributes:
        taken, refused: Units by second.
    """

    def __init__(self, target: Field, rng: Random) -> None:
        self.limits = BatchLimits(count=25, bytes=1 << 24, unit=1024)
        self._target, self._rng = target, rng
        self.taken: dict[int, int] = {}
        self.refused: dict[int, int] = {}

    async def identity(self) -> str:
        return "quota"

    async def flush(self) -> None:
        return None

    async def write(self, batch: Batch) -> WriteReport:
        target = self._target
        await asyncio.sleep(target.latency * self._rng.uniform(0.5, 1.5))
        if target.now >= target.until:
            raise Over("over")
        units = [self.limits.cost([body]) for body in batch.bodies]
        left = target.left(units)
        second, refused = int(target.now), sum(units[place] for place in left)
        self.taken[second] = self.taken.get(second, 0) + sum(units) - refused
        self.refused[second] = self.refused.get(second, 0) + refused
        if len(left) == len(units):
            raise Throttled("nothing of it")
        return WriteReport(written=len(units) - len(left), retry=left, throttled=bool(left))

    def between(self, start: int, end: int) -> tuple[float, float]:
        """Units taken a second, and share of the units that were refused."""
        taken = sum(self.taken.get(second, 0) for second in range(start, end))
        refused = sum(self.refused.get(second, 0) for second in range(start, end))
        return taken / (end - start), refused / max(1, taken + refused)


def play(
    target: Field,
    *,
    governors: Sequence[RateGovernor],
    sizes: Sequence[int] = (1000,),
    seed: int = 1,
    joins: float = 0.0,
    change: Callable[[], None] | None = None,
    change_at: float = 0.0,
) -> list[QuotaSink]:
    """One endless load for each governor until the field's time is over; the n-th starts at ``n * joins``.

    Raises:
        TransientFailure: A load gave up before.
    """
    sinks = [QuotaSink(target, Random(seed + number)) for number in range(len(governors))]

    async def load(number: int, governor: RateGovernor) -> None:
        await asyncio.sleep(number * joins)
        loader = Loader(
            sink=sinks[number],
            ledger=InMemoryLedger(target.clock),
            retry=RetryPolicy(),
            budget=MemoryBudget(1 << 25),
            governor=governor,
            clock=target.clock,
            sleep=target.clock.sleep,
            rng=Random(seed + number),
            settings=LoadSettings(),
            offload=inline,
        )
        stream = Endless(sizes, Random(seed + number))
        with suppress(Over):
            await loader.load(sample_work(sample_chunk()), stream, f"owner {number}")

    async def main() -> None:
        if change is not None:
            asyncio.get_running_loop().call_later(change_at, change)
        await asyncio.gather(*(load(number, governor) for number, governor in enumerate(governors)))

    target.clock.run(main())
    return sinks
