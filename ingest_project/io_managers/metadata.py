"""Metadata of one slot's materialization: numbers that Dagster plots over partitions, tables that people
read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import dagster as dg

from ingest_project.core.model import Chunk, ChunkPlan
from ingest_project.core.outcomes import Summary
from ingest_project.core.overview import FAILED, LOADED, QUEUED, WORKING, ImportAdvance
from ingest_project.formats.csv_layout import described
from ingest_project.io_managers.cells import slot_key
from ingest_project.ledgers.rejections import DeadLetter
from ingest_project.resources.planner import PlanOutcome
from ingest_project.resources.process import peak_rss
from ingest_project.resources.usage import cpu_seconds

RAW_SHOWN = 200
MOST_ROWS = 100

Metadata = Mapping[str, dg.MetadataValue]


def slot_metadata(
    summary: Summary, chunks: Sequence[Chunk] = (), refused: Sequence[DeadLetter] = ()
) -> Metadata:
    """Counts, rates, the files in the slot and a sample of what was refused.

    Rates and seconds are of this attempt, counts of all attempts. An attempt that found nothing to do has no
    rate: a zero would pull the plots down.
    """
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
        "already_done": counts.sent - summary.fresh.sent,
    }
    if summary.fresh.sent:
        numbers["seconds"] = round(summary.seconds, 3)
        numbers["items_per_second"] = round(summary.rate, 1)
        numbers["peak_memory_mb"] = round(peak_rss() / 2**20, 1)
        numbers["cpu_seconds"] = round(cpu_seconds(), 2)
        numbers["target_seconds"] = round(summary.target_seconds, 3)
        numbers["success_rate"] = round(1 - counts.rejected / counts.sent, 6)
        numbers["failure_rate"] = round(counts.rejected / counts.sent, 6)
        seen = summary.pressure
        numbers["memory_pressure"] = round(seen.peak, 3)
        if seen.rows:
            numbers["batch_rows"] = seen.rows
        numbers["memory_paused_seconds"] = round(seen.paused, 1)
    metadata: dict[str, dg.MetadataValue] = {
        name: dg.MetadataValue.int(value) if isinstance(value, int) else dg.MetadataValue.float(value)
        for name, value in numbers.items()
    }
    if chunks:
        metadata["files"] = chunk_table(chunks)
    if counts.rejected:
        metadata["rejections"] = rejection_table(refused)
    return metadata


def import_metadata(
    seen: ImportAdvance,
    rejected: Mapping[str, int],
    refused: Sequence[DeadLetter] = (),
) -> Metadata:
    """Status of a date's import and of each of its files, after a stage.

    Args:
        rejected: File -> its records that were rejected so far, in whatever stage.
        refused: Some of those that stand open.
    """
    metadata: dict[str, dg.MetadataValue] = {
        f"files_{state}": dg.MetadataValue.int(seen.count(state))
        for state in (LOADED, WORKING, QUEUED, FAILED)
    }
    metadata["import_done"] = dg.MetadataValue.float(round(seen.advance.share, 4))
    rows = ["| file | state | done | rejected |", "|---|---|---|---|"]
    # What stands badly is what is looked for.
    for file in sorted(seen.files, key=lambda file: (file.state != FAILED, file.state == LOADED))[:MOST_ROWS]:
        done = f"{file.advance.share:.0%}".replace("%", " %")
        rows.append(f"| {_name(file.uri)} | {file.state} | {done} | {rejected.get(file.uri, 0):,} |")
    metadata["import_files"] = dg.MetadataValue.md("\n".join(rows))
    metadata["import_rejected"] = dg.MetadataValue.int(sum(rejected.values()))
    if refused:
        metadata["import_rejections"] = rejection_table(refused)
    return metadata


def rejection_table(sample: Sequence[DeadLetter]) -> dg.MetadataValue:
    """A few dead letters as a table; all of them are shown by ``ingest rejections list``."""
    rows = ["| file | byte | key | reason | record |", "|---|---|---|---|---|"]
    for letter in sample:
        raw = _code(letter.raw[:RAW_SHOWN].decode("utf-8", "replace"))
        key, reason = _cell(letter.key), _cell(letter.reason)
        rows.append(f"| {_name(letter.uri)} | {letter.offset} | {key} | {reason} | {raw} |")
    return dg.MetadataValue.md("\n".join(rows))


def chunk_table(chunks: Sequence[Chunk]) -> dg.MetadataValue:
    """Which bytes of which files a slot holds, and the table they are bound for."""
    rows = ["| file | bytes | records | table |", "|---|---|---|---|"]
    for chunk in chunks[:MOST_ROWS]:
        span = f"{chunk.range.start:,} to {chunk.range.end:,}"
        rows.append(f"| {_name(chunk.range.uri)} | {span} | {chunk.records:,} | {chunk.target} |")
    return dg.MetadataValue.md("\n".join(rows))


def plan_metadata(made: PlanOutcome, advice: Sequence[str] = ()) -> Metadata:
    """Sums of the date's plan, what was added, what was refused and why, where files broke off, and advice
    for the load."""
    plan = made.plan
    numbers = {
        "dagster/row_count": sum(chunk.records for chunk in plan.chunks),
        "files": len(plan.files),
        "files_added": len(made.added),
        "files_refused": len(made.refused),
        "files_broken": sum(index.fault is not None for index in plan.files),
        "bytes": sum(index.file.size for index in plan.files),
        "chunks": len(plan.chunks),
    }
    metadata: dict[str, dg.MetadataValue] = {
        name: dg.MetadataValue.int(number) for name, number in numbers.items()
    }
    metadata["plan"] = plan_table(plan)
    broken = [
        f"- {_name(index.file.uri)}: broken at byte {index.fault.offset:,}: expected {index.fault.expected}"
        for index in plan.files
        if index.fault is not None
    ]
    refused = [f"- {uri}: {reason}" for uri, reason in made.refused.items()]
    advised = [f"- {text}" for text in advice]
    for name, lines in (("broken", broken), ("refused", refused), ("advice", advised)):
        if lines:
            metadata[name] = dg.MetadataValue.md("\n".join(lines[:MOST_ROWS]))
    metadata["peak_memory_mb"] = dg.MetadataValue.float(round(peak_rss() / 2**20, 1))
    return metadata


def plan_table(plan: ChunkPlan) -> dg.MetadataValue:
    """The plan's files and the slots, Dagster's ``file_chunk`` partitions, that hold them."""
    slots: dict[str, set[int]] = {}
    for chunk in plan.chunks:
        slots.setdefault(chunk.range.uri, set()).add(chunk.slot)
    rows = ["| file | file_chunk | records | bytes | shape |", "|---|---|---|---|---|"]
    for index in plan.files[:MOST_ROWS]:
        held = " ".join(slot_key(slot) for slot in sorted(slots.get(index.file.uri, ())))
        name = _name(index.file.uri)
        shape = _cell(described(index.shape))
        rows.append(f"| {name} | {held} | {index.records:,} | {index.file.size:,} | {shape} |")
    return dg.MetadataValue.md("\n".join(rows))


def _name(uri: str) -> str:
    return _cell(PurePosixPath(uri).name)


def _cell(text: str) -> str:
    """Text that cannot break a row of a markdown table."""
    return text.replace("|", "\\|").replace("\r", " ").replace("\n", " ")


def _code(text: str) -> str:
    """Text as code, with nothing in it that would end the code."""
    return "`" + _cell(text).replace("`", "'") + "`"
