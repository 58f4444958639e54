"""The two sides of every comparison as streams of entries: what must stand, and what does.

Old rows say what the new tables must hold; the new tables say what each of their indexes must. Reads by
segments; holds a page of each, and leaves it to the caller what is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from ingest_project.core.access_patterns import Scan, Typed
from ingest_project.core.table_definitions import IndexDefinition
from ingest_project.entities.conversations.items import Item
from ingest_project.entities.conversations.keys import TIE_DIGITS
from ingest_project.entities.conversations.migration.items import Rows, Vectors
from ingest_project.entities.conversations.migration.streams import messages_of
from ingest_project.entities.conversations.queries import (
    SCAN_EMBEDDINGS,
    SCAN_HISTORY,
    SCAN_INDEXES,
    SCAN_OLD,
)
from ingest_project.entities.conversations.tables import EMBEDDINGS, HISTORY, NEW, OLD, TTL
from ingest_project.formats.item_digests import item_digest
from ingest_project.formats.vectors import BrokenVector
from ingest_project.sinks.table_reading import TableReader

BUCKETS = 1024

TABLES = (HISTORY.word, EMBEDDINGS.word)
INDEXES = {index.name: table.word for table in NEW for index in table.indexes}
"""Each index, and the table that it is of."""
PAIRS = (*TABLES, *INDEXES)
"""What is compared: a table with the old one, an index with its table."""

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of one side of a pair.

    Attributes:
        expected: It must stand; otherwise it does.
        tie: The same for whatever is made of one old row.
        origin: The old row behind an expected item of a table; else the item.
        expired: Its time is over: the service may have deleted it, or not yet.
    """

    pair: str
    expected: bool
    user: str
    tie: str
    key: Key
    digest: bytes
    origin: Item
    expired: bool = False

    @property
    def bucket(self) -> int:
        """Bucket of its user."""
        return bucket_of(self.user)


@dataclass(slots=True)
class Read:
    """What a pass has read of one source.

    Attributes:
        rejected: Rows that can become no message.
        expired: Rows whose messages need not stand any more.
    """

    items: int = 0
    rejected: int = 0
    expired: int = 0


Take = Callable[[Sequence[Entry]], None]
Looked = Callable[[str, int], None]


class Sides:
    """Reads tables and indexes, once a pass.

    Args:
        at_once: Segments read beside each other.
        page: Items a page at most.
        now: Second at which the comparison began.
    """

    def __init__(
        self,
        reader: TableReader,
        rows: Rows,
        vectors: Vectors,
        *,
        segments: int,
        at_once: int,
        page: int,
        now: float,
    ) -> None:
        self._reader, self._rows, self._vectors = reader, rows, vectors
        self._now = now
        self._segments, self._at_once, self._page = segments, at_once, page

    async def each(
        self, take: Take, *, pairs: Collection[str] = PAIRS, looked: Looked | None = None
    ) -> dict[str, Read]:
        """Every entry of both sides of these pairs, in no order; tells how much was read of each source."""
        done: dict[str, Read] = {}
        for source, scan in _sources(pairs).items():
            done[source] = read = Read()
            turn = asyncio.Semaphore(self._at_once)
            segments = [
                self._segment(source, scan, segment, turn, frozenset(pairs), take, read, looked)
                for segment in range(self._segments)
            ]
            await asyncio.gather(*segments)
        return done

    async def _segment(
        self,
        source: str,
        scan: Scan,
        segment: int,
        turn: asyncio.Semaphore,
        pairs: frozenset[str],
        take: Take,
        read: Read,
        looked: Looked | None,
    ) -> None:
        start: Typed | None = None
        more = True
        async with turn:
            while more:
                found = await self._reader.page(
                    scan, segment=segment, segments=self._segments, start=start, limit=self._page
                )
                entries, rejected = await asyncio.to_thread(self._entries, source, found.items, pairs)
                take(entries)
                read.items += len(found.items)
                read.rejected += rejected
                read.expired += sum(entry.expired and entry.pair == HISTORY.word for entry in entries)
                if looked is not None:
                    looked(source, read.items)
                start, more = found.following, found.following is not None

    def _entries(self, source: str, items: Sequence[Item], pairs: frozenset[str]) -> tuple[list[Entry], int]:
        if source == OLD.word:
            return self._of_rows(items, pairs)
        if source in TABLES:
            return [entry for item in items for entry in _of_item(source, item, pairs, self._now)], 0
        return [entry_of(source, item, expected=False) for item in items], 0

    def _of_rows(self, items: Sequence[Item], pairs: frozenset[str]) -> tuple[list[Entry], int]:
        messages, reasons = messages_of(self._rows, items)
        entries: list[Entry] = []
        if HISTORY.word in pairs:
            entries += [
                entry_of(HISTORY.word, message.history, expected=True, now=self._now, origin=items[at])
                for at, message in messages.items()
            ]
        broken = 0
        if EMBEDDINGS.word in pairs:
            made = zip(messages, self._vectors.embeddings([*messages.values()]), strict=True)
            for at, item in made:
                if isinstance(item, BrokenVector):
                    broken += 1
                else:
                    made_of = items[at]
                    entries.append(
                        entry_of(EMBEDDINGS.word, item, expected=True, now=self._now, origin=made_of)
                    )
        return entries, len(reasons) + broken


