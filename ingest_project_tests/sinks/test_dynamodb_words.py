"""What a DynamoDB refuses in its own words: the item is refused alone, and all others are written (law 10).

dynalite has the service's own checks and words. moto lets some of it pass, and fails with a 500 where a
record is no item at all; what it does is written down beside each case.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from ingest_project.core.errors import BatchTooLarge, TransientFailure
from ingest_project.core.limits import BatchLimits
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.signing import StaticCredentials
from ingest_project.testing.running import RunningServer
from ingest_project_tests import readback
from ingest_project_tests.sinks.sending import batch_of, dynamodb_api, line, lines

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

PLACE, NEIGHBOURS = 7, 24
REFUSES, TAKES, BREAKS = "refuses", "takes", "breaks"
ITEM_LIMIT = 400 * 1024


def item(**attributes: object) -> bytes:
    return json.dumps({"Item": {"id": {"S": "bad"}} | attributes}, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A bad item, the service's words for it, and what moto does with it."""

    name: str
    body: bytes
    words: str
    moto: str = REFUSES

    def __str__(self) -> str:
        return self.name


CASES = [
    Case(
        name="a number of 39 digits",
        body=item(n={"N": "1" * 39}),
        words="more than 38 significant digits",
        moto=TAKES,
    ),
    Case(name="a number that is too large", body=item(n={"N": "1e126"}), words="Number overflow", moto=TAKES),
    Case(name="a number that is too small", body=item(n={"N": "1e-131"}), words="Number underflow"),
    Case(
        name="a number that is none",
        body=item(n={"N": "abc"}),
        words="cannot be converted",
    ),
    Case(name="an empty key", body=item(id={"S": ""}), words="cannot contain an empty string"),
    Case(name="no key", body=b'{"Item":{"text":{"S":"x"}}}', words="key"),
    Case(name="a key of another type", body=item(id={"N": "5"}), words="key"),
    Case(name="a key of 2049 bytes", body=item(id={"S": "k" * 2049}), words="Size of hashkey has exceeded"),
    Case(name="an item beyond 400 KB", body=item(x={"S": "x" * ITEM_LIMIT}), words="Item size has exceeded"),
    Case(name="an empty set", body=item(x={"SS": []}), words="may not be empty", moto=TAKES),
    Case(
        name="a set with a value twice",
        body=item(x={"SS": ["a", "a"]}),
        words="contains duplicates",
        moto=TAKES,
    ),
    Case(name="a null that is false", body=item(x={"NULL": False}), words="must have the value of true"),
    Case(name="a text that is a number", body=item(x={"S": 5}), words="cannot be converted to String"),
    Case(
        name="bytes that are no base64",
        body=item(x={"B": "!!"}),
        words="Base64 encoded length",
        moto=TAKES,
    ),
    Case(
        name="two types at once",
        body=item(x={"S": "5", "N": "5"}),
        words="more than one datatypes",
        moto=TAKES,
    ),
    Case(name="an unknown type", body=item(x={"Q": "a"}), words="AttributeValue is empty", moto=BREAKS),
    Case(name="no type", body=item(x={}), words="AttributeValue is empty", moto=BREAKS),
    Case(name="half an item", body=item()[:-1], words="SerializationException", moto=BREAKS),
]


@pytest.fixture
async def sink(dynamodb_endpoint: str, table: str) -> AsyncIterator[DynamoDBSink]:
    async with _sink(dynamodb_endpoint, table) as found:
        yield found


