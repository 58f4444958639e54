"""Ranks: a line beside its own key's rank, losers left out, and a part that lies about itself refused."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import pytest

from ingest_project.core.errors import CountLost
from ingest_project.core.model import Chunk, PartInfo
from ingest_project.core.ranking import RANKS, ranked
from ingest_project.testing.doubles_parts import InMemoryPartStore
from ingest_project.testing.laws_parts import packed
from ingest_project.testing.samples import key_hash, sample_chunk


def stored(*sizes: int) -> tuple[InMemoryPartStore, Chunk]:
    """A chunk in parts of these sizes; record n is the line ``n`` with the key n."""
    store, chunk, first = InMemoryPartStore(), sample_chunk(records=sum(sizes)), 0
    infos = []
    for number, size in enumerate(sizes):
        names = range(first, first + size)
        infos.append(PartInfo(number=number, first=first, records=size, bytes=size))
        lines, hashes = [str(name).encode() for name in names], [key_hash(name) for name in names]
        store.write(chunk, infos[-1], packed(store, lines), hashes, list(names))
        first += size
    store.publish(chunk, infos)
    return store, chunk


def pairs(store: InMemoryPartStore, chunk: Chunk, losers: Sequence[int] = ()) -> list[tuple[int, bytes]]:
    blocks = ranked(store, chunk, array("Q", losers))
    return [pair for block in blocks for pair in zip(*block, strict=True)]


def rank(name: int) -> int:
    return int.from_bytes(key_hash(name)[8:], "big")


def test_each_line_stands_beside_the_rank_of_its_own_key() -> None:
    store, chunk = stored(5, 1, 7)
    assert [(rank(name), str(name).encode()) for name in range(13)] == pairs(store, chunk)
    assert all(number < RANKS for number, _ in pairs(store, chunk))


def test_losers_are_left_out_at_the_borders_of_parts_and_blocks_as_well() -> None:
    store, chunk = stored(5, 1, 7)
    losers = [0, 4, 5, 8, 12]
    kept = [name for name in range(13) if name not in losers]
    assert [(rank(name), str(name).encode()) for name in kept] == pairs(store, chunk, losers)
    assert [] == pairs(store, chunk, range(13))


@pytest.mark.parametrize("records", [3, 5])
def test_a_part_that_holds_another_number_of_lines_is_refused(records: int) -> None:
    store, chunk = stored(4)
    lie = PartInfo(number=0, first=0, records=records, bytes=4)
    store.publish(chunk, [lie])
    with pytest.raises(CountLost, match="part 0"):
        pairs(store, chunk)
