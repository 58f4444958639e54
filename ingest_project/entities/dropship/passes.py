"""BookPass: one date's touched ids, slot by slot of their space, to a BookSink. No Dagster."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from ingest_project.core.delivering import Offload, Sleep
from ingest_project.core.errors import ChunkBusy
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import MemoryBudget
from ingest_project.core.loading import Loader, LoadSettings
from ingest_project.core.model import Chunk, Claim, Counts, FileRange, KeySchema, Work, WorkStatus
from ingest_project.core.ports import Clock, Ledger, Progress, Sink
from ingest_project.core.ranking import Ranked
from ingest_project.core.retrying import RetryPolicy
from ingest_project.entities.dropship.posting import SlotLock
from ingest_project.entities.dropship.touched import SLOTS, IdStream
from ingest_project.resources.knobs import Knobs
from ingest_project.sinks.spills import Spills


def entity_of(stage: str) -> str:
    """The name under which the ledger keeps the slots of a stage's space."""
    return f"dropship-{stage}"


def lock_of(stage: str) -> str:
    """The stage under which the ledger keeps who is in a slot."""
    return f"{stage}-lock"


HOLD_BYTES = 8 << 20
"""Of ids that are sorted; those of a date beyond it lie on the disk meanwhile."""

SPACE = KeySchema(parts=(("kode_pesanan", "S"),))
ENDED = ("sealed", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class PassReport:
    """What a pass did: ids by outcome over all slots; ``fresh`` is this attempt's share."""

    counts: Counts = field(default_factory=Counts)
    fresh: Counts = field(default_factory=Counts)
    slots: int = 0
    seconds: float = 0.0

    def __add__(self, other: PassReport) -> PassReport:
        return PassReport(
            counts=self.counts + other.counts,
            fresh=self.fresh + other.fresh,
            slots=self.slots + other.slots,
            seconds=self.seconds + other.seconds,
        )


def loaded(chunks: Sequence[Chunk], rows: Sequence[WorkStatus]) -> list[Chunk]:
    """The chunks whose lines are in the table, as far as they are good."""
    done = {row.chunk_id for row in rows if row.stage == "table" and row.state in ENDED}
    return [chunk for chunk in chunks if chunk.id in done]


def generation(rows: Sequence[WorkStatus], stages: Sequence[str] = ("table",)) -> str:
    """Names what the tables hold of a date: with more there its books are another piece of work."""
    words = [
        f"{row.chunk_id}.{row.state}.{row.counts.sent}"
        for row in rows
        if row.stage in stages and row.state in ENDED
    ]
    return hashlib.sha256("\0".join(sorted(words)).encode()).hexdigest()[:24]


class BookPass:
    """Makes the books of some ids.

    A slot that was finished in an earlier attempt is not done again; one that was begun goes on. Two passes,
    of whatever dates, are never in one slot at once.

    Memory: HOLD_BYTES of ids and what the Loader's budget allows.

    Args:
        stage: Name of the books in the ledger.
        sink: A slot's lock -> where its ids go.
        owner: Who claims.
        folder: For ids that wait on the disk; emptied at the end.
    """

    def __init__(
        self,
        *,
        stage: str,
        sink: Callable[[SlotLock], Sink],
        ledger: Ledger,
        owner: str,
        knobs: Knobs,
        folder: Path,
        clock: Clock,
        rng: Random,
        sleep: Sleep = asyncio.sleep,
        offload: Offload = asyncio.to_thread,
    ) -> None:
        self._stage, self._sink, self._ledger, self._owner = stage, sink, ledger, owner
        self._knobs, self._folder, self._clock, self._sleep, self._rng = knobs, folder, clock, sleep, rng
        self._offload = offload
        self._budget = MemoryBudget(knobs.memory_bytes)
        self._governor = RateGovernor(clock, most=knobs.in_flight)

    async def run(
        self, day: str, mark: str, ids: Iterable[Ranked], progress: Progress | None = None
    ) -> PassReport:
        """All slots of one date.

        Args:
            mark: The date's ``generation``; a pass over the same one is not repeated.
            ids: In any order, and as often as they stand somewhere.

        Raises:
            TransientFailure, LeaseLost: What is done is in the ledger, the same call goes on.
            PermanentFailure: The tables cannot be written.
        """
        started, report = self._clock(), PassReport()
        spills = Spills(self._folder, SLOTS, hold=HOLD_BYTES)
        try:
            await self._offload(lambda: spills.fill(ids))
            for slot, bucket in enumerate(spills.buckets):
                if bucket.records:
                    work = slot_chunk(self._stage, day, slot, mark, bucket.records)
                    report = await self._slot(report, work, IdStream(spills=spills, slot=slot), progress)
        finally:
            spills.discard()
        return replace(report, seconds=self._clock() - started)

    async def _slot(
        self, report: PassReport, chunk: Chunk, ids: IdStream, progress: Progress | None
    ) -> PassReport:
        held = await self._take(lock_chunk(self._stage, chunk.slot))
        try:
            lock = SlotLock(
                self._ledger, held, lease=self._knobs.lease_seconds, clock=self._clock, offload=self._offload
            )
            sink = self._sink(lock)
            work = Work(chunk=chunk, stage=self._stage, identity=await sink.identity())
            keeper = asyncio.create_task(self._keep(lock))
            try:
                result = await self._loader(sink).load(work, ids, self._owner, progress)
            finally:
                keeper.cancel()
                await asyncio.gather(keeper, return_exceptions=True)
        finally:
            await self._offload(lambda: self._ledger.release(held, ""))
        return report + PassReport(counts=result.counts, fresh=result.new, slots=1)

    async def _keep(self, lock: SlotLock) -> None:
        """The lock outlives the pauses between the attempts of a request."""
        while True:
            await self._sleep(self._knobs.lease_seconds / 3)
            await lock.hold()

    async def _take(self, chunk: Chunk) -> Claim:
        """The slot, when whoever has it is through or dead: at the latest when two leases have passed."""
        lock, lease = lock_of(self._stage), self._knobs.lease_seconds
        work = Work(chunk=chunk, stage=lock, identity=lock)
        deadline = self._clock() + 2 * lease

        def claiming() -> Claim:
            return self._ledger.claim(work, owner=self._owner, lease=lease)

        while True:
            try:
                claim: Claim = await self._offload(claiming)
                return claim
            except ChunkBusy:
                if self._clock() >= deadline:
                    raise
            await self._sleep(0.5)

    def _loader(self, sink: Sink) -> Loader:
        knobs = self._knobs
        return Loader(
            sink=sink,
            ledger=self._ledger,
            retry=RetryPolicy(
                attempts=knobs.attempts, base=knobs.base_seconds, factor=knobs.factor, cap=knobs.cap_seconds
            ),
            budget=self._budget,
            governor=self._governor,
            clock=self._clock,
            sleep=self._sleep,
            rng=self._rng,
            settings=LoadSettings(lease=knobs.lease_seconds),
            offload=self._offload,
        )


def slot_chunk(stage: str, day: str, slot: int, mark: str, records: int) -> Chunk:
    """The work of one slot of one date. Its target is its own: there is no order among slots."""
    return Chunk(
        entity=entity_of(stage),
        date=day,
        slot=slot,
        target=f"{stage}@{day}/{slot:02d}",
        keys=SPACE,
        range=FileRange(uri=f"{stage}:{slot:02d}", etag=mark, start=0, end=0),
        shape=stage,
        compression="",
        records=records,
    )


def lock_chunk(stage: str, slot: int) -> Chunk:
    """What stands in the ledger for a slot of the space; of no date."""
    lock = lock_of(stage)
    return replace(slot_chunk(stage, "", slot, lock, 0), target=f"{lock}/{slot:02d}")
