"""A memory made of settings: what one process remembers, another's context has, with Redis between them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest_project.core.errors import RemoteWriteRefused
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.indexing import index_vectors
from ingest_project.entities.conversations.serving import chat_memory
from ingest_project.entities.conversations.tables import tables_of
from ingest_project.entities.conversations.vectors_in_opensearch import VectorsInOpenSearch
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.resources.deployments import Settings
from ingest_project.sinks.indexes import refresh_index
from ingest_project.sinks.table_definitions import ensure_table
from ingest_project.testing.running import RunningServer, Servers
from ingest_project_tests.entities.conversations.remembered import message


def settings_of(home: Path, endpoint: str, tables: Mapping[str, TableDefinition], **other: str) -> Settings:
    return Settings.from_env(
        {
            "INGEST_HOME": str(home),
            "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "INGEST_CONVERSATIONS_TABLES": ",".join(f"{word}={one.name}" for word, one in tables.items()),
            "INGEST_CONVERSATIONS_ENCODER": "hashing",
            "INGEST_CONVERSATIONS_SETTLE_SECONDS": "0.001",
            **other,
        }
    )


async def test_a_message_of_one_process_ends_what_another_has_kept_in_redis(
    dynamodb_endpoint: str, tables: Mapping[str, TableDefinition], redis: RunningServer, home: Path
) -> None:
    settings = settings_of(home, dynamodb_endpoint, tables, INGEST_CONVERSATIONS_CACHE_URL=redis.url)
    user = tables["history"].name
    async with chat_memory(settings, writable=True) as one, chat_memory(settings) as two:
        now = datetime.now(UTC)
        assert (await one.memory.remember(message("first", now, user=user))).forgotten
        while not (found := await two.engine.build_context("hello", user, "s-1")).cached:
            assert ["first"] == [said.text for said in found.session]
        assert (await one.engine.build_context("hello", user, "s-1")).cached
        await one.memory.remember(message("second", datetime.now(UTC), user=user))
        found = await two.engine.build_context("hello", user, "s-1")
        assert (False, ["second", "first"]) == (found.cached, [said.text for said in found.session])
        assert two.meter.cache.hits >= 2
        assert 0 == two.meter.cache.failed


async def test_to_write_elsewhere_needs_a_word_and_to_read_needs_none(home: Path) -> None:
    settings = settings_of(home, "https://dynamodb.example.org", {})
    with pytest.raises(RemoteWriteRefused, match="conversation-history-v2"):
        async with chat_memory(settings, writable=True):
            pass
    async with chat_memory(settings) as memory:
        assert 0 == memory.meter.builds.count


async def test_vectors_in_opensearch_are_searched_and_remembered_there(
    start_server: Servers, moto: RunningServer, table_name: str, home: Path
) -> None:
    node = start_server("opensearch_node", knn="true", heap="512m")
    tables = tables_of({word: f"{table_name}-{word}" for word in tables_of()})
    settings = settings_of(
        home,
        moto.url,
        tables,
        OPENSEARCH_URL=node.url,
        INGEST_CONVERSATIONS_VECTORS="opensearch",
        INGEST_CONVERSATIONS_INDEX=f"vectors-{uuid.uuid4().hex[:12]}",
    )
    about = "tomatoes in a pot on the balcony want a soil that is loose"
    async with chat_memory(settings, writable=True) as made:
        for definition in tables.values():
            await ensure_table(made.api, definition)
        store = made.engine.vectors
        assert isinstance(store, VectorsInOpenSearch)
        made.engine.threshold = 0.5
        long_ago = datetime.now(UTC) - timedelta(days=9)
        for text in (about, f"{about} and dry", "trains leave at noon"):
            await made.memory.remember(message(text, long_ago, session="s-9"))
        await refresh_index(store.api, store.index)
        found = await made.engine.build_context(about, "ana", "s-1")
        assert [about, f"{about} and dry"] == [one.text for one in found.similar]
        assert 0 == made.meter.reads.of("vectors of candidates").requests
        found = await made.engine.build_context(about, "ana", "s-9")
        assert [3, 0] == [len(found.session), len(found.similar)]
    done = await index_vectors(settings, "somebody")
    again = await index_vectors(settings, "somebody")
    assert (3, 0, 0) == (done.written, done.rejected, done.expired)
    assert done == again


async def test_an_index_elsewhere_needs_a_word_too(home: Path) -> None:
    settings = settings_of(
        home,
        "http://127.0.0.1:1",
        {},
        OPENSEARCH_URL="https://search.example.org",
        INGEST_CONVERSATIONS_VECTORS="opensearch",
    )
    with pytest.raises(RemoteWriteRefused, match="conversation-embeddings"):
        async with chat_memory(settings, writable=True):
            pass
