"""The chat memory of a deployment, ready to be asked: settings in, engine and writer out. Decides nothing."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from random import Random

from ingest_project.core.caching import AnswerCache, CacheCounts, MemoryCache
from ingest_project.core.encoding import Encoder
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.context import SEARCH, ContextEngine
from ingest_project.entities.conversations.metering import Meter
from ingest_project.entities.conversations.remembering import Memory
from ingest_project.entities.conversations.similarity import Similarity
from ingest_project.entities.conversations.sketch_shelf import Shelf
from ingest_project.entities.conversations.tables import NEW, tables_of
from ingest_project.entities.conversations.vectors_in_opensearch import VectorsInOpenSearch, standing_index
from ingest_project.entities.conversations.vectors_in_table import VectorsInTable, VectorStore
from ingest_project.resources.connect import dynamodb_api, opensearch_api
from ingest_project.resources.conversation_access import ConversationAccess
from ingest_project.resources.deployments import Settings
from ingest_project.resources.encoders.choosing import encoder_of
from ingest_project.resources.process import own_rss
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.table_reading import TableReader
from ingest_project.sinks.table_writing import TableWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMemory:
    """Everything of one process, over one pool of connections.

    Attributes:
        api: For what is neither a context nor a message.
    """

    engine: ContextEngine
    memory: Memory
    meter: Meter
    api: DynamoDBApi
    tables: Mapping[str, TableDefinition]
    read_budget: float


@asynccontextmanager
async def chat_memory(settings: Settings, *, writable: bool = False) -> AsyncIterator[ChatMemory]:
    """The memory of these settings while it is entered.

    Args:
        writable: Messages will be remembered.

    Raises:
        ConfigurationError: No such encoder; Redis is asked for and its client is not installed; OpenSearch is
            asked for and there is none, or none with k-NN.
        RemoteWriteRefused: Writable, and the tables are elsewhere and not allowed by name.
    """
    access = settings.conversations
    tables = tables_of(access.tables)
    if writable:
        for definition in NEW:
            settings.require_write("dynamodb", tables[definition.word].name)
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(dynamodb_api(settings))
        cache, counts = await _cache(access, stack)
        encoder, vectors = encoder_of(access.encoder), None
        if access.vectors == "opensearch":
            vectors = await stack.enter_async_context(indexed(settings, encoder, writable=writable))
        yield assembled(api, tables, access, encoder, cache, counts, vectors)


@asynccontextmanager
async def indexed(
    settings: Settings, encoder: Encoder, *, writable: bool
) -> AsyncIterator[VectorsInOpenSearch]:
    """The deployment's index of vectors.

    Args:
        writable: It is made unless it stands.

    Raises:
        ConfigurationError: There is no OpenSearch, or it has no k-NN.
        RemoteWriteRefused: Writable, and the index is elsewhere and not allowed by name.
    """
    index = settings.conversations.index
    if writable:
        settings.require_write("opensearch", index)
    async with opensearch_api(settings) as api:
        if writable:
            await standing_index(api, index, dimensions=encoder.dimensions)
        yield VectorsInOpenSearch(
            api=api, index=index, dimensions=encoder.dimensions, model=encoder.name, wall=time.time
        )


def assembled(
    api: DynamoDBApi,
    tables: Mapping[str, TableDefinition],
    access: ConversationAccess,
    encoder: Encoder,
    cache: AnswerCache,
    counts: CacheCounts,
    vectors: VectorStore | None = None,
) -> ChatMemory:
    """The parts put together; ``counts`` are the cache's. Without a store for vectors it is the table."""
    meter = Meter(clock=time.monotonic, resident=own_rss, cache=counts)
    reader = TableReader(api, tables, rng=Random(), consumption=meter.reads)
    writer = TableWriter(api, tables, rng=Random(), consumption=meter.writes)
    similarity = Similarity(
        dimensions=encoder.dimensions, model=encoder.name, settings=replace(SEARCH, codec=access.codec)
    )
    store = vectors or VectorsInTable(
        reader=reader,
        similarity=similarity,
        cache=cache,
        shelf=Shelf(clock=time.monotonic, ttl=access.cache.ttl),
    )
    engine = ContextEngine(
        reader=reader,
        encoder=encoder,
        vectors=store,
        cache=cache,
        meter=meter,
        wall=time.time,
        clock=time.monotonic,
    )
    memory = Memory(
        writer=writer,
        encoder=encoder,
        similarity=similarity,
        vectors=store,
        cache=cache,
        wall=time.time,
        keep=access.keep,
    )
    return ChatMemory(
        engine=engine,
        memory=memory,
        meter=meter,
        api=api,
        tables=tables,
        read_budget=access.read_budget,
    )


async def _cache(access: ConversationAccess, stack: AsyncExitStack) -> tuple[AnswerCache, CacheCounts]:
    if not access.cache_url:
        kept = MemoryCache(clock=time.monotonic, settings=access.cache)
        return kept, kept.counts
    from ingest_project.sinks.redis_cache import RedisCache

    shared = await stack.enter_async_context(RedisCache(access.cache_url, access.cache))
    return shared, shared.counts
