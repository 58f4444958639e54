"""Yard: a small deployment whose validated records become bulk objects, and a reader of these that knows none
of our code."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zstandard

from ingest_project.entities.messages.spec import SPEC
from ingest_project.resources.assembly import part_store, plan_store
from ingest_project.resources.bulk_export import BulkOptions
from ingest_project.resources.bulk_table import BulkTable
from ingest_project.sinks.bulk_objects import BulkManifest, BulkObject
from ingest_project_tests.resources.indices.depot import DAY, NEXT_DAY, Depot, Record

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

TABLE_SPEC = replace(SPEC, destinations=("table",))
NO_SERVER = "http://127.0.0.1:9"


def depot_of(home: Path, table: str, *, s3: str, dynamodb: str, bucket: str) -> Depot:
    """A deployment with these servers; its parts lie in a folder, its bulk objects in the bucket."""
    turned = {
        "AWS_ENDPOINT_URL_S3": s3,
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb,
        "INGEST_BUCKET": bucket,
        "INGEST_PREFIX": "deployed",
        "INGEST_RETRY_BASE_SECONDS": "0",
        "INGEST_RETRY_CAP_SECONDS": "0",
    }
    return Depot(url=NO_SERVER, home=home, table=table, spec=TABLE_SPEC, turned=turned)


def bulk_table(depot: Depot, *, object_bytes: int = 400 * 10**6, **more: Any) -> BulkTable:
    """The depot's table in its bulk lanes; nobody waits."""
    options = BulkOptions(object_bytes=object_bytes, compression=more.pop("compression", "zstd"))

    async def sleep(seconds: float) -> None:
        return

    words: dict[str, Any] = {"sleep": sleep, "nap": lambda seconds: None, **more}
    return BulkTable(depot.spec, depot.settings, depot.table, options, **words)


def messages(count: int, first: int = 0, **more: object) -> list[Record]:
    """Records whose keys ascend, some hundred bytes each."""
    return [
        {"id": f"r{number:06d}", "n": number, "text": f"words of {number} " * 5, **more}
        for number in range(first, first + count)
    ]


def two_days(depot: Depot, count: int = 600) -> dict[str, dict[str, Any]]:
    """Two days of records, keys repeated within a day and across days; id -> what must be in the table."""
    former, latter = messages(count, v=1), messages(count // 3, first=count // 2, v=3)
    depot.drop([*former, *messages(count // 6, v=2)])
    depot.validate()
    depot.drop(latter, day=NEXT_DAY)
    depot.validate(NEXT_DAY)
    expected = {str(one["id"]): dict(one) for one in former}
    expected |= {str(one["id"]): dict(one) for one in messages(count // 6, v=2)}
    return expected | {str(one["id"]): dict(one) for one in latter}


def read_object(s3: S3Client, bucket: str, one: BulkObject) -> list[dict[str, Any]]:
    """Items of one object, in its order, by readers that know nothing of ours."""
    stored = s3.get_object(Bucket=bucket, Key=one.key)["Body"].read()
    if one.key.endswith(".zst"):
        stored = zstandard.ZstdDecompressor().stream_reader(stored).read()
    elif one.key.endswith(".gz"):
        stored = gzip.decompress(stored)
    lines = stored.decode().split("\n")
    assert lines.pop() == ""
    parsed = [json.loads(line) for line in lines]
    assert all(one.keys() == {"Item"} for one in parsed)
    return [one["Item"] for one in parsed]


def read_all(s3: S3Client, manifest: BulkManifest) -> list[list[dict[str, Any]]]:
    return [read_object(s3, manifest.bucket, one) for one in manifest.objects]


def flat(objects: Iterable[list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """id -> item; no id twice."""
    items = [item for items in objects for item in items]
    found = {item["id"]["S"]: item for item in items}
    assert len(items) == len(found)
    return found


def typed(record: dict[str, Any]) -> dict[str, Any]:
    """A record of strings and integers as DynamoDB JSON."""
    return {
        name: {"S": value} if isinstance(value, str) else {"N": str(value)} for name, value in record.items()
    }


def stored_lines(depot: Depot, day: str = DAY) -> list[bytes]:
    """All part lines of a day, losers among them."""
    plan, parts = plan_store(depot.settings).read(depot.spec.name, day), part_store(depot.settings)
    assert plan is not None
    return [
        line
        for chunk in plan.chunks
        for info in parts.parts(chunk)
        for block in parts.lines(chunk, info)
        for line in block
    ]
