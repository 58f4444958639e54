"""A further question reads no sketches, misses nothing that was said since, and fetches no vector in vain."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass, field

import numpy as np
import pytest

from ingest_project.core.caching import CacheSettings, Forgotten, MemoryCache
from ingest_project.entities.conversations.similarity import SearchSettings, Similarity, differing_at
from ingest_project.entities.conversations.sketch_shelf import BLOCK_COST, SKETCH_COST, Shelf, Sketches
from ingest_project.entities.conversations.vectors_in_table import VectorsInTable
from ingest_project.formats.vectors import Matrix
from ingest_project_tests.entities.conversations.test_similarity import (
    DIMENSIONS,
    SIMILARITY,
    MemoryReader,
    clustered,
    items_of,
)

VECTORS = clustered(400)[:40]


@dataclass(slots=True)
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class World:
    """Forty messages of ana; who writes may be this process, or another one over the same cache."""

    similarity: Similarity = SIMILARITY
    clock: Clock = field(default_factory=Clock)
    reader: MemoryReader = field(init=False)
    cache: MemoryCache = field(init=False)
    shelf: Shelf = field(init=False)
    store: VectorsInTable = field(init=False)

    def __post_init__(self) -> None:
        self.reader = MemoryReader(items_of(self.similarity, VECTORS[:39]))
        self.cache = MemoryCache(clock=self.clock, settings=CacheSettings(settle=2))
        self.shelf = Shelf(clock=self.clock)
        self.store = VectorsInTable(
            reader=self.reader, similarity=self.similarity, cache=self.cache, shelf=self.shelf
        )

    async def nearest(self, vector: Matrix) -> str:
        answer = await self.store.search("ana", vector, count=1, threshold=0.5)
        return "".join(str(one.item["embedding_id"]["S"]) for one in answer.neighbours)

    async def write(self, *, ours: bool) -> None:
        """The last of the vectors."""
        item = items_of(self.similarity, VECTORS)[39]
        self.reader.items[item["user_chunk"]["S"], item["embedding_id"]["S"]] = item
        self.reader.chunks.setdefault(item["user_chunk"]["S"], []).append(item)
        if ours:
            await self.store.put([item])
        forgotten = await self.cache.forget("ana")
        if ours:
            self.store.follow("ana", forgotten)


async def test_a_further_question_reads_no_sketches_for_its_time() -> None:
    made = World()
    for expected, seconds in ((10, 0), (10, 299), (20, 1)):
        made.clock.now += seconds
        assert "00007" == await made.nearest(VECTORS[7])
        assert expected == made.reader.queries


async def test_what_this_process_writes_is_found_without_reading_even_at_once() -> None:
    made = World()
    await made.nearest(VECTORS[7])
    await made.write(ours=True)
    assert "00039" == await made.nearest(VECTORS[39])
    assert 10 == made.reader.queries


async def test_behind_a_strangers_write_all_is_read_anew_and_kept_when_the_indexes_have_settled() -> None:
    made = World()
    await made.nearest(VECTORS[7])
    await made.write(ours=False)
    for expected, seconds in ((20, 0), (30, 2), (30, 1)):
        made.clock.now += seconds
        assert "00039" == await made.nearest(VECTORS[39])
        assert expected == made.reader.queries


async def test_an_own_write_behind_one_of_a_stranger_hides_nothing() -> None:
    made = World()
    await made.nearest(VECTORS[7])
    await made.write(ours=False)
    forgotten = await made.cache.forget("ana")
    made.store.follow("ana", forgotten)
    assert "00039" == await made.nearest(VECTORS[39])
    assert 20 == made.reader.queries


async def test_that_a_user_is_large_is_known_the_next_time() -> None:
    few = SearchSettings(small=2, depth=2, probes=8)
    made = World(similarity=Similarity(dimensions=DIMENSIONS, model="m-1", settings=few))
    assert "00007" == await made.nearest(VECTORS[7])
    first = made.reader.queries
    assert "00007" == await made.nearest(VECTORS[7])
    assert 10 == 2 * first - made.reader.queries


async def test_a_cache_that_does_not_answer_costs_reading_and_nothing_is_kept() -> None:
    made = World()
    made.shelf.put("ana", "0", {})
    made.shelf.follow("ana", None)
    assert (0, 0) == (len(made.shelf), made.shelf.held)
    assert made.shelf.find("ana", None) is None


async def test_vectors_whose_sketches_are_too_far_for_the_threshold_are_not_fetched() -> None:
    made = World()
    everyone = await made.store.search("ana", VECTORS[7], count=39, threshold=-1)
    some = await made.store.search("ana", VECTORS[7], count=39, threshold=0.65)
    near = [one.item["embedding_id"] for one in everyone.neighbours if one.cosine >= 0.65]
    assert near == [one.item["embedding_id"] for one in some.neighbours]
    assert 39 == everyone.fetched > some.fetched >= len(near) > 1


@pytest.mark.parametrize(("threshold", "signs"), [(1.0, 0), (0.65, 140), (0.0, 231), (-1.0, 384), (9.0, 0)])
def test_signs_that_may_differ_follow_from_the_angle(threshold: float, signs: int) -> None:
    assert signs == differing_at(threshold)


def test_hardly_anybody_at_the_threshold_differs_in_more_signs() -> None:
    rng = np.random.default_rng(1)
    one, aside = rng.standard_normal((2, 400, 256), dtype=np.float32)
    one /= np.linalg.norm(one, axis=1, keepdims=True)
    aside -= np.einsum("ij,ij->i", aside, one)[:, None] * one
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    near = np.float32(0.65) * one + np.float32((1 - 0.65**2) ** 0.5) * aside
    similarity = Similarity(dimensions=256, model="m")
    rows = [
        np.stack([np.frombuffer(_sketch(item), dtype=np.uint8) for item in similarity.attributes(side)])
        for side in (one, near)
    ]
    differing = np.unpackbits(rows[0] ^ rows[1], axis=1).sum(axis=1)
    assert 0 == int((differing > differing_at(0.65)).sum())


def _sketch(item: dict[str, dict[str, str]]) -> bytes:
    return b64decode(item["sketch"]["B"])


def test_a_shelf_holds_its_bytes_at_most_and_the_least_used_go_first() -> None:
    shelf = Shelf(clock=float, room=3 * (BLOCK_COST + SKETCH_COST))
    one: Sketches = {("c", "1"): b"x"}
    for user in "abc":
        shelf.put(user, "0", dict(one))
    assert shelf.find("a", "0") is not None
    shelf.add("a", {("c", "2"): b"y"})
    assert [True, False, True] == [shelf.find(user, "0") is not None for user in "abc"]
    shelf.put("d", "0", {("c", str(number)): b"" for number in range(9)})
    assert 0 == len(shelf) == shelf.held
    shelf.put("a", "0", None)
    shelf.add("a", one)
    shelf.add("b", one)
    assert BLOCK_COST == shelf.held
    shelf.follow("a", Forgotten(before="0", after="1"))
    assert shelf.find("a", "1") is not None
    assert shelf.find("a", "0") is None
    assert 0 == shelf.held


async def test_who_is_known_already_makes_room_for_others_and_is_not_fetched() -> None:
    made = World()
    first = await made.store.search("ana", VECTORS[7], threshold=0.5)
    known = [str(one.item["embedding_id"]["S"]) for one in first.neighbours]

    async def told() -> list[str]:
        return known

    second = await made.store.search("ana", VECTORS[7], threshold=0.5, told=told)
    everyone = await made.store.search("ana", VECTORS[7], count=4, threshold=0.5)
    expected = [one.item["embedding_id"]["S"] for one in everyone.neighbours]
    assert expected == [*known, *(one.item["embedding_id"]["S"] for one in second.neighbours)]
