"""Loader: drains one chunk into a sink, many batches in flight, durable before it is counted.

No formats, no vendor, no Dagster. Batches are cut in limits, sent in delivering, counted in accounting, kept
in flight and in step with the ledger in flight.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random

from ingest_project.core.delivering import Courier, Gate, Offload, Sleep
from ingest_project.core.flight import Flight
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import MemoryBudget
from ingest_project.core.model import Claim, Counts, Work
from ingest_project.core.ports import Clock, ItemStream, Ledger, Progress, Sink
from ingest_project.core.pressure import MemoryWatch
from ingest_project.core.retrying import RetryPolicy
from ingest_project.core.stepping import LoadSettings, Steps

__all__ = ["LoadResult", "LoadSettings", "Loader"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """How a load ended.

    Attributes:
        counts: Of the chunk over all attempts; ``new`` of this one.
        sealed: The chunk is complete. Otherwise its input is broken and ``reason`` says where: what stood
            before the fault is durable and counted, the ledger says ``failed``.
        replayed: It had been sealed before; nothing was sent.
    """

    work: Work
    counts: Counts
    new: Counts
    seconds: float
    sealed: bool
    reason: str = ""
    replayed: bool = False


class Loader:
    """Loads chunks into one sink. Loads may run side by side in one event loop; they share window and budget.

    In flight: at most ``governor.window`` requests; ``budget`` bytes of batches, waiting retries included;
    two readings of PULL_BYTES or ``memory.rows`` rows; MOST_AHEAD finished cuts behind a gap.

    Args:
        offload: Runs ledger and stream calls off the event loop.
    """

    def __init__(
        self,
        *,
        sink: Sink,
        ledger: Ledger,
        retry: RetryPolicy,
        budget: MemoryBudget,
        governor: RateGovernor,
        clock: Clock,
        sleep: Sleep,
        rng: Random,
        settings: LoadSettings | None = None,
        offload: Offload = asyncio.to_thread,
        memory: MemoryWatch | None = None,
    ) -> None:
        self._sink, self._ledger, self._retry, self._budget = sink, ledger, retry, budget
        self._gate = Gate(governor, sink.limits, sleep)
        self._clock, self._sleep, self._rng = clock, sleep, rng
        self._settings, self._offload = settings or LoadSettings(), offload
        self._memory = memory or MemoryWatch()

    async def load(
        self, work: Work, stream: ItemStream, owner: str, progress: Progress | None = None
    ) -> LoadResult:
        """Load one chunk from where the ledger says to its end.

        A chunk whose input is broken (BadInput, SourceChanged) does not raise: its result is not sealed, so
        that a caller of many chunks goes on with the next. Everything that could hit any chunk raises, behind
        an advance over what is durable.

        Raises:
            ChunkBusy, PlanDrift: From the claim.
            TransientFailure: Attempts are used up; the chunk is released.
            LeaseLost: Another owner has the chunk, or the ledger could not be reached for too long.
            PermanentFailure, CountLost: The chunk is marked failed.
        """
        started = self._clock()
        lease = self._settings.lease
        claim: Claim = await self._offload(lambda: self._ledger.claim(work, owner=owner, lease=lease))
        if claim.sealed:
            return LoadResult(
                work=work, counts=claim.counts, new=Counts(), seconds=0.0, sealed=True, replayed=True
            )
        flight, steps = self._prepare(claim, stream, progress, started)
        fault = await flight.run()
        return LoadResult(
            work=work,
            counts=claim.counts + steps.new,
            new=steps.new,
            seconds=self._clock() - started,
            sealed=fault is None,
            reason="" if fault is None else str(fault),
        )

    def _prepare(
        self, claim: Claim, stream: ItemStream, progress: Progress | None, started: float
    ) -> tuple[Flight, Steps]:
        flight = Flight(
            sink=self._sink,
            stream=stream,
            position=claim.position,
            budget=self._budget,
            gate=self._gate,
            offload=self._offload,
            sleep=self._sleep,
            memory=self._memory,
        )
        flight.steps = Steps(
            ledger=self._ledger,
            claim=claim,
            settings=self._settings,
            clock=self._clock,
            sleep=self._sleep,
            offload=self._offload,
            progress=progress,
            started=started,
            abort=flight.abort,
            moved=flight.make_room,
        )
        flight.courier = self._courier(flight, stream)
        return flight, flight.steps

    def _courier(self, flight: Flight, stream: ItemStream) -> Courier:
        return Courier(
            sink=self._sink,
            stream=stream,
            retry=self._retry,
            gate=self._gate,
            account=flight,
            clock=self._clock,
            sleep=self._sleep,
            rng=self._rng,
            offload=self._offload,
        )
