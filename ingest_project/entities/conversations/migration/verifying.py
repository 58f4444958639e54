"""Verifier: everything old against everything new, both ways, and each index against its table.

The first pass adds up hashes in buckets of users; where two sides differ, further passes hold the entries of
just those buckets and name every difference. Memory: BUCKETS sums a side, two pages a segment, and at most
MOST_HELD entries a side. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from math import ceil

from ingest_project.core.access_patterns import Typed
from ingest_project.core.multisets import Multiset
from ingest_project.entities.conversations.items import Item
from ingest_project.entities.conversations.migration.differences import Difference, Held, changed, unmatched
from ingest_project.entities.conversations.migration.items import Rows, Vectors
from ingest_project.entities.conversations.migration.sides import (
    BUCKETS,
    INDEXES,
    PAIRS,
    Entry,
    Key,
    Looked,
    Read,
    Sides,
    key_of,
    typed_key,
)
from ingest_project.entities.conversations.migration.streams import messages_of
from ingest_project.entities.conversations.queries import EMBEDDINGS_BY_KEY, HISTORY_BY_KEY, OLD_BY_KEY
from ingest_project.entities.conversations.tables import EMBEDDINGS, HISTORY
from ingest_project.formats.vectors import BrokenVector
from ingest_project.sinks.table_reading import TableReader

MOST_NAMED = 1_000
MOST_HELD = 10_000
"""Entries of one side that are looked at closely at once: some 10 MB."""
_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a comparison came to.

    Attributes:
        read: Items by source: ``old``, both tables, each index.
        rejected: Old rows that can become no message.
        expired: Old rows whose messages need not stand any more, and the messages that stand all the same.
        differences: By name, at most so many as the verifier names.
        unnamed: Whether there are more of them.
        settled: Buckets that differed at the first look and not at the second: an index lagged behind.
    """

    read: Mapping[str, int]
    rejected: int
    expired: int
    differences: Sequence[Difference]
    unnamed: bool = False
    settled: int = 0

    @property
    def clean(self) -> bool:
        return not self.differences and not self.unnamed


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """Something of a bucket of one pair: of ``of`` parts number ``number``, by tie."""

    bucket: int
    pair: str
    number: int
    of: int
    size: int

    def has(self, entry: Entry) -> bool:
        return self.of == 1 or _number(entry.tie) % self.of == self.number


@dataclass(slots=True)
class _Sums:
    """Both sides of each pair, added up."""

    expected: dict[str, Multiset] = field(default_factory=dict)
    actual: dict[str, Multiset] = field(default_factory=dict)

    def take(self, entries: Sequence[Entry]) -> None:
        found: dict[tuple[str, bool], list[tuple[int, bytes]]] = {}
        for entry in entries:
            if entry.expired:
                continue
            found.setdefault((entry.pair, entry.expected), []).append((entry.bucket, entry.digest))
        for (pair, expected), some in found.items():
            side = self.expected if expected else self.actual
            side.setdefault(pair, Multiset(BUCKETS)).add(some)

    def parts(self) -> Iterator[Part]:
        """What differs, in parts that can be held."""
        for pair in PAIRS:
            mine = self.expected.get(pair, Multiset(BUCKETS))
            other = self.actual.get(pair, Multiset(BUCKETS))
            for bucket in mine.differing(other):
                size = max(mine.counts[bucket], other.counts[bucket])
                of = ceil(size / MOST_HELD)
                yield from (Part(bucket, pair, number, of, ceil(size / of)) for number in range(of))


