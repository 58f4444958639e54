"""A small memory over real tables, as tests of the context want it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from ingest_project.core.caching import CacheSettings, MemoryCache
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.context import SEARCH, ContextEngine
from ingest_project.entities.conversations.metering import Meter
from ingest_project.entities.conversations.remembering import Memory, Message
from ingest_project.entities.conversations.similarity import Similarity
from ingest_project.entities.conversations.sketch_shelf import Shelf
from ingest_project.entities.conversations.vectors_in_table import VectorsInTable
from ingest_project.resources.encoders.hashing import HashingEncoder
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.table_reading import TableReader
from ingest_project.sinks.table_writing import TableWriter

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@dataclass(slots=True)
class Clock:
    """Stands still until it is moved; both clocks of an engine."""

    now: float = field(default_factory=NOW.timestamp)

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class World:
    """One process's memory: what it reads with, writes with, keeps and counts."""

    clock: Clock
    engine: ContextEngine
    memory: Memory
    cache: MemoryCache
    meter: Meter


def world(
    api: DynamoDBApi, tables: Mapping[str, TableDefinition], settings: CacheSettings | None = None
) -> World:
    clock, encoder = Clock(), HashingEncoder()
    cache = MemoryCache(clock=clock, settings=settings or CacheSettings(settle=0))
    meter = Meter(clock=clock, cache=cache.counts)
    reader = TableReader(api, tables, rng=Random(1), consumption=meter.reads)
    writer = TableWriter(api, tables, rng=Random(2), consumption=meter.writes)
    similarity = Similarity(dimensions=encoder.dimensions, model=encoder.name, settings=SEARCH)
    vectors = VectorsInTable(reader=reader, similarity=similarity, cache=cache, shelf=Shelf(clock=clock))
    engine = ContextEngine(
        reader=reader,
        encoder=encoder,
        vectors=vectors,
        cache=cache,
        meter=meter,
        wall=clock,
        clock=clock,
        threshold=0.5,
    )
    memory = Memory(
        writer=writer, encoder=encoder, similarity=similarity, vectors=vectors, cache=cache, wall=clock
    )
    return World(clock, engine, memory, cache, meter)


def message(
    text: str, moment: datetime = NOW, *, user: str = "ana", session: str = "s-1", **other: object
) -> Message:
    role = str(other.pop("role", "user"))
    return Message(user_id=user, session_id=session, role=role, content=text, moment=moment, **other)
