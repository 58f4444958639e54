"""Dry runs: files are read and held to the contract, and nothing is written, not even to the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ingest_project.core.entity import EntitySpec
from ingest_project.core.loading import LoadResult
from ingest_project.core.model import Chunk, ChunkPlan, Claim, Counts, Position, Rejection
from ingest_project.core.ports import Clock, Source
from ingest_project.core.validating import Validator, ValidatorSettings
from ingest_project.resources.importing.meter import StageMeter
from ingest_project.resources.importing.report import FileReport
from ingest_project.testing.doubles_ledger import InMemoryLedger
from ingest_project.testing.doubles_parts import NullPartStore

REASONS = 1000
"""So many different reasons are told apart."""


class CountingLedger(InMemoryLedger):
    """Counts rejections by reason and keeps none: a file of bad records must not fill the memory."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.reasons: Counter[str] = Counter()

    def advance(
        self,
        claim: Claim,
        position: Position,
        counts: Counts,
        rejections: Iterable[Rejection],
        *,
        lease: float,
    ) -> None:
        for rejection in rejections:
            known = rejection.reason in self.reasons or len(self.reasons) < REASONS
            self.reasons[rejection.reason if known else "other"] += 1
        super().advance(claim, position, counts, (), lease=lease)


def rehearse(
    spec: EntitySpec, source: Source, plan: ChunkPlan, meter: StageMeter, clock: Clock, *, part_bytes: int
) -> list[FileReport]:
    """Validate every chunk of the plan; one report a file."""
    groups: dict[str, list[Chunk]] = {index.file.uri: [] for index in plan.files}
    for chunk in plan.chunks:
        groups[chunk.range.uri].append(chunk)
    reports = [_file(spec, source, uri, chunks, meter, clock, part_bytes) for uri, chunks in groups.items()]
    meter.close()
    return reports


def _file(
    spec: EntitySpec,
    source: Source,
    uri: str,
    chunks: Sequence[Chunk],
    meter: StageMeter,
    clock: Clock,
    part_bytes: int,
) -> FileReport:
    ledger = CountingLedger(clock)
    settings = ValidatorSettings(part_bytes=part_bytes)
    validator = Validator(
        source=source,
        admission=spec.admission,
        parts=NullPartStore(),
        ledger=ledger,
        clock=clock,
        settings=settings,
    )
    started, error, counts = clock(), "", Counts()
    for chunk in chunks:
        result: LoadResult = validator.validate(chunk, "dry run", meter.step)
        counts += result.counts
        error = error or result.reason
    report = FileReport(uri=uri, table=chunks[0].target if chunks else "", chunks=len(chunks), error=error)
    return replace(
        report,
        read=counts.sent,
        valid=counts.written,
        rejected=counts.rejected,
        reasons=dict(ledger.reasons.most_common(20)),
        seconds=round(clock() - started, 3),
    )
