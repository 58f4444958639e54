"""Slices in Dagster's words: the pages of a run's cells, one materialization a cell, one observation a cell
that is not through, and one Failure at the end when there was such a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg

from ingest_project.core.entity import EntitySpec
from ingest_project.core.syncing import DONE, PAGES, SliceOutcome, SliceStatus
from ingest_project.io_managers.cells import cell, parse_cell
from ingest_project.io_managers.live import LiveReporter
from ingest_project.io_managers.metadata import MOST_ROWS, Metadata
from ingest_project.resources.process import peak_rss
from ingest_project.resources.visits import Begun, Visit

Slot = tuple[str, int]


def read_pages(context: dg.AssetExecutionContext, visit: Visit, spec: EntitySpec) -> None:
    """Read the slices of the run's cells; each cell succeeds or fails by itself.

    Raises:
        dg.Failure: A cell is not through. Nothing is tried again here: the sensor does that.
    """
    slots = sorted(parse_cell(key) for key in context.partition_keys)
    bad: dict[Slot, list[SliceOutcome]] = {}
    for day in sorted({day for day, _ in slots}):
        mine = {slot for date, slot in slots if date == day}
        known = [one for one in visit.ledger.syncs.slices(spec.name, day) if one.slice.slot in mine]
        live = LiveReporter(
            context.log.info, PAGES, sum(one.slice.rows for one in known if one.state != DONE)
        )
        outcomes = _by_slot(visit.read(day, mine, live))
        live.close()
        after = [one for one in visit.ledger.syncs.slices(spec.name, day) if one.slice.slot in mine]
        for slot in sorted(mine):
            here = [one for one in after if one.slice.slot == slot]
            left = [one for one in outcomes.get(slot, []) if one.state != DONE]
            metadata = slices_metadata(here, outcomes.get(slot, []))
            _tell(context, (day, slot), metadata, left, alone=len(slots) == 1)
            if left:
                bad[day, slot] = left
    if bad:
        raise _failure(bad, len(slots))


def _tell(
    context: dg.AssetExecutionContext,
    slot: Slot,
    metadata: Metadata,
    left: Sequence[SliceOutcome],
    *,
    alone: bool,
) -> None:
    key = cell(*slot)
    if left:
        reasons = "; ".join(f"{one.slice.name} {one.state}: {one.reason}" for one in left[:5])
        context.log.error(f"{key}: {reasons}")
        seen = {"reason": dg.MetadataValue.text(reasons), **metadata}
        context.log_event(dg.AssetObservation(context.asset_key, partition=key, metadata=seen))
        return
    context.add_asset_metadata(metadata, partition_key=key)
    if not alone:
        context.log_event(dg.AssetMaterialization(context.asset_key, partition=key, metadata=metadata))


def slices_metadata(slices: Sequence[SliceStatus], fresh: Sequence[SliceOutcome]) -> Metadata:
    """Sums of a cell's slices over all readings, what this one added, and the slices as a table."""
    seconds = sum(one.seconds for one in fresh)
    rows = sum(one.rows for one in fresh)
    numbers: dict[str, int | float] = {
        "dagster/row_count": sum(one.rows for one in slices),
        "slices": len(slices),
        "pages": sum(one.pages for one in slices),
        "bytes": sum(one.bytes for one in slices),
        "rows_read_now": rows,
        "count_requests": sum(one.counts for one in fresh),
        "deleted": sum(one.deleted for one in fresh),
    }
    if rows and seconds > 0:
        numbers["seconds"] = round(seconds, 3)
        numbers["rows_per_second"] = round(rows / seconds, 1)
        numbers["peak_memory_mb"] = round(peak_rss() / 2**20, 1)
    metadata: dict[str, dg.MetadataValue] = {
        name: dg.MetadataValue.int(value) if isinstance(value, int) else dg.MetadataValue.float(value)
        for name, value in numbers.items()
    }
    if slices:
        metadata["slice_table"] = slice_table(slices)
    return metadata


def slice_table(slices: Sequence[SliceStatus]) -> dg.MetadataValue:
    """Where each slice is."""
    rows = ["| slice | from | to | state | rows | pages | bookmark |", "|---|---|---|---|---|---|---|"]
    for one in slices[-MOST_ROWS:]:
        part, mark = one.slice, one.bookmark
        place = f"{mark.last_id} {mark.last_mod_ts}" if mark.begun else ""
        words = (part.name, part.low, part.high, one.state, f"{one.rows:,}", f"{one.pages:,}", place)
        rows.append(f"| {' | '.join(words)} |")
    return dg.MetadataValue.md("\n".join(rows))


def begun_metadata(begun: Begun, slices: Sequence[SliceStatus]) -> Metadata:
    """What a sync is of, and its slices."""
    sync = begun.sync
    metadata: dict[str, dg.MetadataValue] = {
        "sync": dg.MetadataValue.int(sync.number),
        "mode": dg.MetadataValue.text(sync.mode),
        "partition": dg.MetadataValue.text(sync.date),
        "slices": dg.MetadataValue.int(len(slices)),
        "expected_rows": dg.MetadataValue.int(sync.rows),
    }
    for name, text in (("since", sync.since), ("until", sync.until)):
        if text:
            metadata[name] = dg.MetadataValue.text(text)
    if begun.warnings:
        metadata["warnings"] = dg.MetadataValue.md("\n".join(f"- {text}" for text in begun.warnings))
    if slices:
        metadata["slice_table"] = slice_table(slices)
    return metadata


def _by_slot(outcomes: Sequence[SliceOutcome]) -> Mapping[int, list[SliceOutcome]]:
    found: dict[int, list[SliceOutcome]] = {}
    for one in outcomes:
        found.setdefault(one.slice.slot, []).append(one)
    return found


def _failure(bad: Mapping[Slot, Sequence[SliceOutcome]], slots: int) -> dg.Failure:
    lines = [
        f"| {cell(*slot)} | {one.slice.name} | {one.state} | {one.reason.replace('|', ' ')} |"
        for slot, left in bad.items()
        for one in left
    ]
    table = "\n".join(["| partition | slice | state | reason |", "|---|---|---|---|", *lines[:50]])
    first = next(iter(bad.values()))[0]
    return dg.Failure(
        description=f"{PAGES}: {len(bad)} of {slots} partitions are not through. {first.reason}",
        metadata={"failed": dg.MetadataValue.md(table), "failed_slots": len(bad)},
        allow_retries=False,
    )
