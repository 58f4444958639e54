"""What is remembered stands in both tables as the migration would have written it, once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from random import Random

import pytest

from ingest_project.core.errors import TransientFailure
from ingest_project.core.retrying import RetryPolicy
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.queries import SCAN_EMBEDDINGS, SCAN_HISTORY
from ingest_project.entities.conversations.tables import tables_of
from ingest_project.formats.json_tree import Refused
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.table_reading import Item, TableReader
from ingest_project.sinks.table_writing import TableWriter
from ingest_project.testing import fault_scripts as scripts
from ingest_project.testing.fault_server import FaultServer
from ingest_project_tests.entities.conversations.remembered import NOW, message, world
from ingest_project_tests.sinks.sending import dynamodb_api


async def stored(api: DynamoDBApi, tables: Mapping[str, TableDefinition]) -> list[list[Item]]:
    reader = TableReader(api, tables, rng=Random(1))
    pages = [
        await reader.page(pattern, segment=0, segments=1, start=None)
        for pattern in (SCAN_HISTORY, SCAN_EMBEDDINGS)
    ]
    return [list(page.items) for page in pages]


async def test_both_items_stand_and_point_to_each_other(
    api: DynamoDBApi, tables: Mapping[str, TableDefinition]
) -> None:
    made = world(api, tables)
    moment = datetime(2026, 11, 1, 5, 30, tzinfo=timezone(timedelta(hours=-8)))
    done = await made.memory.remember(message("x" * 300, moment, tokens=7, metadata={"client": "web"}))
    ((history,), (embedding,)) = await stored(api, tables)
    assert {"S": "ana#2026-11-01"} == history["user_date"] == embedding["user_date"]
    assert history["timestamp_type"]["S"].startswith("2026-11-01T13:30:00.000000Z#user#")
    assert history["timestamp_type"] == embedding["timestamp_type"]
    assert history["message_id"]["S"] == embedding["embedding_id"]["S"] == done.message_id
    assert (200, 100) == (len(history["content_summary"]["S"]), len(embedding["text_preview"]["S"]))
    assert ({"N": "7"}, {"M": {"client": {"S": "web"}}}) == (history["tokens"], history["metadata"])
    ends = moment + timedelta(days=30)
    assert {"N": str(int(ends.timestamp()))} == history["ttl"] == embedding["ttl"]
    assert "vector_compressed" in embedding
    assert done.forgotten


async def test_the_same_message_twice_is_one_and_two_of_one_instant_are_two(
    api: DynamoDBApi, tables: Mapping[str, TableDefinition]
) -> None:
    made = world(api, tables)
    for text in ("hello", "hello", "hello again"):
        await made.memory.remember(message(text))
    assert [2, 2] == [len(items) for items in await stored(api, tables)]


async def test_what_is_no_message_is_refused_by_name() -> None:
    async with dynamodb_api("http://127.0.0.1:1") as api:
        made = world(api, {})
        for wrong in (message("x", role="nobody"), message("x", user=""), message("x", session="")):
            with pytest.raises(Refused):
                await made.memory.remember(wrong)
    with pytest.raises(ValueError, match="zone"):
        message("x", NOW.replace(tzinfo=None))


async def test_a_write_that_fails_ends_what_was_kept_all_the_same() -> None:
    away = scripts.between(0, None, scripts.error("InternalServerError", status=500))
    async with FaultServer(null=True, script=away) as server, dynamodb_api(server.url) as api:
        made, tables = world(api, tables_of()), tables_of()
        made.memory.writer = TableWriter(api, tables, rng=Random(1), retry=RetryPolicy(base=0, attempts=3))
        await made.cache.keep("ana", (await made.cache.find("ana", [])).stamp, {"a": b"1"})
        with pytest.raises(TransientFailure):
            await made.memory.remember(message("x"))
        assert 0 == len(made.cache)
