"""Where the chunk of a rejection is: in a plan of Dagster's runs, or in the scratch folder of `ingest load`.

A world can be worked in when the key entries of all its competing records are there (law 11). Loads of the
command line delete theirs; they are made anew from the files, beside the ledger, whose account stays as it
is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingest_project.core.entity import EntitySpec
from ingest_project.core.errors import ConfigurationError, TargetMissing
from ingest_project.core.model import Admitted, Chunk, ChunkPlan, RecordBatch, Rejection
from ingest_project.core.ports import Admission
from ingest_project.core.replaying import is_replay
from ingest_project.core.validating import Validator, ValidatorSettings
from ingest_project.ledgers.rejections import Selection
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.ledgers.upkeep import Upkeep
from ingest_project.resources.assembly import Assembly, plan_store
from ingest_project.resources.deployments import Settings
from ingest_project.resources.engine import Engine
from ingest_project.resources.importing.scratch import FOLDER, Scratch
from ingest_project.resources.knobs import knobs_of
from ingest_project.resources.replaying.plans import joined
from ingest_project.resources.replaying.reading import reading_of
from ingest_project.testing.doubles_ledger import InMemoryLedger

LEDGER_NAME, LEDGER_DATE = "load", "cli"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One plan and how its chunks are worked on.

    Attributes:
        scratch: Of a load of the command line; None for Dagster's.
    """

    plan: ChunkPlan
    assembly: Assembly
    scratch: Scratch | None = None

    def chunk(self, id: str) -> Chunk | None:
        return next((chunk for chunk in self.plan.chunks if chunk.id == id), None)

    def prepare(self, engine: Engine, chunks: Sequence[Chunk]) -> None:
        """Make the key entries that are gone, of everything that competes with these chunks.

        Raises:
            ConfigurationError: A file is not what was loaded any more.
        """
        if self.scratch is None:
            return
        first = min(chunk.order for chunk in chunks)
        targets, mine = {chunk.target for chunk in chunks}, {chunk.id for chunk in chunks}
        rivals = [
            chunk
            for chunk in self.plan.chunks
            if chunk.target in targets and chunk.order >= first and chunk.id not in mine
        ]
        gone = [chunk for chunk in rivals if engine.parts.gone(chunk)]
        _refuse_changed(engine, gone)
        for chunk in gone:
            _validate_beside(engine, chunk)

    def leave(self) -> None:
        """Delete what ``prepare`` made."""
        if self.scratch is not None:
            self.scratch.discard_parts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Worlds:
    """All worlds of a deployment.

    Attributes:
        spec: Entity -> its spec; that of ``load`` is the one whose contract `ingest load` used.
        owner: Name under which chunks are claimed.
        index: Name of the index that a load of the command line was given.
        assemble: Entity of Dagster's -> its assembly, in place of one made of the deployment.
    """

    settings: Settings
    spec: Callable[[str], EntitySpec]
    owner: str
    index: str = ""
    assemble: Callable[[EntitySpec], Assembly] | None = None

    def find(self, ledger: SqlLedger, entity: str, date: str, chunk: str) -> World | None:
        """The world of a chunk; None when no plan has it any more."""
        if entity == LEDGER_NAME:
            return self._loaded(ledger, chunk)
        plan = plan_store(self.settings).read(entity, date)
        if plan is None or all(known.id != chunk for known in plan.chunks):
            return None
        spec = self.spec(entity)
        return World(plan=plan, assembly=self.assemble(spec) if self.assemble else self._assembly(spec))

    def _assembly(self, spec: EntitySpec) -> Assembly:
        return Assembly(settings=self.settings, spec=spec, owner=self.owner, knobs=knobs_of(self.settings))

    def _loaded(self, ledger: SqlLedger, chunk: str) -> World | None:
        for folder in self._folders():
            scratch = Scratch(folder=folder, settings=replace(self.settings, part_store="local", home=folder))
            stored = scratch.read_plan(LEDGER_NAME, LEDGER_DATE)
            plan = joined(stored, ledger.replays) if stored else None
            if plan is None or all(known.id != chunk for known in plan.chunks):
                continue
            spec = replace(self.spec(LEDGER_NAME), name=LEDGER_NAME, destinations=self._stages(plan.chunks))
            assembly = replace(self._assembly(spec), settings=scratch.settings, plan=plan, index=self.index)
            return World(plan=plan, assembly=assembly, scratch=scratch)
        return None

    def _folders(self) -> list[Path]:
        """The latest load first: of a file that was loaded twice, that one wrote last."""
        folders = (self.settings.home / FOLDER).glob("*")
        return sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True)

    def _stages(self, chunks: Sequence[Chunk]) -> tuple[str, ...]:
        """The destinations that the load had."""
        with Upkeep(self.settings.ledger_url) as upkeep:
            known = {stage for _, stage in upkeep.standings([chunk.id for chunk in chunks])}
        return tuple(stage for stage in ("table", "index") if stage in known) or ("table",)


