"""Requests of the bulk lanes against botocore's model of the API, and descriptions in its own words."""

from __future__ import annotations

from typing import Any

import botocore.parsers
import botocore.session
import pytest

from ingest_project.core.errors import PermanentFailure
from ingest_project.core.model import KeySchema
from ingest_project.sinks import bulk_lanes
from ingest_project.sinks.bulk_lanes import BulkSource, PutOptions, import_request, put_request
from ingest_project_tests.resources.bulk.service import MODEL, report

KEYS = KeySchema(parts=(("device", "S"), ("at", "N")))


def source(compression: str = "zstd", owner: str = "") -> BulkSource:
    return BulkSource(bucket="bucket", prefix="a/data/", compression=compression, owner=owner)


def test_the_pinned_botocore_knows_both_lanes() -> None:
    for operations in bulk_lanes.OPERATIONS.values():
        assert set(operations) <= set(MODEL.operation_names)


@pytest.mark.parametrize("compression", sorted(bulk_lanes.COMPRESSIONS))
@pytest.mark.parametrize("owner", ["", "123456789012"])
def test_requests_are_what_the_api_takes(compression: str, owner: str) -> None:
    made = import_request(source(compression, owner), "table", KEYS, "token-0")
    assert "" == report("ImportTable", made)
    options = PutOptions(bucket="bucket", prefix="a/failed/", tier="ACCELERATED", write_units=5000)
    put = put_request(source(compression, owner), "table", "token-0", options)
    assert "" == report("StartBulkPutItems", put)


def test_the_report_sees_what_the_api_does_not_take() -> None:
    made = import_request(source(), "t", KEYS, "token-0")
    assert "TableName" in report("ImportTable", made) or "length" in report("ImportTable", made)
    wrong = {**import_request(source(), "table", KEYS, "x"), "InputFormat": "DYNAMO_JSON", "Zip": 1}
    assert "ImportTableInput has no Zip" in report("ImportTable", wrong)
    assert "InputFormat is none of" in report("ImportTable", wrong)
    del wrong["S3BucketSource"]
    assert "Missing required parameter" in report("ImportTable", wrong)


def test_an_import_request_names_lines_key_and_billing() -> None:
    assert {
        "ClientToken": "token-0",
        "S3BucketSource": {"S3Bucket": "bucket", "S3KeyPrefix": "a/data/"},
        "InputFormat": "DYNAMODB_JSON",
        "InputCompressionType": "ZSTD",
        "TableCreationParameters": {
            "TableName": "table",
            "AttributeDefinitions": [
                {"AttributeName": "device", "AttributeType": "S"},
                {"AttributeName": "at", "AttributeType": "N"},
            ],
            "KeySchema": [
                {"AttributeName": "device", "KeyType": "HASH"},
                {"AttributeName": "at", "KeyType": "RANGE"},
            ],
            "BillingMode": "PAY_PER_REQUEST",
        },
    } == import_request(source(), "table", KEYS, "token-0")


def test_a_put_request_lists_failed_items_and_leaves_the_rate_to_the_service_unless_told() -> None:
    plain = put_request(source("gzip"), "table", "token-0", PutOptions(bucket="bucket", prefix="failed/"))
    assert {
        "ClientToken": "token-0",
        "InputS3Configuration": {
            "S3Bucket": "bucket",
            "S3KeyPrefix": "a/data/",
            "InputFormat": "DYNAMODB_JSON",
            "InputCompressionType": "GZIP",
        },
        "OutputS3Configuration": {"S3Bucket": "bucket", "S3KeyPrefix": "failed/", "OutputType": ["ERROR"]},
        "TableName": "table",
        "PerformanceTier": "STANDARD",
    } == plain
    low = PutOptions(bucket="bucket", prefix="failed/", write_units=3)
    assert 1024 == put_request(source(), "table", "token-0", low)["MaxWriteRequestUnits"]


class Api:
    """Answers what it was given; see contracts for the real calls."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer

    async def call(self, operation: str, payload: dict[str, Any]) -> dict[str, Any]:
        shape = MODEL.operation_model(operation).output_shape
        parsed = botocore.parsers.create_parser("json").parse(
            {"status_code": 200, "headers": {}, "body": _json(self.answer)}, shape
        )
        assert self.answer.keys() <= parsed.keys(), "no answer that the API can give"
        return self.answer


def _json(value: Any) -> bytes:
    import json

    return json.dumps(value).encode()


async def test_a_description_of_an_import_is_told_in_one_form() -> None:
    answer = {
        "ImportTableDescription": {
            "ImportArn": "arn:1",
            "ImportStatus": "FAILED",
            "ErrorCount": 3,
            "ProcessedItemCount": 10,
            "ProcessedSizeBytes": 1000,
            "ImportedItemCount": 7,
            "CloudWatchLogGroupArn": "arn:aws:logs:us-east-1:1:log-group:/aws-dynamodb/imports",
            "FailureCode": "ItemValidationError",
            "FailureMessage": "too many errors",
            "StartTime": 1764000000.5,
        }
    }
    status = await bulk_lanes.describe(Api(answer), "import", "arn:1")
    assert ("FAILED", True, False) == (status.state, status.ended, status.clean)
    assert (10, 3, 1000) == (status.processed, status.failed, status.processed_bytes)
    assert "ItemValidationError: too many errors" == status.failure
    assert status.log.endswith("/aws-dynamodb/imports")


@pytest.mark.parametrize(
    ("state", "failed", "ended", "clean"),
    [
        ("IN_PROGRESS", 0, False, False),
        ("CANCELLING", 0, False, False),
        ("COMPLETED", 0, True, True),
        ("COMPLETED_WITH_ERRORS", 2, True, False),
        ("CANCELLED", 0, True, False),
        ("FAILED", 0, True, False),
    ],
)
async def test_states_of_a_bulk_put_say_whether_it_ended_and_how(
    state: str, failed: int, ended: bool, clean: bool
) -> None:
    answer = {
        "BulkOperationDescription": {
            "BulkOperationArn": "arn:2",
            "BulkOperationStatus": state,
            "ProcessedItemCount": 10,
            "FailedItemCount": failed,
            "ProcessedInputBytes": 5,
            "TotalInputBytes": 50,
            "OutputS3Configuration": {"S3Bucket": "b", "S3KeyPrefix": "failed/", "OutputType": ["ERROR"]},
        }
    }
    status = await bulk_lanes.start(Api(answer), "put", {})
    assert (ended, clean, failed) == (status.ended, status.clean, status.failed)
    assert (50, "s3://b/failed/") == (status.total_bytes, status.log)


def test_every_state_of_the_api_is_known_as_ended_or_not() -> None:
    words = set(MODEL.shape_for("BulkOperationStatus").enum) | set(MODEL.shape_for("ImportStatus").enum)
    assert {"IN_PROGRESS", "CANCELLING"} == {word for word in words if not _status(word).ended}


def _status(state: str) -> bulk_lanes.LaneStatus:
    return bulk_lanes.LaneStatus(lane="put", arn="arn", state=state, processed=0, failed=0, processed_bytes=0)


async def test_an_answer_that_is_none_is_refused() -> None:
    class Empty:
        async def call(self, operation: str, payload: dict[str, Any]) -> dict[str, Any]:
            return {"ImportTableDescription": {}}

    with pytest.raises(PermanentFailure, match="DescribeImport is not understood"):
        await bulk_lanes.describe(Empty(), "import", "arn")
