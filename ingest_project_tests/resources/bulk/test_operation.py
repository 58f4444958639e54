"""The service's work on bulk objects: started once, watched, counted in the ledger or not at all.

StartBulkPutItems has no emulator: it is tried against a recorded service that holds requests against
botocore's model. ImportTable is tried against it, and for real on moto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ingest_project.core.errors import (
    ChunkBusy,
    ConfigurationError,
    CountLost,
    PermanentFailure,
    RemoteWriteRefused,
    TransientFailure,
)
from ingest_project.core.model import Work
from ingest_project.core.outcomes import SEALED
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.assembly import plan_store
from ingest_project.resources.bulk_operation import QUIET_POLLS, LaneOptions, refuse_beyond, settle
from ingest_project.resources.crew import Crew
from ingest_project.resources.prices import Quotas
from ingest_project.resources.table_records import TableRecords
from ingest_project.sinks.bulk_lanes import LaneStatus
from ingest_project.sinks.bulk_objects import BulkManifest
from ingest_project.testing.running import RunningServer
from ingest_project_tests.readback import boto
from ingest_project_tests.resources.bulk.service import TABLE_ID, Recorded, error, report, serving
from ingest_project_tests.resources.bulk.yard import (
    NO_SERVER,
    bulk_table,
    depot_of,
    messages,
    two_days,
    typed,
)
from ingest_project_tests.resources.indices.depot import DAY, NEXT_DAY, Depot

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client

IMPORT, PUT = LaneOptions(lane="import"), LaneOptions(lane="put", write_units=2048)
ITEMS = 600


def told(lane: str, state: str, processed: int = 0, failed: int = 0) -> Mapping[str, Any]:
    if lane == "import":
        return {"ImportStatus": state, "ProcessedItemCount": processed, "ErrorCount": failed}
    return {"BulkOperationStatus": state, "ProcessedItemCount": processed, "FailedItemCount": failed}


@pytest.fixture
def depot(home: Path, table_name: str, seaweedfs: RunningServer, bucket: str) -> Depot:
    """Two days of validated records, 600 of which win."""
    found = depot_of(home, table_name, s3=seaweedfs.url, dynamodb=NO_SERVER, bucket=bucket)
    two_days(found)
    return found


@pytest.fixture
def played(depot: Depot) -> Iterator[Recorded]:
    """The recorded service as the depot's DynamoDB."""
    with serving(Recorded(states=[], exists=False)) as recorded:
        depot.turned["AWS_ENDPOINT_URL_DYNAMODB"] = recorded.url
        yield recorded
        assert [] == recorded.complaints


def states(depot: Depot) -> dict[str, tuple[str, int, int]]:
    """Date -> state, written and superseded of its table stage."""
    ledger = SqlLedger(depot.settings.ledger_url)
    try:
        rows = [row for row in ledger.status() if row.stage == "table"]
    finally:
        ledger.close()
    return {row.date: (row.state, row.counts.written, row.counts.superseded) for row in rows}


@pytest.mark.parametrize("options", [IMPORT, PUT], ids=lambda options: options.lane)
def test_a_clean_operation_is_watched_to_its_end_and_counts_as_written_by_the_table_stage(
    depot: Depot, played: Recorded, options: LaneOptions
) -> None:
    lane, seen = options.lane, list[LaneStatus]()
    played.exists = lane == "put"
    played.states = [
        told(lane, "IN_PROGRESS"),
        told(lane, "IN_PROGRESS", 300),
        told(lane, "COMPLETED", ITEMS),
    ]
    outcome = bulk_table(depot, tell=seen.append).start(options, wait=True)
    assert ("", 2) == (outcome.problem, outcome.settled)
    assert [0, 0, 300, ITEMS] == [status.processed for status in seen]
    assert {DAY: ("sealed", 400, 300), NEXT_DAY: ("sealed", 200, 0)} == states(depot)
    operation = "ImportTable" if lane == "import" else "StartBulkPutItems"
    (request,) = played.requests(operation)
    assert "" == report(operation, request)
    assert outcome.manifest.prefix in str(request)
    # The table stage has nothing left to do (law 4).
    played.calls.clear()
    for day in (DAY, NEXT_DAY):
        plan = plan_store(depot.settings).read(depot.spec.name, day)
        assert plan is not None
        with Crew(depot.assembly()) as crew:
            assert [(SEALED, 0)] == [(one.state, one.fresh.sent) for one in crew.run("table", plan.chunks)]
    assert {"DescribeTable"} == {operation for operation, _ in played.calls}


