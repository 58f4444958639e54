"""Superseding: the merge names exactly the records that a dictionary, filled in order, would overwrite."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from hashlib import blake2b
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.model import Chunk, FileRange, KeySchema, PartInfo
from ingest_project.core.replaying import replay_chunk
from ingest_project.core.superseding import AT_ONCE, superseded
from ingest_project.testing.doubles_parts import InMemoryPartStore
from ingest_project.testing.laws_parts import packed

PART = 4
KEYS = KeySchema(parts=(("id", "S"),))


def chunk_of(date: str, name: str, start: int, *, target: str = "messages") -> Chunk:
    span = FileRange(uri=f"file:///{name}", etag="e", start=start, end=start + 1)
    return Chunk(
        entity="messages",
        date=date,
        slot=0,
        target=target,
        keys=KEYS,
        range=span,
        shape="lines",
        compression="",
        records=0,
    )


def publish(store: InMemoryPartStore, chunk: Chunk, keys: Sequence[str]) -> None:
    hashes = [blake2b(key.encode(), digest_size=16).digest() for key in keys]
    infos = []
    for number, first in enumerate(range(0, len(keys), PART)):
        part = hashes[first : first + PART]
        infos.append(PartInfo(number=number, first=first, records=len(part), bytes=0))
        store.write(chunk, infos[-1], packed(store, [b""] * len(part)), part, [0] * len(part))
    store.publish(chunk, infos)


CHUNKS = [
    chunk_of(date, name, start) for date in ("2026-01-01", "2026-01-02") for name in "ab" for start in (0, 7)
]
WORLDS = st.fixed_dictionaries(
    {chunk: st.lists(st.sampled_from("abcdefgh"), max_size=14) for chunk in CHUNKS},
)


def losers_of_a_dictionary(world: dict[Chunk, list[str]], by_date: bool) -> dict[str, list[int]]:
    last: dict[tuple[str, str], tuple[str, int]] = {}
    records = []
    for chunk in sorted(world, key=lambda chunk: chunk.order):
        for ordinal, key in enumerate(world[chunk]):
            place = (chunk.date if by_date else "", key)
            last[place] = (chunk.id, ordinal)
            records.append((place, (chunk.id, ordinal)))
    lost: dict[str, list[int]] = {chunk.id: [] for chunk in world}
    for place, (name, ordinal) in records:
        if last[place] != (name, ordinal):
            lost[name].append(ordinal)
    return lost


@given(
    world=WORLDS,
    wanted=st.sets(st.sampled_from(CHUNKS)),
    by_date=st.booleans(),
    at_once=st.sampled_from([1, 2, 7, AT_ONCE]),
)
def test_the_losers_are_those_that_a_dictionary_would_overwrite(
    world: dict[Chunk, list[str]], wanted: set[Chunk], by_date: bool, at_once: int
) -> None:
    store = InMemoryPartStore()
    for chunk, keys in world.items():
        publish(store, chunk, keys)
    expected = losers_of_a_dictionary(world, by_date)
    found = superseded(list(wanted), CHUNKS, store, within_dates=by_date, at_once=at_once)
    assert {chunk.id: array("Q", expected[chunk.id]) for chunk in wanted} == found


@pytest.mark.parametrize("at_once", [10, 300, AT_ONCE])
def test_a_flood_of_one_key_among_many_others_has_one_winner(at_once: int) -> None:
    chance, store = Random(3), InMemoryPartStore()
    chunks = [chunk_of("2026-01-01", name, 0) for name in "abc"]
    world = {chunk: [f"k{min(chance.randrange(900), 600)}" for _ in range(700)] for chunk in chunks}
    for chunk, keys in world.items():
        publish(store, chunk, keys)
    expected = losers_of_a_dictionary(world, True)
    found = superseded(chunks, chunks, store, at_once=at_once)
    assert {chunk.id: array("Q", expected[chunk.id]) for chunk in chunks} == found


def test_another_target_or_entity_does_not_compete() -> None:
    store = InMemoryPartStore()
    ours, theirs = chunk_of("2026-01-01", "a", 0), chunk_of("2026-01-02", "a", 0, target="other")
    for chunk in (ours, theirs):
        publish(store, chunk, ["same"])
    assert superseded([ours], [ours, theirs], store) == {ours.id: array("Q")}


def test_chunks_before_the_earliest_wanted_one_are_not_read() -> None:
    store = InMemoryPartStore()
    early, late = chunk_of("2026-01-01", "a", 0), chunk_of("2026-01-02", "a", 0)
    publish(store, late, ["x", "x"])
    assert superseded([late], [early, late], store) == {late.id: array("Q", [0])}


def test_losers_keep_eight_bytes_each_and_large_ordinals() -> None:
    store = InMemoryPartStore()
    chunk = chunk_of("2026-01-01", "a", 0)
    first = 2**40
    info = PartInfo(number=0, first=first, records=2, bytes=0)
    store.write(chunk, info, packed(store, [b"", b""]), [b"k" * 16] * 2, [0, 0])
    store.publish(chunk, [info])
    found = superseded([chunk], [], store)[chunk.id]
    assert (array("Q", [first]), 8) == (found, found.itemsize)


def test_one_duplicate_key_among_25_costs_one_record_and_no_other() -> None:
    store = InMemoryPartStore()
    chunk = chunk_of("2026-01-01", "a", 0)
    publish(store, chunk, [*(f"k{number}" for number in range(24)), "k7"])
    assert superseded([chunk], [chunk], store) == {chunk.id: array("Q", [7])}


class World:
    """A chunk of a file and replays of records of it, by byte and key."""

    def __init__(self) -> None:
        self.store = InMemoryPartStore()
        self.origin = chunk_of("2026-01-01", "a", 0)

    def holds(self, chunk: Chunk, records: Sequence[tuple[int, str]]) -> Chunk:
        hashes = [blake2b(key.encode(), digest_size=16).digest() for _, key in records]
        info = PartInfo(number=0, first=0, records=len(records), bytes=0)
        lines = packed(self.store, [b""] * len(records))
        self.store.write(chunk, info, lines, hashes, [offset for offset, _ in records])
        self.store.publish(chunk, [info])
        return chunk

    def losers(self, *chunks: Chunk) -> list[list[int]]:
        found = superseded(chunks, chunks, self.store)
        return [list(found[chunk.id]) for chunk in chunks]


def test_a_replayed_record_stands_at_its_own_byte_between_its_neighbours() -> None:
    world = World()
    origin = world.holds(world.origin, [(0, "a"), (10, "b"), (30, "a"), (40, "c")])
    replay = world.holds(replay_chunk(origin, 1, "source", 3), [(5, "a"), (20, "b"), (50, "c")])
    assert [[0, 1, 3], [0]] == world.losers(origin, replay)


def test_at_one_byte_the_later_replay_wins_over_the_earlier_and_over_the_file() -> None:
    world = World()
    origin = world.holds(world.origin, [(10, "a")])
    first = world.holds(replay_chunk(origin, 9, "line", 1), [(10, "a")])
    second = world.holds(replay_chunk(first, 10, "line", 1), [(10, "a")])
    assert [[0], [0], []] == world.losers(origin, first, second)


def test_a_replayed_record_loses_to_a_later_chunk_and_beats_an_earlier_one() -> None:
    world = World()
    before = world.holds(chunk_of("2026-01-01", "0", 0), [(90, "a")])
    origin = world.holds(world.origin, [(0, "z")])
    replay = world.holds(replay_chunk(origin, 1, "source", 2), [(5, "a"), (6, "b")])
    behind = world.holds(chunk_of("2026-01-01", "a", 7), [(7, "b")])
    assert [[0], [], [1], []] == world.losers(before, origin, replay, behind)
