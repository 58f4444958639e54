"""Ranks: records of validated chunks beside a number made of their key's hash, losers left out.

Whoever sorts by it has a shuffled table. Reads through PartStore; stores nothing.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from struct import iter_unpack

from ingest_project.core.errors import CountLost
from ingest_project.core.model import Chunk, PartInfo
from ingest_project.core.ports import PartStore

RANKS = 2**64
"""Ranks are below this."""

Ranked = tuple[Sequence[int], Sequence[bytes]]
"""Ranks and part lines, one each."""


def ranked(store: PartStore, chunk: Chunk, losers: array[int]) -> Iterator[Ranked]:
    """The chunk's part lines with their ranks, in blocks, in the order of the parts.

    A rank is the second half of the key's hash, so it says nothing of the first half and nothing of where a
    database puts the key; records of one partition key that differ in their sort key lie far apart.

    Memory: 8 bytes a record of one part, and a block of its lines.

    Args:
        losers: Ascending ordinals of records that are left out.

    Raises:
        CountLost: A part does not hold what its manifest says.
    """
    for info in store.parts(chunk):
        ranks = _ranks(store, chunk, info)
        doomed = _within(losers, info)
        at = 0
        for lines in store.lines(chunk, info):
            block = ranks[at : at + len(lines)]
            if len(block) != len(lines):
                raise CountLost(f"{chunk.id}: part {info.number} holds more than {info.records} lines")
            yield _spared(block, lines, doomed, info.first + at)
            at += len(lines)
        if at != info.records:
            raise CountLost(f"{chunk.id}: part {info.number} holds {at} lines, not {info.records}")


def _ranks(store: PartStore, chunk: Chunk, info: PartInfo) -> array[int]:
    ranks = array("Q", bytes(8 * info.records))
    seen, last = 0, info.first + info.records
    for run in store.key_entries(chunk, info):
        for rank, ordinal in iter_unpack(">8xQQ", run):
            if info.first <= ordinal < last:
                ranks[ordinal - info.first] = rank
                seen += 1
    if seen != info.records:
        raise CountLost(f"{chunk.id}: part {info.number} has {seen} key entries, not {info.records}")
    return ranks


def _within(losers: array[int], info: PartInfo) -> frozenset[int]:
    low, high = bisect_left(losers, info.first), bisect_left(losers, info.first + info.records)
    return frozenset(losers[low:high])


def _spared(ranks: Sequence[int], lines: Sequence[bytes], doomed: frozenset[int], first: int) -> Ranked:
    if not doomed:
        return ranks, lines
    kept = [at for at in range(len(lines)) if first + at not in doomed]
    return [ranks[at] for at in kept], [lines[at] for at in kept]
