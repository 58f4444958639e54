"""The service's own lanes: ImportTable (new table) and StartBulkPutItems (existing one): what is asked, and
what is answered.

Sends one call; never polls, never retries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ingest_project.core.errors import PermanentFailure
from ingest_project.core.model import KeySchema
from ingest_project.sinks.dynamodb_api import DynamoDBApi

IMPORT, PUT = "import", "put"
LANES = (IMPORT, PUT)
OPERATIONS = {IMPORT: ("ImportTable", "DescribeImport"), PUT: ("StartBulkPutItems", "DescribeBulkOperation")}
"""Lane -> the operations that start it and that tell of it."""

COMPRESSIONS = {"zstd": "ZSTD", "gzip": "GZIP", "none": "NONE"}
TIERS = ("STANDARD", "ACCELERATED")
LEAST_WRITE_UNITS = 1024
"""Of StartBulkPutItems' MaxWriteRequestUnits."""

_ENDED = frozenset({"COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELLED"})

Request = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkSource:
    """Objects to import. ``owner``: account of the bucket when it is another one."""

    bucket: str
    prefix: str
    compression: str
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutOptions:
    """What StartBulkPutItems takes besides; the lists of failed items go to ``bucket`` and ``prefix``.

    Attributes:
        tier: STANDARD or ACCELERATED.
        write_units: Most write units a second, 1,024 at least; None leaves it to the service.
    """

    bucket: str
    prefix: str
    tier: str = "STANDARD"
    write_units: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStatus:
    """How the service's work stands, in one form for both lanes.

    Attributes:
        state: The service's own word.
        processed: Items that were read, refused ones among them; ``failed``: the refused ones.
        total_bytes: 0 while it is unknown.
        log: Where the service lists what it refused: a CloudWatch log group or an S3 address.
    """

    lane: str
    arn: str
    state: str
    processed: int
    failed: int
    processed_bytes: int
    total_bytes: int = 0
    failure: str = ""
    log: str = ""

    @property
    def ended(self) -> bool:
        return self.state in _ENDED

    @property
    def clean(self) -> bool:
        """Whether everything that was read is in the table."""
        return self.state == "COMPLETED" and not self.failed

    def as_dict(self) -> dict[str, Any]:
        """In words that JSON knows."""
        return {**asdict(self), "ended": self.ended, "clean": self.clean}


def import_request(source: BulkSource, table: str, keys: KeySchema, token: str) -> Request:
    """ImportTable: makes the table, on demand, and fills it.

    Args:
        token: The same request with the same token within 8 hours is one import.
    """
    return {
        "ClientToken": token,
        "S3BucketSource": _bucket(source.bucket, source.prefix, source.owner),
        "InputFormat": "DYNAMODB_JSON",
        "InputCompressionType": COMPRESSIONS[source.compression],
        "TableCreationParameters": {
            "TableName": table,
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": kind} for name, kind in keys.parts
            ],
            "KeySchema": [
                {"AttributeName": name, "KeyType": role}
                for (name, _), role in zip(keys.parts, ("HASH", "RANGE"), strict=False)
            ],
            "BillingMode": "PAY_PER_REQUEST",
        },
    }


def put_request(source: BulkSource, table: str, token: str, options: PutOptions) -> Request:
    """StartBulkPutItems: puts every item into a table that is there; failed ones are listed in S3."""
    request: Request = {
        "ClientToken": token,
        "InputS3Configuration": {
            **_bucket(source.bucket, source.prefix, source.owner),
            "InputFormat": "DYNAMODB_JSON",
            "InputCompressionType": COMPRESSIONS[source.compression],
        },
        "OutputS3Configuration": {**_bucket(options.bucket, options.prefix, ""), "OutputType": ["ERROR"]},
        "TableName": table,
        "PerformanceTier": options.tier,
    }
    if options.write_units is not None:
        request["MaxWriteRequestUnits"] = max(LEAST_WRITE_UNITS, options.write_units)
    return request


async def start(api: DynamoDBApi, lane: str, request: Request) -> LaneStatus:
    """Ask the service to begin. Raises what DynamoDBApi.call raises."""
    return await _asked(api, lane, OPERATIONS[lane][0], request)


async def describe(api: DynamoDBApi, lane: str, arn: str) -> LaneStatus:
    """How a work that was begun stands."""
    word = "ImportArn" if lane == IMPORT else "BulkOperationArn"
    return await _asked(api, lane, OPERATIONS[lane][1], {word: arn})


def _bucket(bucket: str, prefix: str, owner: str) -> Request:
    named = {"S3Bucket": bucket, "S3KeyPrefix": prefix}
    return {**named, "S3BucketOwner": owner} if owner else named


async def _asked(api: DynamoDBApi, lane: str, operation: str, request: Request) -> LaneStatus:
    answer = await api.call(operation, request)
    try:
        return _import_status(answer) if lane == IMPORT else _put_status(answer)
    except (KeyError, TypeError, ValueError) as error:
        raise PermanentFailure(f"the answer of {operation} is not understood: {answer}") from error


def _import_status(answer: Mapping[str, Any]) -> LaneStatus:
    found = answer["ImportTableDescription"]
    return LaneStatus(
        lane=IMPORT,
        arn=found["ImportArn"],
        state=found["ImportStatus"],
        processed=int(found.get("ProcessedItemCount") or 0),
        failed=int(found.get("ErrorCount") or 0),
        processed_bytes=int(found.get("ProcessedSizeBytes") or 0),
        failure=_failure(found),
        log=found.get("CloudWatchLogGroupArn") or "",
    )


def _put_status(answer: Mapping[str, Any]) -> LaneStatus:
    found = answer["BulkOperationDescription"]
    output = found.get("OutputS3Configuration") or {}
    place = f"s3://{output['S3Bucket']}/{output.get('S3KeyPrefix', '')}" if output.get("S3Bucket") else ""
    return LaneStatus(
        lane=PUT,
        arn=found["BulkOperationArn"],
        state=found["BulkOperationStatus"],
        processed=int(found.get("ProcessedItemCount") or 0),
        failed=int(found.get("FailedItemCount") or 0),
        processed_bytes=int(found.get("ProcessedInputBytes") or 0),
        total_bytes=int(found.get("TotalInputBytes") or 0),
        failure=_failure(found),
        log=place,
    )


def _failure(found: Mapping[str, Any]) -> str:
    words = (found.get("FailureCode"), found.get("FailureMessage"))
    return ": ".join(word for word in words if word)
