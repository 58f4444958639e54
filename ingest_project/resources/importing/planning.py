"""The plan of an import: tables looked up first, then each file read once; one that cannot be loaded keeps no
other from it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ingest_project.core.entity import EntitySpec
from ingest_project.core.errors import (
    ConfigurationError,
    IngestError,
    TargetMissing,
    TransientFailure,
)
from ingest_project.core.model import (
    ChunkPlan,
    KeySchema,
    SourceFile,
)
from ingest_project.core.ports import Clock
from ingest_project.resources.deployments import Settings
from ingest_project.resources.importing.meter import StageMeter
from ingest_project.resources.importing.report import ImportWatcher
from ingest_project.resources.planner import Planner, PlanOutcome
from ingest_project.resources.reading import source_of

Describe = Callable[[str, KeySchema | None], KeySchema]
"""(table, key to create it with) -> its key. See Engine.keys_of."""


@dataclass(slots=True, kw_only=True)
class Tables:
    """The tables of an import and their keys, each asked for once.

    Attributes:
        key: What the caller says the key is.
        create: Make a missing table with ``key``.
        rehearsal: Nothing is made, and ``key`` stands for a table that cannot be asked.
        notes: What was assumed, in sentences.
    """

    describe: Describe
    settings: Settings
    key: KeySchema | None
    create: bool
    rehearsal: bool
    notes: list[str] = field(default_factory=list)
    _known: dict[str, KeySchema] = field(default_factory=dict)

    def check(self, table: str) -> None:
        """Raise what keeps the table from being loaded, before a file is read. Makes nothing."""
        if table in self._known:
            return
        if not self.rehearsal:
            self.settings.require_write("dynamodb", table)
        try:
            found = self.describe(table, None)
        except (TargetMissing, TransientFailure) as error:
            if self.rehearsal and self.key is not None:
                self.notes.append(f"The key {self.key} was taken as given: {error}.")
                self._known[table] = self.key
            elif not self.create or not isinstance(error, TargetMissing):
                raise
            return
        if self.key not in (None, found):
            raise ConfigurationError(f"table {table} has the key {found}, not {self.key}")
        self._known[table] = found

    def keys_of(self, table: str, _likely: KeySchema | None = None) -> KeySchema:
        """The table's key; the table is made where that was asked for."""
        if table not in self._known:
            made = self.key if self.create and not self.rehearsal else None
            self._known[table] = self.describe(table, made)
        return self._known[table]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """URI -> table of an import's files; ``refused``: URI -> why a file cannot be loaded."""

    tables: Mapping[str, str]
    refused: Mapping[str, str]


def bind(spec: EntitySpec, files: Sequence[SourceFile], table: str | None, tables: Tables) -> Files:
    """Find the table of each file and see whether it can be loaded."""
    bound: dict[str, str] = {}
    refused: dict[str, str] = {}
    for file in files:
        try:
            bound[file.uri] = table or spec.target_of(file.uri)
            tables.check(bound[file.uri])
        except TransientFailure:
            raise
        except IngestError as error:
            refused[file.uri] = str(error)
    return Files(tables=bound, refused=refused)


def still_fits(plan: ChunkPlan | None, tables: Tables) -> bool:
    """Whether an earlier plan's tables have the keys that it was made for."""
    try:
        return plan is not None and all(chunk.keys == tables.keys_of(chunk.target) for chunk in plan.chunks)
    except IngestError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyor:
    """Plans the files of an import, told about on the way."""

    spec: EntitySpec
    settings: Settings
    min_chunk_bytes: int
    watch: ImportWatcher | None
    log: Callable[[str], None]
    clock: Clock

    def plan(
        self,
        known: ChunkPlan | None,
        date: str,
        files: Sequence[SourceFile],
        table: str | None,
        tables: Tables,
        bound: Files,
    ) -> PlanOutcome:
        """Add the files that are not refused to the plan; those that it has are not read again."""
        planned = {(index.file.uri, index.file.etag) for index in known.files} if known else set()
        fresh = [
            file for file in files if file.uri not in bound.refused and (file.uri, file.etag) not in planned
        ]
        meter = StageMeter("planned", sum(file.size for file in fresh), self.watch, self.clock)
        planner = Planner(
            spec=self.spec,
            source=source_of(self.spec, self.settings, meter.more),
            keys_of=tables.keys_of,
            table_keys=dict.fromkeys(bound.tables.values(), self.spec.default_keys),
            min_chunk_bytes=self.min_chunk_bytes,
            target=table or "",
        )
        outcome = planner.plan(known, date, fresh, self.log)
        meter.close()
        there = {index.file.uri for index in outcome.plan.files} | outcome.refused.keys()
        strays = {file.uri: "the manifest of its export does not name it" for file in fresh}
        strays = {uri: why for uri, why in strays.items() if uri not in there}
        return replace(outcome, refused={**outcome.refused, **strays})


def only(plan: ChunkPlan, uris: Collection[str]) -> ChunkPlan:
    """The plan of these files alone."""
    return replace(
        plan,
        files=tuple(index for index in plan.files if index.file.uri in uris),
        chunks=tuple(chunk for chunk in plan.chunks if chunk.range.uri in uris),
    )
