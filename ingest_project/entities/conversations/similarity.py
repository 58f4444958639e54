"""Messages that mean something like a question: hashes and sketches of vectors, and the search over them.

Three steps, each a tenth of the one before: ranges of hashes are read from the indexes, their sketches name
who is worth a look, and only those vectors are fetched and compared exactly. Why: docs/decisions/0025.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import acos, pi, sqrt
from typing import Any, Protocol

import numpy as np

from ingest_project.core.access_patterns import Lookup, Plain, Query, Typed
from ingest_project.core.codecs import Codec
from ingest_project.entities.conversations.keys import CHUNKS, TIE_DIGITS, user_chunk
from ingest_project.entities.conversations.queries import SIMILAR_IN_CHUNK, SIMILAR_VECTORS
from ingest_project.entities.conversations.sketch_shelf import Sketches
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
        small: A user none of whose chunks has more embeddings is read whole, once for all questions of some
            minutes: that costs less than ranges for each.
        fetched: Vectors fetched for each result that is wanted, ``least`` at least; ``few`` of a user who is
            read whole: the fewer there are, the better sketches tell them apart.
        codec: How new vectors are stored.
    """

    depth: int = 8
    probes: int = 36
    gap: int = 1
    small: int = 1_000
    fetched: int = 10
    least: int = 20
    few: int = 20
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

    async def whole(self, reader: Reader, user_id: str) -> Sketches | None:
        """Sketches of all that the user said; None when a chunk has more than ``small``."""
        pages = await asyncio.gather(
            *(
                reader.query(SIMILAR_IN_CHUNK[0], chunk, (_LOWEST, _HIGHEST), limit=self.settings.small)
                for chunk in _chunks(user_id)
            )
        )
        if any(page.following is not None for page in pages):
            return None
        return sketches_of(item for page in pages for item in page.items)

    async def ranged(self, reader: Reader, user_id: str, vector: Sequence[float] | Matrix) -> Sketches:
        """Sketches of those of a large user who may be near the vector."""
        ranges = self.ranges(vector)
        pages = await asyncio.gather(
            *(
                reader.query(SIMILAR_IN_CHUNK[one.table], chunk, (one.low, one.high))
                for chunk in _chunks(user_id)
                for one in ranges
            )
        )
        return sketches_of(item for page in pages for item in page.items)

    async def among(
        self,
        reader: Reader,
        sketches: Sketches,
        vector: Sequence[float] | Matrix,
        *,
        count: int = 2,
        threshold: float = 0.65,
        least: int | None = None,
        told: Collection[str] = (),
    ) -> Answer:
        """Of those with these sketches the ``count`` nearest with at least this cosine.

        Args:
            least: Vectors that are fetched at least; None: as the settings say.
            told: What ids begin with, TIE_DIGITS of them, that are not wanted.

        Raises:
            BrokenVector: The question's vector has other dimensions.
            TransientFailure, PermanentFailure: As the reader does.
        """
        wanted = np.asarray(vector, dtype=np.float32)
        sketch = np.frombuffer(self._sketches.packed(wanted[None])[0], dtype=np.uint8)
        most = max(self.settings.least if least is None else least, self.settings.fetched * count)
        wanted_ones = {key: one for key, one in sketches.items() if key[1][:TIE_DIGITS] not in told}
        keys = _nearest(wanted_ones, sketch, most, differing_at(threshold))
        items = await reader.lookup(SIMILAR_VECTORS, keys) if keys else []
        best, broken = self._compared(items, wanted, threshold)
        return Answer(neighbours=best[:count], looked_at=len(sketches), fetched=len(items), broken=broken)

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


def sketches_of(items: Iterable[Mapping[str, Any]]) -> Sketches:
    """By key, of typed items."""
    return {
        (item["user_chunk"]["S"], item["embedding_id"]["S"]): base64.b64decode(
            item.get("sketch", {}).get("B", "")
        )
        for item in items
    }


def differing_at(threshold: float) -> int:
    """Signs of a sketch in which a vector at this cosine may differ from the question's.

    Each sign differs with the share that the angle is of a half turn, by itself: a vector at the very
    threshold differs in more of them once in thirty thousand times, a nearer one less often.
    """
    share = acos(min(1.0, max(-1.0, threshold))) / pi
    return int(SKETCH_BITS * share + 4 * sqrt(SKETCH_BITS * share * (1 - share)))


def _chunks(user_id: str) -> list[str]:
    return [user_chunk(user_id, chunk) for chunk in range(CHUNKS)]


def _nearest(sketches: Sketches, sketch: Any, most: int, within: int) -> list[Typed]:
    """Keys of those whose sketches differ least from the question's, and in no more signs than that."""
    keys = sorted(key for key, data in sketches.items() if len(data) == len(sketch))
    if not keys:
        return []
    rows = np.frombuffer(b"".join(sketches[key] for key in keys), dtype=np.uint8).reshape(len(keys), -1)
    differing = _ONES[rows ^ sketch].sum(axis=1)
    chosen = [at for at in np.argsort(differing, kind="stable")[:most].tolist() if differing[at] <= within]
    return [{"user_chunk": {"S": keys[at][0]}, "embedding_id": {"S": keys[at][1]}} for at in chosen]
