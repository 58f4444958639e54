"""The partitions of a collection of documents: month x territories, a bucket a cell. Documents are rows of
the ledger, never partitions (docs/decisions/0018)."""

from __future__ import annotations

import dagster as dg

from ingest_project.core.documents import Bucket
from ingest_project.core.steps import CollectionSpec
from ingest_project.orchestration.partitions import Grid

MONTH, TERRITORIES = "month", "territories"


def number_key(number: int) -> str:
    """Number 3 -> ``"03"``: fixed width, so that text order is number order."""
    return f"{number:02d}"


def cell(bucket: Bucket) -> dg.MultiPartitionKey:
    """The grid's key of a bucket. Dagster joins dimensions in the order of their names: month first."""
    return dg.MultiPartitionKey({MONTH: bucket.month, TERRITORIES: number_key(bucket.number)})


def parse_cell(spec: CollectionSpec, key: str) -> Bucket:
    """``"2026-11|03"`` -> the bucket."""
    month, number = key.split("|")
    return Bucket(collection=spec.name, month=month, number=int(number))


def bucket_partitions(spec: CollectionSpec) -> Grid:
    """All buckets from the first month on; this month's exist from its first day on."""
    months = dg.MonthlyPartitionsDefinition(start_date=spec.start, fmt="%Y-%m", end_offset=1)
    numbers = dg.StaticPartitionsDefinition([number_key(number) for number in range(spec.numbers)])
    return Grid({MONTH: months, TERRITORIES: numbers})


def range_tags(spec: CollectionSpec, month: str) -> dict[str, str]:
    """Run tags that make one run of all buckets of a month, without a backfill and its 30 s tick."""
    first, *_, last = spec.buckets(month)
    return {
        "dagster/asset_partition_range_start": cell(first),
        "dagster/asset_partition_range_end": cell(last),
    }
