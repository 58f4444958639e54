"""Law 11 over the whole engine: files of several days, validated and loaded by workers that run side by side
and die.

Nothing but the ledger keeps the workers apart; the last record in (date, file, offset) order must win every
time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_project.core.errors import ChunkBusy, LeaseLost
from ingest_project.core.limits import BatchLimits
from ingest_project.core.loading import LoadSettings
from ingest_project.core.model import Chunk, Work
from ingest_project.core.planning import Binding, plan
from ingest_project.core.streaming import PartStream
from ingest_project.core.superseding import superseded
from ingest_project.core.validating import Validator, ValidatorSettings
from ingest_project.testing.doubles import (
    EqualsAdmission,
    InMemoryPartStore,
    InMemorySource,
    MortalLedger,
    MortalPartStore,
)
from ingest_project.testing.faults import HARMLESS, FaultScript, Killed, KillPoint, Life
from ingest_project.testing.playing import Stage
from ingest_project.testing.samples import sample_chunk

SETTINGS = LoadSettings(lease=5.0, step_seconds=0.05, step_items=3)


@dataclass(slots=True)
class World:
    """Files, plans and one table, shared by all workers."""

    files: list[tuple[str, str, list[bytes]]]
    broken: set[str]
    seed: int
    rng: Random = field(init=False)
    stage: Stage = field(init=False)
    source: InMemorySource = field(default_factory=lambda: InMemorySource(batch=2, gap=2))
    store: InMemoryPartStore = field(default_factory=InMemoryPartStore)
    chunks: list[Chunk] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)
        self.stage = Stage(
            limits=BatchLimits(count=3, bytes=200), window=4, latency=0.4, seed=self.seed, settings=SETTINGS
        )
        for date in sorted({date for date, _, _ in self.files}):
            bindings = []
            for day, name, records in self.files:
                if day == date:
                    file = self.source.put(f"file:///{day}/{name}", records, broken=name in self.broken)
                    bindings.append(
                        Binding(index=self.source.index(file), target="t", keys=sample_chunk().keys)
                    )
            made = plan(None, bindings, entity="messages", date=date, slots=3, min_chunk_bytes=8)
            self.chunks += made.chunks

    def expected(self) -> dict[bytes, bytes]:
        table: dict[bytes, bytes] = {}
        for _, _, records in sorted(self.files):
            table.update((record.partition(b"=")[0], record) for record in records if b"=" in record)
        return table

    def published(self) -> list[Chunk]:
        ended = {
            row.chunk_id
            for row in self.stage.ledger.status()
            if row.stage == "validated" and row.state in ("sealed", "failed")
        }
        return [chunk for chunk in self.chunks if chunk.id in ended]

    def validate(self, chunk: Chunk, owner: str, kill: KillPoint) -> None:
        Validator(
            source=self.source,
            admission=lambda chunk: EqualsAdmission(),
            parts=MortalPartStore(self.store, kill),
            ledger=MortalLedger(self.stage.ledger, kill),
            clock=self.stage.clock,
            settings=ValidatorSettings(part_records=3, lease=5.0),
        ).validate(chunk, owner)

    async def load(self, chunk: Chunk, owner: str, kill: KillPoint) -> None:
        horizon = self.stage.ledger.horizon(chunk.entity, chunk.target)
        losers = superseded([chunk], self.published(), self.store)[chunk.id]
        await asyncio.sleep(self.rng.uniform(0, 0.5))
        stream = PartStream(parts=self.store, chunk=chunk, key_of=lambda line: "", losers=losers)
        answers = [self.rng.choice(HARMLESS) for _ in range(self.rng.randrange(4))]
        sink = self.stage.sink(FaultScript(answers), kill.life)
        loader = self.stage.loader(sink, MortalLedger(self.stage.ledger, kill))
        work = Work(chunk=chunk, stage="table", identity="table-1", horizon=horizon)
        result = await loader.load(work, stream, owner)
        assert result.sealed is (chunk.fault is None)

    async def worker(self, number: int) -> None:
        """Takes chunks in its own order, as far as the ledger lets it; may die and be followed by another."""
        mine = list(self.chunks)
        self.rng.shuffle(mine)
        for turn, chunk in enumerate(mine):
            dies_at = self.rng.choice([None, None, self.rng.randrange(8)])
            kill = KillPoint(Life(), dies_at, self.rng.random() < 0.5)
            try:
                await asyncio.sleep(self.rng.uniform(0, 1.0))
                await self.step(chunk, f"{number}.{turn}", kill)
            except (Killed, ChunkBusy, LeaseLost):
                continue

    async def step(self, chunk: Chunk, owner: str, kill: KillPoint) -> None:
        if chunk not in self.published():
            self.validate(chunk, owner, kill)
        if self.rng.random() < 0.7:
            await self.load(chunk, owner, kill)

    async def finish(self) -> None:
        """One calm worker until nothing is open."""
        for chunk in self.chunks:
            self.validate(chunk, "last", KillPoint(Life()))
        for chunk in self.chunks:
            await self.load(chunk, "last", KillPoint(Life()))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Few keys, so that almost every record has a rival; each record's value names its place."""
    names = draw(
        st.lists(
            st.tuples(st.sampled_from(["2026-01-01", "2026-01-02"]), st.sampled_from("abc")),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    files = []
    for date, name in names:
        keys = draw(st.lists(st.integers(0, 5), min_size=1, max_size=14))
        files.append(
            (date, name, [b"k%d=%s%s%d" % (k, date.encode(), name.encode(), n) for n, k in enumerate(keys)])
        )
    return World(files, draw(st.sets(st.sampled_from("abc"), max_size=1)), draw(st.integers(0, 1 << 16)))


@given(worlds(), st.integers(1, 4))
@settings(max_examples=200)
def test_the_last_record_wins_whatever_the_workers_do(world: World, workers: int) -> None:
    async def main() -> None:
        await asyncio.gather(*(world.worker(number) for number in range(workers)))

    world.stage.clock.run(main())
    world.stage.clock.advance(SETTINGS.lease + 1)
    world.stage.clock.run(world.finish())
    assert world.expected() == world.stage.table
    rows = [row for row in world.stage.ledger.status() if row.stage == "table"]
    assert len(world.chunks) == len(rows)
    faulty = {chunk.id for chunk in world.chunks if chunk.fault is not None}
    for row in rows:
        state = "failed" if row.chunk_id in faulty else "sealed"
        assert (state, row.records, True) == (row.state, row.counts.sent, row.counts.balanced)


@given(worlds())
def test_a_calm_run_counts_each_loser_as_superseded(world: World) -> None:
    world.stage.clock.run(world.finish())
    rows = [row for row in world.stage.ledger.status() if row.stage == "table"]
    written = sum(row.counts.written for row in rows)
    total = sum(len(records) for _, _, records in world.files)
    assert (len(world.expected()), total - len(world.expected())) == (
        written,
        sum(row.counts.superseded for row in rows),
    )
