"""Who loses (law 11): before anything is sent, names the records that a later one of their key replaces.

Sorted key entries are streamed and compared range by range. Reads nothing but PartStore.key_entries, sends
nothing.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from struct import iter_unpack

from ingest_project.core.model import Chunk, PartInfo
from ingest_project.core.ports import PartStore
from ingest_project.core.replaying import is_replay, replayed

AT_ONCE = 16_384
"""Entries that are compared with each other at a time, about; some 100 bytes each."""

_HASH, _ORDINAL, _ENTRY = 16, 8, 24
_ENTRY_FORM = ">16sQ"
_HASHES = 2 ** (8 * _HASH)

Place = tuple[int, int]
"""Rank of a chunk among its rivals, and ordinal of a record in it."""


def superseded(
    wanted: Sequence[Chunk],
    published: Sequence[Chunk],
    store: PartStore,
    *,
    within_dates: bool = False,
    at_once: int = AT_ONCE,
) -> Mapping[str, array[int]]:
    """For each wanted chunk the ascending ordinals of its records that lose to a record later in order.

    Memory: one buffer for each part of the chunks that compete, some 200 bytes * ``at_once``, and 8 bytes for
    each loser of the wanted chunks (for one chunk at a time some 50, while they are sorted). Time: one pass
    over the key entries of the earliest wanted chunk and of everything later in order.

    Args:
        wanted: Chunks that are about to be loaded; their parts are published.
        published: All validated chunks that may hold the same keys; those of another entity or target are
            passed over, wanted ones need not be among them.
        store: Where the key entries lie.
        at_once: Entries compared at a time, about.
        within_dates: Only records of one date compete (``across_dates="overwrite"``).

    Returns:
        Chunk id -> ordinals, an empty array for a chunk without losers.
    """
    losers = {chunk.id: array("Q") for chunk in wanted}
    for rivals in _leagues(wanted, published, within_dates):
        _judge(rivals, store, at_once, [losers.get(chunk.id) for chunk in rivals])
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
        yield sorted(members.values(), key=lambda chunk: (chunk.order, replayed(chunk).number, chunk.id))


def _league(chunk: Chunk, within_dates: bool) -> tuple[str, str, str]:
    return (chunk.entity, chunk.target, chunk.date if within_dates else "")


class _Entries:
    """The key entries of one part, from the first that was not yet taken.

    Attributes:
        rank: Of its chunk among its rivals.
        records: Entries in all.
    """

    def __init__(self, store: PartStore, chunk: Chunk, info: PartInfo, rank: int) -> None:
        self.rank, self.records = rank, info.records
        self._runs = iter(store.key_entries(chunk, info))
        self._run, self._at = b"", 0

    def below(self, bound: bytes | None) -> Iterator[bytes]:
        """Entries whose hash is below the bound, in runs; all that are left when there is no bound."""
        while True:
            if self._at == len(self._run):
                self._run, self._at = next(self._runs, b""), 0
                if not self._run:
                    return
            end = self._end(bound)
            if end > self._at:
                yield self._run[self._at : end]
            self._at = end
            if end < len(self._run):
                return

    def _end(self, bound: bytes | None) -> int:
        run = self._run
        if bound is None or run[-_ENTRY:-_ORDINAL] < bound:
            return len(run)
        left = range(self._at, len(run), _ENTRY)
        return self._at + _ENTRY * bisect_left(left, bound, key=lambda at: run[at : at + _HASH])


def _judge(
    rivals: Sequence[Chunk], store: PartStore, at_once: int, losers: Sequence[array[int] | None]
) -> None:
    """Of the entries of one key all but the last lose. Hashes are looked at range by range."""
    parts = [
        _Entries(store, chunk, info, rank) for rank, chunk in enumerate(rivals) for info in store.parts(chunk)
    ]
    first = _Places(rivals, store).first if any(map(is_replay, rivals)) else min
    rounds = sum(part.records for part in parts) // at_once + 1
    for number in range(1, rounds + 1):
        bound = (_HASHES * number // rounds).to_bytes(_HASH, "big") if number < rounds else None
        judged = _Round(losers, 2 * at_once, first)
        for part in parts:
            for run in part.below(bound):
                judged.take(part.rank, run)
        judged.close()


class _Places:
    """Order of records where replays are among the rivals: a replay's records stand between those of the
    chunk that they are from, each at its byte; at one byte the later replay comes last."""

    def __init__(self, rivals: Sequence[Chunk], store: PartStore) -> None:
        self._rivals, self._store = rivals, store
        groups = groupby(range(len(rivals)), key=lambda rank: rivals[rank].order)
        self._seats = [seat for seat, (_, ranks) in enumerate(groups) for _ in ranks]
        self._infos: dict[int, Sequence[PartInfo]] = {}

    def first(self, one: Place, other: Place) -> Place:
        """The one that loses."""
        if one[0] == other[0] or self._seats[one[0]] != self._seats[other[0]]:
            return min(one, other)
        return min(one, other, key=lambda place: (self._offset(place), place[0]))

    def _offset(self, place: Place) -> int:
        rank, ordinal = place
        chunk = self._rivals[rank]
        if rank not in self._infos:
            self._infos[rank] = self._store.parts(chunk)
        info = next(i for i in self._infos[rank] if i.first <= ordinal < i.first + i.records)
        return self._store.offset(chunk, info, ordinal)


class _Round:
    """The entries of one range of hashes. They are compared only when two of them are of one key.

    However many entries one key has, no more than ``most`` of them are held.

    Args:
        first: Which of two places loses.
    """

    def __init__(
        self, losers: Sequence[array[int] | None], most: int, first: Callable[[Place, Place], Place]
    ) -> None:
        self._losers, self._most, self._first = losers, most, first
        self._runs: list[tuple[int, bytes]] = []
        self._keys: set[bytes] = set()
        self._count = 0
        self._best: dict[bytes, Place] = {}

    def take(self, rank: int, run: bytes) -> None:
        self._runs.append((rank, run))
        self._keys.update([run[at : at + _HASH] for at in range(0, len(run), _ENTRY)])
        self._count += len(run) // _ENTRY
        if self._count >= self._most:
            self._compare()

    def close(self) -> None:
        if self._best or len(self._keys) < self._count:
            self._compare()

    def _compare(self) -> None:
        best = self._best
        for rank, run in self._runs:
            for key, ordinal in iter_unpack(_ENTRY_FORM, run):
                place = (rank, ordinal)
                known = best.setdefault(key, place)
                if known != place:
                    loser, lost = behind = self._first(known, place)
                    best[key] = known if behind == place else place
                    found = self._losers[loser]
                    if found is not None:
                        found.append(lost)
        self._runs, self._count = [], 0
        self._keys.clear()