def _refuse_changed(engine: Engine, chunks: Sequence[Chunk]) -> None:
    files = {(chunk.range.uri, chunk.range.etag) for chunk in chunks if not is_replay(chunk)}
    for uri, etag in sorted(files):
        try:
            same = engine.source.stat(uri).etag == etag
        except TargetMissing:
            same = False
        if not same:
            raise ConfigurationError(
                f"{uri} is not the file any more that was loaded, and which of its records come last cannot "
                "be told without it: put it back, or load the corrected records as a file of their own"
            )


def _validate_beside(engine: Engine, chunk: Chunk) -> None:
    """Validate a chunk once more without telling the ledger. What was refused then is left out, whatever the
    contract says now."""
    letters = engine.ledger.dead_letters
    refused = frozenset(
        letter.ordinal for letter in letters.each(Selection(chunk_id=chunk.id, stage="validated"))
    )
    source, admission = reading_of(engine.spec, engine.source, engine.ledger.replays, chunk)
    validator = Validator(
        source=source,
        admission=lambda chunk: _Without(admission(chunk), refused),
        parts=engine.parts,
        ledger=InMemoryLedger(time.monotonic),
        clock=time.monotonic,
        settings=ValidatorSettings(part_bytes=engine.knobs.part_bytes, lease=float("inf")),
    )
    validator.validate(chunk, engine.owner)


class _Without:
    """core.ports.Admission that refuses what was refused before."""

    def __init__(self, inner: Admission, refused: Collection[int]) -> None:
        self._inner, self._refused = inner, refused

    def __call__(self, batch: RecordBatch) -> Admitted:
        bad = [at for at in range(len(batch.raws)) if batch.first + at in self._refused]
        if not bad:
            return self._inner(batch)
        return _merged([self._inner(run) for run in _runs(batch, bad)], batch, bad)


def _runs(batch: RecordBatch, bad: Sequence[int]) -> Iterator[RecordBatch]:
    """The stretches between the bad ones."""
    for start, end in zip([0, *(at + 1 for at in bad)], [*bad, len(batch.raws)], strict=True):
        if start < end:
            yield RecordBatch(
                first=batch.first + start,
                raws=batch.raws[start:end],
                offsets=[batch.offsets[at] for at in range(start, end)],
                after=batch.after,
            )


def _merged(some: Sequence[Admitted], batch: RecordBatch, bad: Sequence[int]) -> Admitted:
    letters = [
        Rejection(ordinal=batch.first + at, offset=batch.offsets[at], reason="refused before", raw=b"")
        for at in bad
    ]
    return Admitted(
        lines=[line for one in some for line in one.lines],
        hashes=[digest for one in some for digest in one.hashes],
        offsets=[offset for one in some for offset in one.offsets],
        rejections=[*letters, *(letter for one in some for letter in one.rejections)],
    )
