"""A look at a memory that stands: a sample of its keys, and contexts of some of its users, built twice.

Reads a bounded number of items, whatever the size of the tables; judges nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from ingest_project.core.access_patterns import Scan
from ingest_project.core.errors import TargetMissing
from ingest_project.entities.conversations.queries import SAMPLE_EMBEDDINGS, SAMPLE_HISTORY, SAMPLE_OLD
from ingest_project.entities.conversations.serving import ChatMemory
from ingest_project.entities.conversations.tables import TTL
from ingest_project.sinks.table_reading import TableReader

SEGMENTS, PAGE = 8, 250
QUESTION = "what did we say about this before"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSample:
    """Of one table.

    Attributes:
        partitions: Partition key -> items of the sample.
        endless: Items without a TTL; ``overdue``: those that should be gone for two days.
    """

    items: int
    partitions: Mapping[str, int]
    endless: int
    overdue: int

    @property
    def hottest(self) -> tuple[str, float]:
        """The fullest partition and its share of the sample."""
        if not self.items:
            return "", 0.0
        name, count = max(self.partitions.items(), key=lambda one: (one[1], one[0]))
        return name, count / self.items


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What was seen.

    Attributes:
        samples: By the word of the table; one that does not stand is left out.
        sessions: User and session of the contexts that were built, each twice.
        again: Of these, how many the cache answered whole the second time.
    """

    samples: Mapping[str, TableSample] = field(default_factory=dict)
    sessions: Sequence[tuple[str, str]] = ()
    again: int = 0


async def probe(memory: ChatMemory, *, users: int = 10, rng: Random | None = None) -> Probe:
    """Take the samples, and build the contexts of so many users.

    Raises:
        TargetMissing: The history does not stand.
        TransientFailure, PermanentFailure: The tables do not answer.
    """
    # With a tally of its own: what sampling costs is not what contexts cost.
    reader = TableReader(memory.api, memory.tables, rng=Random())
    now = memory.engine.wall()
    pairs: dict[str, str] = {}
    samples: dict[str, TableSample] = {}
    for pattern in (SAMPLE_HISTORY, SAMPLE_EMBEDDINGS, SAMPLE_OLD):
        try:
            samples[pattern.table] = await _sample(reader, pattern, now, pairs)
        except TargetMissing:
            if pattern is SAMPLE_HISTORY:
                raise
    chosen = (rng or Random(0)).sample(sorted(pairs.items()), min(users, len(pairs)))
    build = memory.engine.build_context
    for user, session in chosen:
        await build(QUESTION, user, session)
    again = await asyncio.gather(*(build(QUESTION, user, session) for user, session in chosen))
    return Probe(samples=samples, sessions=chosen, again=sum(one.cached for one in again))


async def _sample(reader: TableReader, pattern: Scan, now: float, pairs: dict[str, str]) -> TableSample:
    pages = await asyncio.gather(
        *(
            reader.page(pattern, segment=segment, segments=SEGMENTS, start=None, limit=PAGE)
            for segment in range(SEGMENTS)
        )
    )
    items = [item for page in pages for item in page.items]
    for item in items:
        if "user_id" in item and "session_id" in item:
            pairs.setdefault(item["user_id"]["S"], item["session_id"]["S"])
    (key, _), *_ = reader.tables[pattern.table].keys.parts
    ends = [float(item[TTL]["N"]) for item in items if TTL in item]
    return TableSample(
        items=len(items),
        partitions=Counter(item[key]["S"] for item in items),
        endless=len(items) - len(ends),
        overdue=sum(end < now - 2 * 86_400 for end in ends),
    )