def _sink(url: str, table: str, limits: BatchLimits | None = None) -> DynamoDBSink:
    api = dynamodb_api(url, credentials=StaticCredentials(access_key=ACCESS_KEY, secret_key=SECRET_KEY))
    return DynamoDBSink(api, table) if limits is None else DynamoDBSink(api, table, limits=limits)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_an_item_that_the_service_refuses_is_refused_alone_and_in_its_words(
    case: Case,
    sink: DynamoDBSink,
    dynamodb: DynamoDBClient,
    dynamodb_server: RunningServer,
    table: str,
) -> None:
    does = REFUSES if dynamodb_server.name == "dynalite" else case.moto
    bodies = lines(NEIGHBOURS)
    bodies.insert(PLACE, case.body)
    if does == BREAKS:
        with pytest.raises(TransientFailure):
            await sink.write(batch_of(bodies))
        return
    report = await sink.write(batch_of(bodies))
    stored = readback.items(dynamodb, table)
    assert {str(number) for number in range(NEIGHBOURS)} == stored.keys() - {"bad"}
    if does == TAKES:
        assert (25, True) == (report.written, "bad" in stored)
        return
    assert ([PLACE], NEIGHBOURS, 0) == (
        [one.index for one in report.refusals],
        report.written,
        len(report.retry),
    )
    assert (case.words if dynamodb_server.name == "dynalite" else "Exception") in report.refusals[0].reason
    assert "bad" not in stored


async def test_several_bad_items_of_several_kinds_leave_all_others(
    sink: DynamoDBSink, dynamodb: DynamoDBClient, table: str
) -> None:
    refused = [case.body for case in CASES if case.moto == REFUSES]
    bodies = [*lines(25 - len(refused)), *refused]
    report = await sink.write(batch_of(bodies))
    assert list(range(25 - len(refused), 25)) == sorted(one.index for one in report.refusals)
    assert {str(number) for number in range(25 - len(refused))} == readback.items(dynamodb, table).keys()


async def test_of_a_key_twice_in_one_request_the_last_one_stands(
    sink: DynamoDBSink, dynamodb: DynamoDBClient, table: str
) -> None:
    """dynalite refuses the request as the service does, moto takes it: the end is the same."""
    bodies = [line("k", text="first"), *lines(23), line("k", text="last")]
    report = await sink.write(batch_of(bodies))
    assert (25, 0) == (report.written, len(report.refusals))
    assert readback.items(dynamodb, table)["k"]["text"] == {"S": "last"}


async def test_more_items_than_the_service_takes_at_once_are_written_in_halves(
    dynamodb_endpoint: str, dynamodb: DynamoDBClient, table: str
) -> None:
    """The sink's own limit is 25; this is what becomes of a request that is over it all the same."""
    async with _sink(dynamodb_endpoint, table, BatchLimits(count=30, bytes=1 << 20)) as sink:
        report = await sink.write(batch_of(lines(30)))
    assert (30, 0) == (report.written, len(report.refusals))
    assert len(readback.items(dynamodb, table)) == 30


async def test_a_request_beyond_16_megabytes_is_no_verdict_on_its_items(
    sink: DynamoDBSink, dynamodb: DynamoDBClient, dynamodb_server: RunningServer, table: str
) -> None:
    """Escapes make 25 items of legal size larger than a request may be; the loader then sends halves."""
    bodies = [line(str(number), text="\x01" * 150_000) for number in range(25)]
    if dynamodb_server.name == "dynalite":
        with pytest.raises(BatchTooLarge):
            await sink.write(batch_of(bodies))
    report = await sink.write(batch_of(bodies[:12]))
    assert report.written == 12
    stored: dict[str, Any] = readback.items(dynamodb, table)
    assert {"\x01" * 150_000} == {one["text"]["S"] for one in stored.values()}


async def test_an_item_of_exactly_400_kilobytes_is_taken(
    sink: DynamoDBSink, dynamodb: DynamoDBClient, dynamodb_server: RunningServer, table: str
) -> None:
    """Names and values count: ``id`` and ``bad``, ``x`` and its text. moto draws the line a little lower."""
    limit = {"dynalite": ITEM_LIMIT, "moto": 405_000}[dynamodb_server.name]
    text = "x" * (limit - len("idbad" + "x"))
    report = await sink.write(batch_of([item(x={"S": text}), item(id={"S": "bae"}, x={"S": text + "x"})]))
    assert ([1], 1) == ([one.index for one in report.refusals], report.written)
    assert ["bad"] == list(readback.items(dynamodb, table))