@pytest.mark.parametrize(
    ("options", "ending"),
    [
        (IMPORT, told("import", "COMPLETED", ITEMS, 3)),
        (IMPORT, {**told("import", "FAILED", 10), "FailureCode": "S3NoSuchBucket"}),
        (PUT, told("put", "COMPLETED_WITH_ERRORS", ITEMS, 1)),
        (PUT, told("put", "CANCELLED", 10)),
    ],
)
def test_what_was_refused_is_told_and_nothing_is_counted(
    depot: Depot, played: Recorded, options: LaneOptions, ending: Mapping[str, Any]
) -> None:
    played.exists = options.lane == "put"
    played.states = [ending]
    outcome = bulk_table(depot).start(options, wait=True)
    failed = ending.get("ErrorCount", ending.get("FailedItemCount"))
    assert f"{failed} of {ending['ProcessedItemCount']} items refused" in outcome.problem
    assert ending.get("FailureCode", "") in outcome.problem
    assert (0, {}) == (outcome.settled, states(depot))


def test_an_operation_that_read_another_number_of_items_is_not_believed(
    depot: Depot, played: Recorded
) -> None:
    played.states = [told("import", "COMPLETED", ITEMS - 1)]
    with pytest.raises(CountLost, match="read 599 items, its objects hold 600"):
        bulk_table(depot).start(IMPORT, wait=True)
    assert {} == states(depot)


def test_without_waiting_it_goes_on_and_is_counted_when_it_is_asked_for(
    depot: Depot, played: Recorded
) -> None:
    played.states = [told("import", "IN_PROGRESS", 5), told("import", "COMPLETED", ITEMS)]
    assert not bulk_table(depot).status(wait=False)
    outcome = bulk_table(depot).start(IMPORT, wait=False)
    assert outcome.status is not None
    assert (False, {}) == (outcome.status.ended, states(depot))
    (known,) = bulk_table(depot).status(wait=True)
    assert (2, 2) == (known.settled, len(states(depot)))
    (again,) = bulk_table(depot).status(wait=False)
    assert ("", 0) == (again.problem, again.settled)


def test_a_second_start_finds_the_first_and_starts_nothing(depot: Depot, played: Recorded) -> None:
    played.states = [told("import", "IN_PROGRESS"), told("import", "COMPLETED", ITEMS)]
    bulk_table(depot).start(IMPORT, wait=False)
    bulk_table(depot).start(IMPORT, wait=True)
    bulk_table(depot).start(IMPORT, wait=True)
    assert 1 == len(played.requests("ImportTable"))


def test_killed_between_the_call_and_its_note_the_same_call_is_made_again(
    depot: Depot, played: Recorded
) -> None:
    played.failing = [error("InternalServerError", status=500)]
    played.states = [told("import", "COMPLETED", ITEMS)]
    with pytest.raises(TransientFailure):
        bulk_table(depot).start(IMPORT, wait=True)
    # The answer was lost, the service has begun: the table is there.
    played.exists = True
    assert 2 == bulk_table(depot).start(IMPORT, wait=True).settled
    first, second = played.requests("ImportTable")
    assert first == second


def test_after_a_failed_operation_the_next_is_another_one(depot: Depot, played: Recorded) -> None:
    played.exists = True
    played.states = [told("put", "FAILED", 1)]
    assert bulk_table(depot).start(PUT, wait=True).problem
    played.states = [told("put", "FAILED", 1), told("put", "COMPLETED", ITEMS)]
    played._looks = 0
    assert 2 == bulk_table(depot).start(PUT, wait=True).settled
    first, second = played.requests("StartBulkPutItems")
    assert ("-0", "-1") == (first.pop("ClientToken")[-2:], second.pop("ClientToken")[-2:])
    assert first == second


def test_a_service_that_does_not_tell_for_a_while_is_asked_again(depot: Depot, played: Recorded) -> None:
    played.states = [told("import", "IN_PROGRESS"), told("import", "COMPLETED", ITEMS)]
    bulk_table(depot).start(IMPORT, wait=False)
    waited = list[float]()

    async def sleep(seconds: float) -> None:
        if not waited:
            played.failing.extend([error("ThrottlingException")] * (QUIET_POLLS - 1))
        waited.append(seconds)

    assert 2 == bulk_table(depot, sleep=sleep).status(wait=True)[0].settled
    assert QUIET_POLLS == len(waited)


def test_polls_that_fail_for_long_end_the_watching_and_the_next_look_goes_on(
    depot: Depot, played: Recorded
) -> None:
    played.states = [told("import", "IN_PROGRESS")]
    bulk_table(depot).start(IMPORT, wait=False)

    async def sleep(seconds: float) -> None:
        if not played.failing:
            played.failing.extend([error("ThrottlingException")] * QUIET_POLLS)

    with pytest.raises(TransientFailure):
        bulk_table(depot, sleep=sleep).status(wait=True)
    assert 0 == len(played.failing)
    played.states = [told("import", "COMPLETED", ITEMS)]
    assert 2 == bulk_table(depot).status(wait=True)[0].settled


def test_a_lane_that_does_not_fit_the_table_is_refused_before_anything_is_asked(
    depot: Depot, played: Recorded
) -> None:
    with pytest.raises(ConfigurationError, match="--lane import"):
        bulk_table(depot).start(PUT, wait=True)
    played.exists = True
    with pytest.raises(ConfigurationError, match="--lane put"):
        bulk_table(depot).start(IMPORT, wait=True)
    assert [] == played.requests("ImportTable") + played.requests("StartBulkPutItems")


