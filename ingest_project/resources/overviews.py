"""Overviews of a deployment's imports: plans and ledger read, twice where something is at work.

Reads only. An import is a date of an entity, or one call of ``ingest load``, known by its scratch folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache

from ingest_project.core.errors import IngestError
from ingest_project.core.experience import loads_of
from ingest_project.core.model import Chunk, WorkStatus
from ingest_project.core.overview import ImportAdvance, States, overview, stages_of
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.assembly import plan_store
from ingest_project.resources.deployments import Settings
from ingest_project.resources.importing.scratch import FOLDER
from ingest_project.sinks.plans import LocalPlanStore, PlanStore

BY_HAND = "load"
"""Entity under which the ledger keeps what ``ingest load`` loads."""

GAP_SECONDS = 2.0


def overviews(
    settings: Settings,
    ledger: SqlLedger,
    date: str | None = None,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> list[ImportAdvance]:
    """Imports that the ledger knows, by entity and date; the rate is measured over some two seconds."""
    rows, read_at = ledger.status(date=date), clock()
    if not rows:
        return []
    before: Sequence[WorkStatus] | None = None
    gap = 0.0
    if any(row.state == "claimed" for row in rows):
        sleep(GAP_SECONDS)
        before, rows = rows, ledger.status(date=date)
        gap = clock() - read_at
    then = None if before is None else _by_work(before)
    now = _by_work(rows)
    found = []
    spans = cache(ledger.spans)
    for chunks in _imports(settings, rows):
        mine = {chunk.id for chunk in chunks}
        stages = stages_of({row.stage for row in rows if row.chunk_id in mine})
        seen_of = overview(chunks, stages, now, then, gap)
        loads = loads_of(span for span in spans(chunks[0].entity) if span.chunk in mine)
        seconds, count = sum(load.seconds for load in loads), sum(load.rows for load in loads)
        found.append(replace(seen_of, seconds=seconds, rows=count))
    return found


def _by_work(rows: Sequence[WorkStatus]) -> States:
    return {(row.chunk_id, row.stage): row for row in rows}


def _imports(settings: Settings, rows: Sequence[WorkStatus]) -> Iterator[tuple[Chunk, ...]]:
    """The chunks of each import of which the ledger knows something."""
    known = {row.chunk_id for row in rows}
    dates = sorted({(row.entity, row.date) for row in rows})
    for entity, date in dates:
        if entity == BY_HAND:
            folders = sorted((settings.home / FOLDER).glob("*"))
            stores: list[PlanStore] = [LocalPlanStore(folder) for folder in folders]
        else:
            stores = [plan_store(settings)]
        for store in stores:
            try:
                plan = store.read(entity, date)
            except IngestError:
                # Of an import whose plan cannot be read the ledger's own rows are shown all the same.
                continue
            if plan is not None and any(chunk.id in known for chunk in plan.chunks):
                yield plan.chunks
