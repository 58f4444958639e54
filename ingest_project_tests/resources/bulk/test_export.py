"""Bulk objects on SeaweedFS: they hold what the table stage would write, shuffled, and survive kills."""

from __future__ import annotations

import fcntl
import hashlib
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ingest_project.core.errors import (
    ConfigurationError,
    CountLost,
    RemoteWriteRefused,
    TransientFailure,
)
from ingest_project.resources.assembly import plan_store
from ingest_project.resources.bulk_export import split
from ingest_project.resources.connect import s3_client
from ingest_project.resources.crew import Crew
from ingest_project.sinks.bulk_objects import BulkManifest, BulkStore
from ingest_project.testing.running import RunningServer
from ingest_project_tests.resources.bulk.yard import (
    NO_SERVER,
    bulk_table,
    depot_of,
    flat,
    messages,
    read_all,
    read_object,
    two_days,
    typed,
)
from ingest_project_tests.resources.indices.depot import DAY, NEXT_DAY, Depot

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client

SMALL = 4_000


@pytest.fixture
def depot(home: Path, table_name: str, seaweedfs: RunningServer, bucket: str) -> Depot:
    return depot_of(home, table_name, s3=seaweedfs.url, dynamodb=NO_SERVER, bucket=bucket)


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["id"]["S"] for item in items]


@pytest.mark.parametrize("compression", ["zstd", "gzip", "none"])
def test_objects_read_by_others_hold_the_last_record_of_each_key_and_nothing_else(
    depot: Depot, s3: S3Client, compression: str
) -> None:
    expected = two_days(depot)
    manifest = bulk_table(depot, compression=compression, object_bytes=SMALL).prepare()
    found = flat(read_all(s3, manifest))
    assert {name: typed(record) for name, record in expected.items()} == found
    assert (600, 300) == (manifest.items, manifest.superseded)
    assert (600, 300) == (sum(one.items for one in manifest.objects), manifest.superseded)
    assert len(manifest.objects) > 5


def test_the_objects_hold_exactly_what_the_table_stage_writes(
    depot: Depot, s3: S3Client, moto: RunningServer, dynamodb: DynamoDBClient, table: str
) -> None:
    depot.table = table
    depot.turned["AWS_ENDPOINT_URL_DYNAMODB"] = moto.url
    two_days(depot)
    exported = flat(read_all(s3, bulk_table(depot, object_bytes=SMALL).prepare()))
    written = 0
    for day in (DAY, NEXT_DAY):
        plan = plan_store(depot.settings).read(depot.spec.name, day)
        assert plan is not None
        with Crew(depot.assembly()) as crew:
            written += sum(outcome.counts.written for outcome in crew.run("table", plan.chunks))
    pages = dynamodb.get_paginator("scan").paginate(TableName=table)
    assert exported == {item["id"]["S"]: item for page in pages for item in page["Items"]}
    assert written == len(exported)


def test_numbers_and_strings_are_those_of_the_file_byte_for_byte(depot: Depot, s3: S3Client) -> None:
    number = "0.10000000000000000000000000000000000007"
    folder = depot.home / "dumps" / DAY / "a"
    folder.mkdir(parents=True)
    line = '{"id":"r1","n":' + number + ',"text":"\\u00e9 \\n \\"q\\" \U0001f600"}\n'
    (folder / f"{depot.table}-dump.jsonl").write_text(line)
    depot.validate()
    manifest = bulk_table(depot, compression="none").prepare()
    (item,) = read_object(s3, manifest.bucket, manifest.objects[0])
    assert {"id": {"S": "r1"}, "n": {"N": number}, "text": {"S": 'é \n "q" \U0001f600'}} == item


def test_each_object_is_a_fair_sample_of_all_keys_and_of_any_other_hash(depot: Depot, s3: S3Client) -> None:
    depot.drop(messages(4_000))
    depot.validate()
    objects = read_all(s3, bulk_table(depot, object_bytes=15_000).prepare())
    assert len(objects) > 3
    for items in objects:
        names = ids(items)
        assert names != sorted(names)
        # No run of neighbours: among n random keys a pair of neighbours stands side by side about twice.
        steps = [abs(int(a[1:]) - int(b[1:])) for a, b in pairwise(names)]
        assert sum(step == 1 for step in steps) < 12
        for place in (lambda name: int(name[1:]) / 4_000, _other_hash):
            quarters = [0, 0, 0, 0]
            for name in names:
                quarters[int(4 * place(name))] += 1
            assert all(0.17 < count / len(names) < 0.33 for count in quarters)


