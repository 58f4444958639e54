"""Tables made from definitions and held against them, on every DynamoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from ingest_project.core.errors import PermanentFailure, TransientFailure
from ingest_project.core.model import KeySchema
from ingest_project.core.table_definitions import IndexDefinition, TableDefinition, create_request
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.signing import StaticCredentials
from ingest_project.sinks.table_definitions import check_table, ensure_table
from ingest_project.testing.running import RunningServer
from ingest_project_tests.sinks.sending import dynamodb_api

DEFINITION = TableDefinition(
    word="notes",
    name="",
    keys=KeySchema(parts=(("owner", "S"), ("at", "N"))),
    attributes={"owner": "S", "at": "N", "topic": "S", "text": "S", "size": "N", "gone": "N"},
    indexes=(
        IndexDefinition(
            name="ByTopic", keys=KeySchema(parts=(("topic", "S"), ("at", "N"))), include=("text", "size")
        ),
        IndexDefinition(name="BySize", keys=KeySchema(parts=(("size", "N"),)), include=None),
    ),
    ttl="gone",
)
(BY_TOPIC, BY_SIZE) = DEFINITION.indexes


@pytest.fixture
async def api(dynamodb_endpoint: str) -> AsyncIterator[DynamoDBApi]:
    credentials = StaticCredentials(access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    async with dynamodb_api(dynamodb_endpoint, credentials=credentials) as found:
        yield found


@pytest.fixture
def definition(table_name: str) -> TableDefinition:
    return replace(DEFINITION, name=table_name)


async def test_a_table_is_made_once_with_indexes_and_ttl_and_is_ready(
    api: DynamoDBApi, definition: TableDefinition, dynamodb_server: RunningServer
) -> None:
    assert await check_table(api, definition) is None
    made = await ensure_table(api, definition)
    assert (made.ready, made.faults, made.items) == (True, [], 0)
    assert made == await ensure_table(api, definition)
    assert made == await check_table(api, definition)
    if dynamodb_server.name == "dynalite":
        assert [f"this server knows no TTL: items of {definition.name} will stay"] == made.notes
    else:
        assert [] == made.notes
        told = await api.call("DescribeTimeToLive", {"TableName": definition.name})
        assert "gone" == told["TimeToLiveDescription"]["AttributeName"]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            {"keys": KeySchema(parts=(("owner", "S"),))},
            "defined is the key owner:S, it has owner, at",
        ),
        (
            {"indexes": (replace(BY_TOPIC, include=("text",)), BY_SIZE)},
            "defined is ByTopic that projects text, it projects size, text",
        ),
        (
            {"indexes": (replace(BY_TOPIC, keys=KeySchema(parts=(("topic", "S"),))), BY_SIZE)},
            "defined is ByTopic with the key topic:S, it has topic, at",
        ),
        (
            {"indexes": (*DEFINITION.indexes, replace(BY_SIZE, name="Third"))},
            "defined is the index Third, it has none of that name",
        ),
        (
            {"billing": "PROVISIONED", "read_units": 1, "write_units": 1},
            "defined is the billing PROVISIONED, it has PAY_PER_REQUEST",
        ),
    ],
)
async def test_another_table_of_the_same_name_is_never_taken_nor_changed(
    api: DynamoDBApi, definition: TableDefinition, other: dict[str, object], said: str
) -> None:
    await ensure_table(api, definition)
    changed: dict[str, Any] = {**other}
    wanted = replace(definition, **changed)
    state = await check_table(api, wanted)
    assert state is not None
    assert [said] == [text for text in state.faults if text.startswith("defined")]
    with pytest.raises(PermanentFailure, match="is not as defined: defined is"):
        await ensure_table(api, wanted)
    again = await check_table(api, definition)
    assert again is not None
    assert again.ready


async def test_a_table_that_never_gets_ready_is_not_waited_for_in_vain(
    api: DynamoDBApi, definition: TableDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("ingest_project.sinks.table_definitions.WAITS", 1)
    with pytest.raises(TransientFailure, match="not ready after 1 looks"):
        await ensure_table(api, definition, sleep=sleep)
    assert [0.2] == slept


def test_a_provisioned_table_tells_its_units_to_the_table_and_each_index() -> None:
    request = create_request(replace(DEFINITION, billing="PROVISIONED", read_units=5, write_units=2))
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 2}
    assert [units] * 3 == [
        one["ProvisionedThroughput"] for one in (request, *request["GlobalSecondaryIndexes"])
    ]
    keys_only = replace(DEFINITION, indexes=(replace(BY_TOPIC, include=()),))
    (index,) = create_request(keys_only)["GlobalSecondaryIndexes"]
    assert {"ProjectionType": "KEYS_ONLY"} == index["Projection"]