class Verifier:
    """One comparison.

    Args:
        most: Differences that are named.
    """

    def __init__(
        self, sides: Sides, reader: TableReader, rows: Rows, vectors: Vectors, *, most: int = MOST_NAMED
    ) -> None:
        self._sides, self._reader, self._rows, self._vectors = sides, reader, rows, vectors
        self._most = most

    async def run(self, looked: Looked | None = None) -> Findings:
        """Compare everything.

        Raises:
            TransientFailure, PermanentFailure: As reading does.
        """
        sums = _Sums()
        read = await self._sides.each(sums.take, looked=looked)
        waiting: Sequence[Part] = sorted(sums.parts())
        found: list[Difference] = []
        settled = 0
        while waiting and len(found) <= self._most:
            wave, waiting = _wave(waiting)
            named, quiet = await self._look_closely(wave)
            found += named
            settled += quiet
        unnamed = bool(waiting) or len(found) > self._most
        return _findings(read, found[: self._most], unnamed=unnamed, settled=settled)

    async def _look_closely(self, wave: Sequence[Part]) -> tuple[list[Difference], int]:
        """Differences of these parts, and how many parts have none any more."""
        parts: dict[tuple[str, int], list[Part]] = {}
        for part in wave:
            parts.setdefault((part.pair, part.bucket), []).append(part)
        held = {part.pair: Held() for part in wave}

        def take(entries: Sequence[Entry]) -> None:
            for entry in entries:
                for part in parts.get((entry.pair, entry.bucket), ()):
                    if part.has(entry):
                        held[entry.pair].take(entry)

        await self._sides.each(take, pairs=held.keys())
        found: list[Difference] = []
        touched: set[tuple[str, int]] = set()
        for pair, both in held.items():
            touched |= {(pair, bucket) for bucket in both.buckets}
            found += unmatched(pair, both)
            found += await self._changed(pair, both, both.changed)
        return found, len(parts.keys() - touched)

    async def _changed(self, pair: str, held: Held, keys: Sequence[Key]) -> list[Difference]:
        if pair in INDEXES:
            return [changed(pair, key, held.expected[key].origin, held.actual[key].origin) for key in keys]
        found: list[Difference] = []
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            expected = await self._expected(pair, [held.expected[key].origin for key in some])
            actual = await self._actual(pair, some)
            found += [
                changed(pair, key, expected[key], actual[key])
                for key in some
                if key in expected and key in actual
            ]
        return found

    async def _expected(self, pair: str, keys: Sequence[Typed]) -> dict[Key, Item]:
        """Items made anew of the old rows with these keys."""
        rows = await self._reader.lookup(OLD_BY_KEY, keys)
        messages = [*messages_of(self._rows, rows)[0].values()]
        if pair == HISTORY.word:
            return {key_of(message.history): message.history for message in messages}
        made = self._vectors.embeddings(messages)
        return {key_of(item): item for item in made if not isinstance(item, BrokenVector)}

    async def _actual(self, pair: str, keys: Sequence[Key]) -> dict[Key, Item]:
        pattern = EMBEDDINGS_BY_KEY if pair == EMBEDDINGS.word else HISTORY_BY_KEY
        found = await self._reader.lookup(pattern, [typed_key(pair, key) for key in keys])
        return {key_of(item): item for item in found}


def _wave(waiting: Sequence[Part]) -> tuple[Sequence[Part], Sequence[Part]]:
    """As many parts as can be held at once, one at least, and the rest."""
    held: dict[str, int] = {}
    for at, part in enumerate(waiting):
        held[part.pair] = held.get(part.pair, 0) + part.size
        if at and held[part.pair] > MOST_HELD:
            return waiting[:at], waiting[at:]
    return waiting, ()


def _number(tie: str) -> int:
    return int.from_bytes(blake2b(tie.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big")


def _findings(
    read: Mapping[str, Read], found: Collection[Difference], *, unnamed: bool, settled: int
) -> Findings:
    return Findings(
        read={source: one.items for source, one in read.items()},
        rejected=sum(one.rejected for one in read.values()),
        expired=sum(one.expired for one in read.values()),
        differences=sorted(found, key=lambda one: (one.place, one.key)),
        unnamed=unnamed,
        settled=settled,
    )
