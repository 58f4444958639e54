"""VersionedSink: what the condition decides, what becomes of each item when the service misbehaves, and that
the highest version stands in the end whatever comes when."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from random import Random
from typing import TYPE_CHECKING

import pytest

from ingest_project.core.errors import PermanentFailure, TargetMissing, Throttled, TransientFailure
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import MemoryBudget
from ingest_project.core.loading import Loader, LoadResult
from ingest_project.core.model import WriteReport
from ingest_project.core.ports import Sink
from ingest_project.core.retrying import RetryPolicy
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.sinks.signing import StaticCredentials
from ingest_project.sinks.versioned import VersionedSink
from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.doubles import FakeClock, InMemoryLedger, inline
from ingest_project.testing.doubles_stream import ListStream
from ingest_project.testing.fault_scripts import Fault
from ingest_project.testing.fault_server import FaultServer
from ingest_project.testing.samples import sample_chunk, sample_work
from ingest_project_tests import readback
from ingest_project_tests.sinks.sending import (
    ACCESS,
    SECRET,
    TABLE,
    batch_of,
    conditional,
    document,
    dynamodb_api,
    opensearch_sink,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

RECORDS, KEYS = 300, 60
FAULTS: list[Fault] = [
    faults.reset(after=False),
    faults.reset(after=True),
    faults.cut(),
    faults.slow(0.003),
    faults.error("", status=503),
    faults.error("ThrottlingException"),
]


def server_with(*script: Fault | None) -> FaultServer:
    return FaultServer(keys={TABLE: ("id",)}, credentials=(ACCESS, SECRET), script=faults.in_order(*script))


def sink_at(url: str) -> VersionedSink:
    return VersionedSink(dynamodb_api(url), TABLE, version="version")


@pytest.fixture
async def sink(dynamodb_endpoint: str, table: str) -> AsyncIterator[VersionedSink]:
    credentials = StaticCredentials(access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    async with dynamodb_api(dynamodb_endpoint, credentials=credentials) as api:
        yield VersionedSink(api, table, version="version")


async def test_an_older_version_never_replaces_a_newer_one_and_counts_as_superseded(
    sink: VersionedSink, dynamodb: DynamoDBClient, table: str
) -> None:
    reports = [await sink.write(batch_of([conditional("a", number, n=str(number))])) for number in (5, 4, 7)]
    assert [(1, 0), (0, 1), (1, 0)] == [(report.written, report.superseded) for report in reports]
    assert {"a": "7"} == {key: one["n"]["S"] for key, one in readback.items(dynamodb, table).items()}


async def test_a_request_that_is_repeated_counts_as_written_again(sink: VersionedSink) -> None:
    batch = batch_of([conditional("a", 5)])
    assert [WriteReport(written=1)] * 2 == [await sink.write(batch) for _ in range(2)]


async def test_numbers_are_compared_as_numbers(sink: VersionedSink) -> None:
    await sink.write(batch_of([conditional("a", 9)]))
    assert WriteReport(written=1) == await sink.write(batch_of([conditional("a", 10)]))


async def test_an_item_without_a_version_is_older_than_any(
    sink: VersionedSink, dynamodb: DynamoDBClient, table: str
) -> None:
    dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}, "n": {"S": "by hand"}})
    assert WriteReport(written=1) == await sink.write(batch_of([conditional("a", 1, n="ours")]))


async def test_items_of_one_batch_have_an_outcome_each() -> None:
    bodies = [conditional("a", 3), conditional("", 1), conditional("b", 1), conditional("c", 1)]
    server = server_with(None, None, faults.error("", status=503), None)
    async with server, sink_at(server.url) as sink:
        report = await sink.write(batch_of(bodies))
    settled = report.written + report.superseded + len(report.refusals) + len(report.retry)
    assert (4, 1) == (settled, len(report.retry))


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (faults.error("ProvisionedThroughputExceededException"), Throttled),
        (faults.error("InternalServerError", status=500), TransientFailure),
        (faults.reset(after=True), TransientFailure),
        (faults.error("ResourceNotFoundException"), TargetMissing),
        (faults.error("AccessDeniedException"), PermanentFailure),
    ],
    ids=lambda one: getattr(one, "name", "") or getattr(one, "kind", "") or one.__name__,
)
async def test_trouble_of_the_only_item_is_raised_by_its_consequence(
    fault: Fault, kind: type[Exception]
) -> None:
    server = server_with(fault)
    async with server, sink_at(server.url) as sink:
        with pytest.raises(kind):
            await sink.write(batch_of([conditional("a", 1)]))


async def test_a_batch_that_is_throttled_whole_is_throttled() -> None:
    throttle = faults.error("ThrottlingException", retry_after="3")
    server = server_with(throttle, throttle)
    async with server, sink_at(server.url) as sink:
        with pytest.raises(Throttled) as caught:
            await sink.write(batch_of([conditional("a", 1), conditional("b", 1)]))
    assert caught.value.retry_after == 3.0


async def hurried(seconds: float) -> None:
    """The loader's waits, shortened: what is tested is not how long they are."""
    await asyncio.sleep(min(seconds, 0.001))


