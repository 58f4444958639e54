"""Reindexing: documents that are through a stage into a new index beside the one in use, whose alias moves.

What the stage writes is made anew from what the stages before left: nothing is extracted or cut again. The
stage goes on meanwhile, into the index in use; what it brought is looked for once more behind the move.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ingest_project.core.document_ledger import DocumentLedger
from ingest_project.core.documents import COUNTED, Bucket, Document, Done, Outcome, Stage
from ingest_project.core.errors import PermanentFailure, TransientFailure
from ingest_project.sinks import aliases, indexes
from ingest_project.sinks.documents import count_documents
from ingest_project.sinks.live_index import LiveIndex
from ingest_project.sinks.opensearch_api import OpenSearchApi

DOCUMENTS = COUNTED
"""Fact of a stage's mark: how many documents of its index are of this one."""

LOOKS = 5
"""Times that a new index is filled before the move; each has to write only what came during the last one."""

Fill = Callable[[Sequence[Document], LiveIndex], Awaitable[Sequence[Outcome]]]
"""Writes all that stands in an index of some documents; Done has the fact DOCUMENTS."""

Pages = Callable[[], Iterable[Sequence[Document]]]
"""Documents that are through the stage, some at a time; called for each look through all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reindexed:
    """How it ended.

    Attributes:
        documents: In the new index.
        written: So many documents of the ledger were written to it; the others stood there already.
        former: What the alias stood for; empty when it was new.
        late: Documents of the ledger that were written behind the move.
    """

    alias: str
    index: str
    documents: int
    written: int
    former: str
    deleted: bool
    late: int
    seconds: float


def through(
    ledger: DocumentLedger, buckets: Sequence[Bucket], stage: Stage, *, limit: int = 250
) -> Iterator[Sequence[Document]]:
    """Documents of the buckets that are through the stage as it is now."""
    for bucket in buckets:
        last = ""
        while page := ledger.page(bucket, stage.name, stage.after, after=last, limit=limit):
            last = page[-1].document.id
            found = [one.document for one in page if _is_through(one.document, stage)]
            if found:
                yield found


def _is_through(document: Document, stage: Stage) -> bool:
    if any(name not in document.marks for name in (*stage.after, stage.name)):
        return False
    return document.marks[stage.name].fingerprint == stage.fingerprint(document)


class Reindexing:
    """Makes the index behind one alias anew.

    Args:
        make: The live index behind the alias (an empty name), or of a name beside it.
        stage: Its name, whose marks say what has to stand in the index.
        at_once: Documents that one call of ``fill`` gets, and such calls at a time.
    """

    def __init__(
        self,
        api: OpenSearchApi,
        alias: str,
        make: Callable[[str], LiveIndex],
        stage: str,
        fill: Fill,
        pages: Pages,
        *,
        require_write: Callable[[str], None],
        log: Callable[[str], None],
        at_once: tuple[int, int] = (100, 4),
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._api, self._alias, self._make, self._stage = api, alias, make, stage
        self._fill, self._pages, self._log, self._wall = fill, pages, log, wall
        self._require_write = require_write
        self._size, self._many = at_once

    async def run(self, *, anew: bool = False, delete_old: bool = False, fewer: bool = False) -> Reindexed:
        """Fill a new index, or go on with one that was begun; move the alias when all stands in it.

        Args:
            anew: Begin another although one was begun.
            delete_old: The index for which the alias stood.
            fewer: Move although the new index holds less than the one in use.

        Raises:
            TransientFailure, PermanentFailure: Not all is there. The alias stands as it stood; the same call
                goes on.
        """
        begun = self._wall()
        for name in (self._alias, aliases.stamped(self._alias, begun)):
            self._require_write(name)
        former = await indexes.find_index(self._api, self._alias)
        if former is not None:
            aliases.require_movable(self._alias, former, made_for=self._alias, replace_index=delete_old)
        index = await aliases.beside(self._api, self._alias, made_for=self._alias, now=begun, anew=anew)
        self._log(f"{self._alias}: filling {index}")
        written, documents = await self._complete(index, former, fewer)
        move = await aliases.move_alias(
            self._api, self._alias, index, made_for=self._alias, replace_index=delete_old
        )
        await aliases.settled(self._api, index, made_for=self._alias)
        self._log(f"{self._alias} stands for {index}: {documents:,} documents")
        late, _ = await self._filled(self._make(""))
        old = former.name if former is not None and former.name != index else ""
        if old and delete_old and not move.replaced:
            await aliases.delete_index(self._api, old, made_for=self._alias)
        return Reindexed(
            alias=self._alias,
            index=index,
            documents=documents,
            written=written,
            former=old,
            deleted=bool(old) and delete_old,
            late=late,
            seconds=self._wall() - begun,
        )

    async def _complete(self, index: str, former: indexes.IndexState | None, fewer: bool) -> tuple[int, int]:
        """Fill it until a look through all finds nothing missing; how many were written, and stand there.

        Raises:
            PermanentFailure: They are not as many as there must be.
        """
        total = 0
        for _ in range(LOOKS):
            held = await self._counted(former.name) if former is not None else 0
            written, expected = await self._filled(self._make(index))
            total += written
            if not written:
                break
        documents = await self._counted(index)
        if documents != expected:
            raise PermanentFailure(
                f"{index} holds {documents:,} documents, and {expected:,} have to be there: {self._alias} is "
                "not moved"
            )
        if held > documents and not fewer:
            raise PermanentFailure(
                f"{self._alias} holds {held:,} documents, {index} {documents:,}: it is not moved unless that "
                "is said to be right"
            )
        return total, documents

    async def _filled(self, index: LiveIndex) -> tuple[int, int]:
        """Write what does not stand in the index; how many were written, and what must stand there now.

        Raises:
            TransientFailure, PermanentFailure: Some could not be written.
        """
        written = expected = 0
        await index.open()
        pages = iter(self._pages())
        try:
            while page := await asyncio.to_thread(next, pages, None):
                missing = await self._missing(index, page)
                done = await self._written(index, missing)
                written += len(done)
                expected += sum(map(self._count, page)) - sum(map(self._count, missing))
                expected += sum(int(one.facts[DOCUMENTS]) for one in done)
        finally:
            await index.close()
        return written, expected

    async def _written(self, index: LiveIndex, documents: Sequence[Document]) -> list[Done]:
        """What came of writing them, some batches at a time. Raises TransientFailure unless all were."""
        places = asyncio.Semaphore(self._many)
        starts = range(0, len(documents), self._size)
        batches = (documents[start : start + self._size] for start in starts)
        ended = await asyncio.gather(*(self._batch(index, batch, places) for batch in batches))
        outcomes = [outcome for some in ended for outcome in some]
        done = [outcome for outcome in outcomes if isinstance(outcome, Done)]
        if len(done) < len(documents):
            left = next(outcome for outcome in outcomes if not isinstance(outcome, Done))
            raise TransientFailure(
                f"{index.name}: {len(documents) - len(done)} of {len(documents)} documents could not be "
                f"written, and {self._alias} is not moved: {left}. The same call goes on"
            )
        return done

    async def _batch(
        self, index: LiveIndex, documents: Sequence[Document], places: asyncio.Semaphore
    ) -> Sequence[Outcome]:
        async with places:
            return await self._fill(documents, index)

    async def _missing(self, index: LiveIndex, page: Sequence[Document]) -> list[Document]:
        """Those of which not exactly what their marks say stands in the index."""
        standing = await index.standing([document.id for document in page])
        return [one for one in page if standing.get(one.id, {}) != self._mark(one)]

    def _mark(self, document: Document) -> dict[str, int]:
        count = self._count(document)
        return {document.marks[self._stage].fingerprint: count} if count else {}

    def _count(self, document: Document) -> int:
        return int(document.marks[self._stage].facts[DOCUMENTS])

    async def _counted(self, index: str) -> int:
        await indexes.refresh_index(self._api, index)
        return await count_documents(self._api, index)
