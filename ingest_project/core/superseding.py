"""Who loses (law 11): before anything is sent, names the records that a later one of their key replaces.

A streaming merge over sorted key entries. Reads nothing but PartStore.key_entries, sends nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from heapq import merge

from ingest_project.core.model import Chunk
from ingest_project.core.ports import PartStore

_HASH = 16
_RANK = 20
"""A merged entry is hash (16), rank of its chunk (4) and ordinal (8), all big-endian: bytes compare as they
must."""


def superseded(
    wanted: Sequence[Chunk],
    published: Sequence[Chunk],
    store: PartStore,
    *,
    within_dates: bool = False,
) -> Mapping[str, array[int]]:
    """For each wanted chunk the ascending ordinals of its records that lose to a record later in order.

    Memory: one buffer for each part of the chunks that compete, and 8 bytes for each loser of the wanted
    chunks (for one chunk at a time some 50, while they are sorted). Time: one pass over the key entries of
    the earliest wanted chunk and of everything later in order.

    Args:
        wanted: Chunks that are about to be loaded; their parts are published.
        published: All validated chunks that may hold the same keys; those of another entity or target are
            passed over, wanted ones need not be among them.
        store: Where the key entries lie.
        within_dates: Only records of one date compete (``across_dates="overwrite"``).

    Returns:
        Chunk id -> ordinals, an empty array for a chunk without losers.
    """
    losers = {chunk.id: array("Q") for chunk in wanted}
    for rivals in _leagues(wanted, published, within_dates):
        ranked = [losers.get(chunk.id) for chunk in rivals]
        _judge(_merged(rivals, store), ranked)
    return {name: array("Q", sorted(found)) for name, found in losers.items()}


def _leagues(
    wanted: Sequence[Chunk], published: Sequence[Chunk], within_dates: bool
) -> Iterator[Sequence[Chunk]]:
    """Chunks that compete with each other, in order, from the earliest wanted one on."""
    groups: dict[tuple[str, str, str], dict[str, Chunk]] = {}
    starts: dict[tuple[str, str, str], tuple[str, str, int]] = {}
    for chunk in wanted:
        league = _league(chunk, within_dates)
        groups.setdefault(league, {})[chunk.id] = chunk
        starts[league] = min(chunk.order, starts.get(league, chunk.order))
    for chunk in published:
        league = _league(chunk, within_dates)
        if league in groups and chunk.order >= starts[league]:
            groups[league][chunk.id] = chunk
    for members in groups.values():
        yield sorted(members.values(), key=lambda chunk: (chunk.order, chunk.id))


def _league(chunk: Chunk, within_dates: bool) -> tuple[str, str, str]:
    return (chunk.entity, chunk.target, chunk.date if within_dates else "")


def _merged(rivals: Sequence[Chunk], store: PartStore) -> Iterator[bytes]:
    return merge(
        *(
            _ranked(store.key_entries(chunk, info), rank.to_bytes(_RANK - _HASH, "big"))
            for rank, chunk in enumerate(rivals)
            for info in store.parts(chunk)
        )
    )


def _ranked(entries: Iterator[bytes], rank: bytes) -> Iterator[bytes]:
    for entry in entries:
        yield entry[:_HASH] + rank + entry[_HASH:]


def _judge(entries: Iterator[bytes], losers: Sequence[array[int] | None]) -> None:
    """Of the entries of one key all but the last lose."""
    best, key = b"", b""
    for entry in entries:
        if entry.startswith(key) and best:
            found = losers[int.from_bytes(best[_HASH:_RANK], "big")]
            if found is not None:
                found.append(int.from_bytes(best[_RANK:], "big"))
        else:
            key = entry[:_HASH]
        best = entry
