"""Reads by patterns come page by page, hold through trouble, and tell what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from ingest_project.core.access_patterns import Lookup, Query, Scan
from ingest_project.core.errors import PermanentFailure, Throttled, TransientFailure
from ingest_project.core.model import KeySchema
from ingest_project.core.retrying import RetryPolicy
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.signing import Signer
from ingest_project.sinks.table_reading import TableReader
from ingest_project.wire.http import Endpoint
from ingest_project_tests.sinks.sending import CREDENTIALS

TABLE = TableDefinition(
    word="notes", name="notes", keys=KeySchema(parts=(("id", "S"),)), attributes={"id": "S", "n": "N"}
)
BY_ID = Query(name="by id", table="notes", partition="id", projection=("n",))
BY_KEY = Lookup(name="by key", table="notes")
EVERYTHING = Scan(name="everything", table="notes")


class Scripted(DynamoDBApi):
    """Answers in turn; an exception is raised."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        signer = Signer(CREDENTIALS, region="us-east-1", service="dynamodb")
        super().__init__(Endpoint("http://127.0.0.1:9"), signer)
        self.answers, self.asked = list(answers), list[tuple[str, dict[str, Any]]]()

    async def call(self, operation: str, payload: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((operation, payload))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def reader_of(api: Scripted, slept: list[float] | None = None) -> TableReader:
    async def sleep(seconds: float) -> None:
        if slept is not None:
            slept.append(seconds)

    retry = RetryPolicy(base=1.0, attempts=3)
    return TableReader(api, {"notes": TABLE}, rng=Random(1), retry=retry, sleep=sleep)


def page(numbers: Sequence[int], following: str = "") -> dict[str, Any]:
    start = {"LastEvaluatedKey": {"id": {"S": following}}} if following else {}
    items = [{"n": {"N": str(number)}} for number in numbers]
    return {"Items": items, "ScannedCount": len(items), "ConsumedCapacity": CAPACITY, **start}


CAPACITY = {"TableName": "notes", "CapacityUnits": 0.5}


async def test_a_query_is_read_to_its_end_or_its_limit() -> None:
    api = Scripted(page([1, 2], "2"), page([], "4"), page([5]))
    found = await reader_of(api).query(BY_ID, "x")
    assert ([1, 2, 5], None) == ([int(one["n"]["N"]) for one in found.items], found.following)
    assert [None, "2", "4"] == [
        asked.get("ExclusiveStartKey", {}).get("id", {}).get("S") for _, asked in api.asked
    ]
    api = Scripted(page([1, 2], "2"), page([3], "3"))
    found = await reader_of(api).query(BY_ID, "x", limit=3)
    assert (3, {"id": {"S": "3"}}) == (len(found.items), found.following)
    assert [3, 1] == [asked["Limit"] for _, asked in api.asked]


async def test_what_passes_is_asked_again_and_the_servers_advice_is_the_least() -> None:
    slept: list[float] = []
    api = Scripted(Throttled("slow", retry_after=7.0), TransientFailure("gone"), page([1]))
    reader = reader_of(api, slept)
    assert 1 == len((await reader.query(BY_ID, "x")).items)
    assert (2, 7.0) == (len(slept), slept[0])
    tally = reader.consumption.of("by id")
    assert (1, 2, 1, 0.5) == (tally.requests, tally.retries, tally.items, tally.total)


async def test_what_does_not_pass_is_raised() -> None:
    with pytest.raises(TransientFailure, match="third"):
        await reader_of(Scripted(*map(TransientFailure, ("first", "second", "third")))).query(BY_ID, "x")
    with pytest.raises(PermanentFailure, match="no"):
        await reader_of(Scripted(PermanentFailure("no"))).query(BY_ID, "x")


def some(numbers: Sequence[int], left: Sequence[str] = ()) -> dict[str, Any]:
    keys = {"notes": {"Keys": [{"id": {"S": word}} for word in left]}} if left else {}
    return {
        "Responses": {"notes": [{"n": {"N": str(number)}} for number in numbers]},
        "UnprocessedKeys": keys,
        "ConsumedCapacity": [CAPACITY],
    }


async def test_keys_that_stay_unprocessed_are_asked_for_again_a_hundred_at_once() -> None:
    api = Scripted(some(range(99), ["99"]), some(range(50)), some([99]))
    reader = reader_of(api)
    found = await reader.lookup(BY_KEY, [{"id": {"S": str(number)}} for number in range(150)])
    assert 150 == len(found)
    sizes = [len(asked["RequestItems"]["notes"]["Keys"]) for _, asked in api.asked]
    assert [1, 50, 100] == sorted(sizes)
    assert 1.5 == reader.consumption.units
    with pytest.raises(TransientFailure, match="stay unprocessed"):
        await reader_of(Scripted(*[some([], ["1"])] * 3)).lookup(BY_KEY, [{"id": {"S": "1"}}])


async def test_a_scan_goes_on_where_it_is_told() -> None:
    api = Scripted(page([], "7"))
    found = await reader_of(api).page(EVERYTHING, segment=1, segments=4, start={"id": {"S": "5"}}, limit=9)
    assert ([], {"id": {"S": "7"}}) == (found.items, found.following)
    ((operation, asked),) = api.asked
    assert ("Scan", 1, 4, 9) == (operation, asked["Segment"], asked["TotalSegments"], asked["Limit"])
