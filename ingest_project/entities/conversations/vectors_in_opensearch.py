"""The other store for vectors: an index of OpenSearch, where the server has k-NN. Answers as similarity does.

Its documents are made of the items of the embeddings alone, so that it can be filled anew at any time; there
is no second way to search here. Why, and how it compares: docs/decisions/0024.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, TypeVar

import numpy as np

from ingest_project.core.caching import Forgotten
from ingest_project.core.errors import PermanentFailure, TransientFailure
from ingest_project.core.indexing import Field, IndexContract, Keyword, Value, Vector
from ingest_project.core.model import Batch
from ingest_project.core.retrying import RetryPolicy
from ingest_project.entities.conversations.keys import TIE_DIGITS
from ingest_project.entities.conversations.queries import SIMILAR_VECTORS
from ingest_project.entities.conversations.similarity import Answer, Neighbour, vector_of
from ingest_project.entities.conversations.tables import TTL
from ingest_project.entities.conversations.vectors_in_table import Told, nothing
from ingest_project.formats.vectors import BrokenVector, Matrix, cosines
from ingest_project.sinks.indexes import IndexState, Note, ensure_index, index_path, unheard
from ingest_project.sinks.nearest import Hits, Nearest, nearest, offered_engine
from ingest_project.sinks.opensearch import OpenSearchSink
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.sinks.table_reading import BRIEFLY
from ingest_project.sinks.tables import Sleep

MADE_FOR = "conversations: vectors"
LONGEST_USER = 2048
CANDIDATES = 100
VECTOR, USER, MODEL = "vector", "user_id", "model"
SHOWN = tuple(
    name for name in SIMILAR_VECTORS.projection or () if name not in ("vector_compressed", "vector_codec")
)
"""What a neighbour tells, here as there."""

_KEPT = (*SHOWN, USER, TTL)
_T = TypeVar("_T")


def contract_of(dimensions: int, engine: str) -> IndexContract:
    """How the index is made; attributes that nobody searches by are kept and no more."""
    fields: dict[str, Field] = {
        VECTOR: Vector(dimensions=dimensions, engine=engine),
        USER: Keyword(longest=LONGEST_USER),
        MODEL: Keyword(),
        TTL: Value(kind="long"),
    }
    return IndexContract(fields=fields, dynamic="false", malformed="refuse")


async def standing_index(
    api: OpenSearchApi, index: str, *, dimensions: int, note: Note = unheard
) -> IndexState:
    """Make the index unless it stands. The caller has asked whether it may write there.

    Raises:
        ConfigurationError: The server has no k-NN; names the plugin.
        PermanentFailure: An index of this name is for something else, or for vectors of another length.
    """
    engine = await offered_engine(api, dimensions)
    return await ensure_index(
        api, index, made_for=MADE_FOR, contract=contract_of(dimensions, engine), note=note
    )


def body_of(item: Mapping[str, Any]) -> bytes:
    """An item of the embeddings as it goes into the index: always the same for the same item.

    A vector without length has no direction that could be near another: its document has none.

    Raises:
        BrokenVector: The item's vector cannot be read.
    """
    vector = vector_of(item)
    plain = {name: next(iter(item[name].values())) for name in _KEPT if name in item}
    if TTL in plain:
        plain[TTL] = int(plain[TTL])
    action = {"index": {"_id": plain["embedding_id"], "routing": plain[USER]}}
    document = json.dumps(plain)
    if vector @ vector > 0:
        # Nine digits are a float32, the shortest text that always is.
        numbers = ",".join(map("{:.9g}".format, vector.tolist()))
        document = f'{document[:-1]},"{VECTOR}":[{numbers}]}}'
    return f"{json.dumps(action)}\n{document}\n".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorsInOpenSearch:
    """Searches one index and takes what is new; any number at a time in one event loop.

    Attributes:
        dimensions, model: Of the encoder; vectors of other models are passed over.
        wall: Seconds since the epoch: what has expired is not found.
        candidates: As in Nearest.
    """

    api: OpenSearchApi
    index: str
    dimensions: int
    model: str
    wall: Callable[[], float]
    candidates: int = CANDIDATES
    retry: RetryPolicy = BRIEFLY
    rng: Random = field(default_factory=Random)
    sleep: Sleep = asyncio.sleep

    async def search(
        self,
        user_id: str,
        vector: Sequence[float] | Matrix,
        *,
        count: int = 2,
        threshold: float = 0.65,
        told: Told = nothing,
    ) -> Answer:
        """The user's ``count`` nearest messages with at least this cosine; ``looked_at`` is how many the
        server chose from.

        What was written is found after the index's next refresh, by default within a second.

        Raises:
            BrokenVector: The question's vector has other dimensions, or is no row of finite numbers.
            TransientFailure, PermanentFailure: The server does not answer, or refuses.
        """
        wanted = np.asarray(vector, dtype=np.float32)
        if wanted.shape != (self.dimensions,) or not np.isfinite(wanted).all():
            raise BrokenVector(f"not a row of {self.dimensions} finite numbers")
        if not wanted @ wanted > 0:
            return Answer(neighbours=(), looked_at=0, fetched=0)
        known = await told()
        asked = self._asked(user_id, wanted, count + len(known))
        hits = await self._persistently(lambda: nearest(self.api, self.index, asked))
        found = _answer(hits, wanted, threshold)
        new = [one for one in found.neighbours if one.item["embedding_id"]["S"][:TIE_DIGITS] not in known]
        return replace(found, neighbours=new[:count])

    async def put(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Write some items of the embeddings, at once; again is the same. Whoever fills an index takes
        vector_filling.

        Raises:
            BrokenVector: The vector of one cannot be read; nothing was written.
            TransientFailure: Not all were taken.
            PermanentFailure: One was refused for good.
        """
        bodies = [body_of(item) for item in items]
        batch = Batch(bodies=bodies, ordinals=range(len(bodies)), size=sum(map(len, bodies)))
        await self._persistently(lambda: self._write(batch))

    def follow(self, user_id: str, forgotten: Forgotten | None) -> None:
        """See vectors_in_table.VectorStore: nothing is kept here."""

    async def forget_expired(self) -> int:
        """Delete what has expired: an index has no TTL of its own. Gives how many."""
        gone = {"query": {"range": {TTL: {"lte": int(self.wall())}}}}
        path = f"{index_path(self.index)}/_delete_by_query?conflicts=proceed"
        return int((await self._persistently(lambda: self.api.call("POST", path, gone)))["deleted"])

    def _asked(self, user_id: str, vector: Matrix, count: int) -> Nearest:
        expired = {"range": {TTL: {"lte": int(self.wall())}}}
        return Nearest(
            field=VECTOR,
            vector=vector.tolist(),
            count=count,
            candidates=self.candidates,
            filters=(
                {"term": {USER: user_id}},
                {"term": {MODEL: self.model}},
                {"bool": {"must_not": [expired]}},
            ),
            fields=(*SHOWN, VECTOR),
            routing=user_id,
        )

    async def _write(self, batch: Batch) -> None:
        report = await OpenSearchSink(self.api, self.index).write(batch)
        if report.refusals:
            raise PermanentFailure(f"index {self.index}: {report.refusals[0].reason}")
        if report.retry:
            raise TransientFailure(f"index {self.index}: {len(report.retry)} documents were put off")

    async def _persistently(self, call: Callable[[], Awaitable[_T]]) -> _T:
        attempt = 0
        while True:
            try:
                return await call()
            except TransientFailure as error:
                attempt += 1
                delay = self.retry.delay(attempt, self.rng, error.retry_after)
                if delay is None:
                    raise
            await self.sleep(delay)


def _answer(hits: Hits, vector: Matrix, threshold: float) -> Answer:
    """Neighbours by the exact cosine: what a server calls its score depends on its engine."""
    rows = [np.asarray(document[VECTOR], dtype=np.float32) for document in hits.documents]
    found = [
        Neighbour(
            cosine=cosine, item={name: {"S": str(document[name])} for name in SHOWN if name in document}
        )
        for cosine, document in zip(
            cosines(vector, rows).tolist() if rows else (), hits.documents, strict=True
        )
        if cosine >= threshold
    ]
    ordered = sorted(found, key=lambda one: (-one.cosine, one.item["embedding_id"]["S"]))
    return Answer(neighbours=ordered, looked_at=hits.candidates, fetched=len(rows))
