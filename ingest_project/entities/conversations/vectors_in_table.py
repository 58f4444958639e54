"""The usual store for vectors: the embeddings table. Its searches read what this process does not know.

How somebody is found is decided in similarity.py; here stand the parts that make it a store.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ingest_project.core.caching import AnswerCache, Forgotten
from ingest_project.entities.conversations.similarity import Answer, Reader, Similarity, sketches_of
from ingest_project.entities.conversations.sketch_shelf import Shelf
from ingest_project.formats.vectors import Matrix

Told = Callable[[], Awaitable[Collection[str]]]
"""What the ids of messages begin with, TIE_DIGITS of them, that are known already and not wanted again. Asked
for when it is needed: others may be finding it out meanwhile."""


async def nothing() -> Collection[str]:
    """Nothing is known already."""
    return ()


class VectorStore(Protocol):
    """Where a memory's vectors are searched: VectorsInTable and VectorsInOpenSearch have it."""

    async def search(
        self,
        user_id: str,
        vector: Sequence[float] | Matrix,
        *,
        count: int = 2,
        threshold: float = 0.65,
        told: Told = nothing,
    ) -> Answer:
        """The user's ``count`` nearest messages with at least this cosine."""
        ...

    async def put(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Take some items that were just written to the embeddings table; again is the same."""
        ...

    def follow(self, user_id: str, forgotten: Forgotten | None) -> None:
        """The cache was told of what ``put`` took."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorsInTable:
    """Searches the table over one reader; any number at a time in one event loop.

    Attributes:
        cache: Tells whether a user wrote since their sketches were read.
        shelf: Sketches that need not be read again.
    """

    reader: Reader
    similarity: Similarity
    cache: AnswerCache
    shelf: Shelf

    async def search(
        self,
        user_id: str,
        vector: Sequence[float] | Matrix,
        *,
        count: int = 2,
        threshold: float = 0.65,
        told: Told = nothing,
    ) -> Answer:
        """See VectorStore. Raises as Similarity.among."""
        looked = await self.cache.find(user_id, [])
        block = self.shelf.find(user_id, looked.mark)
        if block is not None:
            sketches = block.sketches
        else:
            sketches = await self.similarity.whole(self.reader, user_id)
            if looked.stamp is not None:
                self.shelf.put(user_id, looked.stamp, sketches)
        least: int | None = self.similarity.settings.few
        if sketches is None:
            sketches, least = await self.similarity.ranged(self.reader, user_id, vector), None
        return await self.similarity.among(
            self.reader,
            sketches,
            vector,
            count=count,
            threshold=threshold,
            least=least,
            told=await told(),
        )

    async def put(self, items: Sequence[Mapping[str, Any]]) -> None:
        """See VectorStore: the table has them already, the shelf not yet."""
        for item in items:
            self.shelf.add(item["user_id"]["S"], sketches_of([item]))

    def follow(self, user_id: str, forgotten: Forgotten | None) -> None:
        """See VectorStore."""
        self.shelf.follow(user_id, forgotten)
