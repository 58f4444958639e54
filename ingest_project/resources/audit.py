"""Audit: both sides of every border, each from its own place: plan, part manifests, ledger, target. Reads
only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Self

from ingest_project.core.entity import REBUILDS
from ingest_project.core.errors import TargetMissing
from ingest_project.core.model import Chunk, Counts, PartInfo
from ingest_project.core.replaying import is_replay
from ingest_project.ledgers.rejections import SETTLED, Selection
from ingest_project.resources.engine import Engine
from ingest_project.sinks.parts import ObjectPartStore
from ingest_project.sinks.plans import PlanStore

VALIDATED = "validated"
SAMPLE_CHUNKS, SAMPLE_LINES = 8, 25
"""A read-back takes at most so many chunks of a date and so many records of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a check looks at: a date, of it the slots of a run, and one target; None is all of them."""

    date: str
    slots: frozenset[int] | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Border:
    """What went in and what came out, in records; ``text`` names the two and where they differ.

    Attributes:
        whole: What is counted is there.
    """

    date: str
    left: int
    right: int
    text: str
    whole: bool = True

    @property
    def even(self) -> bool:
        return self.whole and self.left == self.right


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """Records compared with what their target holds."""

    compared: int
    differences: tuple[str, ...]


class Audit:
    """One entity's borders, a date or some slots of it at a time."""

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

    def _validated(self, scope: Scope) -> Border:
        """planned = validated + rejected."""
        chunks = self._chunks(scope)
        planned = sum(chunk.records for chunk in chunks)
        good, refused = self._stored_of(chunks), self._dead_letters("validated", chunks)
        gone = [name for chunk in chunks for name in self._gone(chunk)]
        text = f"{planned} planned = {good} validated + {refused} rejected"
        if gone:
            text += f"; {len(gone)} published parts are gone: {', '.join(gone[:3])}"
        return Border(date=scope.date, left=planned, right=good + refused, text=text, whole=not gone)

    def border(self, stage: str, scope: Scope) -> Border:
        """Both sides of a stage: planned = validated + rejected; of a destination validated = written +
        superseded + unchanged + rejected."""
        return self._validated(scope) if stage == VALIDATED else self._delivered(stage, scope)

    def totals(self, stage: str, scope: Scope) -> Counts:
        """What the ledger has of a stage, for the chunks of the plan."""
        mine = {chunk.id for chunk in self._chunks(scope)}
        rows = self._engine.ledger.status(self._engine.spec.name, scope.date)
        counts = [row.counts for row in rows if row.stage == stage and row.chunk_id in mine]
        return sum(counts, start=Counts())

    def judged(self, scope: Scope) -> tuple[int, int]:
        """(records read, rejections that stand open, of all stages); what was replayed counts once."""
        spec = self._engine.spec
        chunks = self._chunks(scope)
        files = {chunk.id for chunk in chunks if not is_replay(chunk)}
        known = files | {chunk.id for chunk in chunks}
        rows = [row for row in self._engine.ledger.status(spec.name, scope.date) if row.chunk_id in known]
        read = sum(row.counts.sent for row in rows if row.stage == "validated" and row.chunk_id in files)
        stages = ("validated", *spec.destinations)
        rejected = sum(row.counts.rejected for row in rows if row.stage in stages)
        settled = Selection(entity=spec.name, date=scope.date, states=SETTLED)
        by_chunk = self._engine.ledger.dead_letters.by_chunk(settled)
        return read, rejected - sum(count for chunk, count in by_chunk.items() if chunk in known)

    def read_back(self, stage: str, scope: Scope) -> ReadBack:
        """Compare a random sample with the target; superseded and refused records are left out."""
        rng = Random(scope.date)
        chunks = [chunk for chunk in self._chunks(scope) if self._stored(chunk)]
        compared, differences = 0, list[str]()
        for chunk in rng.sample(chunks, min(SAMPLE_CHUNKS, len(chunks))):
            lines = self._sample(stage, chunk, rng)
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
        planned = {chunk.id for day in {row.date for row in rows} for chunk in self._chunks(Scope(date=day))}
        stages: dict[str, list[str]] = {}
        uris = set()
        for row in rows:
            if row.chunk_id in planned and not row.stage.startswith(REBUILDS):
                uris.add(row.uri)
                told = f"{row.date} file_chunk {row.slot:02d}: {row.reason or row.uri}"
                stages.setdefault(told, []).append(row.stage)
        chunks = [f"{told} ({', '.join(names)})" for told, names in stages.items()]
        return chunks + [
            f"{entry.file.uri}: {entry.reason}"
            for entry in ledger.files.list(spec.name, state="failed")
            if entry.file.uri not in uris
        ]

    def _delivered(self, stage: str, scope: Scope) -> Border:
        chunks = self._chunks(scope)
        stored, refused = self._stored_of(chunks), self._dead_letters(stage, chunks)
        counts = self.totals(stage, scope)
        text = (
            f"{stored} validated = {counts.written} written + {counts.superseded} superseded + "
            f"{counts.unchanged} unchanged + {refused} rejected"
        )
        right = counts.written + counts.superseded + counts.unchanged + refused
        return Border(date=scope.date, left=stored, right=right, text=text)

    def _chunks(self, scope: Scope) -> Sequence[Chunk]:
        plan = self._plans.read(self._engine.spec.name, scope.date)
        chunks = [] if plan is None else list(plan.chunks)
        chunks = [chunk for chunk in chunks if scope.slots is None or chunk.slot in scope.slots]
        return [chunk for chunk in chunks if scope.target in (None, chunk.target)]

    def _infos(self, chunk: Chunk) -> Sequence[PartInfo]:
        try:
            return self._parts.parts(chunk)
        except TargetMissing:
            return ()

    def _gone(self, chunk: Chunk) -> Sequence[str]:
        return self._parts.gone(chunk) if self._infos(chunk) else ()

    def _stored(self, chunk: Chunk) -> int:
        return sum(info.records for info in self._infos(chunk))

    def _stored_of(self, chunks: Sequence[Chunk]) -> int:
        return sum(self._stored(chunk) for chunk in chunks)

    def _dead_letters(self, stage: str, chunks: Sequence[Chunk]) -> int:
        letters = self._engine.ledger.dead_letters
        return sum(letters.count(Selection(chunk_id=chunk.id, stage=stage)) for chunk in chunks)

    def _sample(self, stage: str, chunk: Chunk, rng: Random) -> list[bytes]:
        """Some records of one random part that must stand in the stage's target as they are."""
        info = rng.choice(self._infos(chunk))
        chosen = rng.sample(range(info.records), min(4 * SAMPLE_LINES, info.records))
        wanted = {info.first + at for at in chosen}
        letters = self._engine.ledger.dead_letters
        wanted -= letters.ordinals(Selection(chunk_id=chunk.id, stage=stage), wanted)
        wanted.difference_update(self._engine.standings.of(chunk).losers)
        found = [line for at, line in self._numbered(chunk, info) if at in wanted]
        return rng.sample(found, min(SAMPLE_LINES, len(found)))

    def _numbered(self, chunk: Chunk, info: PartInfo) -> Iterator[tuple[int, bytes]]:
        at = info.first
        for lines in self._parts.lines(chunk, info):
            for line in lines:
                yield at, line
                at += 1