def _other_hash(name: str) -> float:
    return int.from_bytes(hashlib.md5(name.encode(), usedforsecurity=False).digest()[:8], "big") / 2**64


def test_objects_have_about_the_size_that_was_asked_for_and_the_manifest_tells_their_sums(
    depot: Depot, s3: S3Client
) -> None:
    depot.drop(messages(5_000))
    depot.validate()
    manifest = bulk_table(depot, object_bytes=12_000).prepare()
    sizes = [one.stored_bytes for one in manifest.objects]
    assert len(sizes) > 3
    assert 6_000 < min(sizes) < max(sizes) < 24_000
    for one in manifest.objects:
        stored = s3.get_object(Bucket=manifest.bucket, Key=one.key)["Body"].read()
        assert len(stored) == one.stored_bytes
        assert hashlib.sha256(stored).hexdigest() == one.sha256
        assert hashlib.md5(stored).hexdigest() == one.md5
    assert sum(sizes) == manifest.stored_bytes


def test_nothing_but_objects_lies_below_the_prefix_that_the_service_is_told(
    depot: Depot, s3: S3Client
) -> None:
    depot.drop(messages(50))
    depot.validate()
    manifest = bulk_table(depot).prepare()
    listed = s3.list_objects_v2(Bucket=manifest.bucket, Prefix=manifest.prefix)["Contents"]
    assert [one.key for one in manifest.objects] == [entry["Key"] for entry in listed]
    assert manifest.prefix.startswith(f"deployed/messages/bulk/{depot.table}/")
    folder = manifest.prefix.removesuffix("data/")
    stored = s3.get_object(Bucket=manifest.bucket, Key=f"{folder}manifest.json")["Body"].read()
    assert json.loads(json.dumps(manifest.as_dict())) == json.loads(stored)
    assert not list((depot.home / "bulk").rglob("bucket-*"))


class Dying:
    """A watch that ends the process's work at the n-th object."""

    def __init__(self, stage: str, last: int) -> None:
        self.stage, self.last, self.seen = stage, last, 0

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.seen += stage == self.stage
        if self.seen == self.last:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("stage", "last"), [("spilled", 1), ("stored", 1), ("stored", 4)])
def test_a_call_that_was_killed_goes_on_and_makes_no_whole_object_again(
    depot: Depot, s3: S3Client, stage: str, last: int
) -> None:
    expected = two_days(depot)
    with pytest.raises(KeyboardInterrupt):
        bulk_table(depot, object_bytes=SMALL, watch=Dying(stage, last)).prepare()
    root = f"deployed/messages/bulk/{depot.table}/"
    before = _modified(s3, depot, root)
    assert not any(key.endswith("manifest.json") for key in before)
    manifest = bulk_table(depot, object_bytes=SMALL).prepare()
    after = _modified(s3, depot, root)
    assert {key: before[key] for key in before} == {key: after[key] for key in before}
    assert (last if stage == "stored" else 0) == sum("/data/" in key for key in before)
    assert {name: typed(record) for name, record in expected.items()} == flat(read_all(s3, manifest))


def _modified(s3: S3Client, depot: Depot, prefix: str) -> dict[str, Any]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=depot.settings.bucket, Prefix=prefix)
    return {
        entry["Key"]: (entry["LastModified"], entry["ETag"])
        for page in pages
        for entry in page.get("Contents", [])
    }


