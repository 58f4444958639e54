"""Messages that mean something like a question: hashes and sketches of vectors, and the search over them.

Three steps, each a tenth of the one before: ranges of hashes are read from the indexes, their sketches name
who is worth a look, and only those vectors are fetched and compared exactly. Why: docs/decisions/0025.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ingest_project.core.access_patterns import Lookup, Plain, Query, Typed
from ingest_project.core.codecs import Codec
from ingest_project.entities.conversations.keys import CHUNKS, user_chunk
from ingest_project.entities.conversations.queries import SIMILAR_IN_CHUNK, SIMILAR_VECTORS
from ingest_project.entities.conversations.tables import HASHES
from ingest_project.formats.hyperplanes import Hyperplanes, Range
from ingest_project.formats.vectors import (
    COMPATIBLE,
    BrokenVector,
    Matrix,
    cosines,
    decode_vector,
    encode_vector,
)

HASH_BITS, SKETCH_BITS = 16, 384
_LOWEST, _HIGHEST = "0" * (HASH_BITS // 4), "f" * (HASH_BITS // 4)
_ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1).astype(np.uint16)


class Reader(Protocol):
    """What a search asks: sinks.table_reading.TableReader has it."""

    async def query(
        self, pattern: Query, partition: Plain, sort: Sequence[Plain] = (), *, limit: int | None = None
    ) -> Page: ...

    async def lookup(self, pattern: Lookup, keys: Sequence[Typed]) -> list[dict[str, Any]]: ...


class Page(Protocol):
    """Items, and where more of them begin."""

    @property
    def items(self) -> Sequence[Mapping[str, Any]]: ...

    @property
    def following(self) -> Typed | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """How far a search goes; benchmarks/similarity_recall.py measures what these give.

    Attributes:
        depth, probes, gap: Of formats.hyperplanes, in every chunk.
        small: A user whose first chunk has no more embeddings is read whole: that costs less than ranges.
        fetched: Vectors fetched for each result that is wanted, ``least`` at least.
        codec: How new vectors are stored.
    """

    depth: int = 8
    probes: int = 36
    gap: int = 1
    small: int = 400
    fetched: int = 10
    least: int = 20
    codec: Codec = "int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """One message, and how near it is."""

    cosine: float
    item: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Neighbours, nearest first.

    Attributes:
        looked_at: Different embeddings whose sketches were compared; ``fetched``: whose vectors were.
        broken: Ids of those whose stored vector cannot be read or is of other dimensions.
    """

    neighbours: Sequence[Neighbour]
    looked_at: int
    fetched: int
    broken: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Similarity:
    """Hashes and searches of one model's vectors.

    Attributes:
        model: Encoder's name; vectors of another one are passed over.
    """

    dimensions: int
    model: str
    settings: SearchSettings = field(default_factory=SearchSettings)
    _planes: Hyperplanes = field(init=False, repr=False, compare=False)
    _sketches: Hyperplanes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        planes = Hyperplanes(dimensions=self.dimensions, tables=len(HASHES), bits=HASH_BITS)
        sketches = Hyperplanes(
            dimensions=self.dimensions, tables=SKETCH_BITS // 64, bits=64, seed="conversations: sketches"
        )
        object.__setattr__(self, "_planes", planes)
        object.__setattr__(self, "_sketches", sketches)

    def attributes(self, vectors: Sequence[Sequence[float]] | Matrix) -> list[dict[str, dict[str, str]]]:
        """Of each vector the typed attributes of its item that a search reads."""
        hashes, sketches = self._planes.hashes(vectors), self._sketches.packed(vectors)
        codec = self.settings.codec
        return [
            {
                **{name: {"S": text} for name, text in zip(HASHES, texts, strict=True)},
                "sketch": binary(sketch),
                "vector_compressed": binary(encode_vector(vector, codec)),
                "vector_codec": {"S": codec},
                "model": {"S": self.model},
            }
            for vector, texts, sketch in zip(vectors, hashes, sketches, strict=True)
        ]

    def ranges(self, vector: Sequence[float] | Matrix) -> list[Range]:
        """Where a large user's neighbours are looked for, in each chunk."""
        far = self.settings
        return self._planes.ranges(vector, depth=far.depth, probes=far.probes, gap=far.gap)

    async def search(
        self,
        reader: Reader,
        user_id: str,
        vector: Sequence[float] | Matrix,
        *,
        count: int = 2,
        threshold: float = 0.65,
    ) -> Answer:
        """The user's ``count`` nearest messages with at least this cosine.

        Raises:
            BrokenVector: The question's vector has other dimensions.
            TransientFailure, PermanentFailure: As the reader does.
        """
        wanted = np.asarray(vector, dtype=np.float32)
        sketch = np.frombuffer(self._sketches.packed(wanted[None])[0], dtype=np.uint8)
        found = await self._sketched(reader, user_id, wanted)
        keys = self._nearest(found, sketch, max(self.settings.least, self.settings.fetched * count))
        items = await reader.lookup(SIMILAR_VECTORS, keys) if keys else []
        best, broken = self._compared(items, wanted, threshold)
        return Answer(neighbours=best[:count], looked_at=len(found), fetched=len(items), broken=broken)

    async def _sketched(self, reader: Reader, user_id: str, vector: Matrix) -> dict[tuple[str, str], bytes]:
        """Sketches by key of whoever may be near."""
        small, everything = self.settings.small, (_LOWEST, _HIGHEST)
        chunks = [user_chunk(user_id, chunk) for chunk in range(CHUNKS)]
        first = await reader.query(SIMILAR_IN_CHUNK[0], chunks[0], everything, limit=small)
        if first.following is None:
            pages = [first]
            asked = [(SIMILAR_IN_CHUNK[0], chunk, everything) for chunk in chunks[1:]]
        else:
            pages = []
            asked = [
                (SIMILAR_IN_CHUNK[one.table], chunk, (one.low, one.high))
                for chunk in chunks
                for one in self.ranges(vector)
            ]
        pages += await asyncio.gather(*(reader.query(*one) for one in asked))
        return dict(_sketches_of(pages))

    def _nearest(self, found: Mapping[tuple[str, str], bytes], sketch: Any, most: int) -> list[Typed]:
        """Keys of those whose sketches differ least from the question's."""
        keys = sorted(key for key, data in found.items() if len(data) == len(sketch))
        if not keys:
            return []
        rows = np.frombuffer(b"".join(found[key] for key in keys), dtype=np.uint8).reshape(len(keys), -1)
        differing = _ONES[rows ^ sketch].sum(axis=1)
        chosen = np.argsort(differing, kind="stable")[:most]
        return [
            {"user_chunk": {"S": keys[at][0]}, "embedding_id": {"S": keys[at][1]}} for at in chosen.tolist()
        ]

    def _compared(
        self, items: Sequence[Mapping[str, Any]], vector: Matrix, threshold: float
    ) -> tuple[list[Neighbour], list[str]]:
        ours = [item for item in items if item.get("model", {}).get("S") in (self.model, None)]
        rows: list[Matrix] = []
        good: list[Mapping[str, Any]] = []
        broken: list[str] = []
        for item in ours:
            try:
                row = vector_of(item)
                if len(row) != self.dimensions:
                    raise BrokenVector(f"{len(row)} dimensions, not {self.dimensions}")
            except BrokenVector:
                broken.append(str(item["embedding_id"]["S"]))
            else:
                rows.append(row)
                good.append(item)
        near = [
            Neighbour(cosine=cosine, item=item)
            for cosine, item in zip(cosines(vector, rows).tolist() if rows else (), good, strict=True)
            if cosine >= threshold
        ]
        return sorted(near, key=lambda one: (-one.cosine, one.item["embedding_id"]["S"])), broken


def vector_of(item: Mapping[str, Any]) -> Matrix:
    """The vector of an item of the embeddings, typed as the service gives it. Raises BrokenVector."""
    try:
        data = base64.b64decode(item["vector_compressed"]["B"], validate=True)
    except (KeyError, ValueError) as error:
        raise BrokenVector("no vector") from error
    return decode_vector(data, item.get("vector_codec", {}).get("S", COMPATIBLE))


def binary(data: bytes) -> dict[str, str]:
    """Bytes as a typed value."""
    return {"B": base64.b64encode(data).decode()}


def _sketches_of(pages: Iterable[Page]) -> Iterable[tuple[tuple[str, str], bytes]]:
    for page in pages:
        for item in page.items:
            key = item["user_chunk"]["S"], item["embedding_id"]["S"]
            yield key, base64.b64decode(item.get("sketch", {}).get("B", ""))