async def load(sink: Sink, bodies: Sequence[bytes], seed: int) -> LoadResult:
    loader = Loader(
        sink=sink,
        ledger=InMemoryLedger(FakeClock()),
        retry=RetryPolicy(attempts=100),
        budget=MemoryBudget(1 << 20),
        governor=RateGovernor(time.monotonic, most=16),
        clock=time.monotonic,
        sleep=hurried,
        rng=Random(seed),
        offload=inline,
    )
    work = sample_work(sample_chunk(records=len(bodies)))
    return await loader.load(work, ListStream(bodies, size=31), "owner")


def versions(seed: int) -> list[tuple[str, int]]:
    """Keys and versions in a random order, some of them twice."""
    found = [(str(number % KEYS), number // KEYS + 1) for number in range(RECORDS)]
    Random(seed).shuffle(found)
    return found + found[:10]


@pytest.mark.parametrize("seed", range(5))
async def test_dynamodb_ends_with_the_highest_version_of_each_key_whatever_goes_wrong(seed: int) -> None:
    pairs = versions(seed)
    server = FaultServer(
        keys={TABLE: ("id",)}, credentials=(ACCESS, SECRET), script=faults.at_random(seed, FAULTS, 0.2)
    )
    async with server, sink_at(server.url) as sink:
        result = await load(sink, [conditional(*pair) for pair in pairs], seed)
    assert (True, len(pairs), 0, True) == (
        result.sealed,
        result.counts.sent,
        result.counts.rejected,
        result.counts.balanced,
    )
    stored = {item["id"]["S"]: item["version"]["N"] for item in server.tables.items[TABLE].values()}
    assert {str(key): str(RECORDS // KEYS) for key in range(KEYS)} == stored


@pytest.mark.parametrize("seed", range(5))
async def test_opensearch_ends_with_the_highest_version_of_each_key_whatever_goes_wrong(seed: int) -> None:
    pairs = versions(seed)
    bodies = [
        document(key, b"%d" % number, version=number, version_type="external_gte") for key, number in pairs
    ]
    server = FaultServer(indices=("i",), script=faults.at_random(seed, FAULTS[:-1], 0.2))
    async with server, opensearch_sink(server.url) as sink:
        result = await load(sink, bodies, seed)
    assert (True, len(pairs), True) == (result.sealed, result.counts.sent, result.counts.balanced)
    assert {str(key): b"%d" % (RECORDS // KEYS) for key in range(KEYS)} == server.indices.documents["i"]


def test_a_put_carries_its_condition_and_the_item() -> None:
    request = json.loads(sink_at("http://127.0.0.1:9")._opening + conditional("a", 3))
    assert "attribute_not_exists(#v) OR #v <= :v" == request["ConditionExpression"]
    assert ({"#v": "version"}, {":v": {"N": "3"}}) == (
        request["ExpressionAttributeNames"],
        request["ExpressionAttributeValues"],
    )
