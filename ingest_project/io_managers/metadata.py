"""Metadata of one slot's materialization: numbers that Dagster plots over partitions, tables that people
read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import dagster as dg

from ingest_project.core.outcomes import Summary
from ingest_project.ledgers.rejections import DeadLetter
from ingest_project.resources.process import peak_rss

RAW_SHOWN = 200

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
