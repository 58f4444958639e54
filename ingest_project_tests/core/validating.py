"""Bench: one file, its chunks and its stores for the tests of the validator, and what must stand at last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ingest_project.core.loading import LoadResult
from ingest_project.core.model import Chunk, ChunkPlan
from ingest_project.core.planning import Binding, plan
from ingest_project.core.ports import Admission, PartStore, Progress
from ingest_project.core.validating import Validator, ValidatorSettings
from ingest_project.testing.doubles import (
    EqualsAdmission,
    FakeClock,
    InMemoryLedger,
    InMemoryPartStore,
    InMemorySource,
    MortalLedger,
    MortalPartStore,
)
from ingest_project.testing.faults import KillPoint, Life
from ingest_project.testing.samples import sample_chunk

URI = "file:///in/a.json"


def contract(chunk: Chunk) -> Admission:
    return EqualsAdmission()


@dataclass(slots=True, kw_only=True)
class Bench:
    """One file, its chunks, a ledger and a part store, for any number of processes."""

    records: list[bytes]
    broken: bool = False
    settings: ValidatorSettings = field(
        default_factory=lambda: ValidatorSettings(part_bytes=12, part_records=100, lease=10.0)
    )
    clock: FakeClock = field(default_factory=FakeClock)
    source: InMemorySource = field(default_factory=InMemorySource)
    store: InMemoryPartStore = field(default_factory=InMemoryPartStore)
    ledger: InMemoryLedger = field(init=False)
    made: ChunkPlan = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = InMemoryLedger(self.clock)
        file = self.source.put(URI, self.records, broken=self.broken)
        binding = Binding(index=self.source.index(file), target="messages", keys=sample_chunk().keys)
        self.made = plan(None, [binding], entity="messages", date="2026-01-01", min_chunk_bytes=1, slots=1)

    @property
    def chunk(self) -> Chunk:
        return self.made.chunks[0]

    def validate(
        self,
        owner: str = "one",
        kill: KillPoint | None = None,
        admission: Callable[[Chunk], Admission] = contract,
        progress: Progress | None = None,
        store: PartStore | None = None,
    ) -> LoadResult:
        kill = kill or KillPoint(Life())
        validator = Validator(
            source=self.source,
            admission=admission,
            parts=store or MortalPartStore(self.store, kill),
            ledger=MortalLedger(self.ledger, kill),
            clock=self.clock,
            settings=self.settings,
        )
        return validator.validate(self.chunk, owner, progress)

    def lines(self) -> list[bytes]:
        return [
            line
            for info in self.store.parts(self.chunk)
            for block in self.store.lines(self.chunk, info)
            for line in block
        ]

    def check(self) -> None:
        """Everything is there once, whatever happened on the way."""
        good = [record for record in self.records if b"=" in record]
        assert good == self.lines()
        offsets = [sum(len(each) + 1 for each in self.records[:at]) for at in range(len(self.records))]
        expected = [offset for offset, record in zip(offsets, self.records, strict=True) if b"=" in record]
        parts = list(self.store.parts(self.chunk))
        assert expected == [
            self.store.offset(self.chunk, info, ordinal)
            for info in parts
            for ordinal in range(info.first, info.first + info.records)
        ]
        assert list(range(len(parts))) == [info.number for info in parts]
        letters = self.ledger.rejections(self.chunk, "validated")
        refused = [(at, offsets[at], each) for at, each in enumerate(self.records) if b"=" not in each]
        assert refused == [(letter.ordinal, letter.offset, letter.raw) for letter in letters]
        (row,) = self.ledger.status()
        size = sum(map(len, good))
        assert (len(self.records), len(good), len(refused), size) == (
            row.counts.sent,
            row.counts.written,
            row.counts.rejected,
            row.counts.bytes,
        )
