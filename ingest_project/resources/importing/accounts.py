"""One import's account: what of its chunks is done in which target, what is left, and the files' reports.

Reads the ledger and asks the targets who they are; changes nothing but that missing indices are made.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ingest_project.core.entity import EntitySpec
from ingest_project.core.errors import BadInput, IngestError
from ingest_project.core.model import Chunk, ChunkPlan, Counts, KeySchema
from ingest_project.core.outcomes import SEALED, ChunkOutcome
from ingest_project.core.pressure import UNSEEN, Pressure
from ingest_project.core.replaying import is_replay
from ingest_project.ledgers.rejections import UNSETTLED, DeadLetters, Selection
from ingest_project.ledgers.upkeep import Standing, Upkeep
from ingest_project.resources.deployments import Settings
from ingest_project.resources.destinations import Destination, TableDestination
from ingest_project.resources.engine import event_loop_factory
from ingest_project.resources.importing.report import FileReport
from ingest_project.resources.index_destination import IndexDestination

VALIDATED, TABLE, INDEX = "validated", "table", "index"
REASONS = 20
"""So many reasons of a chunk are named."""

_UNKNOWN = Standing(state="", identity="", fingerprint="", counts=Counts())


@dataclass(slots=True, kw_only=True)
class Accounts:
    """One import's account.

    Attributes:
        index: Index name that the user gave, or empty.
        tables: URI -> table, of all files that have one.
        refused: URI -> why a file is not in the plan.
        pressure: What the attempts have seen of the memory budget.
    """

    settings: Settings
    spec: EntitySpec
    plan: ChunkPlan
    index: str
    tables: Mapping[str, str]
    refused: Mapping[str, str]
    upkeep: Upkeep
    letters: DeadLetters
    target_seconds: float = 0.0
    items: Counter[str] = field(default_factory=Counter)
    pressure: Pressure = UNSEEN
    _rows: Mapping[tuple[str, str], Standing] = field(default_factory=dict)
    _identities: Mapping[tuple[str, str], str] = field(default_factory=dict)
    _complete: frozenset[str] = frozenset()
    _seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _errors: dict[str, str] = field(default_factory=dict)

    @property
    def stages(self) -> Sequence[str]:
        """Stages behind ``validated``."""
        return self.spec.destinations

    def look(self) -> None:
        """Read the ledger."""
        self._rows = self.upkeep.standings([chunk.id for chunk in self.plan.chunks])

    def meet(self) -> None:
        """Ask the targets who they are, and note which chunks are complete in them."""
        keys = {chunk.target: chunk.keys for chunk in self.plan.chunks}
        self._identities = identities(self.settings, self.spec, self.index, keys)
        self.look()
        self._complete = frozenset(chunk.id for chunk in self.plan.chunks if self._is_through(chunk))

    def drifted(self) -> list[Chunk]:
        """Chunks that the ledger knows with other content: their table had another key then."""
        return [
            chunk
            for chunk in self.plan.chunks
            if any(
                row.fingerprint not in ("", chunk.fingerprint)
                for row in (self._row(chunk, stage) for stage in (VALIDATED, *self.stages))
            )
        ]

    @property
    def through(self) -> bool:
        """Whether nothing is left to do for any chunk."""
        return all(self._is_through(chunk) for chunk in self.plan.chunks)

    def pending(self, stage: str) -> list[Chunk]:
        """Chunks that have to go through the stage; of ``validated`` all, as their keys decide who wins."""
        if stage == VALIDATED:
            return list(self.plan.chunks)
        return [chunk for chunk in self.plan.chunks if not self._is_done(chunk, stage)]

    def valid(self, chunk: Chunk) -> int:
        """Records of the chunk that met the contract."""
        return self._row(chunk, VALIDATED).counts.written

    def done(self, chunk: Chunk, stage: str) -> int:
        """Records of the chunk that the stage has dealt with."""
        return self._row(chunk, stage).counts.sent if self._is_current(chunk, stage) else 0

    def add(self, outcome: ChunkOutcome) -> None:
        """Take in how an attempt ended."""
        uri = outcome.chunk.range.uri
        self.items[outcome.stage] += outcome.fresh.sent
        self._seconds[uri] += outcome.seconds
        self.pressure |= outcome.pressure
        self.target_seconds += outcome.target_seconds
        if outcome.state != SEALED:
            self._errors.setdefault(uri, outcome.reason)

    def files(self) -> tuple[FileReport, ...]:
        """One report a file, by URI."""
        chunks: dict[str, list[Chunk]] = {index.file.uri: [] for index in self.plan.files}
        for chunk in self.plan.chunks:
            chunks[chunk.range.uri].append(chunk)
        reports = [self._file(uri, group) for uri, group in chunks.items()]
        reports += [
            FileReport(uri=uri, table=self.tables.get(uri, ""), error=error)
            for uri, error in self.refused.items()
        ]
        return tuple(sorted(reports, key=lambda report: report.uri))

    def _file(self, uri: str, chunks: Sequence[Chunk]) -> FileReport:
        validated, table, index = (
            sum((self._counts(chunk, stage) for chunk in chunks), start=Counts())
            for stage in (VALIDATED, TABLE, INDEX)
        )
        target = self.tables[uri]
        return FileReport(
            uri=uri,
            table=target,
            index=index_of(self.settings, self.index, target) if INDEX in self.stages else "",
            chunks=len(chunks),
            read=sum(self._counts(chunk, VALIDATED).sent for chunk in chunks if not is_replay(chunk)),
            valid=validated.written,
            written=table.written,
            indexed=index.written,
            superseded=table.superseded,
            unchanged=table.unchanged,
            rejected=self._rejected(chunks),
            reasons=self._reasons(chunks),
            error=self._errors.get(uri, "") or _fault(chunks),
            loaded_before=all(chunk.id in self._complete for chunk in chunks),
            seconds=round(self._seconds[uri], 3),
        )

    def _rejected(self, chunks: Sequence[Chunk]) -> int:
        """Rejections that no replay has settled."""
        return sum(
            self.letters.count(Selection(chunk_id=chunk.id, stage=stage, states=UNSETTLED))
            for chunk in chunks
            for stage in (VALIDATED, *self.stages)
            if self._counts(chunk, stage).rejected
        )

    def _reasons(self, chunks: Sequence[Chunk]) -> Mapping[str, int]:
        found: Counter[str] = Counter()
        for chunk in chunks:
            for stage in (VALIDATED, *self.stages):
                if self._counts(chunk, stage).rejected:
                    mine = Selection(chunk_id=chunk.id, stage=stage, states=UNSETTLED)
                    found.update(dict(self.letters.reasons(mine, limit=REASONS)))
        return dict(found.most_common(REASONS))

    def _row(self, chunk: Chunk, stage: str) -> Standing:
        return self._rows.get((chunk.id, stage), _UNKNOWN)

    def _counts(self, chunk: Chunk, stage: str) -> Counts:
        return self._row(chunk, stage).counts if self._is_current(chunk, stage) else Counts()

    def _is_current(self, chunk: Chunk, stage: str) -> bool:
        """Whether the ledger's account is of the target as it stands: another one is an empty one."""
        identity = self._row(chunk, stage).identity
        return stage == VALIDATED or identity == self._identities.get((stage, chunk.target), "")

    def _is_done(self, chunk: Chunk, stage: str) -> bool:
        """Complete, or complete up to the place where the file is broken."""
        row = self._row(chunk, stage)
        if not self._is_current(chunk, stage):
            return False
        expected = chunk.records if stage == VALIDATED else self.valid(chunk)
        to_the_fault = chunk.fault is not None and row.state == "failed" and row.counts.sent == expected
        return row.state == "sealed" or to_the_fault

    def _is_through(self, chunk: Chunk) -> bool:
        return all(self._is_done(chunk, stage) for stage in (VALIDATED, *self.stages))


def identities(
    settings: Settings, spec: EntitySpec, index: str, keys: Mapping[str, KeySchema]
) -> dict[tuple[str, str], str]:
    """(stage, table) -> identity of the target; one that cannot be had is left out."""
    made: dict[str, Destination] = {
        TABLE: TableDestination(settings, False),
        INDEX: IndexDestination(settings, contract=spec.index, name=index),
    }

    async def ask() -> dict[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = {}
        for stage in spec.destinations:
            for table, schema in keys.items():
                try:
                    found[stage, table] = await (await made[stage].open(table, schema)).identity()
                except IngestError:
                    # Its chunks will fail with the reason when their turn comes.
                    continue
        for destination in made.values():
            await destination.close()
        return found

    with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
        return runner.run(ask())


def index_of(settings: Settings, index: str, table: str) -> str:
    """Name of the table's index, empty when it can have none."""
    try:
        return IndexDestination(settings, name=index).index_of(table)
    except IngestError:
        return ""


def _fault(chunks: Sequence[Chunk]) -> str:
    for chunk in chunks:
        if chunk.fault is not None:
            fault = chunk.fault
            return str(BadInput(uri=chunk.range.uri, offset=fault.offset, expected=fault.expected))
    return ""
