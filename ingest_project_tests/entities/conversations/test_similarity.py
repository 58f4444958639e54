"""The search finds whom an exact comparison finds, looks at few, and asks by Query alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest

from ingest_project.core.access_patterns import Lookup, Plain, Query, Typed
from ingest_project.core.caching import MemoryCache
from ingest_project.core.codecs import CODECS, Codec
from ingest_project.core.model import Batch
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.keys import chunk_of, user_chunk
from ingest_project.entities.conversations.queries import SIMILAR_IN_CHUNK
from ingest_project.entities.conversations.similarity import (
    Answer,
    SearchSettings,
    Similarity,
    vector_of,
)
from ingest_project.entities.conversations.sketch_shelf import Shelf
from ingest_project.entities.conversations.vectors_in_table import VectorsInTable
from ingest_project.formats.vectors import BrokenVector, Matrix
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.table_reading import Found, TableReader
from ingest_project_tests.sinks.sending import CREDENTIALS, dynamodb_api

DIMENSIONS = 64
SIMILARITY = Similarity(dimensions=DIMENSIONS, model="m-1")


def clustered(count: int, seed: int = 1) -> Matrix:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((max(count // 40, 1), DIMENSIONS), dtype=np.float32)
    rows = centres[rng.integers(0, len(centres), count)]
    rows = rows + np.float32(0.4) * rng.standard_normal((count, DIMENSIONS), dtype=np.float32)
    found: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


def items_of(similarity: Similarity, vectors: Matrix, user: str = "ana") -> list[dict[str, Any]]:
    return [
        {
            "user_chunk": {"S": user_chunk(user, chunk_of(user, f"{number:05d}"))},
            "embedding_id": {"S": f"{number:05d}"},
            "user_id": {"S": user},
            "text_preview": {"S": f"text {number}"},
            **attributes,
        }
        for number, attributes in enumerate(similarity.attributes(vectors))
    ]


class MemoryReader:
    """The embeddings of a test, asked as a table would be."""

    def __init__(self, items: Sequence[Mapping[str, Any]]) -> None:
        self.items = {(one["user_chunk"]["S"], one["embedding_id"]["S"]): dict(one) for one in items}
        self.chunks: dict[str, list[Mapping[str, Any]]] = {}
        for item in items:
            self.chunks.setdefault(item["user_chunk"]["S"], []).append(item)
        self.queries = 0

    async def query(
        self, pattern: Query, partition: Plain, sort: Sequence[Plain] = (), *, limit: int | None = None
    ) -> Found:
        self.queries += 1
        low, high = map(str, sort)
        found = [
            {name: item[name] for name in pattern.projection if name in item}
            for item in self.chunks.get(str(partition), ())
            if low <= item[pattern.sort]["S"] <= high
        ]
        more = limit is not None and len(found) > limit
        return Found(items=found[:limit], following={"more": {"S": "x"}} if more else None)

    async def lookup(self, pattern: Lookup, keys: Sequence[Typed]) -> list[dict[str, Any]]:
        wanted = [(key["user_chunk"]["S"], key["embedding_id"]["S"]) for key in keys]
        return [self.items[key] for key in wanted if key in self.items]


def nearest(vectors: Matrix, query: Matrix, count: int) -> list[str]:
    return [f"{number:05d}" for number in np.argsort(-(vectors @ query), kind="stable")[:count].tolist()]


def store_of(reader: Any, similarity: Similarity = SIMILARITY) -> VectorsInTable:
    """With a cache and a shelf on which nothing stands yet."""
    return VectorsInTable(
        reader=reader, similarity=similarity, cache=MemoryCache(clock=float), shelf=Shelf(clock=float)
    )


async def search(
    similarity: Similarity,
    reader: Any,
    query: Matrix | Sequence[float],
    count: int = 2,
    threshold: float = 0.65,
) -> Answer:
    return await store_of(reader, similarity).search("ana", query, count=count, threshold=threshold)


async def found_by(similarity: Similarity, reader: Any, query: Matrix, count: int = 10) -> list[str]:
    answer = await search(similarity, reader, query, count, -1)
    return [one.item["embedding_id"]["S"] for one in answer.neighbours]


@pytest.mark.parametrize("codec", CODECS)
async def test_a_small_user_is_read_whole_by_one_query_a_chunk(codec: Codec) -> None:
    vectors, (query,) = clustered(300), clustered(1, seed=2)
    similarity = replace(SIMILARITY, settings=SearchSettings(codec=codec, least=300))
    reader = MemoryReader(items_of(similarity, vectors))
    found = await found_by(similarity, reader, query)
    assert nearest(vectors, query, 10) == found or codec == "int8"
    assert len({*nearest(vectors, query, 10)} & {*found}) >= 9
    assert 10 == reader.queries


async def test_a_large_user_is_searched_by_ranges_and_few_are_looked_at() -> None:
    vectors = clustered(3_000)
    similarity = replace(SIMILARITY, settings=SearchSettings(small=100))
    reader = MemoryReader(items_of(similarity, vectors))
    queries = vectors[::500] + np.float32(0.02)
    hits, looked_at = 0, 0
    for query in queries:
        answer = await search(similarity, reader, query, count=10, threshold=-1)
        hits += len(
            {one.item["embedding_id"]["S"] for one in answer.neighbours} & {*nearest(vectors, query, 10)}
        )
        looked_at += answer.looked_at
        assert 100 == answer.fetched
    assert hits >= 0.95 * 10 * len(queries)
    assert looked_at < 0.4 * len(vectors) * len(queries)


async def test_nobody_below_the_threshold_nor_of_another_model_is_an_answer() -> None:
    vectors = clustered(40)
    items = items_of(SIMILARITY, vectors)
    for number in range(0, 40, 2):
        items[number]["model"] = {"S": "m-2"}
    answer = await search(SIMILARITY, MemoryReader(items), vectors[0], count=40, threshold=0.3)
    near = [number for number in range(1, 40, 2) if float(vectors[number] @ vectors[0]) > 0.301]
    assert {f"{number:05d}" for number in near} <= {
        one.item["embedding_id"]["S"] for one in answer.neighbours
    }
    assert all(one.cosine >= 0.3 and one.item["model"]["S"] == "m-1" for one in answer.neighbours)
    assert [*answer.neighbours] == sorted(answer.neighbours, key=lambda one: -one.cosine)


async def test_broken_vectors_are_named_and_harm_no_other() -> None:
    vectors = clustered(30)
    items = items_of(SIMILARITY, vectors)
    items[3]["vector_compressed"] = {"B": "AAAA"}
    items[4]["vector_codec"] = {"S": "unknown"}
    del items[5]["vector_compressed"]
    del items[6]["sketch"]
    answer = await search(SIMILARITY, MemoryReader(items), vectors[0], count=30, threshold=-1)
    assert ["00003", "00004", "00005"] == sorted(answer.broken)
    assert 26 == len(answer.neighbours)


async def test_a_user_without_messages_has_no_neighbours() -> None:
    answer = await search(SIMILARITY, MemoryReader([]), clustered(1)[0])
    assert ([], 0, 0) == (answer.neighbours, answer.looked_at, answer.fetched)
    with pytest.raises(BrokenVector):
        await search(SIMILARITY, MemoryReader([]), [1.0, 2.0])


def test_an_item_without_a_codec_is_what_the_earlier_tool_wrote() -> None:
    similarity = replace(SIMILARITY, settings=SearchSettings(codec="zlib-float32"))
    (vector,) = clustered(1)
    (item,) = items_of(similarity, vector[None])
    del item["vector_codec"]
    assert vector.tolist() == vector_of(item).tolist()


async def test_on_a_server_both_ways_find_the_same(
    api: DynamoDBApi, tables: Mapping[str, TableDefinition], dynamodb_endpoint: str
) -> None:
    vectors, table = clustered(120), tables["embeddings"]
    bodies = [json.dumps({"Item": item}).encode() for item in items_of(SIMILARITY, vectors)]
    async with DynamoDBSink(dynamodb_api(dynamodb_endpoint, credentials=CREDENTIALS), table.name) as sink:
        for at in range(0, 120, 20):
            some = bodies[at : at + 20]
            report = await sink.write(Batch(bodies=some, ordinals=range(20), size=sum(map(len, some))))
            assert 20 == report.written
    reader = TableReader(api, tables, rng=Random(1))
    whole = await found_by(SIMILARITY, reader, vectors[7])
    assert "00007" == whole[0]
    assert 10 == reader.consumption.of(SIMILAR_IN_CHUNK[0].name).requests
    ranged = replace(SIMILARITY, settings=SearchSettings(small=2, depth=2, probes=8))
    assert whole == await found_by(ranged, reader, vectors[7])
    assert reader.consumption.of(SIMILAR_IN_CHUNK[1].name).requests > 0
    assert reader.consumption.units > 0
