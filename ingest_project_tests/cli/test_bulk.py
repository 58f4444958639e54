"""`ingest bulk`: prepare, start and status as a user calls them; kill -9 in the middle; memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from ingest_project import local
from ingest_project.sinks.bulk_objects import manifest_of
from ingest_project_tests.cli.conftest import Ingest
from ingest_project_tests.cli.processes import POLL, start
from ingest_project_tests.resources.bulk.service import Recorded, serving
from ingest_project_tests.resources.bulk.yard import TABLE_SPEC, flat, messages, read_object
from ingest_project_tests.resources.indices.depot import DAY, Depot

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

LIMIT = 150 * 2**20
BIG = 100 * 2**20


@pytest.fixture
def played() -> Iterator[Recorded]:
    """The recorded service with a table that is there."""
    states = [{"BulkOperationStatus": "COMPLETED", "ProcessedItemCount": 50, "FailedItemCount": 0}]
    with serving(Recorded(states=states, exists=True)) as recorded:
        yield recorded


@pytest.fixture
def variables(services: local.Stack, home: Path, bucket: str, played: Recorded) -> Mapping[str, str]:
    return {
        **services.variables,
        "AWS_ENDPOINT_URL_DYNAMODB": played.url,
        "INGEST_HOME": str(home),
        "INGEST_PART_STORE": "local",
        "INGEST_BUCKET": bucket,
        "INGEST_LEASE_SECONDS": "5",
    }


@pytest.fixture
def depot(variables: Mapping[str, str], home: Path, table_name: str) -> Depot:
    """Fifty validated records of one table."""
    found = Depot(
        url=variables["OPENSEARCH_URL"], home=home, table=table_name, spec=TABLE_SPEC, turned={**variables}
    )
    found.drop(messages(50))
    found.validate()
    return found


def test_prepare_start_and_status_tell_what_they_did(
    ingest: Ingest, depot: Depot, s3: S3Client, played: Recorded
) -> None:
    told = ingest("bulk", "prepare", depot.table)
    assert 0 == told.status, told.err
    assert "50 items in 1 objects below s3://" in told.out
    assert "spilled: 50 of 50 records" in told.err
    manifest = ingest("bulk", "prepare", depot.table, "--json").report
    (one,) = manifest["objects"]
    assert (50, 50) == (manifest["items"], one["items"])
    assert "nothing was started" in ingest("bulk", "status", depot.table).out
    started = ingest("bulk", "start", depot.table, "--lane", "put", "--no-wait")
    assert 0 == started.status, started.err
    assert "`ingest bulk status TABLE --wait` watches it" in started.out
    seen = ingest("bulk", "status", depot.table, "--wait", "--json").report["exports"]
    assert [("COMPLETED", True, 1)] == [
        (one["status"]["state"], one["status"]["clean"], one["settled"]) for one in seen
    ]
    again = ingest("bulk", "status", depot.table)
    assert (0, True) == (again.status, "0 chunks count as loaded since now" in again.out)
    assert [] == played.complaints


def test_refused_items_end_with_1_and_say_where_they_are_listed(
    ingest: Ingest, depot: Depot, played: Recorded
) -> None:
    output = {"S3Bucket": "b", "S3KeyPrefix": "failed/"}
    played.states = [
        {
            "BulkOperationStatus": "COMPLETED_WITH_ERRORS",
            "ProcessedItemCount": 50,
            "FailedItemCount": 2,
            "OutputS3Configuration": output,
        }
    ]
    done = ingest("bulk", "start", depot.table, "--lane", "put")
    assert 1 == done.status
    assert "not counted as loaded" in done.out
    assert "2 of 50 items refused; s3://b/failed/" in done.out


def test_a_dry_run_prints_the_request(ingest: Ingest, depot: Depot, s3: S3Client, played: Recorded) -> None:
    words = ["--tier", "ACCELERATED", "--write-units", "4096", "--bucket-owner", "123456789012"]
    done = ingest("bulk", "start", depot.table, "--lane", "put", "--dry-run", *words)
    told = json.loads(done.out)
    assert (0, 50, depot.table) == (done.status, told["items"], told["request"]["TableName"])
    assert ("ACCELERATED", 4096) == (
        told["request"]["PerformanceTier"],
        told["request"]["MaxWriteRequestUnits"],
    )
    assert [] == played.calls
    assert "Contents" not in s3.list_objects_v2(Bucket=depot.turned["INGEST_BUCKET"])


def test_objects_go_where_they_are_told_to(ingest: Ingest, depot: Depot, s3: S3Client, bucket: str) -> None:
    done = ingest(
        "bulk",
        "prepare",
        depot.table,
        "--to",
        f"s3://{bucket}/other/place",
        "--compression",
        "gzip",
        "--date",
        DAY,
    )
    assert 0 == done.status, done.err
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="other/place/")["Contents"]
    assert [".json.gz"] == [one["Key"][-8:] for one in listed if "/data/" in one["Key"]]


@pytest.mark.parametrize(
    "words",
    [
        ["prepare", "{table}", "--to", "bucket/prefix"],
        ["prepare", "{table}", "--compression", "lz4"],
        ["prepare", "{table}", "--date", "2020-01-01"],
        ["prepare", "no-such-table"],
        ["start", "{table}"],
        ["start", "{table}", "--lane", "import", "--write-units", "2000"],
        ["start", "{table}", "--lane", "import"],
        ["status", "{table}", "--entity", "nonesuch"],
    ],
)
def test_a_wrong_call_ends_with_2(ingest: Ingest, depot: Depot, words: list[str]) -> None:
    done = ingest("bulk", *[word.format(table=depot.table) for word in words])
    assert 2 == done.status, done.out
    assert "Error" in done.err


def test_a_table_without_objects_says_so(ingest: Ingest, depot: Depot) -> None:
    done = ingest("bulk", "status", depot.table)
    assert (0, "No objects of this table were published.\n") == (done.status, done.out)


def dropped(depot: Depot, size: int) -> int:
    """A second day of records that hardly compress, about ``size`` bytes; how many there are."""
    rng, day = Random(5), "2026-11-05"
    folder = depot.home / "dumps" / day / "a"
    folder.mkdir(parents=True)
    count = size // 1_000
    with (folder / f"{depot.table}-dump.jsonl").open("w") as file:
        for number in range(count):
            file.write(json.dumps({"id": f"b{number:07d}", "text": rng.randbytes(470).hex()}) + "\n")
    depot.validate(day)
    return count


def objects_of(s3: S3Client, bucket: str) -> dict[str, Any]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    entries = [entry for page in pages for entry in page.get("Contents", [])]
    return {
        entry["Key"]: (entry["ETag"], entry["LastModified"]) for entry in entries if "/data/" in entry["Key"]
    }


@pytest.mark.slow
def test_kill_9_in_the_middle_and_the_same_call_again(
    ingest: Ingest, depot: Depot, variables: Mapping[str, str], s3: S3Client, bucket: str
) -> None:
    count = dropped(depot, 16 << 20)
    words = ["bulk", "prepare", depot.table, "--object-mb", "1"]
    process = start(words, variables)
    while len(objects_of(s3, bucket)) < 2:
        assert process.poll() is None, process.communicate()
        POLL.wait(0.01)
    process.kill()
    process.communicate()
    before = objects_of(s3, bucket)
    assert 2 <= len(before)
    manifest = ingest(*words, "--json").report
    after = objects_of(s3, bucket)
    recorded = s3.list_objects_v2(Bucket=bucket, Prefix=manifest["prefix"].replace("data/", "objects/"))
    assert len(after) == len(manifest["objects"]) == recorded["KeyCount"] > 5
    # The last one may have been stored without its record: it is made again, all others are as they were.
    assert sum(before[key] != after[key] for key in before) <= 1
    whole = manifest_of(manifest)
    found = flat(read_object(s3, bucket, one) for one in whole.objects)
    assert count + 50 == whole.items == len(found)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_export_of_100_mb_holds_no_more_than_its_buffers(
    depot: Depot, variables: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    count = dropped(depot, BIG)
    program = ["-c", PROGRAM, "bulk", "prepare", depot.table, "--json"]
    done = subprocess.run(
        [sys.executable, *program],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    manifest, peak = json.loads(done.stdout), int(done.stderr.splitlines()[-1])
    with capsys.disabled():
        sys.stdout.write(f"\nbulk prepare of {manifest['text_bytes'] >> 20} MiB: peak {peak >> 20} MiB\n")
    assert count + 50 == manifest["items"]
    assert peak < LIMIT


PROGRAM = """
import sys
from ingest_project.cli import run
from ingest_project.resources.process import peak_rss
status = run(sys.argv[1:])
print(peak_rss(), file=sys.stderr)
sys.exit(status)
"""
