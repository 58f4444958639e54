"""The two partition grids of a dump entity: by date, and date x file_chunk. Nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from ingest_project.core.entity import EntitySpec
from ingest_project.io_managers.cells import cell, slot_key


def daily_partitions(spec: EntitySpec) -> dg.DailyPartitionsDefinition:
    """One partition a date from ``spec.start``; today's exists from midnight UTC on (end_offset 1)."""
    return dg.DailyPartitionsDefinition(start_date=spec.start, end_offset=1)


class Grid(dg.MultiPartitionsDefinition):
    """Time x slots. Its keys, thousands a year, are made once a day or month, not for each check of a run.

    The time's dimension has the first name in order: date x file_chunk, month x territories.
    """

    _listed: tuple[str | None, Sequence[dg.MultiPartitionKey]] = (None, ())

    def get_partition_keys(
        self, current_time: datetime | None = None, dynamic_partitions_store: Any = None
    ) -> Sequence[dg.MultiPartitionKey]:
        if current_time is not None:
            return super().get_partition_keys(current_time, dynamic_partitions_store)
        time = min(self.partition_dimension_names)
        newest = self.get_partitions_def_for_dimension(time).get_last_partition_key()
        if newest != self._listed[0]:
            self._listed = newest, super().get_partition_keys(None, dynamic_partitions_store)
        return self._listed[1]


def grid_partitions(spec: EntitySpec) -> Grid:
    """date x file_chunk with a fixed number of slots: every cell is meaningful, an empty one has 0 rows."""
    slots = dg.StaticPartitionsDefinition([slot_key(slot) for slot in range(spec.slots)])
    return Grid({"date": daily_partitions(spec), "file_chunk": slots})


def range_tags(day: str, slots: int) -> dict[str, str]:
    """Run tags that make one run of all slots of a date, without a backfill and its 30 s tick."""
    return {
        "dagster/asset_partition_range_start": cell(day, 0),
        "dagster/asset_partition_range_end": cell(day, slots - 1),
    }
