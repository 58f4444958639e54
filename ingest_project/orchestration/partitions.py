"""The two partition grids of a dump entity: by date, and date x file_chunk. Nothing else."""

from __future__ import annotations

import dagster as dg

from ingest_project.core.entity import EntitySpec
from ingest_project.io_managers.cells import cell, slot_key


def daily_partitions(spec: EntitySpec) -> dg.DailyPartitionsDefinition:
    """One partition a date from ``spec.start``; today's exists from midnight UTC on (end_offset 1)."""
    return dg.DailyPartitionsDefinition(start_date=spec.start, end_offset=1)


def grid_partitions(spec: EntitySpec) -> dg.MultiPartitionsDefinition:
    """date x file_chunk with a fixed number of slots: every cell is meaningful, an empty one has 0 rows."""
    slots = dg.StaticPartitionsDefinition([slot_key(slot) for slot in range(spec.slots)])
    return dg.MultiPartitionsDefinition({"date": daily_partitions(spec), "file_chunk": slots})


def range_tags(day: str, slots: int) -> dict[str, str]:
    """Run tags that make one run of all slots of a date, without a backfill and its 30 s tick."""
    return {
        "dagster/asset_partition_range_start": cell(day, 0),
        "dagster/asset_partition_range_end": cell(day, slots - 1),
    }
