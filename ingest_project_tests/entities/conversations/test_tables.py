"""The tables stand as defined on every DynamoDB, each read is taken there, and messages can be put."""

from __future__ import annotations

from collections.abc import Mapping

from ingest_project.core.access_patterns import Lookup, Query, Scan, typed
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.queries import CONTEXT, IN_BULK, MEASURED, OLD_RECENT, SCAN_OLD
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.table_definitions import check_table
from ingest_project.testing.conversation_messages import Messages, write_messages
from ingest_project_tests.sinks.sending import CREDENTIALS, dynamodb_api


async def test_every_table_is_ready_and_takes_every_read(
    api: DynamoDBApi, tables: Mapping[str, TableDefinition]
) -> None:
    for definition in tables.values():
        state = await check_table(api, definition)
        assert state is not None
        assert (state.ready, state.items) == (True, 0)
    for pattern in (*CONTEXT, *IN_BULK, *MEASURED):
        table = tables[pattern.table]
        if isinstance(pattern, Query):
            sort = ("a", "b") if pattern.comparison == "between" else ("a",)
            values = sort if pattern.sort else ()
            filters = dict.fromkeys(pattern.filters, "x")
            answer = await api.call("Query", pattern.request(table, "nobody", values, filters))
            assert [] == answer["Items"]
        elif isinstance(pattern, Scan):
            answer = await api.call("Scan", pattern.request(table, segment=1, segments=3))
            assert [] == answer["Items"]
        elif isinstance(pattern, Lookup):
            key = {name: typed(table, name, "x") for name, _ in table.keys.parts}
            answer = await api.call("BatchGetItem", pattern.request(table, [key]))
            assert [] == answer["Responses"].get(table.name, [])


async def test_generated_messages_stand_in_the_old_table_as_they_were_made(
    api: DynamoDBApi, tables: Mapping[str, TableDefinition], dynamodb_endpoint: str
) -> None:
    messages, old = Messages(count=600, users=3), tables["old"]
    async with DynamoDBSink(dynamodb_api(dynamodb_endpoint, credentials=CREDENTIALS), old.name) as sink:
        assert 600 == await write_messages(messages, sink)
    found = [
        item
        for segment in range(2)
        for item in (await api.call("Scan", SCAN_OLD.request(old, segment=segment, segments=2)))["Items"]
    ]
    assert {str(row["sort_key"]): row["content"] for row in messages.rows()} == {
        item["sort_key"]["S"]: item["content"]["S"] for item in found
    }
    answer = await api.call("Query", OLD_RECENT.request(old, "user-0001", limit=5))
    keys = [item["sort_key"]["S"] for item in answer["Items"]]
    mine = sorted(
        (str(row["sort_key"]) for row in messages.rows() if row["user_id"] == "user-0001"), reverse=True
    )
    assert mine[:5] == keys
    assert answer["ConsumedCapacity"]["CapacityUnits"] > 0
