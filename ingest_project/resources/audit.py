"""Audit: both sides of every border, each from its own place: plan, part manifests, ledger, target. Reads
only."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Self

from ingest_project.core.errors import TargetMissing
from ingest_project.core.model import Chunk, Counts, PartInfo, WorkStatus
from ingest_project.ledgers.rejections import Selection
from ingest_project.resources.engine import Engine
from ingest_project.sinks.parts import ObjectPartStore
from ingest_project.sinks.plans import PlanStore

SAMPLE_CHUNKS, SAMPLE_LINES = 8, 25
"""A read-back takes at most so many chunks of a date and so many records of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Border:
    """What went in and what came out, in records; ``text`` names the two and where they differ."""

    date: str
    left: int
    right: int
    text: str

    @property
    def even(self) -> bool:
        return self.left == self.right


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """Records compared with what their target holds."""

    compared: int
    differences: tuple[str, ...]


class Audit:
    """One entity's borders, a date at a time."""

    def __init__(self, engine: Engine, plans: PlanStore, parts: ObjectPartStore) -> None:
        self._engine, self._plans, self._parts = engine, plans, parts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.__exit__(kind, error, trace)

    def dates(self) -> Sequence[str]:
        """Dates that have a plan, ascending."""
        return self._plans.dates(self._engine.spec.name)

    def validated_border(self, day: str) -> Border:
        """planned = validated + rejected."""
        planned = sum(chunk.records for chunk in self._chunks(day))
        good = sum(self._stored(chunk) for chunk in self._chunks(day))
        refused = self._dead_letters("validated", day)
        text = f"{planned} planned = {good} validated + {refused} rejected"
        return Border(date=day, left=planned, right=good + refused, text=text)

    def table_border(self, day: str) -> Border:
        """validated = written + superseded + unchanged + rejected, for the table."""
        return self._delivered("table", day)

    def index_border(self, day: str) -> Border:
        """validated = written + superseded + unchanged + rejected, for the index."""
        return self._delivered("index", day)

    def totals(self, stage: str, day: str) -> Counts:
        """What the ledger has of a stage and a date, for the chunks of its plan."""
        mine = {chunk.id for chunk in self._chunks(day)}
        rows = [row for row in self._rows(day) if row.stage == stage and row.chunk_id in mine]
        return sum((row.counts for row in rows), start=Counts())

    def read_back(self, stage: str, day: str) -> ReadBack:
        """Compare a random sample of the date's records with the target; superseded ones are left out."""
        rng = Random(day)
        chunks = [chunk for chunk in self._chunks(day) if self._stored(chunk)]
        compared, differences = 0, list[str]()
        for chunk in rng.sample(chunks, min(SAMPLE_CHUNKS, len(chunks))):
            lines = self._sample(chunk, self._engine.standings.of(chunk).losers, rng)
            compared += len(lines)
            differences += self._engine.differences(stage, chunk, lines) if lines else []
        return ReadBack(compared=compared, differences=tuple(differences))

    def left_failed(self) -> list[str]:
        """Planned chunks that stand failed, and failed files besides, one text each.

        A chunk that left its plan, because its file was replaced, is no open work.
        """
        ledger = self._engine.ledger
        spec = self._engine.spec
        rows = ledger.status(spec.name, state="failed")
        planned = {chunk.id for day in {row.date for row in rows} for chunk in self._chunks(day)}
        stages: dict[str, list[str]] = {}
        uris = set()
        for row in rows:
            if row.chunk_id in planned:
                uris.add(row.uri)
                told = f"{row.date} file_chunk {row.slot:02d}: {row.reason or row.uri}"
                stages.setdefault(told, []).append(row.stage)
        chunks = [f"{told} ({', '.join(names)})" for told, names in stages.items()]
        return chunks + [
            f"{entry.file.uri}: {entry.reason}"
            for entry in ledger.files.list(spec.name, state="failed")
            if entry.file.uri not in uris
        ]

    def _delivered(self, stage: str, day: str) -> Border:
        stored = sum(self._stored(chunk) for chunk in self._chunks(day))
        counts = self.totals(stage, day)
        refused = self._dead_letters(stage, day)
        text = (
            f"{stored} validated = {counts.written} written + {counts.superseded} superseded + "
            f"{counts.unchanged} unchanged + {refused} rejected"
        )
        right = counts.written + counts.superseded + counts.unchanged + refused
        return Border(date=day, left=stored, right=right, text=text)

    def _chunks(self, day: str) -> Sequence[Chunk]:
        plan = self._plans.read(self._engine.spec.name, day)
        return () if plan is None else plan.chunks

    def _rows(self, day: str) -> Sequence[WorkStatus]:
        return self._engine.ledger.status(self._engine.spec.name, day)

    def _infos(self, chunk: Chunk) -> Sequence[PartInfo]:
        try:
            return self._parts.parts(chunk)
        except TargetMissing:
            return ()

    def _stored(self, chunk: Chunk) -> int:
        return sum(info.records for info in self._infos(chunk))

    def _dead_letters(self, stage: str, day: str) -> int:
        letters = self._engine.ledger.dead_letters
        return sum(letters.count(Selection(chunk_id=chunk.id, stage=stage)) for chunk in self._chunks(day))

    def _sample(self, chunk: Chunk, losers: array[int], rng: Random) -> list[bytes]:
        """Some records of one random part that no later one supersedes."""
        info = rng.choice(self._infos(chunk))
        lost = set(losers)
        wanted = set(rng.sample(range(info.records), min(4 * SAMPLE_LINES, info.records)))
        found = [
            line for at, line in self._numbered(chunk, info) if at - info.first in wanted and at not in lost
        ]
        return found[:SAMPLE_LINES]

    def _numbered(self, chunk: Chunk, info: PartInfo) -> Iterator[tuple[int, bytes]]:
        at = info.first
        for lines in self._parts.lines(chunk, info):
            for line in lines:
                yield at, line
                at += 1
