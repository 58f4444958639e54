"""``python -m benchmarks.similarity_by_size``: whom a search finds and what it reads, by messages of a user.

Two neighbours are wanted at the threshold, by the engine's own settings, over a table in memory: the first
question of a user, which reads sketches, and further ones.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.similarity_recall import (
    DIMENSIONS,
    USER,
    MemoryTable,
    World,
    grown,
    sentences,
    store_of,
)
from ingest_project.entities.conversations.context import SEARCH, SIMILAR, THRESHOLD
from ingest_project.entities.conversations.similarity import SearchSettings, Similarity
from ingest_project.entities.conversations.vectors_in_table import VectorsInTable

SIZES = (100, 400, 4_000, 10_000, 20_000, 100_000)


async def ask(world: World, store: VectorsInTable, table: MemoryTable) -> str:
    """Every question of the world; what came of it."""
    hits, wanted, fetched = 0, 0, 0
    await store.search(USER, world.queries[0], count=SIMILAR, threshold=THRESHOLD)
    first = f"first question {table.requests:4,} requests, {table.units:6,.1f} units"
    table.requests, table.units = 0, 0.0
    for query in world.queries:
        cosines = world.vectors @ query
        best = [at for at in np.argsort(-cosines)[:SIMILAR].tolist() if cosines[at] >= THRESHOLD]
        answer = await store.search(USER, query, count=SIMILAR, threshold=THRESHOLD)
        hits += len({one.item["number"] for one in answer.neighbours} & {*best})
        wanted, fetched = wanted + len(best), fetched + answer.fetched
    count = len(world.queries)
    return (
        f"{len(world.vectors):7,} vectors: found {hits / max(1, wanted):.3f} of {wanted / count:.2f}; "
        f"{first}; further {table.requests / count:4,.0f} requests, {table.units / count:6,.1f} units, "
        f"{fetched / count:.1f} vectors"
    )


def measure(world: World, sizes: Sequence[int], settings: SearchSettings) -> None:
    for size in sizes:
        rows = replace(world, vectors=world.vectors[:size])
        similarity = Similarity(dimensions=DIMENSIONS, model="bench", settings=settings)
        table = MemoryTable(similarity, rows.vectors)
        print(asyncio.run(ask(rows, store_of(table, similarity), table)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--most", type=int, default=max(SIZES), help="no larger users than this")
    parser.add_argument("--small", type=int, default=SEARCH.small, help="SearchSettings.small")
    given = parser.parse_args()
    base, sizes = sentences(7), [size for size in SIZES if size <= given.most]
    world = World(name="sentences", vectors=grown(base, max(sizes), 2), queries=grown(base, given.queries, 3))
    measure(world, sizes, replace(SEARCH, small=given.small))


if __name__ == "__main__":
    main()