def entry_of(pair: str, item: Item, *, expected: bool, now: float = 0.0, origin: Item | None = None) -> Entry:
    """The item as an entry of one side of a pair."""
    key = key_of(item)
    return Entry(
        pair,
        expected,
        key[0].rpartition("#")[0],
        key[1][:TIE_DIGITS] if "embedding_id" in item else key[1].rpartition("#")[2],
        key,
        item_digest(item),
        item if origin is None else origin,
        _expired(item, now),
    )


def key_of(item: Mapping[str, Any]) -> Key:
    """Key of an item, of either new table or of an index of it."""
    (first, _), (second, _) = (EMBEDDINGS if "embedding_id" in item else HISTORY).keys.parts
    return item[first]["S"], item[second]["S"]


def typed_key(pair: str, key: Key) -> Typed:
    """The key as a lookup in the table takes it."""
    keys = (EMBEDDINGS if pair == EMBEDDINGS.word else HISTORY).keys
    return {name: {"S": value} for (name, _), value in zip(keys.parts, key, strict=True)}


@lru_cache(maxsize=4096)
def bucket_of(user: str) -> int:
    """0 to BUCKETS - 1, the same in every process."""
    digest = blake2b(user.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "big") % BUCKETS


def _sources(pairs: Collection[str]) -> dict[str, Scan]:
    """What must be read for these pairs: each once, the old table first."""
    scans = {OLD.word: SCAN_OLD, HISTORY.word: SCAN_HISTORY, EMBEDDINGS.word: SCAN_EMBEDDINGS}
    scans |= {scan.index: scan for scan in SCAN_INDEXES}
    wanted = {INDEXES.get(pair, pair) for pair in pairs} | {*pairs}
    if not wanted.isdisjoint(TABLES) and not {*pairs}.isdisjoint(TABLES):
        wanted.add(OLD.word)
    return {source: scan for source, scan in scans.items() if source in wanted}


def _of_item(source: str, item: Item, pairs: frozenset[str], now: float) -> Iterator[Entry]:
    """What a table's item is, and what must stand of it in the indexes."""
    if source in pairs:
        yield entry_of(source, item, expected=False, now=now)
    table = HISTORY if source == HISTORY.word else EMBEDDINGS
    for index in table.indexes:
        if index.name in pairs and _is_in(item, index):
            readable = table.readable(index.name)
            projected = {name: value for name, value in item.items() if name in readable}
            yield entry_of(index.name, projected, expected=True)


def _is_in(item: Mapping[str, Any], index: IndexDefinition) -> bool:
    return all(kind in item.get(name, {}) for name, kind in index.keys.parts)


def _expired(item: Mapping[str, Any], now: float) -> bool:
    digits = item.get(TTL, {}).get("N", "")
    return digits.isdecimal() and int(digits) < now
