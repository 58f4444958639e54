"""Fills the index of vectors from the embeddings, by segments of a scan: each a chunk of the ledger.

Encodes nothing: the vectors stand in the table. Claims, positions and counts are the Loader's.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ingest_project.core.access_patterns import Typed
from ingest_project.core.delivering import Sleep
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import MemoryBudget
from ingest_project.core.loading import Loader, LoadResult
from ingest_project.core.model import Chunk, FileRange, ItemBlock, Position, Rejection, Work
from ingest_project.core.ports import Clock, Ledger, Progress
from ingest_project.core.retrying import RetryPolicy
from ingest_project.entities.conversations.queries import SCAN_EMBEDDINGS
from ingest_project.entities.conversations.tables import EMBEDDINGS
from ingest_project.entities.conversations.vectors_in_opensearch import body_of
from ingest_project.formats.vectors import BrokenVector
from ingest_project.sinks.indexes import refresh_index
from ingest_project.sinks.opensearch import OpenSearchSink
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.sinks.table_reading import Found, TableReader

ENTITY, STAGE = "conversations", "vectors"


class EmbeddingBodies:
    """core.ports.ItemStream over one segment of the embeddings; a block is one item, its token the item's
    key: what comes into the table or goes between two attempts shifts nobody's place."""

    def __init__(
        self,
        reader: TableReader,
        loop: asyncio.AbstractEventLoop,
        *,
        segment: int,
        segments: int,
        page: int,
    ) -> None:
        self._reader, self._loop = reader, loop
        self._segment, self._segments, self._size = segment, segments, page

    def blocks(self, after: Position) -> Iterator[ItemBlock]:
        """See core.ports.ItemStream. Never called in the event loop's own thread."""
        start: Typed | None = json.loads(after.token) if after.token else None
        ordinal, more = after.ordinal, True
        while more:
            found = self._page(start)
            for item in found.items:
                entry = _entry(item, ordinal)
                token = json.dumps({name: item[name] for name, _ in EMBEDDINGS.keys.parts})
                yield ItemBlock(first=ordinal, entries=(entry,), token=token, plain=isinstance(entry, bytes))
                ordinal += 1
            start, more = found.following, found.following is not None

    def rejection(self, ordinal: int, body: bytes, reason: str) -> Rejection:
        """The dead letter of a document that the index refused."""
        action = json.loads(bytes(body).partition(b"\n")[0])["index"]
        key = f"{action['routing']} | {action['_id']}"
        return Rejection(ordinal=ordinal, offset=-1, reason=reason, raw=bytes(body), key=key)

    def _page(self, start: Typed | None) -> Found:
        asked = self._reader.page(
            SCAN_EMBEDDINGS, segment=self._segment, segments=self._segments, start=start, limit=self._size
        )
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """One table of embeddings on its way into one index, which stands. The caller has asked whether it may
    write there.

    Attributes:
        date: ISO date under which the ledger keeps it.
        round: Another one reads everything anew, whatever was sealed.
        page, in_flight, memory_bytes: Items a page of each segment; requests; bytes of batches held.
    """

    reader: TableReader
    api: OpenSearchApi
    index: str
    ledger: Ledger
    owner: str
    date: str
    round: int = 1
    segments: int = 4
    page: int = 500
    in_flight: int = 8
    memory_bytes: int = 64 << 20
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Clock = time.monotonic
    sleep: Sleep = asyncio.sleep
    rng: Random = field(default_factory=Random)

    async def fill(self, progress: Progress | None = None) -> list[LoadResult]:
        """Bring all segments to their ends, and make what was written visible.

        Raises:
            TransientFailure, PermanentFailure: As the loader; what was sealed stays so.
        """
        sink = OpenSearchSink(self.api, self.index)
        identity, loader = await sink.identity(), self._loader(sink)
        loop = asyncio.get_running_loop()

        async def one(segment: int) -> LoadResult:
            stream = EmbeddingBodies(
                self.reader, loop, segment=segment, segments=self.segments, page=self.page
            )
            work = Work(chunk=self._chunk(segment), stage=STAGE, identity=identity)
            return await loader.load(work, stream, self.owner, progress)

        tasks = [asyncio.ensure_future(one(segment)) for segment in range(self.segments)]
        try:
            done = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await refresh_index(self.api, self.index)
        return done

    def _chunk(self, segment: int) -> Chunk:
        table = self.reader.tables[SCAN_EMBEDDINGS.table]
        uri = f"dynamodb:///{table.name}?round={self.round:04d}"
        return Chunk(
            entity=ENTITY,
            date=self.date,
            slot=segment,
            target=self.index,
            keys=table.keys,
            range=FileRange(uri=uri, etag=table.fingerprint, start=segment, end=segment + 1),
            shape=f"segments:{self.segments}",
            compression="",
            records=0,
        )

    def _loader(self, sink: OpenSearchSink) -> Loader:
        start = min(4, self.in_flight)
        return Loader(
            sink=sink,
            ledger=self.ledger,
            retry=self.retry,
            budget=MemoryBudget(self.memory_bytes),
            governor=RateGovernor(self.clock, most=self.in_flight, start=start),
            clock=self.clock,
            sleep=self.sleep,
            rng=self.rng,
        )


def _entry(item: Mapping[str, Any], ordinal: int) -> bytes | Rejection:
    try:
        return body_of(item)
    except BrokenVector as error:
        key = " | ".join(str(item[name]["S"]) for name, _ in EMBEDDINGS.keys.parts)
        return Rejection(
            ordinal=ordinal,
            offset=-1,
            reason=f"vector_compressed: {error}",
            raw=json.dumps(item).encode(),
            key=key,
        )
