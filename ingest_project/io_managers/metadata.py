"""Metadata of one slot's materialization: numbers that Dagster plots over partitions, tables that people
read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import dagster as dg

from ingest_project.core.outcomes import Summary
from ingest_project.ledgers.rejections import DeadLetter
from ingest_project.resources.planner import PlanOutcome
from ingest_project.resources.process import peak_rss

RAW_SHOWN = 200
MOST_ROWS = 100

Metadata = Mapping[str, dg.MetadataValue]


def slot_metadata(summary: Summary, refused: Sequence[DeadLetter]) -> Metadata:
    """Counts, rates and a sample of what was refused. Rates and seconds are of this attempt, counts of all
    attempts."""
    counts = summary.counts
    numbers: dict[str, int | float] = {
        "dagster/row_count": counts.written,
        "chunks": summary.chunks,
        "read": counts.sent,
        "written": counts.written,
        "superseded": counts.superseded,
        "unchanged": counts.unchanged,
        "rejected": counts.rejected,
        "bytes": counts.bytes,
        "requests": counts.requests,
        "retries": counts.retries,
        "throttles": counts.throttles,
        "seconds": round(summary.seconds, 3),
        "items_per_second": round(summary.rate, 1),
        "already_done": counts.sent - summary.fresh.sent,
        "peak_memory_mb": round(peak_rss() / 2**20, 1),
    }
    metadata: dict[str, dg.MetadataValue] = {
        name: dg.MetadataValue.int(value) if isinstance(value, int) else dg.MetadataValue.float(value)
        for name, value in numbers.items()
    }
    if counts.rejected:
        metadata["rejections"] = rejection_table(refused)
    return metadata


def rejection_table(sample: Sequence[DeadLetter]) -> dg.MetadataValue:
    """A few dead letters as a table; all of them are shown by ``ingest rejections list``."""
    rows = ["| file | byte | key | reason | record |", "|---|---|---|---|---|"]
    for letter in sample:
        raw = letter.raw[:RAW_SHOWN].decode("utf-8", "replace").replace("|", "\\|").replace("\n", " ")
        name = PurePosixPath(letter.uri).name
        rows.append(f"| {name} | {letter.offset} | {letter.key} | {letter.reason} | `{raw}` |")
    return dg.MetadataValue.md("\n".join(rows))


def plan_metadata(made: PlanOutcome) -> Metadata:
    """Sums of the date's plan, what was added, what was refused and why."""
    plan = made.plan
    chunks: dict[str, int] = {}
    for chunk in plan.chunks:
        chunks[chunk.range.uri] = chunks.get(chunk.range.uri, 0) + 1
    rows = ["| file | shape | bytes | records | chunks | fault |", "|---|---|---|---|---|---|"]
    for index in plan.files[:MOST_ROWS]:
        name, fault = PurePosixPath(index.file.uri).name, index.fault
        told = f"byte {fault.offset}: expected {fault.expected}" if fault else ""
        parts = chunks.get(index.file.uri, 0)
        rows.append(
            f"| {name} | {index.shape} | {index.file.size:,} | {index.records:,} | {parts} | {told} |"
        )
    refused = [f"- {uri}: {reason}" for uri, reason in list(made.refused.items())[:MOST_ROWS]]
    metadata: dict[str, dg.MetadataValue] = {
        "dagster/row_count": dg.MetadataValue.int(sum(chunk.records for chunk in plan.chunks)),
        "files": dg.MetadataValue.int(len(plan.files)),
        "files_added": dg.MetadataValue.int(len(made.added)),
        "files_refused": dg.MetadataValue.int(len(made.refused)),
        "files_broken": dg.MetadataValue.int(sum(index.fault is not None for index in plan.files)),
        "bytes": dg.MetadataValue.int(sum(index.file.size for index in plan.files)),
        "chunks": dg.MetadataValue.int(len(plan.chunks)),
        "plan": dg.MetadataValue.md("\n".join(rows)),
        "peak_memory_mb": dg.MetadataValue.float(round(peak_rss() / 2**20, 1)),
    }
    if refused:
        metadata["refused"] = dg.MetadataValue.md("\n".join(refused))
    return metadata
