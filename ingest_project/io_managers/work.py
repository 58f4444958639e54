"""StageWork: what an asset returns in place of data, and how an IO manager drains it slot by slot.

No store lives here: the engine writes. Dagster's events do: one materialization a slot within seconds of its
seal, one observation a slot that was not sealed, and one Failure at the end when there was such a slot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg

from ingest_project.core.entity import EntitySpec
from ingest_project.core.errors import TransientFailure
from ingest_project.core.model import Chunk, ChunkPlan
from ingest_project.core.outcomes import ChunkOutcome, Summary, summarize
from ingest_project.core.overview import overview
from ingest_project.io_managers.cells import cell, parse_cell
from ingest_project.io_managers.live import LiveReporter, LiveSlots
from ingest_project.io_managers.metadata import Metadata, import_metadata, slot_metadata
from ingest_project.io_managers.names import asset_key
from ingest_project.ledgers.rejections import UNSETTLED, DeadLetter, Selection
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.crew import Crew

SHOWN = 5
"""Rejections on the page of an import."""

RETRIES, RETRY_SECONDS = 3, 10.0
"""How often a step goes on after transient causes, and how long it waits before."""

Slot = tuple[str, int]
"""Date and slot number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageWork:
    """Lazy and re-iterable: which chunks go through a stage. The IO manager that receives it does the
    storing.

    Attributes:
        stage: Of the ledger, whatever its asset is called.
        plan_of: Date -> plan, read when needed.
        owner: Who claims the chunks. A re-executed run bears the name of its first attempt, so that it need
            not wait
            for the lease of the process that died.
        report: ``AssetExecutionContext.add_asset_metadata``: binds a slot's metadata to the event that
            Dagster itself
            writes at the end of a range run.
    """

    spec: EntitySpec
    stage: str
    plan_of: Callable[[str], ChunkPlan]
    owner: str
    report: Callable[..., None]

    def chunks(self, slots: Sequence[Slot]) -> dict[Slot, tuple[Chunk, ...]]:
        """The chunks of each slot; an empty tuple for a slot without work."""
        plans = {day: self.plan_of(day) for day in sorted({day for day, _ in slots})}
        return {(day, slot): plans[day].in_slot(slot) for day, slot in slots}


@contextmanager
def resumable() -> Iterator[None]:
    """Around what a step does: what stops for a transient cause goes on after a pause, a few times.

    Raises:
        dg.RetryRequested: In place of a TransientFailure.
    """
    try:
        yield
    except TransientFailure as error:
        raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_SECONDS) from error


@resumable()
def drain(context: dg.OutputContext, crew: Crew, work: StageWork) -> None:
    """Run all chunks of the run's partitions through the stage; each slot succeeds or fails by itself.

    Raises:
        dg.Failure: When a slot failed for a permanent cause; the good slots are materialized by then.
        dg.RetryRequested: When slots stopped for transient causes only.
    """
    slots = sorted(parse_cell(key) for key in context.asset_partition_keys)
    stage, chunks = work.stage, work.chunks(slots)
    crew.listen(context.log.warning)
    live = LiveReporter(context.log.info, stage, sum(c.records for group in chunks.values() for c in group))
    with LiveSlots(context.log_event) as shown:
        bad: dict[Slot, Summary] = {}
        for slot, summary in settled(crew, stage, chunks, live):
            refused = sample(crew.ledger, stage, chunks[slot]) if summary.counts.rejected else ()
            metadata = slot_metadata(summary, chunks[slot], refused)
            if summary.unsealed:
                bad[slot] = summary
                _tell(context, slot, summary, metadata)
                continue
            work.report(metadata, partition_key=cell(*slot))
            if len(slots) > 1:
                done = dg.AssetMaterialization(context.asset_key, partition=cell(*slot), metadata=metadata)
                shown.add(done)
        live.close()
        observe_imports(context, crew.ledger, work, sorted({day for day, _ in slots}))
        for text in crew.engine.notes:
            context.log.warning(text)
        if bad:
            raise _verdict(stage, bad, len(slots))


def _tell(context: dg.OutputContext, slot: Slot, summary: Summary, metadata: Metadata) -> None:
    """The page of the failed partition then says why, and what was loaded all the same."""
    key, reasons = cell(*slot), _reasons(summary)
    context.log.error(f"{key}: {reasons}")
    seen = {"reason": dg.MetadataValue.text(reasons), **metadata}
    context.log_event(dg.AssetObservation(context.asset_key, partition=key, metadata=seen))


def observe_imports(
    context: dg.OutputContext, ledger: SqlLedger, work: StageWork, days: Sequence[str]
) -> None:
    """The status of each date's import and its files, on the plan's page."""
    stages = ("validated", *work.spec.destinations)
    for day in days:
        plan = work.plan_of(day)
        if plan.chunks:
            rows = {(row.chunk_id, row.stage): row for row in ledger.status(work.spec.name, day)}
            rejected = Counter[str]()
            for row in rows.values():
                rejected[row.uri] += row.counts.rejected
            letters = Selection(entity=work.spec.name, date=day, states=UNSETTLED)
            refused = ledger.dead_letters.list(letters, limit=SHOWN)
            seen = import_metadata(overview(plan.chunks, stages, rows), rejected, refused)
            key = asset_key(work.spec, "planned")
            context.log_event(dg.AssetObservation(key, partition=day, metadata=seen))


def settled(
    crew: Crew, stage: str, chunks: Mapping[Slot, tuple[Chunk, ...]], live: LiveReporter
) -> Iterator[tuple[Slot, Summary]]:
    """Slots in the order in which their last chunk ended; the empty ones first."""
    for slot, group in chunks.items():
        if not group:
            yield slot, summarize(())
    ended: dict[Slot, list[ChunkOutcome]] = {}
    for outcome in crew.run(stage, [chunk for group in chunks.values() for chunk in group], live):
        slot = (outcome.chunk.date, outcome.chunk.slot)
        ended.setdefault(slot, []).append(outcome)
        if len(ended[slot]) == len(chunks[slot]):
            yield slot, summarize(ended.pop(slot))


def sample(ledger: SqlLedger, stage: str, chunks: Sequence[Chunk], limit: int = 5) -> Sequence[DeadLetter]:
    """The first dead letters of some chunks."""
    found: list[DeadLetter] = []
    for chunk in chunks:
        if len(found) < limit:
            found += ledger.dead_letters.list(
                Selection(chunk_id=chunk.id, stage=stage), limit=limit - len(found)
            )
    return found


def _reasons(summary: Summary) -> str:
    return "; ".join(f"{outcome.state}: {outcome.reason}" for outcome in summary.unsealed[:5])


def _verdict(stage: str, bad: Mapping[Slot, Summary], slots: int) -> Exception:
    lines = [
        f"| {cell(*slot)} | {outcome.chunk.range.uri} | {outcome.state} | {outcome.reason} |"
        for slot, summary in bad.items()
        for outcome in summary.unsealed
    ]
    if all(outcome.retriable for summary in bad.values() for outcome in summary.unsealed):
        return dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_SECONDS)
    first = next(iter(bad.values())).unsealed[0]
    table = "\n".join(["| partition | file | state | reason |", "|---|---|---|---|", *lines[:50]])
    return dg.Failure(
        description=f"{stage}: {len(bad)} of {slots} slots failed. {first.reason}",
        metadata={"failed": dg.MetadataValue.md(table), "failed_slots": len(bad)},
        allow_retries=False,
    )