def test_a_table_that_is_not_allowed_is_refused_before_an_object_is_made(depot: Depot, s3: S3Client) -> None:
    del depot.turned["AWS_ENDPOINT_URL_DYNAMODB"]
    with pytest.raises(RemoteWriteRefused, match=f"add dynamodb:us-east-1/{depot.table}"):
        bulk_table(depot).start(IMPORT, wait=True)
    assert "Contents" not in s3.list_objects_v2(Bucket=depot.settings.bucket)


def test_a_dry_run_tells_the_request_and_writes_nothing(depot: Depot, played: Recorded, s3: S3Client) -> None:
    selected, request = bulk_table(depot).rehearse(PUT)
    assert (ITEMS, 300) == (selected.items, selected.superseded)
    assert "" == report("StartBulkPutItems", request)
    assert [] == played.calls
    assert "Contents" not in s3.list_objects_v2(Bucket=depot.settings.bucket)
    played.exists = True
    played.states = [told("put", "COMPLETED", ITEMS)]
    bulk_table(depot).start(PUT, wait=True)
    assert [request] == played.requests("StartBulkPutItems")


def test_chunks_that_came_since_the_losers_were_named_keep_the_count_from_being_taken(
    depot: Depot, played: Recorded
) -> None:
    manifest = bulk_table(depot).prepare()
    later = "2026-11-04"
    depot.drop(messages(10, v=9), day=later)
    depot.validate(later)
    played.exists = True
    chunks = TableRecords(settings=depot.settings, entity="messages", table=depot.table).chunks()
    ledger = SqlLedger(depot.settings.ledger_url)
    (last,) = (chunk for chunk in chunks if chunk.date == later)
    ledger.claim(Work(chunk=last, stage="table", identity=TABLE_ID, horizon=3), owner="another", lease=60.0)
    status = LaneStatus(
        lane="put", arn="arn", state="COMPLETED", processed=ITEMS, failed=0, processed_bytes=0
    )
    with pytest.raises(ChunkBusy, match="name them again"):
        settle(ledger, manifest, chunks, status, TABLE_ID, owner="me", lease=60.0)
    ledger.close()


def test_more_than_the_service_takes_is_refused(depot: Depot) -> None:
    manifest = bulk_table(depot, object_bytes=4_000).prepare()
    few = Quotas(bulk_objects=2)
    small = Quotas(put_object_bytes=10, import_wide_bytes=10, import_bytes_elsewhere=5)
    for lane in ("import", "put"):
        with pytest.raises(ConfigurationError, match="the service takes 2"):
            refuse_beyond(manifest, lane, "us-east-1", few)
    with pytest.raises(ConfigurationError, match="the service takes 10"):
        refuse_beyond(manifest, "put", "us-east-1", small)
    with pytest.raises(ConfigurationError, match="ImportTable takes 10 in us-east-1"):
        refuse_beyond(manifest, "import", "us-east-1", small)
    with pytest.raises(ConfigurationError, match="ImportTable takes 5 in eu-north-1"):
        refuse_beyond(manifest, "import", "eu-north-1", small)
    refuse_beyond(manifest, "put", "eu-north-1")


def test_moto_imports_the_objects_into_a_new_table_for_real(
    home: Path, table_name: str, moto: RunningServer, dynamodb: DynamoDBClient
) -> None:
    """moto reads gzip from its own S3; it knows no zstd."""
    bucket = f"bulk-{table_name}"
    s3 = boto("s3", moto.url, access_key="test", secret_key="test")
    s3.create_bucket(Bucket=bucket)
    depot = depot_of(home, table_name, s3=moto.url, dynamodb=moto.url, bucket=bucket)
    expected = two_days(depot)
    outcome = bulk_table(depot, compression="gzip", object_bytes=4_000).start(IMPORT, wait=True)
    assert outcome.status is not None
    assert ("COMPLETED", "", 2) == (outcome.status.state, outcome.problem, outcome.settled)
    pages = dynamodb.get_paginator("scan").paginate(TableName=table_name)
    found = {item["id"]["S"]: item for page in pages for item in page["Items"]}
    assert {name: typed(record) for name, record in expected.items()} == found
    assert {DAY: ("sealed", 400, 300), NEXT_DAY: ("sealed", 200, 0)} == states(depot)
    s3.close()


def test_an_unclean_end_is_never_settled(depot: Depot) -> None:
    manifest: BulkManifest = bulk_table(depot).prepare()
    status = LaneStatus(lane="put", arn="a", state="CANCELLED", processed=0, failed=0, processed_bytes=0)
    ledger = SqlLedger(depot.settings.ledger_url)
    with pytest.raises(PermanentFailure, match="CANCELLED"):
        settle(ledger, manifest, (), status, TABLE_ID, owner="me", lease=60.0)
    ledger.close()
