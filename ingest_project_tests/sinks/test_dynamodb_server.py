"""DynamoDBSink and the table helpers on every DynamoDB, read back by boto3."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Context
from typing import TYPE_CHECKING, Any

import pytest

from ingest_project.core.errors import PermanentFailure, TargetMissing
from ingest_project.core.model import KeySchema
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.sinks import tables
from ingest_project.sinks.dynamodb import DynamoDBSink, canonical_key
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.signing import StaticCredentials
from ingest_project.testing.running import Servers
from ingest_project_tests import readback
from ingest_project_tests.every_server import Clients
from ingest_project_tests.sinks.sending import batch_of, dynamodb_api, line, lines

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

EXACT = Context(prec=60)
KEYS = KeySchema(parts=(("id", "S"), ("at", "N")))


@pytest.fixture
async def api(dynamodb_endpoint: str) -> AsyncIterator[DynamoDBApi]:
    credentials = StaticCredentials(access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    async with dynamodb_api(dynamodb_endpoint, credentials=credentials) as found:
        yield found


def by_value(value: Any) -> Any:
    """A typed value with exact numbers: DynamoDB and dynalite spell ``1.0`` as ``1``, moto as it was sent."""
    if isinstance(value, dict):
        return {
            name: EXACT.create_decimal(one) if name == "N" else by_value(one) for name, one in value.items()
        }
    return [by_value(one) for one in value] if isinstance(value, list) else value


async def test_every_type_and_every_digit_is_stored_as_sent(
    api: DynamoDBApi, dynamodb: DynamoDBClient, table: str
) -> None:
    item = {
        "id": {"S": 'é\n"\\ 🜁'},
        "big": {"N": "12345678901234567890123456789012345678"},
        "point": {"N": "1.0"},
        "small": {"N": "-1e-130"},
        "empty": {"S": ""},
        "none": {"NULL": True},
        "bytes": {"B": "AAEC"},
        "words": {"SS": ["a", "b"]},
        "deep": {"M": {"l": {"L": [{"BOOL": False}, {"N": "0.10"}]}}},
    }
    sink = DynamoDBSink(api, table)
    report = await sink.write(batch_of([json.dumps({"Item": item}).encode()]))
    assert report.written == 1
    found = readback.items(dynamodb, table)['é\n"\\ 🜁']
    assert by_value({**item, "bytes": {"B": b"\0\1\2"}}) == by_value(found)
    (read,) = await tables.get_items(api, table, [{"id": item["id"]}])
    assert by_value(item) == by_value(read)


async def test_bad_items_harm_no_other_item(api: DynamoDBApi, dynamodb: DynamoDBClient, table: str) -> None:
    bodies = lines(25)
    bodies[3], bodies[20] = b'{"Item":{"text":{"S":"no key"}}}', line("")
    report = await DynamoDBSink(api, table).write(batch_of(bodies))
    assert sorted(one.index for one in report.refusals) == [3, 20]
    assert report.written == 23
    assert {str(number) for number in range(25)} - {"3", "20"} == readback.items(dynamodb, table).keys()


async def test_another_table_of_the_same_name_has_another_identity(
    api: DynamoDBApi, dynamodb: DynamoDBClient, table_name: str
) -> None:
    sink = DynamoDBSink(api, table_name)
    with pytest.raises(TargetMissing, match=table_name):
        await sink.identity()
    await tables.create_table(api, table_name, KEYS)
    first = await sink.identity()
    assert first == await sink.identity()
    dynamodb.delete_table(TableName=table_name)
    await tables.create_table(api, table_name, KEYS)
    assert first != await sink.identity()


async def test_a_table_that_is_still_being_deleted_is_waited_for(
    start_server: Servers, clients: Clients, table_name: str
) -> None:
    slow = start_server("dynalite", deleteTableMs=1500)
    dynamodb = clients.boto("dynamodb", slow)
    credentials = StaticCredentials(access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    async with dynamodb_api(slow.url, credentials=credentials) as api:
        first = await tables.create_table(api, table_name, KEYS)
        dynamodb.delete_table(TableName=table_name)
        with pytest.raises(TargetMissing, match="is being deleted"):
            await tables.describe(api, table_name)
        second = await tables.create_table(api, table_name, KEYS)
    assert ("ACTIVE", True) == (second.status, first.identity != second.identity)


async def test_a_table_is_made_once_with_its_key_on_demand_and_active(
    api: DynamoDBApi, dynamodb: DynamoDBClient, table_name: str
) -> None:
    made = await tables.create_table(api, table_name, KEYS)
    assert (made.keys, made.status) == (KEYS, "ACTIVE")
    assert made == await tables.create_table(api, table_name, KEYS)
    assert await tables.describe_keys(api, table_name) == KEYS
    found = dynamodb.describe_table(TableName=table_name)["Table"]
    assert found["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


async def test_a_table_with_another_key_is_not_taken_for_ours(api: DynamoDBApi, table: str) -> None:
    with pytest.raises(PermanentFailure, match="exists with the key id:S, not id:S,at:N"):
        await tables.create_table(api, table, KEYS)


async def test_more_than_a_hundred_items_are_read_back_and_missing_ones_left_out(
    api: DynamoDBApi, table: str
) -> None:
    sink = DynamoDBSink(api, table)
    for start in range(0, 150, 25):
        await sink.write(batch_of(lines(150)[start : start + 25]))
    found = await tables.get_items(api, table, [{"id": {"S": str(number)}} for number in range(160)])
    assert {str(number) for number in range(150)} == {item["id"]["S"] for item in found}


def test_keys_are_equal_however_a_server_spells_them() -> None:
    keys = KeySchema(parts=(("n", "N"), ("b", "B")))
    one = {"n": {"N": "1.0"}, "b": {"B": "AA=="}}
    assert canonical_key(one, keys) == canonical_key({"n": {"N": "1"}, "b": {"B": "AA"}}, keys)
    assert canonical_key(one, keys) != canonical_key({"n": {"N": "1"}, "b": {"B": "AQ=="}}, keys)
    assert canonical_key({"n": {"N": "x"}}, keys) == canonical_key({"n": {"N": "x"}}, keys)