def test_what_is_published_is_told_and_not_made_again_and_a_lost_object_is(
    depot: Depot, s3: S3Client
) -> None:
    two_days(depot)
    first = bulk_table(depot, object_bytes=SMALL).prepare()
    root = f"deployed/messages/bulk/{depot.table}/"
    before = _modified(s3, depot, root)
    assert first == bulk_table(depot, object_bytes=SMALL).prepare()
    assert before == _modified(s3, depot, root)
    s3.delete_object(Bucket=first.bucket, Key=first.objects[2].key)
    s3.put_object(Bucket=first.bucket, Key=f"{first.prefix}stray.json", Body=b"")
    again = bulk_table(depot, object_bytes=SMALL).prepare()
    assert [one.sha256 for one in first.objects] == [one.sha256 for one in again.objects]
    listed = s3.list_objects_v2(Bucket=first.bucket, Prefix=first.prefix)["Contents"]
    assert [one.key for one in again.objects] == [entry["Key"] for entry in listed]


def test_other_records_or_settings_are_another_export_and_the_same_ones_the_same(depot: Depot) -> None:
    depot.drop(messages(100))
    depot.validate()
    one = bulk_table(depot, object_bytes=SMALL).prepare()
    assert one.id != bulk_table(depot, object_bytes=2 * SMALL).prepare().id
    depot.drop(messages(1, v=9), day=NEXT_DAY)
    depot.validate(NEXT_DAY)
    later = bulk_table(depot, object_bytes=SMALL).prepare()
    assert (one.id != later.id, 100, 1) == (True, later.items, later.superseded)
    of_one_day = bulk_table(depot, object_bytes=SMALL, dates=[DAY]).prepare()
    assert (99, 1) == (of_one_day.items, of_one_day.superseded)


def test_of_an_entity_that_overwrites_only_the_last_date_is_exported_too(depot: Depot, s3: S3Client) -> None:
    depot.spec = replace(depot.spec, across_dates="overwrite")
    expected = two_days(depot)
    found = flat(read_all(s3, bulk_table(depot).prepare()))
    assert {name: typed(record) for name, record in expected.items()} == found


def test_two_processes_do_not_make_the_same_objects_at_once(depot: Depot) -> None:
    depot.drop(messages(20))
    depot.validate()
    table = bulk_table(depot)
    name = table.prepare().id
    s3_key = f"deployed/messages/bulk/{depot.table}/{name}/manifest.json"
    s3_client(depot.settings).delete_object(Bucket=depot.settings.bucket, Key=s3_key)
    with open(depot.home / "bulk" / name / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(TransientFailure, match="another process makes these objects"):
            table.prepare()


def test_a_table_without_validated_records_and_a_bucket_that_is_not_allowed_are_refused(
    depot: Depot,
) -> None:
    with pytest.raises(ConfigurationError, match="has no validated records"):
        bulk_table(depot).prepare()
    depot.drop(messages(3))
    depot.validate()
    del depot.turned["AWS_ENDPOINT_URL_S3"]
    with pytest.raises(RemoteWriteRefused, match="add s3:"):
        bulk_table(depot).prepare()
    with pytest.raises(ConfigurationError, match="no compression 'lz4'"):
        bulk_table(depot, compression="lz4")


def test_a_manifest_whose_objects_hold_too_few_items_is_not_published(depot: Depot, s3: S3Client) -> None:
    depot.drop(messages(30))
    depot.validate()
    manifest = bulk_table(depot).prepare()
    store = BulkStore(
        s3,
        manifest.bucket,
        "deployed",
        entity="messages",
        table=depot.table,
        name="other",
        compression="zstd",
    )
    wrong = BulkManifest(**{**_shallow(manifest), "items": 31})
    with pytest.raises(CountLost, match="objects hold 30 items"):
        store.publish(wrong)
    assert store.manifest() is None


def _shallow(manifest: BulkManifest) -> dict[str, Any]:
    return {name: getattr(manifest, name) for name in manifest.__slots__}


def test_runs_of_buckets_are_even_and_cover_all() -> None:
    assert [(0, 2)] == split([1, 1, 1], 1)
    assert [(0, 0), (1, 1), (2, 2)] == split([1, 1, 1], 3)
    assert [(0, 0), (1, 1), (2, 2)] == split([1, 1, 1], 50)
    assert [(0, 1), (2, 3)] == split([5, 5, 5, 5], 2)
    assert [(0, 0), (1, 1), (2, 2)] == split([100, 1, 1], 3)
    assert [(0, 2)] == split([0, 0, 7], 2)
    assert [(0, 0), (1, 3)] == split([5, 5, 0, 0], 2)
